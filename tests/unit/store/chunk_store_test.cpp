// Goal: every promise of chunk_store.h, one test each. Method: the store runs on a drive in memory
// whose operations the test holds, orders, counts and fails.

#include "store/chunk_store.h"

#include <gtest/gtest.h>

#include "store/records.h"
#include "store/transfer.h"
#include "support/store_fixture.h"

namespace benchfs::store {
namespace {

using test::ByteVector;
using test::pattern;
using test::ReadOutcome;
using test::StoreFixture;

constexpr std::uint64_t kFile = 5;

ByteVector slice(const ByteVector& data, std::size_t from, std::size_t size) {
  return {data.begin() + static_cast<std::ptrdiff_t>(from),
          data.begin() + static_cast<std::ptrdiff_t>(from + size)};
}

TEST(ChunkStore, ReadsBackWhatWasWrittenAtAnyAlignmentAndSize) {
  StoreFixture f(4096);
  std::uint64_t file = 0;
  for (const std::uint64_t offset : {0ULL, 1ULL, 4095ULL, 4096ULL, 1'000'001ULL}) {
    for (const std::size_t size : {1UL, 4095UL, 4096UL, 4097UL, 100'000UL, 1'048'576UL}) {
      SCOPED_TRACE(testing::Message() << offset << " + " << size);
      const ByteVector data = pattern(++file, size);
      ASSERT_TRUE(f.write_now(file, {{offset, size}}, data).has_value());
      const ReadOutcome got = f.read_now(file, {{offset, size}});
      ASSERT_TRUE(got.data.has_value());
      EXPECT_EQ(*got.data, data);
      EXPECT_FALSE(got.has_hole);
      EXPECT_EQ(f.store.end_of(InodeId{file}), offset + size);
      EXPECT_EQ(f.used_blocks(), (size + kBlockBytes - 1) / kBlockBytes);
      ASSERT_TRUE(f.remove_now(file).has_value());
      EXPECT_EQ(f.used_blocks(), 0U);
    }
  }
}

/// For what a test fragments and counts the reads of, however long that takes on a slow machine.
constexpr CompactionRules kNoCompaction = {.file_extents_min = SIZE_MAX};

TEST(ChunkStore, ARangeInOneExtentIsOneReadStraightIntoTheBuffer) {
  StoreFixture f(1024);
  const ByteVector data = pattern(1, 300'000);
  ASSERT_TRUE(f.write_now(kFile, {{777, data.size()}}, data).has_value());
  const std::vector<Piece> pieces = {{777 + 5000, 200'000}};
  auto task = f.store.read(InodeId{kFile}, pieces);
  const Result<ReadData> got = test::run_task(f.real.loop, std::move(task));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(f.disk.counters.reads, 1U);
  EXPECT_EQ(f.disk.counters.read_bytes, round_up(5000 % kBlockBytes + 200'000, kBlockBytes));
  EXPECT_EQ(got->data.data() - got->buffer.bytes().data(), 5000 % 4096);
  EXPECT_EQ(ByteVector(got->data.begin(), got->data.end()), slice(data, 5000, 200'000));
}

TEST(ChunkStore, ManySmallPiecesAreOneWriteAndOneRead) {
  StoreFixture f(64);
  std::vector<Piece> pieces;
  for (std::uint64_t i = 0; i < kPiecesMax; ++i) {
    pieces.push_back({i * 1000 + 3, 100 + i % 7});
  }
  std::size_t size = 0;
  for (const Piece& piece : pieces) {
    size += piece.size_bytes;
  }
  const ByteVector data = pattern(2, size);
  ASSERT_TRUE(f.write_now(kFile, pieces, data).has_value());
  EXPECT_EQ(f.disk.counters.writes, 2U) << "the data and their record";
  EXPECT_EQ(f.used_blocks(), (size + kBlockBytes - 1) / kBlockBytes);
  const ReadOutcome got = f.read_now(kFile, pieces);
  EXPECT_EQ(*got.data, data);
  EXPECT_FALSE(got.has_hole);
  EXPECT_EQ(f.disk.counters.reads, 1U);
}

TEST(ChunkStore, BlocksScatteredOverTheDriveAreReadWithoutCopyAndInParallel) {
  StoreFixture f(1024, 0, 8 * kMiB, test::kFixtureRingBlocks, kNoCompaction);
  // Backwards, so that no two of the file's blocks follow each other on the drive.
  constexpr std::uint64_t kStep = 3 * kBlockBytes;
  ByteVector expected(64 * kStep);
  for (std::uint64_t i = 64; i-- > 0;) {
    const ByteVector data = pattern(i, kStep);
    ASSERT_TRUE(f.write_now(kFile, {{i * kStep, kStep}}, data).has_value());
    std::copy(data.begin(), data.end(), expected.begin() + static_cast<std::ptrdiff_t>(i * kStep));
  }
  f.disk.in_flight_max = 0;
  const ReadOutcome got = f.read_now(kFile, {{0, expected.size()}});
  EXPECT_EQ(*got.data, expected);
  EXPECT_EQ(f.disk.in_flight_max, 64U);
  EXPECT_EQ(f.disk.counters.read_bytes, expected.size());
}

TEST(ChunkStore, OneBufferIsEnoughHoweverScatteredTheBytesAre) {
  // The pool has one buffer of the largest size; the read needs more scratch than that leaves.
  StoreFixture f(4096, 0, io::kBufferBytesMax, test::kFixtureRingBlocks, kNoCompaction);
  constexpr std::uint64_t kStep = kInlineBytesMax + 9;
  ByteVector expected(127 * kStep);
  for (std::uint64_t i = 127; i-- > 0;) {
    const ByteVector data = pattern(i, kStep);
    ASSERT_TRUE(f.write_now(kFile, {{i * kStep, kStep}}, data).has_value());
    std::copy(data.begin(), data.end(), expected.begin() + static_cast<std::ptrdiff_t>(i * kStep));
  }
  f.disk.in_flight_max = 0;
  const ReadOutcome got = f.read_now(kFile, {{0, expected.size()}});
  ASSERT_TRUE(got.data.has_value());
  EXPECT_EQ(*got.data, expected);
  EXPECT_FALSE(got.has_hole);
  EXPECT_LE(f.disk.in_flight_max, kTransfersInFlightMax);
}

TEST(ChunkStore, PiecesOfAReadMayRepeatAndStandInAnyOrder) {
  StoreFixture f(64);
  const ByteVector data = pattern(3, 20'000);
  ASSERT_TRUE(f.write_now(kFile, {{100, data.size()}}, data).has_value());
  const ReadOutcome got = f.read_now(kFile, {{10'100, 50}, {100, 9000}, {10'100, 50}, {5, 0}});
  ByteVector expected = slice(data, 10'000, 50);
  const ByteVector middle = slice(data, 0, 9000);
  expected.insert(expected.end(), middle.begin(), middle.end());
  expected.insert(expected.end(), expected.begin(), expected.begin() + 50);
  EXPECT_EQ(*got.data, expected);
}

TEST(ChunkStore, HolesAreZerosAndAreReportedExactly) {
  StoreFixture f(64);
  const ByteVector data = pattern(4, 1000);
  ASSERT_TRUE(f.write_now(kFile, {{5000, 1000}}, data).has_value());
  EXPECT_FALSE(f.read_now(kFile, {{5000, 1000}}).has_hole);
  for (const Piece piece : {Piece{4999, 1001}, Piece{5000, 1001}, Piece{0, 20'000}}) {
    const ReadOutcome got = f.read_now(kFile, {piece});
    EXPECT_TRUE(got.has_hole);
    ByteVector expected(piece.size_bytes);
    std::copy_n(data.begin(), 1000,
                expected.begin() + static_cast<std::ptrdiff_t>(5000 - piece.offset_bytes));
    EXPECT_EQ(*got.data, expected);
  }
}

TEST(ChunkStore, WhatWasNeverWrittenIsAHoleThatCostsNothing) {
  StoreFixture f(64);
  const std::vector<Piece> pieces = {{0, kTransferBytesMax}};
  auto task = f.store.read(InodeId{kFile}, pieces);
  const Result<ReadData> got = test::run_task(f.real.loop, std::move(task));
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(got->has_hole);
  EXPECT_TRUE(got->data.empty());
  EXPECT_FALSE(got->buffer);
  EXPECT_EQ(f.disk.counters.reads, 0U);
}

TEST(ChunkStore, TheLaterOfTwoPiecesThatOverlapWins) {
  StoreFixture f(64);
  const ByteVector data = pattern(5, 300);
  ASSERT_TRUE(f.write_now(kFile, {{0, 200}, {100, 100}}, data).has_value());
  ByteVector expected = slice(data, 0, 100);
  const ByteVector later = slice(data, 200, 100);
  expected.insert(expected.end(), later.begin(), later.end());
  EXPECT_EQ(*f.read_now(kFile, {{0, 200}}).data, expected);
}

TEST(ChunkStore, TruncatedBytesReadAsZerosAndTheirBlocksAreFree) {
  StoreFixture f(64);
  const ByteVector data = pattern(6, 10 * kBlockBytes);
  ASSERT_TRUE(f.write_now(kFile, {{0, data.size()}}, data).has_value());
  ASSERT_TRUE(f.truncate_now(kFile, 3 * kBlockBytes + 1).has_value());
  EXPECT_EQ(f.used_blocks(), 4U);
  EXPECT_EQ(f.store.end_of(InodeId{kFile}), 3 * kBlockBytes + 1);
  const ReadOutcome got = f.read_now(kFile, {{0, data.size()}});
  EXPECT_TRUE(got.has_hole);
  ByteVector expected = slice(data, 0, 3 * kBlockBytes + 1);
  expected.resize(data.size());
  EXPECT_EQ(*got.data, expected);
  ASSERT_TRUE(f.truncate_now(kFile, 0).has_value());
  EXPECT_EQ(f.store.usage().file_count, 0U);
  EXPECT_EQ(f.used_blocks(), 0U);
}

TEST(ChunkStore, AWriteIsVisibleOnlyWhenTheDriveHasItAndToldOnlyWhenItsRecordIsWritten) {
  StoreFixture f(64);
  f.disk.hold = true;
  const ByteVector data = pattern(7, 10'000);
  auto writing = f.write(InodeId{kFile}, {{0, 10'000}}, data);
  writing.start();
  f.settle();
  EXPECT_EQ(f.used_blocks(), 3U);
  EXPECT_EQ(f.store.end_of(InodeId{kFile}), 0U);
  ASSERT_EQ(f.disk.queued(), 1U);
  f.disk.release();
  f.settle();
  EXPECT_EQ(f.store.end_of(InodeId{kFile}), 10'000U);
  EXPECT_FALSE(writing.done());
  auto reading = f.read(InodeId{kFile}, {{0, 10'000}});
  auto committing = f.store.committed(InodeId{kFile});
  reading.start();
  committing.start();
  f.settle();
  ASSERT_EQ(f.disk.queued(), 2U) << "the record, and the read of the data";
  f.disk.release(1);
  f.settle();
  EXPECT_FALSE(reading.done() || committing.done()) << "a crash would take back what they tell";
  f.disk.release();
  f.settle();
  ASSERT_TRUE(writing.done() && reading.done() && committing.done());
  EXPECT_TRUE(writing.take().has_value());
  EXPECT_TRUE(committing.take().has_value());
  const ReadOutcome outcome = reading.take();
  EXPECT_EQ(*outcome.data, data);
}

TEST(ChunkStore, ASmallWriteIsOneWriteOfTheDriveAndIsReadFromMemory) {
  StoreFixture f(64);
  const ByteVector data = pattern(7, kInlineBytesMax);
  ASSERT_TRUE(f.write_now(kFile, {{77, data.size()}}, data).has_value());
  EXPECT_EQ(f.disk.counters.writes, 1U);
  EXPECT_EQ(f.used_blocks(), 2U) << "they are promised";
  EXPECT_EQ(*f.read_now(kFile, {{77, data.size()}}).data, data);
  EXPECT_EQ(f.disk.counters.reads, 0U);
}

TEST(ChunkStore, ASnapshotMovesSmallWritesIntoBlocksThatTheyShare) {
  StoreFixture f(256);
  for (std::uint64_t file = 1; file <= 100; ++file) {
    ASSERT_TRUE(f.write_now(file, {{file, 500}}, pattern(file, 500)).has_value());
  }
  // Pieces of one write that overlap, and a part that is gone before it is moved.
  ASSERT_TRUE(f.write_now(101, {{0, 200}, {100, 100}}, pattern(101, 300)).has_value());
  ASSERT_TRUE(f.write_now(50, {{100, 20}}, pattern(1050, 20)).has_value());
  ASSERT_TRUE(f.remove_now(60).has_value());
  ASSERT_TRUE(f.truncate_now(70, 300).has_value());
  EXPECT_EQ(f.used_blocks(), 101U);
  const Status made = test::run_task(f.real.loop, f.journal.checkpoint());
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(f.used_blocks(), (98 * 500 + 230 + 200 + 4095) / 4096U);
  f.disk.counters = {};
  for (std::uint64_t file = 1; file <= 100; ++file) {
    ByteVector expected = pattern(file, 500);
    if (file == 50) {
      const ByteVector later = pattern(1050, 20);
      std::copy(later.begin(), later.end(), expected.begin() + 50);
    }
    if (file == 70) {
      std::fill(expected.begin() + 230, expected.end(), std::byte{0});
    }
    const ReadOutcome got = f.read_now(file, {{file, 500}});
    if (file == 60) {
      EXPECT_FALSE(got.data.has_value());
      continue;
    }
    ASSERT_TRUE(got.data.has_value()) << file;
    EXPECT_EQ(*got.data, expected) << file;
  }
  EXPECT_GE(f.disk.counters.reads, 99U) << "they are in blocks now";
  for (std::uint64_t file = 1; file <= 101; ++file) {
    ASSERT_TRUE(f.remove_now(file).has_value());
  }
  EXPECT_EQ(f.used_blocks(), 0U);
}

TEST(ChunkStore, EveryBitOfEveryBlockIsGuarded) {
  StoreFixture f(64);
  const ByteVector data = pattern(1, 20'000);
  ASSERT_TRUE(f.write_now(kFile, {{5, data.size()}}, data).has_value());
  for (std::uint64_t file = 10; file < 20; ++file) {
    ASSERT_TRUE(f.write_now(file, {{0, 900}}, pattern(file, 900)).has_value());
  }
  ASSERT_TRUE(test::run_task(f.real.loop, f.journal.checkpoint()).has_value());
  ASSERT_EQ(f.used_blocks(), 8U) << "five, and three for all the small ones";
  std::uint64_t found = 0;
  const std::uint64_t first = test::kFixtureFirstBlock + test::kFixtureReserveBlocks;
  for (std::uint64_t block = 0; block < 8; ++block) {
    for (const std::uint64_t at : {0U, 1234U, 4095U}) {  // Of the last ones also padding.
      std::byte& byte = f.memory->bytes()[(first + block) * kBlockBytes + at];
      byte ^= std::byte{0x10};
      std::uint64_t refused = 0;
      const ReadOutcome large = f.read_now(kFile, {{5, data.size()}});
      refused += large.data.has_value() ? 0 : 1;
      EXPECT_TRUE(!large.data.has_value() || *large.data == data);
      for (std::uint64_t file = 10; file < 20; ++file) {
        const ReadOutcome small = f.read_now(file, {{0, 900}});
        refused += small.data.has_value() ? 0 : 1;
        EXPECT_TRUE(small.data.has_value() ? *small.data == pattern(file, 900)
                                           : small.data.error().code == Errc::kCorrupt);
      }
      found += refused > 0 ? 1 : 0;
      byte ^= std::byte{0x10};
    }
  }
  EXPECT_EQ(found, 24U);
  EXPECT_EQ(*f.read_now(kFile, {{5, data.size()}}).data, data);
}

TEST(ChunkStore, AFullStoreRefusesKeepsWhatItHasAndTakesAgainAfterADelete) {
  StoreFixture f(600);
  std::uint64_t written = 0;
  while (f.write_now(written + 1, {{written, 10'000}}, pattern(written, 10'000)).has_value()) {
    ++written;
  }
  EXPECT_EQ(written, 200U);
  EXPECT_EQ(f.used_blocks(), 600U);
  const Status refused = f.write_now(999, {{0, 1}}, pattern(0, 1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kOutOfSpace);
  EXPECT_EQ(f.store.usage().file_count, 200U);
  for (std::uint64_t i = 0; i < written; ++i) {
    EXPECT_EQ(*f.read_now(i + 1, {{i, 10'000}}).data, pattern(i, 10'000));
  }
  ASSERT_TRUE(f.remove_now(1).has_value());
  EXPECT_EQ(f.used_blocks(), 597U);
  EXPECT_TRUE(f.write_now(999, {{0, 3 * kBlockBytes}}, pattern(0, 3 * kBlockBytes)).has_value());
  EXPECT_EQ(f.used_blocks(), 600U);
}

/// Fills the drive with files of three blocks, 1 to `file_count`, and removes every second one.
void fragment(StoreFixture& f, std::uint64_t file_count) {
  constexpr std::uint64_t kSize = 3 * kBlockBytes;
  for (std::uint64_t file = 1; file <= file_count; ++file) {
    ASSERT_TRUE(f.write_now(file, {{0, kSize}}, pattern(file, kSize)).has_value());
  }
  for (std::uint64_t file = 2; file <= file_count; file += 2) {
    ASSERT_TRUE(f.remove_now(file).has_value());
  }
  ASSERT_TRUE(f.fsync_now().has_value());
}

TEST(ChunkStore, AFragmentedDriveIsUsedToTheLastBlock) {
  StoreFixture f(402, 0, 8 * kMiB, test::kFixtureRingBlocks, kNoCompaction);
  fragment(f, 134);
  const ByteVector data = pattern(8, 201 * kBlockBytes - 5);
  ASSERT_TRUE(f.write_now(1000, {{17, data.size()}}, data).has_value());
  EXPECT_EQ(f.used_blocks(), 402U);
  EXPECT_EQ(f.disk.in_flight_max, kTransfersInFlightMax);
  EXPECT_EQ(*f.read_now(1000, {{17, data.size()}}).data, data);
  for (std::uint64_t file = 1; file <= 134; file += 2) {
    EXPECT_EQ(*f.read_now(file, {{0, 3 * kBlockBytes}}).data, pattern(file, 3 * kBlockBytes));
  }
}

TEST(ChunkStore, AFullAndFragmentedStoreStillMakesSnapshotsAndRemoves) {
  StoreFixture f(402, 0, 8 * kMiB, test::kFixtureRingBlocks, kNoCompaction);
  fragment(f, 134);
  const ByteVector data = pattern(8, 201 * kBlockBytes);
  ASSERT_TRUE(f.write_now(1000, {{0, data.size()}}, data).has_value());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(test::run_task(f.real.loop, f.journal.checkpoint()).has_value());
    EXPECT_EQ(f.used_blocks(), 402U);
    EXPECT_EQ(f.write_now(2000, {{0, 1}}, pattern(1, 1)).error().code, Errc::kOutOfSpace);
  }
  ASSERT_TRUE(f.remove_now(1).has_value());
  EXPECT_TRUE(f.write_now(2000, {{0, 1}}, pattern(1, 1)).has_value());
}

TEST(ChunkStore, OneFailingFragmentFailsTheWriteAndNothingHasChanged) {
  StoreFixture f(42);
  fragment(f, 14);
  const ByteVector old = pattern(9, 3 * kBlockBytes);
  ASSERT_TRUE(f.write_now(1000, {{0, old.size()}}, old).has_value());
  const Usage before = f.store.usage();
  f.disk.hold = true;
  auto writing = f.write(InodeId{1000}, {{0, 15 * kBlockBytes}}, pattern(10, 15 * kBlockBytes));
  writing.start();
  f.settle();
  ASSERT_EQ(f.disk.queued(), 5U);
  f.disk.release(1);
  f.disk.release_with_error(2);
  f.settle();
  EXPECT_FALSE(writing.done()) << "operations of it are still at the drive";
  while (f.disk.queued() > 0) {
    f.disk.release();
  }
  f.disk.hold = false;
  f.settle();
  ASSERT_TRUE(writing.done());
  EXPECT_EQ(writing.take().error().code, Errc::kIo);
  EXPECT_EQ(f.store.usage().used_bytes, before.used_bytes);
  EXPECT_EQ(f.store.usage().extent_count, before.extent_count);
  EXPECT_EQ(*f.read_now(1000, {{0, old.size()}}).data, old);
}

TEST(ChunkStore, AFailedReadIsAnErrorAndLeavesNothingBehind) {
  StoreFixture f(64);
  ASSERT_TRUE(f.write_now(kFile, {{0, 10'000}}, pattern(1, 10'000)).has_value());
  f.disk.hold = true;
  auto reading = f.read(InodeId{kFile}, {{0, 10'000}});
  reading.start();
  auto removing = f.store.remove(InodeId{kFile});
  removing.start();
  f.settle();
  EXPECT_EQ(f.used_blocks(), 3U);
  f.disk.release_with_error();
  f.disk.hold = false;
  f.settle();
  ASSERT_TRUE(reading.done() && removing.done());
  EXPECT_EQ(reading.take().data.error().code, Errc::kIo);
  EXPECT_TRUE(removing.take().has_value());
  EXPECT_EQ(f.used_blocks(), 0U);
  EXPECT_EQ(f.pool->used_bytes(), 0U);
}

TEST(ChunkStore, BlocksOfARunningReadAreNotReusedAndAWriteThatNeedsThemWaits) {
  StoreFixture f(4);
  const ByteVector old = pattern(11, 4 * kBlockBytes);
  ASSERT_TRUE(f.write_now(kFile, {{0, old.size()}}, old).has_value());
  f.disk.hold = true;
  auto reading = f.read(InodeId{kFile}, {{0, old.size()}});
  reading.start();
  f.settle();
  auto truncating = f.store.truncate(InodeId{kFile}, 0);
  truncating.start();
  f.settle();
  EXPECT_EQ(f.used_blocks(), 4U) << "the read still looks at them";

  const ByteVector data = pattern(12, 3 * kBlockBytes);
  auto writing = f.write(InodeId{kFile}, {{0, data.size()}}, data);
  writing.start();
  auto too_large = f.write(InodeId{kFile + 1}, {{0, 5 * kBlockBytes}}, pattern(0, 5 * kBlockBytes));
  too_large.start();
  f.settle();
  ASSERT_EQ(f.disk.queued(), 2U) << "a read and a record; the writes must wait";
  f.disk.hold = false;
  f.settle();
  ASSERT_TRUE(reading.done() && writing.done() && too_large.done() && truncating.done());
  const ReadOutcome outcome = reading.take();
  EXPECT_EQ(*outcome.data, old);
  EXPECT_TRUE(writing.take().has_value());
  EXPECT_EQ(too_large.take().error().code, Errc::kOutOfSpace);
  EXPECT_EQ(*f.read_now(kFile, {{0, data.size()}}).data, data);
  EXPECT_EQ(f.used_blocks(), 3U);
}

TEST(ChunkStore, AReadThatWaitsForMemoryHoldsNoBlocksBack) {
  StoreFixture f(512, 0, io::kBufferBytesMax);
  ASSERT_TRUE(f.write_now(kFile, {{0, 8192}}, pattern(1, 8192)).has_value());
  std::optional<io::PoolBuffer> all;
  {
    io::BufferPool::AcquireOp acquire(*f.pool, io::kBufferBytesMax);
    ASSERT_TRUE(acquire.await_ready());
    all = acquire.await_resume();
  }
  auto reading = f.read(InodeId{kFile}, {{0, 8192}});
  reading.start();
  f.settle();
  ASSERT_FALSE(reading.done());
  ASSERT_TRUE(f.truncate_now(kFile, 4096).has_value());
  EXPECT_EQ(f.used_blocks(), 1U);
  all.reset();
  f.settle();
  ASSERT_TRUE(reading.done());
  const ReadOutcome outcome = reading.take();
  EXPECT_TRUE(outcome.has_hole) << "it sees what is there when it begins to read";
  EXPECT_EQ(f.pool->used_bytes(), 0U);
}

TEST(ChunkStore, AReadWhosePlanGrewWhileItWaitedForMemoryStillEnds) {
  StoreFixture f(4096, 0, io::kBufferBytesMax);
  ASSERT_TRUE(f.write_now(kFile, {{0, 12'288}}, pattern(1, 12'288)).has_value());
  io::BufferPool::AcquireOp acquire(*f.pool, io::kBufferBytesMax / 2);
  ASSERT_TRUE(acquire.await_ready());
  std::optional<io::PoolBuffer> half = acquire.await_resume();
  f.disk.hold = true;
  // This write holds a block of the pool, so the read of one MiB behind it has to wait.
  ByteVector expected = pattern(1, 12'288);
  const ByteVector small = pattern(2, 1000);
  auto writing = f.write(InodeId{kFile}, {{100, 1000}}, small);
  writing.start();
  auto reading = f.read(InodeId{kFile}, {{0, kTransferBytesMax}});
  reading.start();
  f.settle();
  ASSERT_FALSE(reading.done());
  f.disk.hold = false;
  f.settle();
  half.reset();
  f.settle();
  ASSERT_TRUE(writing.done() && reading.done());
  EXPECT_TRUE(writing.take().has_value());
  std::copy(small.begin(), small.end(), expected.begin() + 100);
  expected.resize(kTransferBytesMax);
  const ReadOutcome outcome = reading.take();
  EXPECT_EQ(*outcome.data, expected);
}

TEST(ChunkStore, UsesOfARemovedFileAreStaleAndLeaveNothing) {
  StoreFixture f(64);
  f.disk.hold = true;
  auto writing = f.write(InodeId{kFile}, {{0, 10'000}}, pattern(1, 10'000));
  auto other = f.write(InodeId{kFile + 1}, {{0, 10'000}}, pattern(2, 10'000));
  writing.start();
  other.start();
  f.settle();
  auto removing = f.store.remove(InodeId{kFile});
  removing.start();
  f.disk.hold = false;
  f.settle();
  ASSERT_TRUE(writing.done() && other.done() && removing.done());
  EXPECT_EQ(writing.take().error().code, Errc::kStale);
  EXPECT_TRUE(other.take().has_value());
  EXPECT_EQ(f.used_blocks(), 3U);

  const std::uint64_t writes = f.disk.counters.writes;
  EXPECT_EQ(f.write_now(kFile, {{0, 100}}, pattern(1, 100)).error().code, Errc::kStale);
  EXPECT_EQ(f.disk.counters.writes, writes) << "it came late";
  const ReadOutcome late = f.read_now(kFile, {{0, 100}});
  ASSERT_FALSE(late.data.has_value()) << "zeros would pass for what was written";
  EXPECT_EQ(late.data.error().code, Errc::kStale);
  EXPECT_EQ(f.store.usage().file_count, 1U);
}

TEST(ChunkStore, CallersOfFsyncShareTheNextOneNotTheOneThatRuns) {
  StoreFixture f(64);
  f.disk.hold = true;
  std::vector<coro::Task<Status>> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(f.store.fsync());
    tasks.back().start();
  }
  f.settle();
  EXPECT_EQ(f.disk.counters.fsyncs, 1U);
  EXPECT_EQ(f.disk.queued(), 1U);
  f.disk.release();
  f.settle();
  EXPECT_TRUE(tasks[0].done());
  EXPECT_FALSE(tasks[1].done() || tasks[2].done() || tasks[3].done());
  EXPECT_EQ(f.disk.counters.fsyncs, 2U) << "one for all three who came while the first ran";
  f.disk.release_with_error();
  f.settle();
  EXPECT_TRUE(tasks[0].take().has_value());
  for (std::size_t i = 1; i < 4; ++i) {
    ASSERT_TRUE(tasks[i].done());
    EXPECT_EQ(tasks[i].take().error().code, Errc::kIo) << "all of a round have its result";
  }
}

TEST(ChunkStore, AfterAnFsyncThatFailedNoneSucceeds) {
  StoreFixture f(64);
  EXPECT_TRUE(test::run_task(f.real.loop, f.store.fsync()).has_value());
  f.disk.error_percent = 100;
  EXPECT_EQ(test::run_task(f.real.loop, f.store.fsync()).error().code, Errc::kIo);
  f.disk.error_percent = 0;
  EXPECT_EQ(test::run_task(f.real.loop, f.store.fsync()).error().code, Errc::kIo)
      << "the drive may have dropped what the failed one was for";
  EXPECT_EQ(f.disk.counters.fsyncs, 2U);
}

TEST(ChunkStore, RefusesPiecesThatCannotBe) {
  StoreFixture f(64);
  const std::vector<Piece> too_many(kPiecesMax + 1, Piece{0, 1});
  const std::vector<std::vector<Piece>> bad_writes = {
      {},
      too_many,
      {{0, 99}},
      {{0, 101}},
      {{0, 100}, {200, 0}},
      {{kFileBytesMax - 99, 100}},
      {{UINT64_MAX, 100}},
      {{0, UINT64_MAX}, {0, 101}},
  };
  for (const std::vector<Piece>& pieces : bad_writes) {
    const Status status = f.write_now(kFile, pieces, pattern(1, 100));
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Errc::kInvalid);
  }
  const std::vector<std::vector<Piece>> bad_reads = {
      {},
      too_many,
      {{0, 0}},
      {{0, kTransferBytesMax + 1}},
      {{0, kTransferBytesMax}, {0, 1}},
      {{kFileBytesMax, 1}},
      {{0, UINT64_MAX}},
      {{UINT64_MAX, 2}},
  };
  for (const std::vector<Piece>& pieces : bad_reads) {
    const ReadOutcome outcome = f.read_now(kFile, pieces);
    ASSERT_FALSE(outcome.data.has_value());
    EXPECT_EQ(outcome.data.error().code, Errc::kInvalid);
  }
  EXPECT_EQ(f.used_blocks(), 0U);
  EXPECT_TRUE(f.write_now(kFile, {{kFileBytesMax - 100, 100}}, pattern(1, 100)).has_value());
  EXPECT_EQ(*f.read_now(kFile, {{kFileBytesMax - 100, 100}}).data, pattern(1, 100));
}

TEST(ChunkStore, PaddingIsZerosNotWhatTheBufferHeldBefore) {
  StoreFixture f(8, 0, io::kBufferBytesMax);
  ASSERT_TRUE(f.write_now(1, {{0, 12'288}}, pattern(1, 12'288)).has_value());
  ASSERT_TRUE(f.write_now(2, {{0, 8200}}, pattern(2, 8200)).has_value());
  const std::uint64_t last = test::kFixtureFirstBlock + test::kFixtureReserveBlocks + 5;
  const Bytes block = f.memory->bytes().subspan(last * kBlockBytes + 8, kBlockBytes - 8);
  EXPECT_EQ(std::count(block.begin(), block.end(), std::byte{0}), 4088);
}

}  // namespace
}  // namespace benchfs::store
