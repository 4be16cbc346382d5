#include "base/clock.h"

#include <ctime>

#include "base/units.h"

namespace benchfs {
namespace {

std::uint64_t read(clockid_t which) noexcept {
  timespec time{};
  ::clock_gettime(which, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSec +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

std::uint64_t SystemClock::now_ns() noexcept {
  // Not CLOCK_MONOTONIC: that is steered, by up to 8 % when a time daemon is in a hurry, and
  // deadlines that are told from process to process rely on how alike clocks run.
  return read(CLOCK_MONOTONIC_RAW);
}

std::uint64_t SystemClock::wall_ns() noexcept {
  return read(CLOCK_REALTIME);
}

}  // namespace benchfs
