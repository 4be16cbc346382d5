#include "store/superblock.h"

#include <algorithm>

#include "journal/checksum.h"

namespace benchfs::store {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {'B', 'E', 'N', 'C', 'H', 'F', 'S', 0x1a};
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kBlockBytesAt = 12;
constexpr std::size_t kSessionAt = 16;
constexpr std::size_t kServerAt = 24;
constexpr std::size_t kServerCountAt = 26;
constexpr std::size_t kCapacityAt = 32;
constexpr std::size_t kStoreIdAt = 40;
constexpr std::size_t kChecksumAt = kSuperblockBytes - 4;

template <typename Integer>
void put(SuperblockBytes& bytes, std::size_t at, Integer value) noexcept {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

template <typename Integer>
Integer get(ConstBytes bytes, std::size_t at) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  return static_cast<Integer>(value);
}

}  // namespace

SuperblockBytes encode(const Superblock& superblock) noexcept {
  SuperblockBytes bytes{};
  for (std::size_t i = 0; i < kMagic.size(); ++i) {
    bytes[i] = std::byte{kMagic[i]};
  }
  put(bytes, kVersionAt, kSuperblockVersion);
  put(bytes, kBlockBytesAt, static_cast<std::uint32_t>(kBlockBytes));
  put(bytes, kSessionAt, superblock.session_id);
  put(bytes, kServerAt, to_integer(superblock.server));
  put(bytes, kServerCountAt, superblock.server_count);
  put(bytes, kCapacityAt, superblock.capacity_bytes);
  put(bytes, kStoreIdAt, superblock.store_id);
  put(bytes, kChecksumAt, journal::crc32c(ConstBytes(bytes).first(kChecksumAt)));
  return bytes;
}

bool has_superblock_magic(ConstBytes bytes) noexcept {
  return bytes.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                    [](std::uint8_t a, std::byte b) { return std::byte{a} == b; });
}

Result<Superblock> decode_superblock(ConstBytes bytes) noexcept {
  if (!has_superblock_magic(bytes)) {
    return fail(Errc::kProtocol, "superblock.magic");
  }
  if (bytes.size() < kBlockBytesAt) {
    return fail(Errc::kCorrupt, "superblock.size");
  }
  if (get<std::uint32_t>(bytes, kVersionAt) != kSuperblockVersion) {
    return fail(Errc::kUnsupported, "superblock.version");
  }
  if (bytes.size() != kSuperblockBytes) {
    return fail(Errc::kCorrupt, "superblock.size");
  }
  if (get<std::uint32_t>(bytes, kChecksumAt) != journal::crc32c(bytes.first(kChecksumAt))) {
    return fail(Errc::kCorrupt, "superblock.checksum");
  }
  const Superblock superblock = {
      .session_id = get<std::uint64_t>(bytes, kSessionAt),
      .server = ServerId{get<std::uint16_t>(bytes, kServerAt)},
      .server_count = get<std::uint16_t>(bytes, kServerCountAt),
      .capacity_bytes = get<std::uint64_t>(bytes, kCapacityAt),
      .store_id = get<std::uint64_t>(bytes, kStoreIdAt),
  };
  if (get<std::uint32_t>(bytes, kBlockBytesAt) != kBlockBytes ||
      superblock.capacity_bytes % kBlockBytes != 0 || superblock.capacity_bytes == 0 ||
      superblock.capacity_bytes > kFileBytesMax || superblock.server_count > kServerCountMax ||
      to_integer(superblock.server) >= superblock.server_count) {
    return fail(Errc::kCorrupt, "superblock.fields");
  }
  // What has no name is zero: a program that means something by it writes another version.
  const SuperblockBytes again = encode(superblock);
  if (!std::equal(again.begin(), again.end(), bytes.begin())) {
    return fail(Errc::kCorrupt, "superblock.reserved");
  }
  return superblock;
}

}  // namespace benchfs::store
