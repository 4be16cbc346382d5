// Goal: every chunk and entry has exactly one server, the same everywhere, and load spreads evenly
// also over names that differ little. Method: properties over many ids; fixed values so that a
// change is noticed.

#include "placement/placement.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace benchfs::placement {
namespace {

TEST(Placement, ConsecutiveChunksGoRoundTheStripe) {
  const Striping striping = {
      .file = InodeId{42}, .chunk_bytes = 1, .stripe_count = 3, .server_count = 5};
  std::set<std::uint16_t> used;
  for (std::uint64_t chunk = 0; chunk < 30; ++chunk) {
    const ServerId server = chunk_server(striping, chunk);
    EXPECT_EQ(server, chunk_server(striping, chunk + 3));
    EXPECT_EQ(server, stripe_server(striping, static_cast<std::uint32_t>(chunk % 3)));
    used.insert(to_integer(server));
  }
  EXPECT_EQ(used.size(), 3U);
}

TEST(Placement, NamesThatDifferInOneDigitSpreadEvenly) {
  // mdtest's names: an additive hash puts most of them on a few servers.
  for (const std::uint16_t server_count : std::vector<std::uint16_t>{2, 3, 5, 16}) {
    std::vector<int> counts(server_count);
    constexpr int kNames = 20000;
    for (int i = 0; i < kNames; ++i) {
      const std::string name = "file.mdtest." + std::to_string(i % 8) + "." + std::to_string(i);
      ++counts[to_integer(entry_server(kRootInode, name, server_count))];
    }
    const int even = kNames / server_count;
    EXPECT_GT(*std::min_element(counts.begin(), counts.end()), even * 9 / 10);
    EXPECT_LT(*std::max_element(counts.begin(), counts.end()), even * 11 / 10);
  }
}

TEST(Placement, FilesStartOnDifferentServers) {
  std::vector<int> counts(4);
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const Striping striping = {.file = make_inode_id(ServerId{1}, i),
                               .chunk_bytes = 1,
                               .stripe_count = 1,
                               .server_count = 4};
    ++counts[to_integer(chunk_server(striping, 7))];
  }
  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 900);
}

TEST(Placement, TheSameNameInAnotherDirectoryIsPlacedIndependently) {
  int same = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i);
    same += entry_server(InodeId{5}, name, 2) == entry_server(InodeId{6}, name, 2) ? 1 : 0;
  }
  EXPECT_GT(same, 400);
  EXPECT_LT(same, 600);
}

TEST(Placement, DoesNotChangeWithinAWireVersion) {
  EXPECT_EQ(entry_hash(kRootInode, "ckpt"), entry_hash(InodeId{1}, "ckpt"));
  EXPECT_EQ(entry_hash(InodeId{1}, "ckpt"), UINT64_C(0x38fc59c8b1cef88b));
}

TEST(Ids, CarryTheirHomeServer) {
  const InodeId inode = make_inode_id(ServerId{300}, 12345);
  EXPECT_EQ(home_of(inode), ServerId{300});
  EXPECT_EQ(home_of(kRootInode), ServerId{0});
  EXPECT_NE(make_inode_id(ServerId{1}, 1), make_inode_id(ServerId{2}, 1));
}

}  // namespace
}  // namespace benchfs::placement
