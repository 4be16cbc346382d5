#pragma once

// All chance of a simulation: numbers that a seed repeats, in streams that do not disturb each
// other, so that one more draw in one place leaves the story elsewhere as it was.
//
// Threading: none of its own.

#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/random.h"

namespace benchfs::sim {

/// Spreads `value` over 64 bits; the finaliser of SplitMix64.
constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

class Chance final : public Random {
 public:
  explicit Chance(std::uint64_t seed) noexcept : state_(mix(seed)) {}
  /// The stream `number` of what `name` stands for.
  Chance(std::uint64_t seed, std::string_view name, std::uint64_t number = 0) noexcept
      : state_(mix(seed)) {
    for (const char letter : name) {
      state_ = mix(state_ ^ static_cast<unsigned char>(letter));
    }
    state_ = mix(state_ ^ number);
  }

  std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    return mix(state_);
  }
  /// 0 to `count` - 1. Requires `count` > 0.
  std::uint64_t below(std::uint64_t count) noexcept {
    BENCHFS_ASSERT(count > 0);
    return next() % count;
  }
  /// Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  /// True `count` times in a million.
  bool per_million(std::uint64_t count) noexcept {
    // Drawn only if it can matter, so that a kind of fault that is off costs no draw.
    return count > 0 && below(1'000'000) < count;
  }
  bool percent(std::uint64_t count) noexcept { return per_million(count * 10'000); }
  /// 1 to `high`, small numbers as often as large ones.
  std::uint64_t magnitude(std::uint64_t high) noexcept {
    std::uint64_t bits = 0;
    while (bits < 63 && (std::uint64_t{1} << bits) < high) {
      ++bits;
    }
    const std::uint64_t limit = std::uint64_t{1} << below(bits + 1);
    return 1 + below(limit < high ? limit : high);
  }

  void fill(std::span<std::byte> out) noexcept override {
    for (std::byte& byte : out) {
      byte = static_cast<std::byte>(next() & 0xFFU);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace benchfs::sim
