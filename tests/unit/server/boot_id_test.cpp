// Goal: a boot id is known exactly if the kernel's file has one. Method: texts as kernels write
// them, and each way in which they can be wrong; the kernel's own file.

#include "server/boot_id.h"

#include <string>

#include <gtest/gtest.h>

namespace benchfs::server {
namespace {

const std::string kText = "6b29fc40-ca47-1067-b31d-00dd010662da";

TEST(BootId, HasTheBytesOfTheText) {
  const journal::BootId id = parse_boot_id(kText);
  EXPECT_TRUE(id.is_known());
  EXPECT_EQ(id.bytes[0], std::byte{0x6b});
  EXPECT_EQ(id.bytes[4], std::byte{0xca});
  EXPECT_EQ(id.bytes[15], std::byte{0xda});
  EXPECT_EQ(parse_boot_id(kText + "\n"), id);
}

TEST(BootId, DiffersWhateverDigitDiffers) {
  for (std::size_t at = 0; at < kText.size(); ++at) {
    std::string other = kText;
    if (other[at] != '-') {
      other[at] = other[at] == 'f' ? '0' : 'f';
      EXPECT_NE(parse_boot_id(other), parse_boot_id(kText)) << at;
    }
  }
}

TEST(BootId, IsNotKnownFromAnythingElse) {
  for (std::size_t size = 0; size < kText.size(); ++size) {
    EXPECT_FALSE(parse_boot_id(kText.substr(0, size)).is_known()) << size;
  }
  for (std::size_t at = 0; at < kText.size(); ++at) {
    std::string other = kText;
    other[at] = 'x';
    EXPECT_FALSE(parse_boot_id(other).is_known()) << at;
  }
  EXPECT_FALSE(parse_boot_id(kText + "0").is_known());
  EXPECT_FALSE(parse_boot_id("00000000-0000-0000-0000-000000000000").is_known());
}

TEST(BootId, IsReadFromTheKernelAndTheSameEachTime) {
  EXPECT_TRUE(read_boot_id().is_known());
  EXPECT_EQ(read_boot_id(), read_boot_id());
  EXPECT_FALSE(read_boot_id("/nowhere/boot_id").is_known());
}

}  // namespace
}  // namespace benchfs::server
