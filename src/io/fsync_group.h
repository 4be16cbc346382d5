#pragma once

// One fsync of the drive for all who ask while it has not begun.
//
// Threading: loop thread only.

#include <cstddef>
#include <memory>

#include "base/result.h"
#include "coro/event.h"
#include "coro/task.h"
#include "io/disk.h"

namespace benchfs::io {

class FsyncGroup {
 public:
  /// Borrows `disk`.
  explicit FsyncGroup(Disk& disk) noexcept : disk_(disk) {}

  /// Every write that completed before this call survives power loss once it succeeds. A caller
  /// that arrives while an fsync runs shares the next one with all others who wait: the one that
  /// runs may have begun before the caller's writes ended.
  ///
  /// Once the drive has failed one, all later ones fail with the same error, and the drive is not
  /// asked: it has dropped what it could not write, says so once, and then succeeds without it.
  coro::Task<Status> fsync();

 private:
  struct Round {
    coro::Semaphore done{0};
    std::size_t follower_count = 0;
    Status status;
  };

  Disk& disk_;
  coro::Mutex running_;
  Status failed_;                ///< The first failure.
  std::shared_ptr<Round> next_;  ///< Whom a new caller joins; empty if it has to begin a round.
};

}  // namespace benchfs::io
