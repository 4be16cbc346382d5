// Goal: an exported file comes back as it was; bytes that are anything else are refused.
// Method: round trip; then every single bit flipped, and every shorter length.

#include "client/file_export.h"

#include <array>
#include <cstddef>

#include <gtest/gtest.h>

namespace benchfs::client {
namespace {

std::array<std::byte, kExportBytes> example() {
  std::array<std::byte, kExportBytes> bytes{};
  encode_export({.session_id = 1,
                 .epoch = 2,
                 .inode = 3,
                 .layout = {.chunk_bytes = 4, .stripe_count = 5},
                 .flags = 6,
                 .open_id = 7,
                 .truncate_epoch = 8,
                 .counter = {.opener = ClientId{9}, .number = 10}},
                bytes);
  return bytes;
}

TEST(FileExport, ComesBackAsItWas) {
  const auto bytes = example();
  const auto what = decode_export(bytes);
  ASSERT_TRUE(what.has_value());
  EXPECT_EQ(what->session_id, 1u);
  EXPECT_EQ(what->epoch, 2u);
  EXPECT_EQ(what->inode, 3u);
  EXPECT_EQ(what->layout.chunk_bytes, 4u);
  EXPECT_EQ(what->layout.stripe_count, 5u);
  EXPECT_EQ(what->flags, 6u);
  EXPECT_EQ(what->open_id, 7u);
  EXPECT_EQ(what->truncate_epoch, 8u);
  EXPECT_EQ(what->counter, (wire::CounterKey{.opener = ClientId{9}, .number = 10}));
}

TEST(FileExport, IsRefusedWithAnyBitChanged) {
  for (std::size_t bit = 0; bit < kExportBytes * 8; ++bit) {
    auto bytes = example();
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(decode_export(bytes).has_value()) << "bit " << bit;
  }
}

TEST(FileExport, IsRefusedIfItIsTooShort) {
  const auto bytes = example();
  for (std::size_t size = 0; size < kExportBytes; ++size) {
    EXPECT_FALSE(decode_export(ConstBytes(bytes).first(size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace benchfs::client
