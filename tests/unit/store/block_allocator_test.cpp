// Goal: no block is given out twice or lost, a contiguous run is found whenever a group has one,
// and the counts are exact. Method: random allocations and frees beside a model with one entry per
// block, for drives of one block up to several levels of groups; every seed is printed by a
// failure.

#include "store/block_allocator.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace benchfs::store {
namespace {

constexpr std::uint64_t kGroup = BlockAllocator::kGroupBlocks;

class Model {
 public:
  explicit Model(std::uint64_t block_count) : used_(block_count, 0), free_(block_count) {}

  std::uint64_t free_count() const { return free_; }

  /// The longest free run inside one group.
  std::uint64_t longest() const {
    std::uint64_t best = 0;
    std::uint64_t run = 0;
    for (std::uint64_t block = 0; block < used_.size(); ++block) {
      run = block % kGroup == 0 ? 0 : run;
      run = used_[block] != 0 ? 0 : run + 1;
      best = std::max(best, run);
    }
    return best;
  }

  /// Whether all of `run` was free.
  bool take(BlockRun run) {
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      if (block >= used_.size() || used_[block] != 0) {
        return false;
      }
      used_[block] = 1;
    }
    free_ -= run.count;
    return true;
  }

  void free(BlockRun run) {
    std::fill_n(used_.begin() + static_cast<std::ptrdiff_t>(run.first), run.count, 0);
    free_ += run.count;
  }

 private:
  std::vector<char> used_;  ///< Per block, 0 or 1.
  std::uint64_t free_;
};

std::uint64_t total(const BlockRuns& runs) {
  std::uint64_t sum = 0;
  for (const BlockRun& run : runs) {
    sum += run.count;
  }
  return sum;
}

void run_against_model(std::uint64_t seed, std::uint64_t block_count, std::uint64_t count_max,
                       int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << block_count << " blocks");
  std::mt19937_64 random(seed);
  BlockAllocator allocator(block_count);
  Model model(block_count);
  std::vector<BlockRun> taken;
  unsigned fill_percent = 60;
  for (int step = 0; step < steps; ++step) {
    if (step % 200 == 0) {
      fill_percent = static_cast<unsigned>(random() % 70) + 20;
    }
    if (random() % 100 < fill_percent) {
      const std::uint64_t count = random() % count_max + 1;
      const std::uint64_t longest = model.longest();
      const BlockRuns runs = allocator.allocate(count);
      ASSERT_EQ(total(runs), count <= model.free_count() ? count : 0);
      ASSERT_TRUE(count > longest || runs.size() == 1) << "a run of " << longest << " was free";
      if (!runs.empty() && count > longest) {
        ASSERT_GE(runs.front().count, longest) << "the longest run comes first";
      }
      for (const BlockRun& run : runs) {
        ASSERT_TRUE(model.take(run)) << run.first << " + " << run.count;
        taken.push_back(run);
      }
    } else if (!taken.empty()) {
      const std::size_t victim = random() % taken.size();
      BlockRun run = taken[victim];
      if (run.count > 1 && random() % 2 == 0) {
        // A part of what was taken, from its start or from its end.
        const std::uint64_t part = random() % (run.count - 1) + 1;
        const bool front = random() % 2 == 0;
        taken[victim] = front ? BlockRun{run.first + part, run.count - part}
                              : BlockRun{run.first, run.count - part};
        run = front ? BlockRun{run.first, part} : BlockRun{run.end() - part, part};
      } else {
        taken[victim] = taken.back();
        taken.pop_back();
      }
      allocator.free(run);
      model.free(run);
    }
    ASSERT_EQ(allocator.free_count(), model.free_count());
  }
  for (const BlockRun& run : taken) {
    allocator.free(run);
  }
  ASSERT_EQ(allocator.free_count(), block_count);
}

TEST(BlockAllocator, AgreesWithAModelForEverySeedOnSmallDrives) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    run_against_model(seed, 1 + seed * 7, 1 + seed, 600);
  }
}

TEST(BlockAllocator, AgreesWithAModelForEverySeedOverSeveralGroups) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    run_against_model(seed, 2 * kGroup + 100 + seed * 613, 700, 1500);
  }
}

TEST(BlockAllocator, WhatIsWrittenTogetherLiesTogether) {
  BlockAllocator allocator(kGroup * 3);
  std::uint64_t expected = 0;
  for (int i = 0; i < 40; ++i) {
    const BlockRuns runs = allocator.allocate(256);
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_EQ(runs[0], (BlockRun{expected, 256}));
    expected += 256;
  }
}

TEST(BlockAllocator, GoesOnBehindTheLastRunBeforeItReusesWhatWasFreed) {
  BlockAllocator allocator(kGroup);
  const BlockRuns first = allocator.allocate(8);
  allocator.free(first[0]);
  EXPECT_EQ(allocator.allocate(8)[0].first, 8U);
  ASSERT_EQ(allocator.allocate(kGroup - 16).size(), 1U);
  EXPECT_EQ(allocator.allocate(8)[0].first, 0U);
}

TEST(BlockAllocator, TakesAgainWhatWasFreedBeforeItGoesOnToNewGroups) {
  BlockAllocator allocator(kGroup * 4 + 100);
  const BlockRuns first = allocator.allocate(kGroup);
  ASSERT_EQ(allocator.allocate(kGroup - 10)[0].first, kGroup);
  EXPECT_EQ(allocator.allocate(256)[0].first, 2 * kGroup) << "nothing has been freed";
  allocator.free({first[0].first + 100, 256});
  EXPECT_EQ(allocator.allocate(kGroup - 256)[0].first, 2 * kGroup + 256) << "it lies behind";
  EXPECT_EQ(allocator.allocate(257)[0].first, 3 * kGroup) << "what was freed is too short";
  ASSERT_EQ(allocator.allocate(kGroup - 257)[0].first, 3 * kGroup + 257);
  EXPECT_EQ(allocator.allocate(50)[0].first, 100U);
  EXPECT_EQ(allocator.allocate(206)[0].first, 150U);
  EXPECT_EQ(allocator.allocate(100)[0].first, 4 * kGroup) << "all that is left";
}

TEST(BlockAllocator, KnowsFromWhatIsMarkedWhichGroupsAreNew) {
  BlockAllocator allocator(kGroup * 4 + 100);
  ASSERT_TRUE(allocator.mark_used({.first = 10, .count = kGroup}));
  allocator.finish_marking();
  EXPECT_EQ(allocator.allocate(10)[0].first, 0U);
  EXPECT_EQ(allocator.allocate(kGroup - 10)[0].first, kGroup + 10);
  allocator.free({5, 20});
  EXPECT_EQ(allocator.allocate(20)[0].first, 5U);
  EXPECT_EQ(allocator.allocate(20)[0].first, 2 * kGroup);
}

TEST(BlockAllocator, FillsADriveOfLooseBlocksToTheLast) {
  constexpr std::uint64_t kBlocks = 2 * kGroup;
  BlockAllocator allocator(kBlocks);
  ASSERT_EQ(total(allocator.allocate(kBlocks)), kBlocks);
  for (std::uint64_t block = 0; block < kBlocks; block += 2) {
    allocator.free({block, 1});
  }
  const BlockRuns loose = allocator.allocate(256);
  EXPECT_EQ(loose.size(), 256U);
  EXPECT_EQ(total(allocator.allocate(kBlocks / 2 - 256)), kBlocks / 2 - 256);
  EXPECT_EQ(allocator.free_count(), 0U);
  EXPECT_TRUE(allocator.allocate(1).empty());
}

TEST(BlockAllocator, TakesTheFewestRunsWhenNoneIsLongEnough) {
  BlockAllocator allocator(kGroup);
  ASSERT_EQ(allocator.allocate(kGroup).size(), 1U);
  for (const BlockRun& run :
       {BlockRun{0, 3}, BlockRun{10, 40}, BlockRun{100, 1}, BlockRun{200, 20}}) {
    allocator.free(run);
  }
  const BlockRuns runs = allocator.allocate(60);
  EXPECT_EQ(runs.size(), 2U);
  EXPECT_EQ(allocator.free_count(), 4U);
}

TEST(BlockAllocator, TakesNothingWhenThereIsNotEnough) {
  BlockAllocator allocator(10);
  ASSERT_EQ(allocator.allocate(7).size(), 1U);
  EXPECT_TRUE(allocator.allocate(4).empty());
  EXPECT_EQ(allocator.free_count(), 3U);
}

TEST(BlockAllocator, FindsTheOnlyRunOfAVeryLargeDrive) {
  // Three levels: 64 * 64 groups and one more, 64 GiB.
  constexpr std::uint64_t kBlocks = kGroup * (64 * 64 + 1);
  BlockAllocator allocator(kBlocks);
  for (std::uint64_t done = 0; done < kBlocks; done += kGroup) {
    ASSERT_EQ(allocator.allocate(kGroup).size(), 1U);
  }
  for (const std::uint64_t first : {kBlocks - 300, std::uint64_t{5}, kGroup * 70 + 1}) {
    allocator.free({first, 256});
    const BlockRuns runs = allocator.allocate(256);
    ASSERT_EQ(runs.size(), 1U);
    EXPECT_EQ(runs[0].first, first);
  }
}

TEST(BlockAllocatorDeathTest, ABlockIsNotFreedTwice) {
  BlockAllocator allocator(100);
  const BlockRuns runs = allocator.allocate(10);
  allocator.free({runs[0].first + 3, 1});
  EXPECT_DEATH(allocator.free(runs[0]), "block_allocator");
  EXPECT_DEATH(allocator.free({50, 1}), "block_allocator");
  EXPECT_DEATH(allocator.free({99, 2}), "block_allocator");
}

}  // namespace
}  // namespace benchfs::store
