// Goal: files that have become many small extents become few again, with the same bytes, and
// whatever happens meanwhile (writes, truncates, removals, reads, a crash at any moment, a drive
// that returns other bytes) is as if nothing had. Never on a store that is nearly full, and never
// twice for nothing. Method: the rule by itself; then small stores, stopped at each operation of
// the drive where moments matter. The models of chunk_store_model_test and crash_model_test run
// with compaction too.

#include "store/compaction.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>

#include "base/log.h"
#include "support/store_fixture.h"

namespace benchfs::store {
namespace {

using test::ByteVector;
using test::JournaledStore;
using test::kEagerCompaction;
using test::kFixtureRingBlocks;
using test::pattern;
using test::StoreFixture;

constexpr std::uint64_t kRange = 40'000;

/// Writes [0, size) of `file` in pieces of `piece_bytes`, in a random order.
ByteVector write_into_log(StoreFixture& f, std::uint64_t file, std::size_t size,
                          std::size_t piece_bytes) {
  ByteVector expected = pattern(file, size);
  std::vector<std::size_t> order((size + piece_bytes - 1) / piece_bytes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937_64(file));
  for (std::size_t at = 0; at < order.size();) {
    std::vector<Piece> pieces;
    ByteVector data;
    for (; pieces.size() < kPiecesMax && at < order.size(); ++at) {
      const std::size_t offset = order[at] * piece_bytes;
      const std::size_t count = std::min(piece_bytes, size - offset);
      pieces.push_back({offset, count});
      data.insert(data.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset),
                  expected.begin() + static_cast<std::ptrdiff_t>(offset + count));
    }
    EXPECT_TRUE(f.write_now(file, pieces, data).has_value());
  }
  return expected;
}

/// The same, and none of it stays in the log.
ByteVector write_in_pieces(StoreFixture& f, std::uint64_t file, std::size_t size,
                           std::size_t piece_bytes) {
  ByteVector expected = write_into_log(f, file, size, piece_bytes);
  EXPECT_TRUE(test::run_task(f.real.loop, f.journal.checkpoint()).has_value());
  return expected;
}

/// Until nothing more is rewritten.
void wait_for_compaction(StoreFixture& f) {
  const auto wait = [](loop::EventLoop& loop) -> coro::Task<void> {
    loop::SleepOp pause(loop, loop.now_ns() + 400 * kNsPerMs);
    co_await pause;
  };
  for (std::uint64_t before = UINT64_MAX; before != f.store.counters().compacted_windows;) {
    before = f.store.counters().compacted_windows;
    struct Unit {
      static coro::Task<int> of(coro::Task<void> task) {
        co_await task;
        co_return 0;
      }
    };
    test::run_task(f.real.loop, Unit::of(wait(f.real.loop)));
  }
}

TEST(CompactionRule, TakesRunsOfManySmallExtentsAndStopsAtHolesAndLargeOnes) {
  ExtentIndex index;
  BlockRuns freed;
  const CompactionRules rules;
  std::uint64_t device = 4096 * kBlockBytes;
  const auto add = [&](std::uint64_t offset, std::uint64_t size) {
    const Extent extent = {.offset_bytes = offset, .size_bytes = size, .device_bytes = device};
    device += 4 * kMiB;  // No two continue each other.
    index.insert(InodeId{5}, std::span(&extent, 1), freed);
  };
  for (std::uint64_t i = 0; i < 7; ++i) {
    add(i * 100, 100);  // One too few.
  }
  for (std::uint64_t i = 0; i < 8; ++i) {
    add(10'000 + i * 100, 100);
  }
  add(10'800, kLargeExtentBytes + 1);
  for (std::uint64_t i = 0; i < 20; ++i) {
    add(kMiB + i * 16 * kKiB, 16 * kKiB);  // Large enough on average.
  }
  std::uint64_t cursor = 0;
  const auto first = next_window(index, InodeId{5}, rules, kWindowBytesMax, cursor);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->offset_bytes, 10'000U);
  EXPECT_EQ(first->size_bytes, 800U);
  EXPECT_EQ(first->extent_count, 8U);
  EXPECT_EQ(next_window(index, InodeId{5}, rules, kWindowBytesMax, cursor), std::nullopt);
  EXPECT_EQ(next_window(index, InodeId{5}, rules, kWindowBytesMax, cursor), std::nullopt);
  EXPECT_EQ(cursor, UINT64_MAX);
}

TEST(CompactionRule, FindsRunsWhereverTheListOfExtentsIsCut) {
  ExtentIndex index;
  BlockRuns freed;
  constexpr std::uint64_t kCount = 5000;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const Extent extent = {.offset_bytes = i * 10 + i / 100,  // A hole behind each hundred.
                           .size_bytes = 10,
                           .device_bytes = (i + 1) * 2 * kBlockBytes};
    index.insert(InodeId{1}, std::span(&extent, 1), freed);
  }
  std::uint64_t extents = 0;
  std::uint64_t steps = 0;
  for (std::uint64_t cursor = 0; cursor != UINT64_MAX; ++steps) {
    const auto window = next_window(index, InodeId{1}, {}, kWindowBytesMax, cursor);
    extents += window.has_value() ? window->extent_count : 0;
    EXPECT_TRUE(!window.has_value() || window->extent_count == 100U);
  }
  EXPECT_EQ(extents, kCount);
  EXPECT_LT(steps, 100U);
}

TEST(CompactionQueue, LooksAtAFileAtOnceWhenItHasDoubledAndOtherwiseLater) {
  const CompactionRules rules;
  CompactionQueue queue(rules);
  queue.changed(InodeId{1}, 63);
  EXPECT_FALSE(queue.has_due() || queue.has_later());
  queue.changed(InodeId{1}, 64);
  ASSERT_TRUE(queue.has_due());
  EXPECT_EQ(queue.take(), InodeId{1});
  queue.left_with(InodeId{1}, 50);
  queue.changed(InodeId{1}, 99);
  EXPECT_FALSE(queue.has_due());
  EXPECT_TRUE(queue.has_later());
  queue.look_again();
  EXPECT_TRUE(queue.has_due() && !queue.has_later());
  queue.take();
  queue.left_with(InodeId{1}, 50);
  queue.changed(InodeId{1}, 100);
  EXPECT_TRUE(queue.has_due());
  queue.removed(InodeId{1});
  EXPECT_EQ(queue.size(), 0U);
}

TEST(Compaction, MakesOneExtentOfManyAndKeepsTheBytes) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{47}, std::size_t{5000}}) {
    SCOPED_TRACE(testing::Message() << "pieces of " << piece);
    StoreFixture f(3000);
    const std::size_t size = piece == 1 ? 20'000 : piece == 47 ? 200'000 : 600'000;
    const ByteVector expected = write_in_pieces(f, 1, size, piece);
    wait_for_compaction(f);
    EXPECT_LE(f.store.usage().extent_count, 10U);
    EXPECT_GT(f.store.counters().compacted_windows, 0U);
    EXPECT_EQ(*f.read_now(1, {{0, size}}).data, expected);
    ASSERT_TRUE(f.fsync_now().has_value());
    EXPECT_LE(f.used_blocks(), size / kBlockBytes + 10);
    f.disk.counters = {};
    ASSERT_TRUE(f.read_now(1, {{0, size}}).data.has_value());
    EXPECT_LE(f.disk.counters.reads, 10U);
  }
}

TEST(Compaction, BoundsTheMemoryOfAFileWrittenInTinyPieces) {
  const auto memory_of = [](const CompactionRules& rules, std::uint64_t& extents) {
    StoreFixture f(20'000, 0, 8 * kMiB, 2048, rules);
    write_in_pieces(f, 2, 20'000, 47);  // What the journal keeps for its batches.
    const std::size_t before = mallinfo2().uordblks;
    write_in_pieces(f, 1, 2'000'000, 47);
    wait_for_compaction(f);
    extents = f.store.usage().extent_count;
    const std::size_t after = mallinfo2().uordblks;
    return after > before ? after - before : 0;
  };
  CompactionRules never;
  never.file_extents_min = SIZE_MAX;
  std::uint64_t extents_without = 0;
  std::uint64_t extents_with = 0;
  const std::size_t without = memory_of(never, extents_without);
  const std::size_t with = memory_of({}, extents_with);
  std::printf("2 MB in pieces of 47 bytes: %zu bytes for %lu extents, rewritten %zu for %lu\n",
              without, extents_without, with, extents_with);
  EXPECT_GT(extents_without, 30'000U);
  EXPECT_LT(extents_with, 100U);
}

TEST(Compaction, LeavesWhatAWriteHasChangedMeanwhile) {
  StoreFixture f(3000);
  ByteVector expected = write_in_pieces(f, 1, kRange, 100);
  for (std::size_t offset = 0; offset < kRange; offset += 500) {
    const ByteVector data = pattern(offset, 200);
    ASSERT_TRUE(f.write_now(1, {{offset, 200}}, data).has_value());
    std::copy(data.begin(), data.end(), expected.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  f.disk.delay_turns = 5;
  ASSERT_TRUE(test::run_task(f.real.loop, f.journal.checkpoint()).has_value());
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t offset = static_cast<std::uint64_t>(i) * 190;
    const ByteVector data = pattern(static_cast<std::uint64_t>(i), 9000);
    const std::size_t size = std::min<std::size_t>(9000, kRange - offset);
    ASSERT_TRUE(
        f.write_now(1, {{offset, size}},
                    ByteVector(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size)))
            .has_value());
    std::copy(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(size),
              expected.begin() + static_cast<std::ptrdiff_t>(offset));
    ASSERT_EQ(*f.read_now(1, {{0, kRange}}).data, expected) << i;
  }
  wait_for_compaction(f);
  EXPECT_EQ(*f.read_now(1, {{0, kRange}}).data, expected);
}

TEST(Compaction, OfAFileThatIsRemovedOrTruncatedMeanwhileLeavesNothing) {
  for (const bool removed : {true, false}) {
    StoreFixture f(3000, 0, 8 * kMiB, kFixtureRingBlocks, kEagerCompaction);
    f.disk.delay_turns = 3;
    for (std::uint64_t file = 1; file <= 20; ++file) {
      write_in_pieces(f, file, 10'000, 100);
      const Status gone = removed ? f.remove_now(file) : f.truncate_now(file, 0);
      ASSERT_TRUE(gone.has_value());
    }
    f.settle();
    ASSERT_TRUE(f.fsync_now().has_value());
    EXPECT_EQ(f.used_blocks(), 0U);
    EXPECT_EQ(f.store.usage().extent_count, 0U);
  }
}

TEST(Compaction, NeverTurnsOtherBytesIntoGoodOnes) {
  StoreFixture f(3000, 0, 8 * kMiB, kFixtureRingBlocks);
  write_in_pieces(f, 1, 5000, 100);  // Fewer extents than are looked at.
  // Every block of data has one bit that is wrong.
  const Bytes bytes = f.memory->bytes();
  for (std::size_t at = test::kFixtureFirstBlock * kBlockBytes; at < bytes.size();
       at += kBlockBytes) {
    bytes[at + 10] ^= std::byte{1};
  }
  write_in_pieces(f, 1, 20'000, 100);
  for (std::size_t at = test::kFixtureFirstBlock * kBlockBytes; at < bytes.size();
       at += kBlockBytes) {
    bytes[at + 20] ^= std::byte{1};
  }
  ASSERT_TRUE(f.write_now(1, {{30'000, 1}}, pattern(1, 1)).has_value());
  wait_for_compaction(f);
  EXPECT_EQ(f.read_now(1, {{0, 20'000}}).data.error().code, Errc::kCorrupt);
}

TEST(Compaction, IsNotDoneOnAStoreThatIsNearlyFull) {
  StoreFixture f(1100);
  const ByteVector expected = write_in_pieces(f, 1, 8000, 800);
  const std::uint64_t free_blocks =
      (f.store.usage().capacity_bytes - f.store.usage().used_bytes) / kBlockBytes;
  const ByteVector fill = pattern(9, (free_blocks - 30) * kBlockBytes);
  std::size_t at = 0;
  for (std::uint64_t file = 10; at < fill.size(); ++file) {
    const std::size_t size = std::min<std::size_t>(fill.size() - at, kMiB);
    ASSERT_TRUE(f.write_now(file, {{0, size}}, ByteVector(size)).has_value());
    at += size;
  }
  write_in_pieces(f, 2, 20'000, 47);
  wait_for_compaction(f);
  EXPECT_EQ(f.store.counters().compacted_windows, 0U);
  EXPECT_GT(f.store.usage().extent_count, 300U);
  EXPECT_EQ(*f.read_now(1, {{0, 8000}}).data, expected);
}

TEST(Compaction, SurvivesACrashAtEveryOperationOfTheDrive) {
  StoreFixture f(600);
  f.disk.hold = false;
  const ByteVector expected = write_into_log(f, 1, 12'000, 47);
  f.disk.hold = true;
  coro::Task<Status> moving = f.journal.checkpoint();
  moving.start();
  std::uint64_t moments = 0;
  for (int idle = 0; idle < 3000;) {
    f.real.loop.turn();
    if (f.disk.queued() == 0) {
      idle = f.store.counters().compacted_windows > 0 ? idle + 1 : idle;
      continue;
    }
    f.disk.release();
    ++moments;
    test::RealLoop real;
    auto memory = std::move(*io::MemoryDisk::create(real.loop, f.memory->bytes().size()));
    std::copy(f.memory->bytes().begin(), f.memory->bytes().end(), memory->bytes().begin());
    auto pool = std::move(*io::BufferPool::create(real.loop, 8 * kMiB));
    JournaledStore again(real.loop, *memory, *pool, kFixtureRingBlocks,
                         JournaledStore::Start::kLater);
    const auto found = test::run_task(real.loop, again.journal.recover());
    ASSERT_TRUE(found.has_value()) << to_string(found.error());
    const Piece all = {0, expected.size()};
    const auto got = test::run_task(real.loop, again.store.read(InodeId{1}, std::span(&all, 1)));
    ASSERT_TRUE(got.has_value());
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), got->data.begin(), got->data.end()))
        << "moment " << moments;
  }
  EXPECT_GT(moments, 8U);
  ASSERT_TRUE(moving.done());
  EXPECT_TRUE(moving.take().has_value());
  EXPECT_LE(f.store.usage().extent_count, 3U);
  f.disk.hold = false;
}

}  // namespace
}  // namespace benchfs::store
