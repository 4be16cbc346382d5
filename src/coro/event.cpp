#include "coro/event.h"

#include <utility>

namespace benchfs::coro {

void Event::set() noexcept {
  set_ = true;
  if (waiter_) {
    std::exchange(waiter_, {}).resume();  // May destroy this Event.
  }
}

bool Semaphore::AcquireOp::await_ready() noexcept {
  if (semaphore_.first_ != nullptr || semaphore_.available_ < units_) {
    return false;
  }
  semaphore_.available_ -= units_;
  return true;
}

void Semaphore::AcquireOp::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  if (semaphore_.last_ == nullptr) {
    semaphore_.first_ = this;
  } else {
    semaphore_.last_->next_ = this;
  }
  semaphore_.last_ = this;
}

void Semaphore::release(std::uint64_t units) noexcept {
  BENCHFS_ASSERT(units <= UINT64_MAX - available_);
  available_ += units;
  if (destroyed_ != nullptr) {
    return;  // Called by somebody whom an outer release() has just resumed.
  }
  bool destroyed = false;
  destroyed_ = &destroyed;
  while (first_ != nullptr && first_->units_ <= available_) {
    AcquireOp& op = *first_;
    available_ -= op.units_;
    first_ = op.next_;
    if (first_ == nullptr) {
      last_ = nullptr;
    }
    op.waiter_.resume();  // May destroy `op`, and this Semaphore.
    if (destroyed) {
      return;
    }
  }
  destroyed_ = nullptr;
}

}  // namespace benchfs::coro
