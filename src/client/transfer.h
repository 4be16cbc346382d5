#pragma once

// Moves bytes between memory and a file's chunks: all requests of an operation in flight at once,
// within the bounds of servers.h.
//
// Threading: loop thread only. Memory, extents, `servers` and `context` are borrowed until the end;
// no transfer is left then, whatever the outcome.

#include <cstdint>
#include <span>

#include <sys/uio.h>

#include "base/ids.h"
#include "base/result.h"
#include "client/servers.h"
#include "client/striper.h"
#include "client/sync_marks.h"
#include "coro/task.h"
#include "placement/placement.h"

namespace benchfs::client {

/// Requests of one operation at once: begun, or waiting for one of a server's slots.
inline constexpr std::uint64_t kRequestsPerTransferMin = 64;
inline constexpr std::uint64_t kRequestsPerTransferMax = 1024;

/// Lists as for Striper. After an error any part may have been written. Tells `marks`, which are
/// borrowed too, what was.
coro::Task<Status> write_extents(Servers& servers, Context& context, placement::Striping file,
                                 std::span<const iovec> memory, std::span<const Extent> extents,
                                 SyncMarks& marks);

/// Returns how many bytes of the extents lie below the end of the file; the others, and holes, are
/// zeros.
coro::Task<Result<std::uint64_t>> read_extents(Servers& servers, Context& context,
                                               placement::Striping file,
                                               std::span<const iovec> memory,
                                               std::span<const Extent> extents);

}  // namespace benchfs::client
