// Goal: what an owner holds is, after every change, what POSIX says: the last change of each byte
// counts. Method: random changes, beside a model with one mode per byte.

#include "fuse/owner_locks.h"

#include <array>
#include <random>

#include <gtest/gtest.h>

namespace benchfs::fuse {
namespace {

constexpr std::uint64_t kBytes = 40;

TEST(OwnerLocks, AreAfterEveryChangeWhatEachByteWasGivenLast) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    OwnerLocks locks;
    std::array<char, kBytes> model{};  // 0: none, 's', 'x'.
    std::uint64_t number = 0;
    for (int step = 0; step < 200; ++step) {
      const std::uint64_t begin = random() % kBytes;
      const LockRange range{.begin = begin, .end = begin + 1 + random() % (kBytes - begin)};
      const char mode = std::array{'\0', 's', 'x'}[random() % 3];
      OwnerLocks::Cut cut = locks.cut(range);
      for (HeldLock& part : cut.kept) {
        EXPECT_FALSE(part.range.overlaps(range));
        part.number = ++number;
      }
      std::optional<HeldLock> added;
      if (mode != '\0') {
        added = HeldLock{.range = range, .shared = mode == 's', .number = ++number};
      }
      locks.replace(cut, added);
      for (std::uint64_t i = range.begin; i < range.end; ++i) {
        model[i] = mode;
      }
      for (std::uint64_t i = 0; i < kBytes; ++i) {
        const LockRange byte{.begin = i, .end = i + 1};
        ASSERT_EQ(locks.conflict(byte, false) != nullptr, model[i] != '\0');
        ASSERT_EQ(locks.conflict(byte, true) != nullptr, model[i] == 'x');
      }
    }
  }
}

TEST(OwnerLocks, KeepBothEndsOfWhatIsCutInTheMiddle) {
  OwnerLocks locks;
  locks.replace({}, HeldLock{.range = {.begin = 0, .end = 100}, .number = 1});
  const auto cut = locks.cut({.begin = 40, .end = 60});
  ASSERT_EQ(cut.replaced.size(), 1U);
  EXPECT_EQ(cut.replaced[0].number, 1U);
  ASSERT_EQ(cut.kept.size(), 2U);
  EXPECT_EQ(cut.kept[0].range, (LockRange{.begin = 0, .end = 40}));
  EXPECT_EQ(cut.kept[1].range, (LockRange{.begin = 60, .end = 100}));
}

}  // namespace
}  // namespace benchfs::fuse
