// Goal: a superblock means the same to every reader, and nothing else is taken for one. Method: the
// bytes of the format page, a round trip, and every single-bit error.

#include "store/superblock.h"

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"

namespace benchfs::store {
namespace {

constexpr Superblock kExample = {.session_id = 0x0102030405060708,
                                 .server = ServerId{0x0a0b},
                                 .server_count = 0x0c0d,
                                 .capacity_bytes = 0x10000000,
                                 .store_id = 0x1112131415161718};

TEST(Superblock, HasTheBytesOfTheFormatPage) {
  const SuperblockBytes bytes = encode(kExample);
  const std::vector<int> expected = {
      'B', 'E', 'N', 'C', 'H',  'F',  'S',  0x1a, 2, 0, 0, 0, 0, 0x10, 0, 0,    8, 7, 6, 5,
      4,   3,   2,   1,   0x0b, 0x0a, 0x0d, 0x0c, 0, 0, 0, 0, 0, 0,    0, 0x10, 0, 0, 0, 0,
      0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(std::to_integer<int>(bytes[i]), expected[i]) << "byte " << i;
  }
  for (std::size_t i = expected.size(); i < bytes.size() - 4; ++i) {
    ASSERT_EQ(std::to_integer<int>(bytes[i]), 0) << "byte " << i;
  }
}

TEST(Superblock, ComesBackAsItWas) {
  const SuperblockBytes bytes = encode(kExample);
  const Result<Superblock> decoded = decode_superblock(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, kExample);
}

TEST(Superblock, EverySingleBitErrorIsFound) {
  for (std::size_t bit = 0; bit < kSuperblockBytes * 8; ++bit) {
    if (bit >= 384 && bit < (kSuperblockBytes - 4) * 8 && bit % 61 != 0) {
      continue;  // Of the many zeros a sample is enough.
    }
    SuperblockBytes bytes = encode(kExample);
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const Result<Superblock> decoded = decode_superblock(bytes);
    ASSERT_FALSE(decoded.has_value()) << "bit " << bit;
    const Errc expected = bit < 64   ? Errc::kProtocol
                          : bit < 96 ? Errc::kUnsupported
                                     : Errc::kCorrupt;
    ASSERT_EQ(decoded.error().code, expected) << "bit " << bit;
  }
}

TEST(Superblock, AnyOtherLengthIsRefused) {
  const SuperblockBytes bytes = encode(kExample);
  for (std::size_t size = 0; size < kSuperblockBytes; ++size) {
    ASSERT_FALSE(decode_superblock(ConstBytes(bytes).first(size)).has_value());
  }
  std::vector<std::byte> longer(bytes.begin(), bytes.end());
  longer.push_back(std::byte{0});
  EXPECT_EQ(decode_superblock(longer).error().code, Errc::kCorrupt);
}

TEST(Superblock, NumbersThatCannotBeAreRefusedEvenWithTheRightChecksum) {
  for (const Superblock& impossible :
       {Superblock{1, ServerId{2}, 2, kMiB}, Superblock{1, ServerId{0}, 1, 0},
        Superblock{1, ServerId{0}, 1, 4097}, Superblock{1, ServerId{0}, 0, kMiB}}) {
    const SuperblockBytes bytes = encode(impossible);
    EXPECT_EQ(decode_superblock(bytes).error().code, Errc::kCorrupt);
  }
}

TEST(Superblock, RandomBytesAreNeverOne) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::byte> bytes(random() % 5000);
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(random());
    }
    const SuperblockBytes magic = encode(kExample);
    if (i % 2 == 0 && bytes.size() > 16) {
      std::memcpy(bytes.data(), magic.data(), 16);
    }
    ASSERT_FALSE(decode_superblock(bytes).has_value());
  }
}

}  // namespace
}  // namespace benchfs::store
