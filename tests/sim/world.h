#pragma once

// Virtual time and the order of everything: a queue of events, of which the earliest runs next,
// those of one time in the order in which they were added. Nothing else moves time, so a run is a
// function of its seed. A hash over all events tells two runs apart.
//
// Threading: one thread runs a world.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "sim/chance.h"

namespace benchfs::sim {

/// Never, as a time.
inline constexpr std::uint64_t kNever = UINT64_MAX;

/// What happened how often, by name: faults, operations. For reports.
using Counts = std::map<std::string, std::uint64_t, std::less<>>;

class World {
 public:
  explicit World(std::uint64_t seed) : seed_(seed) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::uint64_t seed() const noexcept { return seed_; }
  std::uint64_t now_ns() const noexcept { return now_ns_; }

  /// Runs `action` at `due_ns`, or next if that is over. `what` is a static string for the trace,
  /// `who` and `detail` numbers for it.
  void at(std::uint64_t due_ns, const char* what, std::uint64_t who, std::uint64_t detail,
          std::function<void()> action);
  void after(std::uint64_t delay_ns, const char* what, std::uint64_t who, std::uint64_t detail,
             std::function<void()> action) {
    at(now_ns_ + delay_ns, what, who, detail, std::move(action));
  }

  /// Runs the next event; false if there is none.
  bool step();

  /// Forgets what was still to come, before what it refers to goes.
  void drop_events() noexcept { events_.clear(); }

  /// Notes something that happened in the trace and its hash.
  void note(std::string_view what, std::uint64_t who, std::uint64_t detail);
  /// A line for people, if the trace is printed; not part of the hash.
  void say(const std::string& text) const;
  bool printing() const noexcept { return printing_; }
  void print_trace() noexcept { printing_ = true; }

  std::uint64_t trace_hash() const noexcept { return hash_; }
  std::uint64_t event_count() const noexcept { return event_count_; }

  /// A promise was broken. The first one ends the run; all are kept.
  void violate(std::string text);
  const std::string& violation() const noexcept { return violation_; }
  bool failed() const noexcept { return !violation_.empty(); }

  void count(std::string_view what, std::uint64_t by = 1);
  const Counts& counts() const noexcept { return counts_; }

 private:
  struct Event {
    const char* what;
    std::uint64_t who;
    std::uint64_t detail;
    std::function<void()> action;
  };

  const std::uint64_t seed_;
  std::uint64_t now_ns_ = kNsPerSec;
  std::uint64_t next_sequence_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Event> events_;
  std::uint64_t event_count_ = 0;
  std::uint64_t hash_ = 0;
  bool printing_ = false;
  std::string violation_;
  Counts counts_;
};

}  // namespace benchfs::sim
