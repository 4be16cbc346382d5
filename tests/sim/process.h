#pragma once

// One simulated process: an event loop on the clock of its machine, run by the world's events. Real
// product code runs in it unchanged.
//
// A process that is killed is cut off from the world at once, and then run to its end in a time of
// its own that the world never sees: all that it waits for fails, and each of its coroutines ends.
// So what a killed process leaves undone is left undone, and what it leaks is found.
//
// Threading: the world's thread.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "loop/event_loop.h"
#include "sim/world.h"

namespace benchfs::sim {

/// A machine's clocks: monotonic since its boot, at a speed of its own.
class MachineClock {
 public:
  MachineClock(const World& world, Chance& chance);

  std::uint64_t local_ns(std::uint64_t world_ns) const noexcept;
  /// The first moment of the world at which the machine's clock shows `local_ns` or more.
  std::uint64_t world_ns(std::uint64_t local_ns) const noexcept;
  std::uint64_t wall_ns(std::uint64_t world_ns) const noexcept { return wall_base_ns_ + world_ns; }
  /// The machine boots: its monotonic clock begins anew.
  void boot(Chance& chance);

 private:
  const World& world_;
  std::uint64_t booted_ns_ = 0;
  std::uint64_t base_ns_ = 0;
  std::int64_t drift_ppm_ = 0;
  std::uint64_t wall_base_ns_ = 0;
};

class Process final : private Clock, private loop::Sleeper, private loop::Source {
 public:
  /// `number` is its own in the world. Borrows both.
  Process(World& world, MachineClock& machine, std::uint64_t number, std::string name);
  ~Process() override;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  World& world() noexcept { return world_; }
  loop::EventLoop& loop() noexcept { return *loop_; }
  std::uint64_t number() const noexcept { return number_; }
  const std::string& name() const noexcept { return name_; }
  bool dead() const noexcept { return dead_; }
  bool paused() const noexcept { return world_.now_ns() < paused_until_ns_; }
  std::uint64_t paused_until_ns() const noexcept { return paused_until_ns_; }

  std::uint64_t local_ns(std::uint64_t world_ns) const noexcept {
    return machine_.local_ns(world_ns);
  }
  std::uint64_t world_ns(std::uint64_t local_ns) const noexcept {
    return machine_.world_ns(local_ns);
  }

  /// Something reaches the process: `action` runs in its loop's next turn. Dropped if it is dead.
  void deliver(std::function<void()> action);
  /// Makes the loop run soon: something was posted from outside.
  void poke();

  /// Stopped until `until_ns` of the world; time goes on.
  void pause_until(std::uint64_t until_ns);

  /// From now on the world does not run it any more. Call drain() when it is cut off.
  void kill() noexcept;
  /// Runs a killed process until `done()`; false if that does not happen, however long it waits.
  bool drain(const std::function<bool()>& done);

  /// What arrived and was not looked at.
  std::size_t inbox_size() const noexcept { return inbox_.size(); }

 private:
  // Clock
  std::uint64_t now_ns() noexcept override;
  std::uint64_t wall_ns() noexcept override;
  // Sleeper: of a killed process only.
  void sleep(std::span<const int> fds, std::uint64_t timeout_ns) noexcept override;
  // Source
  bool progress() noexcept override;
  bool arm() noexcept override { return inbox_.empty(); }
  int event_fd() const noexcept override { return -1; }

  void schedule(std::uint64_t due_ns);
  void run();

  World& world_;
  MachineClock& machine_;
  const std::uint64_t number_;
  const std::string name_;
  Chance chance_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::deque<std::function<void()>> inbox_;
  std::shared_ptr<Process*> self_;  ///< Empty inside once this is gone: for events that come late.
  std::uint64_t scheduled_ns_ = kNever;
  std::uint64_t generation_ = 0;  ///< Of the scheduled run that counts.
  std::uint64_t paused_until_ns_ = 0;
  bool dead_ = false;
  bool starved_ = false;  ///< Of a killed process: it sleeps and nothing can wake it.
  std::uint64_t own_ns_ = 0;
};

}  // namespace benchfs::sim
