#pragma once

// The seam to time. Above it nothing may ask the operating system what time it is.

#include <cstdint>

namespace benchfs {

class Clock {
 public:
  virtual ~Clock() = default;

  /// Monotonic nanoseconds since an arbitrary start. For deadlines and latencies.
  virtual std::uint64_t now_ns() noexcept = 0;

  /// Nanoseconds since the Unix epoch. For timestamps of files only: it may jump.
  virtual std::uint64_t wall_ns() noexcept = 0;
};

/// The real clocks of the machine. Thread-safe.
class SystemClock final : public Clock {
 public:
  std::uint64_t now_ns() noexcept override;
  std::uint64_t wall_ns() noexcept override;
};

}  // namespace benchfs
