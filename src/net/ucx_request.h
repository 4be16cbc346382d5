#pragma once

// What the sources of net share about UCX's requests. Private to net.

#include <cstddef>

#include "net/ucx_worker.h"

namespace benchfs::net {

/// What precedes the caller's header in every data message: connection id and sequence number, both
/// u64 little-endian.
inline constexpr std::size_t kPrefixBytes = 16;

/// A request that ended inside the call that started it gets no callback: `returned` is the call's
/// ucs_status_ptr_t.
void finish_if_immediate(void* returned, Completion& completion) noexcept;

}  // namespace benchfs::net
