#pragma once

// Counts what a drive does, and how long each operation takes from its submission until the loop
// hears of its end.
//
// Threading: loop thread only.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "io/disk.h"

namespace benchfs::io {

/// Of one kind of operation.
struct DiskCounters {
  std::uint64_t count = 0;        ///< That have ended.
  std::uint64_t error_count = 0;  ///< Of these, how many failed.
  std::uint64_t bytes = 0;        ///< Of those that succeeded.
  LatencyHistogram latency;       ///< Of all that have ended.
};

class DiskMeter {
 public:
  /// Borrows `clock`.
  explicit DiskMeter(Clock& clock) noexcept : clock_(clock) {}
  DiskMeter(const DiskMeter&) = delete;
  DiskMeter& operator=(const DiskMeter&) = delete;

  const DiskCounters& counters(DiskOpKind kind) const noexcept {
    return counters_[static_cast<std::size_t>(kind)];
  }
  /// Operations that wait for the drive or are in it.
  std::uint64_t in_flight() const noexcept { return in_flight_; }
  std::uint64_t in_flight_max() const noexcept { return in_flight_max_; }

 private:
  friend class DiskOp;
  std::uint64_t begin() noexcept {
    in_flight_max_ = std::max(in_flight_max_, ++in_flight_);
    return clock_.now_ns();
  }
  void end(const DiskOp& op, std::uint64_t begun_ns) noexcept;

  Clock& clock_;
  std::array<DiskCounters, 3> counters_{};
  std::uint64_t in_flight_ = 0;
  std::uint64_t in_flight_max_ = 0;
};

}  // namespace benchfs::io
