#pragma once

// What the transport needs of the process that it lives in, which is the application's.
//
// Threading: any thread.

#include <cstddef>

#include "base/result.h"

namespace benchfs::net {

/// kTooManyFiles if the process cannot open `count` more files now.
Status check_descriptors(std::size_t count) noexcept;

/// Keeps libcrypto from ending in an exit handler, after which no connection could be made: others
/// that run later, such as HDF5's, still write. To be called before libcrypto is used; where the
/// program has used it first, it ends as the program wants.
void keep_libcrypto() noexcept;

}  // namespace benchfs::net
