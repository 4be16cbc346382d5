#pragma once

// What the random test writes: bytes from which one can tell who wrote them, when and where, so
// that bytes of another file, rank, operation or place never pass for the right ones.

#include <cstddef>
#include <cstdint>
#include <span>

namespace benchfs::test {

/// Who writes.
struct Writer {
  std::uint32_t file = 0;
  std::uint32_t rank = 0;
  std::uint64_t operation = 0;  ///< Of the rank.
};

/// A good spread of every bit of `x` (the finaliser of splitmix64).
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ULL;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// Fills `out`, which is the range of the file that begins at `offset_bytes`. No byte is 0, so that
/// what was written never passes for a hole.
inline void fill_pattern(const Writer& writer, std::uint64_t offset_bytes,
                         std::span<std::byte> out) noexcept {
  const std::uint64_t key = mix((std::uint64_t{writer.file} << 32U) + writer.rank + 1) ^
                            mix(writer.operation + 0x9E3779B97F4A7C15ULL);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t at = offset_bytes + i;
    if (i == 0 || at % 8 == 0) {
      word = mix(key + at / 8);
    }
    const auto byte = static_cast<std::uint8_t>(word >> (8 * (at % 8)));
    out[i] = static_cast<std::byte>(byte == 0 ? 0xA5 : byte);
  }
}

}  // namespace benchfs::test
