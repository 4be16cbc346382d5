#pragma once

// What is written: bytes that tell the file, the rank, the generation and the offset they belong
// to, so that a read shows what it should not have brought: other bytes, older ones, or those of
// another place.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace benchfs::bench {

enum class FileKind : std::uint8_t { kEasy = 1, kHard, kRandom, kSmall };

/// Whose bytes: one stream is one file of one rank, or the pieces of one rank in a shared file.
struct Stream {
  FileKind kind;
  int rank;
  std::uint64_t index = 0;  ///< Of small files: which one.
  unsigned generation = 0;  ///< How often it has been overwritten.
};

/// How much of a transfer is made fresh and compared.
enum class Check : std::uint8_t {
  kEvery,  ///< Every byte.
  kEnds,   ///< The first and the last 8 bytes: enough to see a misplaced transfer, and free of
           ///< charge.
};

/// Fills `bytes` with what belongs to `offset` of the stream, in bytes.
void fill(std::span<std::byte> bytes, Stream stream, std::uint64_t offset, Check check);

/// A byte that is not what it should be.
struct Mismatch {
  std::uint64_t offset;  ///< In the file.
  unsigned expected;
  unsigned found;
};

/// The first byte that differs from what fill() makes, if there is one.
std::optional<Mismatch> compare(std::span<const std::byte> bytes, Stream stream,
                                std::uint64_t offset, Check check);

}  // namespace benchfs::bench
