#pragma once

// One line on a terminal that says how far rank 0 is.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace benchfs::bench {

class Progress {
 public:
  /// `enabled` on rank 0 only.
  explicit Progress(bool enabled) : enabled_(enabled) {}

  void begin(const std::string& phase, std::uint64_t operations);
  /// Any thread; cheap. `done` operations have ended.
  void at(std::uint64_t done);
  void end();

 private:
  using Time = std::chrono::steady_clock::time_point;
  const bool enabled_;
  std::string phase_;
  std::uint64_t operations_ = 0;
  Time start_;
  std::atomic<std::int64_t> next_ns_ = 0;  ///< When the line is due again, since start_.
};

}  // namespace benchfs::bench
