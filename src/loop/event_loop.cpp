#include "loop/event_loop.h"

#include <algorithm>

#include "base/assert.h"

namespace benchfs::loop {

EventLoop::EventLoop(Clock& clock, Sleeper& sleeper, LoopOptions options)
    : clock_(clock), sleeper_(sleeper), options_(options) {
  ready_.reserve(kResumesPerTurnMax);
  running_.reserve(kResumesPerTurnMax);
}

EventLoop::~EventLoop() {
  BENCHFS_ASSERT(sources_.empty());
}

void EventLoop::add_source(Source& source) {
  BENCHFS_ASSERT(std::find(sources_.begin(), sources_.end(), &source) == sources_.end());
  BENCHFS_ASSERT(!progressing_);
  sources_.push_back(&source);
  armed_fds_.reserve(sources_.size());
}

void EventLoop::remove_source(Source& source) noexcept {
  BENCHFS_ASSERT(!progressing_);
  const auto found = std::find(sources_.begin(), sources_.end(), &source);
  BENCHFS_ASSERT(found != sources_.end());
  sources_.erase(found);
}

void EventLoop::post(std::coroutine_handle<> waiter) {
  BENCHFS_ASSERT(waiter);
  ready_.push_back(waiter);
}

std::uint64_t EventLoop::now_ns() noexcept {
  if (!in_turn_) {
    return clock_.now_ns();
  }
  if (!turn_ns_.has_value()) {
    turn_ns_ = clock_.now_ns();
  }
  return *turn_ns_;
}

bool EventLoop::turn() {
  ++counters_.turns;
  in_turn_ = true;
  turn_ns_.reset();
  bool worked = false;
  progressing_ = true;
  for (Source* const source : sources_) {
    worked |= source->progress();
  }
  progressing_ = false;
  // Without a timer nobody needs to know the time, and an idle or a busy turn need not ask for it.
  if (timers_.size() > 0) {
    worked |= timers_.expire(now_ns()) > 0;
  }
  worked |= run_ready() > 0;
  in_turn_ = false;
  return worked || !ready_.empty();
}

std::size_t EventLoop::run_ready() {
  if (running_next_ == running_.size()) {
    running_.clear();
    running_next_ = 0;
    running_.swap(ready_);
  }
  // What is posted from here on goes to ready_, so that a coroutine that yields lets the sources go
  // on.
  const std::size_t count = std::min(running_.size() - running_next_, kResumesPerTurnMax);
  for (std::size_t i = 0; i < count; ++i) {
    running_[running_next_++].resume();
  }
  counters_.resumed += count;
  return count;
}

void EventLoop::run_until(const bool& done) {
  while (!done) {
    run_once(UINT64_MAX);
  }
}

void EventLoop::run_once(std::uint64_t deadline_ns) {
  if (turn()) {
    idle_ = false;
    refused_ = false;
    return;
  }
  // Nothing has happened since the turn asked.
  const std::uint64_t now_ns = turn_ns_.has_value() ? *turn_ns_ : clock_.now_ns();
  if (!idle_) {
    idle_ = true;
    idle_since_ns_ = now_ns;
  }
  if (now_ns - idle_since_ns_ < options_.spin_ns) {
    return;
  }
  sleep(now_ns, deadline_ns);
}

/// A source refuses to be armed for a moment when something has just come or is on its way out, and
/// for as long as it holds what it cannot get rid of, such as messages to a peer that fetches
/// nothing. So the loop goes on looking for a while, and then pauses between two looks.
void EventLoop::pause(std::uint64_t now_ns, std::uint64_t until_ns) {
  if (!refused_) {
    refused_ = true;
    refused_since_ns_ = now_ns;
  }
  if (now_ns - refused_since_ns_ >= kPatienceNs) {
    ++counters_.sleeps;
    sleeper_.sleep(armed_fds_, std::min(kPauseNs, until_ns - now_ns));
  }
}

void EventLoop::sleep(std::uint64_t now_ns, std::uint64_t deadline_ns) {
  const std::uint64_t until_ns = std::min(deadline_ns, timers_.next_deadline_ns());
  if (until_ns <= now_ns) {
    return;
  }
  armed_fds_.clear();
  for (Source* const source : sources_) {
    if (source->arm()) {
      armed_fds_.push_back(source->event_fd());
    }
  }
  if (armed_fds_.size() < sources_.size()) {
    pause(now_ns, until_ns);
    return;
  }
  BENCHFS_ASSERT(ready_.empty() && running_next_ == running_.size());
  refused_ = false;
  ++counters_.sleeps;
  sleeper_.sleep(armed_fds_, until_ns == UINT64_MAX ? UINT64_MAX : until_ns - now_ns);
  // Still idle: if what woke us turns out to be nothing, the loop sleeps again without spinning.
}

}  // namespace benchfs::loop
