#pragma once

// Small words for waiting: one event, and a semaphore that is fair.
//
// Threading: loop thread only. A waiter is resumed by the call that lets it go on, from inside that
// call; where that matters (a completion being reaped) post to the loop instead.

#include <coroutine>
#include <cstdint>

#include "base/assert.h"

namespace benchfs::coro {

/// Set once, waited for by at most one coroutine.
class Event {
 public:
  Event() = default;
  ~Event() { BENCHFS_ASSERT(!waiter_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  bool is_set() const noexcept { return set_; }
  void set() noexcept;

  bool await_ready() const noexcept { return set_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept {
    BENCHFS_ASSERT(!waiter_);
    waiter_ = waiter;
  }
  void await_resume() const noexcept {}

 private:
  bool set_ = false;
  std::coroutine_handle<> waiter_;
};

/// Units (bytes, requests) that are taken before work and given back after it. First come, first
/// served: a large request is not starved by small ones behind it.
class Semaphore {
 public:
  explicit Semaphore(std::uint64_t units) noexcept : available_(units) {}
  ~Semaphore() {
    BENCHFS_ASSERT(first_ == nullptr);
    if (destroyed_ != nullptr) {
      *destroyed_ = true;
    }
  }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  std::uint64_t available() const noexcept { return available_; }
  bool has_waiters() const noexcept { return first_ != nullptr; }

  /// Awaitable that lives in its awaiter's frame. Give back what it took with release().
  class AcquireOp {
   public:
    AcquireOp(Semaphore& semaphore, std::uint64_t units) noexcept
        : semaphore_(semaphore), units_(units) {}
    AcquireOp(const AcquireOp&) = delete;
    AcquireOp& operator=(const AcquireOp&) = delete;
    bool await_ready() noexcept;
    void await_suspend(std::coroutine_handle<> waiter) noexcept;
    void await_resume() const noexcept {}

   private:
    friend class Semaphore;
    Semaphore& semaphore_;
    std::uint64_t units_;
    AcquireOp* next_ = nullptr;
    std::coroutine_handle<> waiter_;
  };

  AcquireOp acquire(std::uint64_t units) noexcept { return AcquireOp(*this, units); }

  /// Resumes whom it lets go on, in order. A release() by one of them, before it suspends again,
  /// only adds its units: the outermost call goes on with the queue, so that a long queue needs no
  /// deep stack. A resumed waiter may destroy the Semaphore if nobody waits behind it.
  void release(std::uint64_t units) noexcept;

 private:
  std::uint64_t available_;
  AcquireOp* first_ = nullptr;
  AcquireOp* last_ = nullptr;
  bool* destroyed_ = nullptr;  ///< Set while release() runs: where the destructor tells it.
};

/// One coroutine at a time, in order of arrival.
class Mutex {
 public:
  Semaphore::AcquireOp lock() noexcept { return units_.acquire(1); }
  void unlock() noexcept { units_.release(1); }
  bool locked() const noexcept { return units_.available() == 0; }

 private:
  Semaphore units_{1};
};

}  // namespace benchfs::coro
