#pragma once

#include <cstdint>

namespace benchfs {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

inline constexpr std::uint64_t kNsPerUs = 1000;
inline constexpr std::uint64_t kNsPerMs = 1000 * kNsPerUs;
inline constexpr std::uint64_t kNsPerSec = 1000 * kNsPerMs;

/// `value` rounded up to a multiple of `unit`, a power of two. Wraps if the result does not fit.
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return (value + unit - 1) & ~(unit - 1);
}

/// `value` rounded down to a multiple of `unit`, a power of two.
constexpr std::uint64_t round_down(std::uint64_t value, std::uint64_t unit) noexcept {
  return value & ~(unit - 1);
}

}  // namespace benchfs
