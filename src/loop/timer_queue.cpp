#include "loop/timer_queue.h"

#include <algorithm>

#include "base/assert.h"
#include "loop/event_loop.h"

namespace benchfs::loop {

void Timer::cancel() noexcept {
  if (queue_ != nullptr) {
    queue_->remove(*this);
  }
}

TimerQueue::~TimerQueue() {
  for (Timer* timer : heap_) {
    timer->queue_ = nullptr;
  }
}

void TimerQueue::arm(Timer& timer, std::uint64_t deadline_ns) {
  BENCHFS_ASSERT(timer.queue_ == nullptr || timer.queue_ == this);
  timer.cancel();
  // What a callback arms for now or the past waits for the next expire(), so that each one ends.
  timer.deadline_ns_ = expiring_ ? std::max(deadline_ns, expiring_ns_ + 1) : deadline_ns;
  timer.sequence_ = next_sequence_++;
  timer.queue_ = this;
  timer.position_ = heap_.size();
  heap_.push_back(&timer);
  sift_up(timer.position_);
}

std::size_t TimerQueue::expire(std::uint64_t now_ns) {
  BENCHFS_ASSERT(!expiring_);
  expiring_ = true;
  expiring_ns_ = std::min(now_ns, UINT64_MAX - 1);
  std::size_t count = 0;
  while (!heap_.empty() && heap_.front()->deadline_ns_ <= expiring_ns_) {
    Timer& timer = *heap_.front();
    remove(timer);
    ++count;
    timer.callback_(timer);  // May destroy or re-arm the timer.
  }
  expiring_ = false;
  return count;
}

std::uint64_t TimerQueue::next_deadline_ns() const noexcept {
  return heap_.empty() ? UINT64_MAX : heap_.front()->deadline_ns_;
}

void TimerQueue::remove(Timer& timer) noexcept {
  const std::size_t position = timer.position_;
  BENCHFS_ASSERT(position < heap_.size() && heap_[position] == &timer);
  timer.queue_ = nullptr;
  Timer* const last = heap_.back();
  heap_.pop_back();
  if (last == &timer) {
    return;
  }
  heap_[position] = last;
  last->position_ = position;
  sift_up(position);
  sift_down(last->position_);
}

bool TimerQueue::before(const Timer& a, const Timer& b) noexcept {
  return a.deadline_ns_ != b.deadline_ns_ ? a.deadline_ns_ < b.deadline_ns_
                                          : a.sequence_ < b.sequence_;
}

void TimerQueue::place(Timer& timer, std::size_t position) noexcept {
  heap_[position] = &timer;
  timer.position_ = position;
}

void TimerQueue::sift_up(std::size_t position) noexcept {
  Timer& timer = *heap_[position];
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (!before(timer, *heap_[parent])) {
      break;
    }
    place(*heap_[parent], position);
    position = parent;
  }
  place(timer, position);
}

void TimerQueue::sift_down(std::size_t position) noexcept {
  Timer& timer = *heap_[position];
  for (std::size_t child = 2 * position + 1; child < heap_.size(); child = 2 * position + 1) {
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) {
      ++child;
    }
    if (!before(*heap_[child], timer)) {
      break;
    }
    place(*heap_[child], position);
    position = child;
  }
  place(timer, position);
}

void SleepOp::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  loop_.timers().arm(*this, until_ns_);
}

void SleepOp::expired(Timer& timer) noexcept {
  auto& self = static_cast<SleepOp&>(timer);
  self.loop_.post(self.waiter_);
}

}  // namespace benchfs::loop
