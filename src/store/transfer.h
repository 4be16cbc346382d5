#pragma once

// Several reads or writes of the drive as one.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <span>

#include <absl/container/inlined_vector.h>

#include "base/bytes.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/disk.h"

namespace benchfs::store {

/// One operation of the drive; all of it is aligned to blocks.
struct Transfer {
  std::uint64_t device_bytes = 0;
  Bytes memory;
};

using Transfers = absl::InlinedVector<Transfer, 4>;

/// Operations that one request has at the drive at once.
inline constexpr std::size_t kTransfersInFlightMax = 64;

/// Carries `transfers` out, in parallel. Ends when none is at the drive any more, after an error
/// too; returns the first error in the order of the list. All parameters are borrowed until then.
coro::Task<Status> read_all(io::Disk& disk, std::span<const Transfer> transfers);
coro::Task<Status> write_all(io::Disk& disk, std::span<const Transfer> transfers);

}  // namespace benchfs::store
