// Goal: a freed block comes back exactly when the last read that may know it has ended and its
// record is durable, and who waits for blocks is served in order or told the truth. Method: reads
// are begun and ended by hand, and the test says what is durable.

#include "store/block_space.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "coro/task.h"
#include "store/inline_data.h"
#include "support/run_task.h"

namespace benchfs::store {
namespace {

constexpr std::uint64_t kBlocks = 10;

class Host final : public BlockSpace::Host {
 public:
  journal::Lsn settled_lsn() const noexcept override { return durable; }
  void want_settled() noexcept override { ++wanted; }
  bool want_promises_kept() noexcept override { return keeps_promises; }
  void released(BlockRun run) noexcept override { released_count += run.count; }

  journal::Lsn durable = 1;
  int wanted = 0;
  bool keeps_promises = false;
  std::uint64_t released_count = 0;
};

class BlockSpaceTest : public testing::Test {
 protected:
  BlockRuns take(std::uint64_t count) {
    BlockSpace::AllocateOp op(space_, count);
    EXPECT_TRUE(op.await_ready());
    return std::move(*op.await_resume());
  }

  /// 0 when it got its blocks, or the Errc.
  coro::Task<int> wait_for(std::uint64_t count) {
    BlockSpace::AllocateOp op(space_, count);
    const Result<BlockRuns> runs = co_await op;
    if (!runs.has_value()) {
      co_return static_cast<int>(runs.error().code);
    }
    space_.free_unseen(*runs);
    co_return 0;
  }

  void settle() {
    while (real_.loop.turn()) {
    }
  }

  test::RealLoop real_;
  Host host_;
  BlockSpace space_{real_.loop, host_, 0, kBlocks};
};

TEST_F(BlockSpaceTest, WithoutReadsAFreedBlockIsFreeAtOnce) {
  const BlockRuns runs = take(4);
  EXPECT_EQ(space_.used_count(), 4U);
  space_.free_seen(runs, 1);
  EXPECT_EQ(space_.used_count(), 0U);
  EXPECT_EQ(space_.kept_count(), 0U);
}

TEST_F(BlockSpaceTest, AReadThatBeganAfterTheFreeDoesNotKeepTheBlocks) {
  const BlockRuns runs = take(4);
  std::optional<BlockSpace::Reading> before(std::in_place, space_);
  space_.free_seen(runs, 1);
  EXPECT_EQ(space_.kept_count(), 4U);
  const BlockSpace::Reading after(space_);
  before.reset();
  EXPECT_EQ(space_.kept_count(), 0U);
  EXPECT_EQ(space_.used_count(), 0U);
}

TEST_F(BlockSpaceTest, AnOlderReadKeepsWhatWasFreedDuringALaterOne) {
  const BlockRuns first = take(2);
  const BlockRuns second = take(3);
  std::optional<BlockSpace::Reading> oldest(std::in_place, space_);
  space_.free_seen(first, 1);
  std::optional<BlockSpace::Reading> later(std::in_place, space_);
  space_.free_seen(second, 1);
  later.reset();
  EXPECT_EQ(space_.kept_count(), 5U) << "the oldest may have looked up both";
  oldest.reset();
  EXPECT_EQ(space_.used_count(), 0U);
}

TEST_F(BlockSpaceTest, WhoWaitsIsServedInOrderAndTheImpossibleIsRefused) {
  const BlockRuns runs = take(kBlocks);
  std::optional<BlockSpace::Reading> reading(std::in_place, space_);
  space_.free_seen({BlockRun{runs[0].first, 6}}, 1);
  coro::Task<int> large = wait_for(6);
  coro::Task<int> small = wait_for(1);
  coro::Task<int> too_large = wait_for(7);
  large.start();
  small.start();
  too_large.start();
  settle();
  EXPECT_FALSE(large.done() || small.done());
  EXPECT_EQ(space_.waiter_count(), 3U);
  reading.reset();
  settle();
  ASSERT_TRUE(large.done() && small.done() && too_large.done());
  EXPECT_EQ(large.take(), 0);
  EXPECT_EQ(small.take(), static_cast<int>(Errc::kOutOfSpace)) << "the one before has taken all";
  EXPECT_EQ(too_large.take(), static_cast<int>(Errc::kOutOfSpace));
  EXPECT_EQ(space_.used_count(), 4U);
}

TEST_F(BlockSpaceTest, WithoutHopeNobodyWaits) {
  const BlockRuns runs = take(8);
  BlockSpace::AllocateOp op(space_, 3);
  ASSERT_TRUE(op.await_ready());
  EXPECT_EQ(op.await_resume().error().code, Errc::kOutOfSpace);
  space_.free_unseen(runs);
}

TEST_F(BlockSpaceTest, AFreedBlockIsNotGivenOutBeforeItsRecordIsDurable) {
  const BlockRuns runs = take(kBlocks);
  space_.free_seen({BlockRun{runs[0].first, 4}}, 2);
  EXPECT_EQ(space_.used_count(), 6U) << "they can be had, if one waits";
  EXPECT_EQ(host_.released_count, 0U);
  coro::Task<int> waiting = wait_for(3);
  coro::Task<int> too_large = wait_for(5);
  waiting.start();
  too_large.start();
  settle();
  EXPECT_FALSE(waiting.done());
  EXPECT_GT(host_.wanted, 0);
  host_.durable = 2;
  space_.collect();
  settle();
  ASSERT_TRUE(waiting.done() && too_large.done());
  EXPECT_EQ(waiting.take(), 0);
  EXPECT_EQ(too_large.take(), static_cast<int>(Errc::kOutOfSpace));
  EXPECT_EQ(host_.released_count, 4U);
}

TEST_F(BlockSpaceTest, WhoWaitsForARecordThatWillNeverBeDurableIsTold) {
  const BlockRuns runs = take(kBlocks);
  space_.free_seen(runs, 2);
  coro::Task<int> waiting = wait_for(3);
  waiting.start();
  settle();
  space_.fail_waiters({.code = Errc::kIo, .os_code = 0, .where = "test"});
  settle();
  ASSERT_TRUE(waiting.done());
  EXPECT_EQ(waiting.take(), static_cast<int>(Errc::kIo));
  BlockSpace::AllocateOp late(space_, 1);
  ASSERT_TRUE(late.await_ready());
  EXPECT_EQ(late.await_resume().error().code, Errc::kIo);
}

TEST_F(BlockSpaceTest, APromiseCountsAsUsedUntilItIsKeptOrBroken) {
  BlockSpace::PromiseOp promise(space_, 7, 0);
  ASSERT_TRUE(promise.await_ready());
  ASSERT_TRUE(promise.await_resume().has_value());
  EXPECT_EQ(space_.used_count(), 7U);
  BlockSpace::AllocateOp too_large(space_, 4);
  ASSERT_TRUE(too_large.await_ready());
  EXPECT_EQ(too_large.await_resume().error().code, Errc::kOutOfSpace);
  const BlockRuns moved = space_.take_promised(2);
  space_.free_seen({BlockRun{kInlineBlockFirst, 5}}, 0);
  EXPECT_EQ(space_.used_count(), 4U) << "two that were taken, and two promises";
  space_.break_promise(2);
  space_.free_unseen(moved);
  EXPECT_EQ(space_.used_count(), 0U);
}

TEST_F(BlockSpaceTest, WhoWouldBeRefusedWaitsOnceUntilPromisesAreKeptWithFewerBlocks) {
  Host host;
  host.keeps_promises = true;
  BlockSpace space(real_.loop, host, 0, kBlocks);
  BlockSpace::PromiseOp promise(space, 8, 0);
  ASSERT_TRUE(promise.await_ready());
  BlockSpace::AllocateOp fits_then(space, 5);
  BlockSpace::AllocateOp never_fits(space, 9);
  for (BlockSpace::AllocateOp* const op : {&fits_then, &never_fits}) {
    ASSERT_FALSE(op->await_ready());
    op->await_suspend(std::noop_coroutine());
  }
  const BlockRuns moved = space.take_promised(1);
  space.break_promise(7);
  EXPECT_EQ(space.waiter_count(), 1U);
  EXPECT_EQ(fits_then.await_resume().value().size(), 1U);
  space.promises_kept();
  EXPECT_EQ(space.waiter_count(), 0U);
  EXPECT_EQ(never_fits.await_resume().error().code, Errc::kOutOfSpace);
  real_.loop.turn();
}

TEST_F(BlockSpaceTest, TheReserveIsKeptForSnapshotsInContiguousRegions) {
  Host host;
  BlockSpace space(real_.loop, host, 10, 210);
  EXPECT_EQ(space.block_count(), 200U);
  space.set_reserve(64);
  EXPECT_EQ(space.used_count(), 64U);
  BlockSpace::AllocateOp all(space, 136);
  ASSERT_TRUE(all.await_ready());
  const BlockRuns runs = std::move(*all.await_resume());
  EXPECT_EQ(space.take_for_snapshot(33).error().code, Errc::kOutOfSpace);
  const Result<std::uint64_t> first = space.take_for_snapshot(32);
  const Result<std::uint64_t> second = space.take_for_snapshot(20);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_GE(*first, 10U);
  EXPECT_EQ(space.take_for_snapshot(1).error().code, Errc::kOutOfSpace);
  space.free_of_snapshot({.first = *first + 5, .count = 27});
  EXPECT_EQ(space.used_count(), 200U) << "the rest of a region is nobody else's";
  space.free_of_snapshot({.first = *first, .count = 5});
  EXPECT_TRUE(space.take_for_snapshot(32).has_value());
  space.free_unseen(runs);
  EXPECT_EQ(space.used_count(), 64U);
}

}  // namespace
}  // namespace benchfs::store
