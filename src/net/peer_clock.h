#pragma once

// What can be said for certain of another process's monotonic clock, so that a deadline of ours can
// be told to it in its own time and never is later there than here.
//
// The peer writes what its clock shows into what it sends. When that has arrived, its clock shows
// this or more; how much more nobody knows. So all that is known is a lower bound, and a deadline
// that is told by it is too early by what the message took, never too late. It loses accuracy with
// age, since no two clocks run alike; the next message mends that.
//
// Threading: none of its own.

#include <algorithm>
#include <cstdint>

namespace benchfs::net {

/// By how much one clock may run behind another: a part in this many, which is 200 ppm. Oscillators
/// are good to some 50 ppm, and Clock::now_ns() is not steered by anybody.
inline constexpr std::uint64_t kClockDriftParts = 5'000;

class PeerClock {
 public:
  /// The peer's clock showed `peer_ns` at a moment before ours showed `own_ns`. Comes from the
  /// peer: a number that no clock shows is forgotten.
  void learn(std::uint64_t peer_ns, std::uint64_t own_ns) noexcept {
    if (peer_ns <= kClockNsMax && (!known_ || peer_ns >= at_least(own_ns))) {
      known_ = true;
      peer_ns_ = peer_ns;
      own_ns_ = own_ns;
    }
  }

  /// Whether anything has been learned.
  bool known() const noexcept { return known_; }

  /// What the peer's clock certainly shows, or has passed, when ours shows `own_ns`. 0 when nothing
  /// is known.
  std::uint64_t at_least(std::uint64_t own_ns) const noexcept {
    if (!known_) {
      return 0;
    }
    if (own_ns >= own_ns_) {
      const std::uint64_t elapsed_ns = std::min(own_ns - own_ns_, kClockNsMax);
      return peer_ns_ + elapsed_ns - drift_ns(elapsed_ns);
    }
    const std::uint64_t before_ns = std::min(own_ns_ - own_ns, kClockNsMax);
    return peer_ns_ - std::min(peer_ns_, before_ns + drift_ns(before_ns));
  }

 private:
  static constexpr std::uint64_t kClockNsMax = std::uint64_t{1} << 62;

  static std::uint64_t drift_ns(std::uint64_t span_ns) noexcept {
    return (span_ns + kClockDriftParts - 1) / kClockDriftParts;
  }

  bool known_ = false;
  std::uint64_t peer_ns_ = 0;
  std::uint64_t own_ns_ = 0;
};

}  // namespace benchfs::net
