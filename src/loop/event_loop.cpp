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

void EventLoop::enter() noexcept {
  BENCHFS_ASSERT(!in_turn_);
  in_turn_ = true;
  turn_ns_.reset();
}

bool EventLoop::turn(Look look) {
  ++counters_.turns;
  enter();
  bool worked = false;
  progressing_ = true;
  for (Source* const source : sources_) {
    worked |= source->progress();
  }
  progressing_ = false;
  // Without a timer nobody needs to know the time, and an idle or a busy turn need not ask for it.
  if (timers_.size() > 0 && (look == Look::kAlways || worked || !ready_.empty())) {
    worked |= timers_.expire(now_ns()) > 0;
  }
  worked |= run_ready() > 0;
  in_turn_ = false;
  return worked || !ready_.empty();
}

bool EventLoop::spin(Look look) {
  if (turn(look)) {
    empty_turns_ = 0;
    idle_ = false;
    refused_ = false;
    return true;
  }
  ++empty_turns_;
  if (look == Look::kAlways && !turn_ns_.has_value()) {
    turn_ns_ = clock_.now_ns();
  }
  return false;
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
  // Who does not spin must know at once whether to sleep.
  if (options_.spin_ns == 0 ? spin(Look::kAlways) : spin()) {
    return;
  }
  if (!turn_ns_.has_value()) {
    return;  // It has not looked.
  }
  // Nothing has happened since the turn asked.
  const std::uint64_t now_ns = *turn_ns_;
  if (!idle_) {
    idle_ = true;
    idle_since_ns_ = now_ns;
  }
  if (now_ns - idle_since_ns_ < options_.spin_ns) {
    return;
  }
  if (refused_ && looks_to_arm_ > 0 && now_ns - refused_since_ns_ < kPatienceNs) {
    --looks_to_arm_;
    return;
  }
  sleep(now_ns, deadline_ns);
}

/// A source refuses to be armed for a moment when something has just come or is on its way out, and
/// for as long as it holds what it cannot get rid of, such as messages to a peer that fetches
/// nothing. So the loop goes on turning for a while, and then pauses between two turns.
void EventLoop::refuse(std::uint64_t now_ns, std::uint64_t until_ns) {
  if (!refused_) {
    refused_ = true;
    refused_since_ns_ = now_ns;
    looks_per_arm_ = 1;
  }
  const std::uint64_t waited_ns = now_ns - refused_since_ns_;
  if (waited_ns < kPatienceNs) {
    looks_to_arm_ = looks_per_arm_ - 1;
    looks_per_arm_ = std::min(2 * looks_per_arm_, kLooksPerArmMax);
    return;
  }
  const std::uint64_t pause_ns = std::clamp(waited_ns / kPauseDivisor, kPauseNsMin, kPauseNsMax);
  ++counters_.sleeps;
  empty_turns_ = 0;
  sleeper_.sleep(armed_fds_, std::min(pause_ns, until_ns - now_ns));
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
    refuse(now_ns, until_ns);
    return;
  }
  BENCHFS_ASSERT(ready_.empty() && running_next_ == running_.size());
  refused_ = false;
  empty_turns_ = 0;
  ++counters_.sleeps;
  sleeper_.sleep(armed_fds_, until_ns == UINT64_MAX ? UINT64_MAX : until_ns - now_ns);
  // Still idle: if what woke us turns out to be nothing, the loop sleeps again without spinning.
}

}  // namespace benchfs::loop
