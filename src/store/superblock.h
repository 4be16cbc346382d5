#pragma once

// The bytes of the superblock: what they are is in README.md. Pure functions.

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"

namespace benchfs::store {

inline constexpr std::uint32_t kSuperblockVersion = 2;
inline constexpr std::size_t kSuperblockBytes = kBlockBytes;

/// Who owns a store, and how large it is.
struct Superblock {
  std::uint64_t session_id = 0;
  ServerId server{};
  std::uint16_t server_count = 0;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t store_id = 0;  ///< Of this store alone: what the drive holds of another is not ours.

  friend bool operator==(const Superblock&, const Superblock&) = default;
};

using SuperblockBytes = std::array<std::byte, kSuperblockBytes>;

SuperblockBytes encode(const Superblock& superblock) noexcept;

/// Whether `bytes`, of any length, begin as a superblock does, whatever its version and condition.
bool has_superblock_magic(ConstBytes bytes) noexcept;

/// kProtocol: not a superblock at all. kUnsupported: of another version. kCorrupt: too short,
/// changed, or with contents that cannot be.
Result<Superblock> decode_superblock(ConstBytes bytes) noexcept;

}  // namespace benchfs::store
