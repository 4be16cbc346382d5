// Goal: the cache never answers beyond the lease, and never grows beyond its bound.
// Method: a small cache, time as plain numbers.

#include "client/directory_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace benchfs::client {
namespace {

constexpr InodeId kDir{100};

TEST(DirectoryCache, AnswersWithinTheLeaseOnly) {
  DirectoryCache cache(4, 50);
  cache.put(kRootInode, "a", kDir, 1000);
  EXPECT_EQ(cache.find(kRootInode, "a", 1049), kDir);
  EXPECT_EQ(cache.find(kRootInode, "a", 1050), std::nullopt);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(DirectoryCache, TellsParentsAndNamesApart) {
  DirectoryCache cache(4, 50);
  cache.put(kRootInode, "a", kDir, 0);
  EXPECT_EQ(cache.find(kRootInode, "b", 1), std::nullopt);
  EXPECT_EQ(cache.find(kDir, "a", 1), std::nullopt);
}

TEST(DirectoryCache, DropsTheLeastRecentlyUsedWhenFull) {
  DirectoryCache cache(3, 1000);
  cache.put(kRootInode, "a", InodeId{1}, 0);
  cache.put(kRootInode, "b", InodeId{2}, 0);
  cache.put(kRootInode, "c", InodeId{3}, 0);
  EXPECT_TRUE(cache.find(kRootInode, "a", 1).has_value());
  cache.put(kRootInode, "d", InodeId{4}, 1);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.find(kRootInode, "b", 1), std::nullopt);
  EXPECT_EQ(cache.find(kRootInode, "a", 1), InodeId{1});
  EXPECT_EQ(cache.find(kRootInode, "d", 1), InodeId{4});
}

TEST(DirectoryCache, ReplacesAndRenewsWhatIsPutAgain) {
  DirectoryCache cache(3, 50);
  cache.put(kRootInode, "a", InodeId{1}, 0);
  cache.put(kRootInode, "a", InodeId{2}, 40);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.find(kRootInode, "a", 80), InodeId{2});
}

TEST(DirectoryCache, ForgetsWhatItIsToldTo) {
  DirectoryCache cache(3, 50);
  cache.put(kRootInode, "a", InodeId{1}, 0);
  cache.forget(kRootInode, "a");
  cache.forget(kRootInode, "never there");
  EXPECT_EQ(cache.find(kRootInode, "a", 1), std::nullopt);
}

}  // namespace
}  // namespace benchfs::client
