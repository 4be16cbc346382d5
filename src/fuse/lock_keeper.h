#pragma once

// Locks that are waited for without a thread of the mount for each: one thread waits for all of
// them, and runs the mount's loop if nobody else does.
//
// Threading: any thread.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "client/engine.h"
#include "client/mount.h"
#include "coro/task.h"
#include "fuse/locks.h"

namespace benchfs::fuse {

class LockKeeper {
 public:
  using Done = std::function<void(Status)>;
  using Number = std::uint64_t;

  /// Borrows both.
  LockKeeper(client::Mount& mount, Locks& locks);
  /// Cancels what is waited for, and returns when all have been told.
  ~LockKeeper();
  LockKeeper(const LockKeeper&) = delete;
  LockKeeper& operator=(const LockKeeper&) = delete;

  /// A number for one begin(), which has to follow.
  Number reserve();

  /// Waits for the lock, then calls `done` once, in any thread.
  void begin(Number number, const Locks::Wish& wish, Done done);

  /// Makes that end with kCancelled soon, also if it has not begun yet. Nothing if it has ended.
  void cancel(Number number);

 private:
  struct Waiting;
  static coro::Task<void> wait(Locks& locks, Waiting& waiting);
  void run();
  void let_go_of_ended();

  client::Mount& mount_;
  Locks& locks_;

  std::mutex mutex_;
  Number last_number_ = 0;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Waiting>> waiting_;
  std::map<Number, std::shared_ptr<std::atomic<bool>>> cancelled_;  ///< By reserved number.
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace benchfs::fuse
