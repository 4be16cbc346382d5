// Goal: however many and small the writes are, and however full or fragmented the drive, a write is
// refused for want of space only when the store is full, what was acknowledged stays, and the log
// never gets stuck. Method: writes of a single byte at scattered offsets of many files, on the
// smallest ring, by several coroutines at once; the model is the bytes that were acknowledged.

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "support/store_fixture.h"

namespace benchfs::store {
namespace {

using test::ByteVector;
using test::JournaledStore;
using test::pattern;
using test::StoreFixture;

constexpr std::uint64_t kRingBlocks = journal::kRingBlocksMin;

/// Bytes that were acknowledged, by file and offset.
using Model = std::map<std::pair<std::uint64_t, std::uint64_t>, std::byte>;

struct Outcome {
  std::uint64_t written = 0;
  std::uint64_t refused = 0;
};

class TinyWrites {
 public:
  TinyWrites(StoreFixture& fixture, std::uint64_t seed) : f_(fixture), random_(seed) {}

  coro::Task<void> work(std::uint64_t& left) {
    while (left > 0) {
      --left;
      const std::uint64_t file = 1000 + random_() % 50;
      const std::uint64_t offset = random_() % 100'000 * 3;  // No two meet.
      if (!busy_.emplace(file, offset).second) {
        continue;
      }
      ByteVector byte = {static_cast<std::byte>(random_())};
      const std::byte value = byte[0];
      coro::Task<Status> writing = f_.write(InodeId{file}, {{offset, 1}}, std::move(byte));
      const Status status = co_await writing;
      if (status.has_value()) {
        ++outcome.written;
        model[{file, offset}] = value;
        continue;
      }
      EXPECT_EQ(status.error().code, Errc::kOutOfSpace) << to_string(status.error());
      ++outcome.refused;
      const Usage usage = f_.store.usage();
      EXPECT_LE(usage.capacity_bytes - usage.used_bytes, kSpareBlocks * kBlockBytes)
          << "refused after " << outcome.written << " writes: " << to_string(status.error());
      left = 0;
    }
  }

  Outcome run(std::uint64_t count) {
    std::vector<coro::Task<void>> workers;
    for (int i = 0; i < 16; ++i) {
      workers.push_back(work(count));
    }
    test::run_task(f_.real.loop, coro::when_all(std::move(workers)));
    return outcome;
  }

  void check(JournaledStore& journaled, loop::EventLoop& loop) {
    for (const auto& [where, value] : model) {
      const Piece piece = {where.second, 1};
      const Result<ReadData> got =
          test::run_task(loop, journaled.store.read(InodeId{where.first}, std::span(&piece, 1)));
      ASSERT_TRUE(got.has_value());
      ASSERT_FALSE(got->has_hole);
      ASSERT_EQ(got->data[0], value);
    }
  }

  /// What a dead process leaves.
  void check_after_crash() {
    test::RealLoop real;
    auto memory = std::move(*io::MemoryDisk::create(real.loop, f_.memory->bytes().size()));
    std::copy(f_.memory->bytes().begin(), f_.memory->bytes().end(), memory->bytes().begin());
    auto pool = std::move(*io::BufferPool::create(real.loop, 8 * kMiB));
    JournaledStore again(real.loop, *memory, *pool, f_.journal.usage().ring_bytes / kBlockBytes,
                         JournaledStore::Start::kLater);
    const auto found = test::run_task(real.loop, again.journal.recover());
    ASSERT_TRUE(found.has_value()) << to_string(found.error());
    check(again, real.loop);
  }

  /// More than a write of one byte and what it may add to the reserve.
  static constexpr std::uint64_t kSpareBlocks = 70;

  Outcome outcome;
  Model model;

 private:
  StoreFixture& f_;
  std::mt19937_64 random_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> busy_;
};

TEST(TinyWrites, GoAroundTheSmallestRingManyTimes) {
  StoreFixture f(2000, 0, 8 * kMiB, kRingBlocks);
  f.disk.delay_turns = 2;
  TinyWrites writes(f, 1);
  const Outcome outcome = writes.run(8'000);
  EXPECT_EQ(outcome.refused, 0U);
  EXPECT_GT(f.journal.counters().snapshots, 10U);
  writes.check(f.journaled, f.real.loop);
  writes.check_after_crash();
}

TEST(TinyWrites, FillAStoreToItsLastBlocks) {
  StoreFixture f(400, 0, 8 * kMiB, kRingBlocks);
  TinyWrites writes(f, 2);
  const Outcome outcome = writes.run(1'000'000);
  EXPECT_GT(outcome.refused, 0U);
  EXPECT_GT(outcome.written, 7000U);
  writes.check(f.journaled, f.real.loop);
  writes.check_after_crash();
}

TEST(TinyWrites, ArePutTogetherWhenThePromisesOfBlocksWouldFillTheStore) {
  StoreFixture f(400);  // Its ring holds far more of them than the store has blocks.
  TinyWrites writes(f, 4);
  const Outcome outcome = writes.run(1'000'000);
  EXPECT_GT(outcome.refused, 0U);
  EXPECT_GT(outcome.written, 7000U);
  writes.check(f.journaled, f.real.loop);
  writes.check_after_crash();
}

TEST(TinyWrites, AreTakenByAStoreOfLooseBlocks) {
  StoreFixture f(1200, 0, 8 * kMiB, kRingBlocks);
  for (std::uint64_t file = 1; file <= 400; ++file) {
    ASSERT_TRUE(
        f.write_now(file, {{0, 3 * kBlockBytes}}, pattern(file, 3 * kBlockBytes)).has_value());
  }
  for (std::uint64_t file = 1; file <= 400; file += 2) {
    ASSERT_TRUE(f.remove_now(file).has_value());
  }
  ASSERT_TRUE(f.fsync_now().has_value());
  TinyWrites writes(f, 3);
  const Outcome outcome = writes.run(1'000'000);
  EXPECT_GT(outcome.written, 8000U);
  writes.check(f.journaled, f.real.loop);
  writes.check_after_crash();
}

}  // namespace
}  // namespace benchfs::store
