#pragma once

// Timers of one loop: intrusive nodes in a heap, so that neither setting nor cancelling one
// allocates per operation.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace benchfs::loop {

class EventLoop;

/// A one-shot timer that its owner embeds. Not copyable; cancelled by its destructor.
class Timer {
 public:
  using Callback = void (*)(Timer&) noexcept;

  /// `callback` runs on the loop's thread, from the loop itself; it must not destroy the loop. It
  /// may destroy this timer.
  explicit Timer(Callback callback) noexcept : callback_(callback) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const noexcept { return queue_ != nullptr; }
  std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }
  void cancel() noexcept;

 private:
  friend class TimerQueue;
  Callback callback_;
  class TimerQueue* queue_ = nullptr;
  std::size_t position_ = 0;
  std::uint64_t deadline_ns_ = 0;
  std::uint64_t sequence_ = 0;  ///< Equal deadlines expire in the order in which they were armed.
};

class TimerQueue {
 public:
  TimerQueue() = default;
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  /// Arms `timer`, or moves it if it is armed. It stays where it is in memory until it expires.
  /// From a callback, a deadline that is over counts as just after now: it waits for the next
  /// expire().
  void arm(Timer& timer, std::uint64_t deadline_ns);

  /// Runs every timer whose deadline is not after `now_ns`, earliest first; returns how many. (The
  /// deadline UINT64_MAX is never.)
  std::size_t expire(std::uint64_t now_ns);

  /// UINT64_MAX if no timer is armed.
  std::uint64_t next_deadline_ns() const noexcept;
  std::size_t size() const noexcept { return heap_.size(); }

 private:
  friend class Timer;
  static bool before(const Timer& a, const Timer& b) noexcept;
  void remove(Timer& timer) noexcept;
  void place(Timer& timer, std::size_t position) noexcept;
  void sift_up(std::size_t position) noexcept;
  void sift_down(std::size_t position) noexcept;

  std::vector<Timer*> heap_;
  std::uint64_t next_sequence_ = 0;
  bool expiring_ = false;
  std::uint64_t expiring_ns_ = 0;
};

/// Awaitable: `loop::SleepOp pause(loop, deadline_ns); co_await pause;` Lives in the awaiter's
/// frame.
class SleepOp : private Timer {
 public:
  SleepOp(EventLoop& loop, std::uint64_t deadline_ns) noexcept
      : Timer(&SleepOp::expired), loop_(loop), until_ns_(deadline_ns) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  void await_resume() const noexcept {}

 private:
  static void expired(Timer& timer) noexcept;
  EventLoop& loop_;
  std::uint64_t until_ns_;
  std::coroutine_handle<> waiter_;
};

}  // namespace benchfs::loop
