#include "sim/process.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace benchfs::sim {
namespace {

constexpr std::uint64_t kWallStartNs = 1'700'000'000ULL * kNsPerSec;

/// Turns in which a loop must come to rest: more means that it spins.
constexpr int kTurnsMax = 200'000;

/// What a process takes from an event to its next turn.
constexpr std::uint64_t kReactionNsMax = 20 * kNsPerUs;
constexpr std::uint64_t kSlowReactionNsMax = 3 * kNsPerMs;

/// How long a killed process may go on in its own time.
constexpr std::uint64_t kDrainNsMax = 2 * 3600 * kNsPerSec;

}  // namespace

MachineClock::MachineClock(const World& world, Chance& chance) : world_(world) {
  // The wire's contract: no clock runs more than 200 ppm behind another.
  drift_ppm_ = static_cast<std::int64_t>(chance.below(181)) - 90;
  wall_base_ns_ = kWallStartNs + chance.below(2 * kNsPerSec);
  boot(chance);
}

void MachineClock::boot(Chance& chance) {
  booted_ns_ = world_.now_ns();
  base_ns_ = kNsPerSec + chance.below(1000 * kNsPerSec);
}

std::uint64_t MachineClock::local_ns(std::uint64_t world_ns) const noexcept {
  BENCHFS_ASSERT(world_ns >= booted_ns_);
  const auto elapsed_ns = static_cast<std::int64_t>(world_ns - booted_ns_);
  const std::int64_t drifted_ns = elapsed_ns / 1000 * drift_ppm_ / 1000;
  return base_ns_ + static_cast<std::uint64_t>(elapsed_ns + drifted_ns);
}

std::uint64_t MachineClock::world_ns(std::uint64_t local_ns) const noexcept {
  if (local_ns <= base_ns_) {
    return booted_ns_;
  }
  if (local_ns - base_ns_ > (std::uint64_t{1} << 60U)) {
    return kNever;
  }
  const auto target_ns = static_cast<std::int64_t>(local_ns - base_ns_);
  std::int64_t elapsed_ns = target_ns - target_ns / 1000 * drift_ppm_ / 1000;
  elapsed_ns = std::max<std::int64_t>(elapsed_ns, 0);
  std::uint64_t world_ns = booted_ns_ + static_cast<std::uint64_t>(elapsed_ns);
  while (this->local_ns(world_ns) < local_ns) {
    world_ns += std::max<std::uint64_t>(1, local_ns - this->local_ns(world_ns));
  }
  return world_ns;
}

Process::Process(World& world, MachineClock& machine, std::uint64_t number, std::string name)
    : world_(world),
      machine_(machine),
      number_(number),
      name_(std::move(name)),
      chance_(world.seed(), "process", number),
      self_(std::make_shared<Process*>(this)) {
  loop_ = std::make_unique<loop::EventLoop>(static_cast<Clock&>(*this),
                                            static_cast<loop::Sleeper&>(*this),
                                            loop::LoopOptions{.spin_ns = 0});
  loop_->add_source(*this);
}

Process::~Process() {
  *self_ = nullptr;
  inbox_.clear();
  loop_->remove_source(*this);
}

std::uint64_t Process::now_ns() noexcept {
  return dead_ ? own_ns_ : machine_.local_ns(world_.now_ns());
}

std::uint64_t Process::wall_ns() noexcept {
  return machine_.wall_ns(world_.now_ns());
}

void Process::sleep(std::span<const int> /*fds*/, std::uint64_t timeout_ns) noexcept {
  BENCHFS_ASSERT(dead_);
  if (timeout_ns == UINT64_MAX || timeout_ns > kDrainNsMax) {
    starved_ = true;
    return;
  }
  own_ns_ += timeout_ns;
}

bool Process::progress() noexcept {
  const bool any = !inbox_.empty();
  for (std::size_t count = inbox_.size(); count > 0; --count) {
    const auto action = std::move(inbox_.front());
    inbox_.pop_front();
    action();
  }
  return any;
}

void Process::deliver(std::function<void()> action) {
  if (dead_) {
    return;
  }
  inbox_.push_back(std::move(action));
  poke();
}

void Process::poke() {
  if (dead_) {
    return;
  }
  const std::uint64_t limit = chance_.percent(2) ? kSlowReactionNsMax : kReactionNsMax;
  schedule(world_.now_ns() + chance_.below(limit));
}

void Process::schedule(std::uint64_t due_ns) {
  due_ns = std::max(due_ns, paused_until_ns_);
  if (due_ns == kNever || scheduled_ns_ <= due_ns) {
    return;
  }
  scheduled_ns_ = due_ns;
  const std::uint64_t generation = ++generation_;
  world_.at(due_ns, "run", number_, 0, [self = self_, generation] {
    if (*self != nullptr && (*self)->generation_ == generation && !(*self)->dead_) {
      (*self)->run();
    }
  });
}

void Process::run() {
  scheduled_ns_ = kNever;
  if (paused()) {
    schedule(paused_until_ns_);
    return;
  }
  for (int turns = 0; loop_->turn();) {
    if (++turns == kTurnsMax) {
      world_.violate(fmt::format("{} turns for ever", name_));
      return;
    }
  }
  const std::uint64_t deadline_ns = loop_->timers().next_deadline_ns();
  if (deadline_ns != UINT64_MAX) {
    schedule(machine_.world_ns(deadline_ns));
  }
}

void Process::pause_until(std::uint64_t until_ns) {
  paused_until_ns_ = std::max(paused_until_ns_, until_ns);
  scheduled_ns_ = kNever;
  schedule(paused_until_ns_);
}

void Process::kill() noexcept {
  BENCHFS_ASSERT(!dead_);
  own_ns_ = machine_.local_ns(world_.now_ns());
  dead_ = true;
  inbox_.clear();
}

bool Process::drain(const std::function<bool()>& done) {
  BENCHFS_ASSERT(dead_);
  const std::uint64_t limit_ns = own_ns_ + kDrainNsMax;
  starved_ = false;
  while (!done()) {
    loop_->run_once(UINT64_MAX);
    if (starved_ || own_ns_ > limit_ns) {
      return false;
    }
  }
  return true;
}

}  // namespace benchfs::sim
