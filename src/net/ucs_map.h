#pragma once

// The border to UCX's errors: ucs_status_t becomes an Error here and nowhere else.

#include "base/error.h"

namespace benchfs::net {

/// The Error for the failing ucs_status_t `status` (below 0); `where` is a static string.
Error to_error(int status, const char* where) noexcept;

}  // namespace benchfs::net
