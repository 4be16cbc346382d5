#pragma once

// Time that moves when the test says so.

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "loop/event_loop.h"

namespace benchfs::test {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::uint64_t start_ns = 1'000'000'000) : now_ns_(start_ns) {}
  std::uint64_t now_ns() noexcept override { return now_ns_; }
  std::uint64_t wall_ns() noexcept override { return kWallStartNs + now_ns_; }
  void advance(std::uint64_t ns) noexcept { now_ns_ += ns; }

 private:
  static constexpr std::uint64_t kWallStartNs = 1'700'000'000'000'000'000;
  std::uint64_t now_ns_;
};

/// Sleeps by moving a ManualClock, and remembers for how long. A sleep without limit moves nothing:
/// only what the test does can end it.
class ManualSleeper final : public loop::Sleeper {
 public:
  explicit ManualSleeper(ManualClock& clock) : clock_(clock) {}
  void sleep(std::span<const int> fds, std::uint64_t timeout_ns) noexcept override {
    sleeps_ns.push_back(timeout_ns);
    last_fds.assign(fds.begin(), fds.end());
    if (timeout_ns != UINT64_MAX) {
      clock_.advance(timeout_ns);
    }
  }

  std::vector<std::uint64_t> sleeps_ns;
  std::vector<int> last_fds;

 private:
  ManualClock& clock_;
};

}  // namespace benchfs::test
