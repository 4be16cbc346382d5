// The superblock: what decodes encodes to the same 4096 bytes, and could have been written.
//
// Input: choice 1 (odd: the checksum becomes the right one), bytes.

#include "store/superblock.h"

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

constexpr std::size_t kChecksumAt = store::kSuperblockBytes - 4;

/// CRC-32C by its definition.
std::uint32_t crc32c(ConstBytes bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0x82F63B78U : crc >> 1U;
    }
  }
  return ~crc;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const bool seal = (input.take_byte() & 1U) != 0;
  Buffer block(input.rest().begin(), input.rest().end());
  if (seal) {
    // Long enough for the rest to matter; a search finds that out slowly.
    block.resize(store::kSuperblockBytes);
    put(block, kChecksumAt, crc32c(ConstBytes(block).first(kChecksumAt)), 4);
  }
  const auto decoded = store::decode_superblock(block);
  if (!decoded.has_value()) {
    const Errc code = decoded.error().code;
    FUZZ_CHECK(code == Errc::kProtocol || code == Errc::kUnsupported || code == Errc::kCorrupt);
    FUZZ_CHECK((code == Errc::kProtocol) == !store::has_superblock_magic(block));
    return Verdict::kRefused;
  }
  FUZZ_CHECK(store::has_superblock_magic(block));
  FUZZ_CHECK(equal(store::encode(*decoded), block));
  FUZZ_CHECK(to_integer(decoded->server) < decoded->server_count);
  FUZZ_CHECK(decoded->server_count <= kServerCountMax);
  FUZZ_CHECK(decoded->capacity_bytes > 0 && decoded->capacity_bytes <= kFileBytesMax);
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  store::Superblock superblock;
  superblock.session_id = 0x0123456789abcdef;
  superblock.server = ServerId{2};
  superblock.server_count = 3;
  superblock.capacity_bytes = 64 * kBlockBytes;
  superblock.store_id = 0xfedcba9876543210;
  const auto bytes = store::encode(superblock);
  // With the right checksum added, only the part that is not zero has to be there.
  return {{"plain", with_choice(0, bytes)},
          {"sealed", with_choice(1, ConstBytes(bytes).first(64))}};
}

}  // namespace benchfs::fuzz
