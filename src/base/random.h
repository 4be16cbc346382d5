#pragma once

// The seam to chance: session ids, secrets, nonces.

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace benchfs {

class Random {
 public:
  virtual ~Random() = default;

  /// Fills `out` with bytes that nobody can guess (SystemRandom) or that a seed repeats (tests).
  virtual void fill(std::span<std::byte> out) noexcept = 0;

  std::uint64_t next_u64() noexcept {
    std::uint64_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
};

/// getrandom(2). Thread-safe. Aborts if the kernel has no randomness, since a guessable secret is
/// worse.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) noexcept override;
};

/// Repeats the same bytes for the same seed. For tests and simulation; never for a secret.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::byte> out) noexcept override;

 private:
  std::mt19937_64 engine_;
};

}  // namespace benchfs
