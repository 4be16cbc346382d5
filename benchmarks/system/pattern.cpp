#include "pattern.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace benchfs::bench {

namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
using WordBytes = std::array<std::byte, kWordBytes>;

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 32U;
  x *= 0xd6e8feb86659fd93U;
  return x ^ (x >> 32U);
}

std::uint64_t key_of(Stream stream) {
  const auto kind = static_cast<std::uint64_t>(stream.kind);
  const auto rank = static_cast<std::uint64_t>(stream.rank) + 1;
  return mix(mix(mix(kind << 32U | stream.generation) + rank) + stream.index);
}

/// The word that holds bytes [8 * number, 8 * number + 8).
std::uint64_t word(std::uint64_t key, std::uint64_t number) {
  return mix(key + number * 0x9e3779b97f4a7c15U);
}

/// Of the pieces that `bytes` at `offset` is to be looked at in: all, or its two ends.
template <typename Visit>
void visit(std::uint64_t offset, std::size_t size, Check check, Visit&& one) {
  if (check == Check::kEvery || size <= 2 * kWordBytes) {
    one(offset, std::size_t{0}, size);
    return;
  }
  one(offset, std::size_t{0}, kWordBytes);
  one(offset + size - kWordBytes, size - kWordBytes, kWordBytes);
}

void fill_all(std::byte* out, std::size_t size, std::uint64_t key, std::uint64_t offset) {
  std::size_t at = 0;
  while (at < size) {
    const std::uint64_t number = (offset + at) / kWordBytes;
    const std::size_t skip = (offset + at) % kWordBytes;
    const std::size_t count = std::min(kWordBytes - skip, size - at);
    const auto bytes = std::bit_cast<WordBytes>(word(key, number));
    std::memcpy(out + at, bytes.data() + skip, count);
    at += count;
  }
}

/// Where the first difference is, or `size`.
std::size_t first_difference(const std::byte* found, std::size_t size, std::uint64_t key,
                             std::uint64_t offset) {
  std::size_t at = 0;
  while (at < size) {
    const std::uint64_t number = (offset + at) / kWordBytes;
    const std::size_t skip = (offset + at) % kWordBytes;
    const std::size_t count = std::min(kWordBytes - skip, size - at);
    const auto bytes = std::bit_cast<WordBytes>(word(key, number));
    if (std::memcmp(found + at, bytes.data() + skip, count) != 0) {
      const auto* const expected = bytes.data() + skip;
      return at + static_cast<std::size_t>(
                      std::mismatch(expected, expected + count, found + at).first - expected);
    }
    at += count;
  }
  return size;
}

}  // namespace

void fill(std::span<std::byte> bytes, Stream stream, std::uint64_t offset, Check check) {
  const std::uint64_t key = key_of(stream);
  visit(offset, bytes.size(), check, [&](std::uint64_t at, std::size_t first, std::size_t count) {
    fill_all(bytes.data() + first, count, key, at);
  });
}

std::optional<Mismatch> compare(std::span<const std::byte> bytes, Stream stream,
                                std::uint64_t offset, Check check) {
  const std::uint64_t key = key_of(stream);
  std::optional<Mismatch> found;
  visit(offset, bytes.size(), check, [&](std::uint64_t at, std::size_t first, std::size_t count) {
    const std::size_t where = first_difference(bytes.data() + first, count, key, at);
    if (where == count || found) {
      return;
    }
    std::byte expected{};
    fill_all(&expected, 1, key, at + where);
    found = Mismatch{.offset = at + where,
                     .expected = std::to_integer<unsigned>(expected),
                     .found = std::to_integer<unsigned>(bytes[first + where])};
  });
  return found;
}

}  // namespace benchfs::bench
