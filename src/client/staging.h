#pragma once

// The client's part of staging: hands what is to be copied to the servers that hold it, many
// requests at once, and puts their answers together.
//
// Threading: loop thread only. Everything is borrowed until the coroutine ends.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client/errno_map.h"
#include "client/names.h"
#include "client/servers.h"
#include "coro/task.h"
#include "placement/placement.h"
#include "wire/staging.h"

namespace benchfs::client {

/// Staging waits for file systems that the servers do not know.
inline constexpr std::uint64_t kStageTimeoutNsMin = 120 * kNsPerSec;

/// Requests to one server at once, of one call.
inline constexpr std::uint64_t kStageRequestsPerServer = 2;

/// One file of many.
struct StageItem {
  Path inside;               ///< In: its final path.
  InodeId inode = kNoInode;  ///< Out.
  std::string outside;
  std::uint64_t size_bytes = 0;  ///< As far as is known.
  wire::StageResult result;
};

/// Whole files, in any order. The call itself fails for nothing: each item has its result.
coro::Task<void> stage_files_in(Servers& servers, Names& names, std::span<StageItem> items,
                                std::uint64_t run, bool verify);
coro::Task<void> stage_files_out(Servers& servers, std::span<StageItem> items, std::uint64_t run,
                                 bool verify);

/// fsync of every server. The number is the same for two calls if no server has been lost or has
/// started again between them, which alone makes the second one vouch for what was done since the
/// first.
coro::Task<Result<std::uint64_t>> sync_all(Servers& servers, Context& context);

/// One file that is staged in ranges.
class StageFile {
 public:
  enum class Direction { kIn, kOut };

  /// `striping` is the file's inside, `outside` the path of the source or of the file that is
  /// written.
  StageFile(Servers& servers, placement::Striping striping, std::string outside,
            Direction direction, std::uint64_t size_bytes);

  /// Before the first copy(): notes what the source is.
  coro::Task<Status> begin(Context& context);
  /// Copies the cells that begin in the range. Adds to the sum. kStale: the source has changed, or
  /// a server has started again, since begin().
  coro::Task<Result<std::uint64_t>> copy(Context& context, std::uint64_t offset_bytes,
                                         std::uint64_t length_bytes);
  /// Behind the last: what was copied is on the drives of the file system outside (out), and the
  /// source is as it was. kStale. What is inside is for an fsync.
  coro::Task<Status> finish(Context& context);
  /// The sum of what is on one side now.
  coro::Task<Result<std::uint64_t>> sum_of(Context& context, bool inside);

  std::uint64_t sum() const noexcept { return sum_; }

 private:
  struct Round;
  struct Known {
    bool seen = false;
    std::uint64_t incarnation = 0;
    std::uint64_t stamp = 0;
  };
  coro::Task<void> ask(Round& round, ServerId server, wire::StageRangeRequest request);
  coro::Task<Result<wire::StageRangeReply>> ask_all(Context& context, wire::StageAct act,
                                                    std::uint64_t offset_bytes,
                                                    std::uint64_t length_bytes);
  bool is_as_known(ServerId server, std::uint64_t incarnation, std::uint64_t stamp,
                   wire::StageAct act);

  Servers& servers_;
  const placement::Striping striping_;
  const std::string outside_;
  const Direction direction_;
  const std::uint64_t size_bytes_;
  std::vector<Known> known_;  ///< By server.
  Known source_;              ///< In: of the file outside, whoever has looked.
  std::uint64_t sum_ = 0;
};

}  // namespace benchfs::client
