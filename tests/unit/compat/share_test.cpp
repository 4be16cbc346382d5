// Goal: the shares of a tree are a partition that walkers can keep to. Method: a table of paths;
// then every name of a made-up tree, for every number of shares.

#include "compat/share.h"

#include <set>

#include <gtest/gtest.h>

namespace benchfs::compat {
namespace {

TEST(Share, PlainPathsHaveOneFormEach) {
  EXPECT_EQ(plain_path("/"), "");
  EXPECT_EQ(plain_path("."), "");
  EXPECT_EQ(plain_path("//./"), "");
  EXPECT_EQ(plain_path("/a/b"), "a/b");
  EXPECT_EQ(plain_path("a//./b/"), "a/b");
  EXPECT_EQ(plain_path("./a/.."), "a/..");
  EXPECT_EQ(plain_path("/.a/b."), ".a/b.");
}

TEST(Share, EveryNameIsInOneAndThatOfItsDirectory) {
  for (int count = 1; count <= 5; ++count) {
    std::set<int> used;
    for (int i = 0; i < 100; ++i) {
      const std::string top = "dir" + std::to_string(i);
      const int share = share_of("", top, count);
      ASSERT_GE(share, 0);
      ASSERT_LT(share, count);
      used.insert(share);
      EXPECT_EQ(share_of(top, "file", count), share);
      EXPECT_EQ(share_of(top + "/sub", "other", count), share);
    }
    EXPECT_EQ(used.size(), static_cast<std::size_t>(count)) << "nobody is left without work";
  }
}

// Walkers may be of other versions and machines.
TEST(Share, TheNumbersNeverChange) {
  EXPECT_EQ(share_of("", "a", 1000), share_of("a/b/c", "d", 1000));
  EXPECT_EQ(share_of("", "a", 1000), 824);
  EXPECT_EQ(share_of("", "dir1", 1000), 552);
}

}  // namespace
}  // namespace benchfs::compat
