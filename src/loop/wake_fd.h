#pragma once

// The way into the loop from outside of its thread: another thread, or a signal handler.
//
// Threading: notify() from anywhere, also from a signal handler; everything else on the loop's
// thread.

#include <atomic>
#include <functional>
#include <memory>

#include "base/result.h"
#include "loop/event_loop.h"

namespace benchfs::loop {

/// Runs a callback on the loop's thread after notify(). Many notifications before that are one.
class WakeFd final : public Source {
 public:
  /// `on_wake` runs from progress(), so it posts what it wants resumed. Adds itself to `loop` and
  /// leaves it in the destructor. kTooManyFiles, kOutOfMemory.
  static Result<std::unique_ptr<WakeFd>> create(EventLoop& loop, std::function<void()> on_wake);
  ~WakeFd() override;
  WakeFd(const WakeFd&) = delete;
  WakeFd& operator=(const WakeFd&) = delete;

  /// Async-signal-safe; keeps errno. What the caller did before is visible to the callback.
  void notify() noexcept;

  bool progress() noexcept override;
  bool arm() noexcept override;
  int event_fd() const noexcept override { return fd_; }

 private:
  WakeFd(EventLoop& loop, int fd, std::function<void()> on_wake);

  EventLoop& loop_;
  const int fd_;
  const std::function<void()> on_wake_;
  std::atomic<bool> notified_ = false;
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler stores to it");
};

}  // namespace benchfs::loop
