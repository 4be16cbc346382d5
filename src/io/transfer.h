#pragma once

// What the kernel's answer to a part of an operation means for the whole of it: the rules for short
// transfers and retries, the same for every backend.
//
// Threading: any thread, one at a time per operation.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "io/disk.h"

namespace benchfs::io {

enum class TransferStep : std::uint8_t {
  kDone,   ///< The operation has ended; its status is set.
  kAgain,  ///< Submit the rest, from op.done_bytes on.
};

/// The most that one system call moves; the rest is a continuation.
inline constexpr std::size_t kSyscallBytesMax = std::size_t{1} << 30;

/// Takes `result`, bytes moved or a negative errno, of a call that was given the rest of `op`.
/// Updates done_bytes, which stays a multiple of `alignment_bytes`, or sets the status.
TransferStep advance(DiskOp& op, std::int64_t result, std::size_t alignment_bytes) noexcept;

/// The rest of `op` that one call may move.
inline std::byte* rest_data(const DiskOp& op) noexcept {
  return op.data() + op.done_bytes;
}
inline std::uint64_t rest_offset_bytes(const DiskOp& op) noexcept {
  return op.offset_bytes() + op.done_bytes;
}
std::size_t rest_size_bytes(const DiskOp& op) noexcept;

/// One line to the log if `op`, on the file at `path`, has failed.
void log_failure(const DiskOp& op, std::string_view path);

}  // namespace benchfs::io
