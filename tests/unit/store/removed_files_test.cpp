// Goal: a removed file is remembered until as many others were removed as the limit says. Method: a
// small limit, filled several times over.

#include "store/removed_files.h"

#include <gtest/gtest.h>

namespace benchfs::store {
namespace {

TEST(RemovedFiles, RemembersTheLastOnesAndForgetsTheOldestFirst) {
  constexpr std::uint64_t kLimit = 5;
  RemovedFiles removed(kLimit);
  for (std::uint64_t id = 1; id <= 23; ++id) {
    removed.add(InodeId{id});
    for (std::uint64_t other = 1; other <= 24; ++other) {
      EXPECT_EQ(removed.contains(InodeId{other}), other <= id && other + kLimit > id);
    }
  }
}

TEST(RemovedFiles, ARepeatedRemovalTakesNoSecondPlace) {
  RemovedFiles removed(2);
  removed.add(InodeId{1});
  removed.add(InodeId{2});
  removed.add(InodeId{2});
  EXPECT_TRUE(removed.contains(InodeId{1}));
}

}  // namespace
}  // namespace benchfs::store
