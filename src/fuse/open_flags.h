#pragma once

// Flags of open(2) as the servers know them. Pure.

#include <cstdint>

#include <fcntl.h>

#include "wire/messages.h"

namespace benchfs::fuse {

/// What may be written may be appended to: whether O_APPEND is set is known with each write, as
/// fcntl(2) may change it.
constexpr std::uint32_t to_wire_flags(int flags) noexcept {
  const int access = flags & O_ACCMODE;
  std::uint32_t out = 0;
  out |= access != O_WRONLY ? wire::kOpenRead : 0U;
  out |= access != O_RDONLY ? wire::kOpenWrite | wire::kOpenAppend : 0U;
  out |= (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0 ? wire::kOpenExclusive : 0U;
  out |= access != O_RDONLY && (flags & O_TRUNC) != 0 ? wire::kOpenTruncate : 0U;
  return out;
}

}  // namespace benchfs::fuse
