// Goal: every Disk keeps the promises of disk.h. Method: one suite over all of them; what is stored
// is compared with a model byte by byte, with many operations in flight.

#include "io/disk.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/units.h"
#include "coro/scope.h"
#include "io/buffer_pool.h"
#include "io/data_file.h"
#include "io/disk_meter.h"
#include "support/run_task.h"
#include "support/temp_dir.h"

namespace benchfs::io {
namespace {

constexpr std::uint64_t kDiskBytes = 16 * kMiB;

struct Variant {
  const char* name;
  DiskBackend backend;
  bool direct;
  const char* directory;  ///< Null: the working directory, on a disk.
};

const Variant kVariants[] = {
    {"memory", DiskBackend::kMemory, false, nullptr},
    {"uring_direct", DiskBackend::kUring, true, nullptr},
    {"uring_buffered", DiskBackend::kUring, false, nullptr},
    {"uring_tmpfs", DiskBackend::kUring, true, "/dev/shm"},
    {"posix_direct", DiskBackend::kPosix, true, nullptr},
    {"posix_tmpfs", DiskBackend::kPosix, true, "/dev/shm"},
};

struct DiskTest : testing::TestWithParam<Variant> {
  void SetUp() override {
    const char* const directory = GetParam().directory;
    directory_ = directory == nullptr ? std::make_unique<test::TempDir>()
                                      : std::make_unique<test::TempDir>(directory);
    auto made_pool = BufferPool::create(real_.loop, 8 * kMiB);
    ASSERT_TRUE(made_pool.has_value());
    pool_ = std::move(*made_pool);
    auto made = create_data_file(real_.loop,
                                 {.path = directory_->file("data"),
                                  .size_bytes = kDiskBytes,
                                  .backend = GetParam().backend,
                                  .direct = GetParam().direct},
                                 pool_.get());
    ASSERT_TRUE(made.has_value());
    disk_ = std::move(*made);
  }

  test::RealLoop real_{{.spin_ns = 0}};
  std::unique_ptr<test::TempDir> directory_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<Disk> disk_;
};

coro::Task<Status> write(Disk& disk, std::uint64_t offset_bytes, ConstBytes bytes) {
  WriteOp op(disk, offset_bytes, bytes);
  const Status status = co_await op;
  co_return status;
}

coro::Task<Status> read(Disk& disk, std::uint64_t offset_bytes, Bytes bytes) {
  ReadOp op(disk, offset_bytes, bytes);
  const Status status = co_await op;
  co_return status;
}

coro::Task<Status> fsync(Disk& disk) {
  FsyncOp op(disk);
  const Status status = co_await op;
  co_return status;
}

void fill(std::mt19937_64& random, Bytes bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, sizeof(word));  // Whole blocks: no rest.
  }
}

bool equal(ConstBytes a, ConstBytes b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

/// Random reads and writes of the part of the disk that `model` mirrors, which nobody else touches.
coro::Task<void> work(Disk& disk, BufferPool& pool, std::uint64_t base_bytes, Bytes model,
                      std::uint64_t seed, int& mismatches, int& failures) {
  std::mt19937_64 random(seed);
  const std::size_t blocks = model.size() / kBlockBytes;
  for (int step = 0; step < 60; ++step) {
    const std::size_t first = random() % blocks;
    const std::size_t count = 1 + random() % std::min<std::size_t>(blocks - first, 64);
    BufferPool::AcquireOp acquire(pool, count * kBlockBytes);
    const PoolBuffer buffer = co_await acquire;
    const Bytes part = model.subspan(first * kBlockBytes, count * kBlockBytes);
    Status status;
    if (random() % 2 == 0) {
      fill(random, buffer.bytes());
      WriteOp op(disk, base_bytes + first * kBlockBytes, buffer.bytes());
      status = co_await op;
      std::memcpy(part.data(), buffer.bytes().data(), part.size());
    } else {
      ReadOp op(disk, base_bytes + first * kBlockBytes, buffer.bytes());
      status = co_await op;
      mismatches += equal(part, buffer.bytes()) ? 0 : 1;
    }
    failures += status.has_value() ? 0 : 1;
  }
}

TEST_P(DiskTest, EveryOperationIsCountedOnceByItsMeterHoweverItEnds) {
  DiskMeter meter(real_.clock);
  disk_->set_meter(&meter);
  const PoolBuffer buffer = pool_->try_acquire(kMiB);
  const auto done = [&](DiskOpKind kind) { return meter.counters(kind); };
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(test::run_task(real_.loop, write(*disk_, i * kMiB, buffer.bytes())));
  }
  ASSERT_TRUE(test::run_task(real_.loop, read(*disk_, 0, buffer.bytes().first(kBlockBytes))));
  ASSERT_TRUE(test::run_task(real_.loop, fsync(*disk_)));
  // What never reaches the drive: nothing to do, and beyond its end.
  ASSERT_TRUE(test::run_task(real_.loop, read(*disk_, 0, buffer.bytes().first(0))));
  ASSERT_FALSE(test::run_task(real_.loop, read(*disk_, kDiskBytes, buffer.bytes())));
  EXPECT_EQ(done(DiskOpKind::kWrite).count, 5U);
  EXPECT_EQ(done(DiskOpKind::kWrite).bytes, 5 * kMiB);
  EXPECT_EQ(done(DiskOpKind::kWrite).error_count, 0U);
  EXPECT_EQ(done(DiskOpKind::kWrite).latency.count(), 5U);
  EXPECT_EQ(done(DiskOpKind::kRead).count, 3U);
  EXPECT_EQ(done(DiskOpKind::kRead).bytes, kBlockBytes);
  EXPECT_EQ(done(DiskOpKind::kRead).error_count, 1U);
  EXPECT_EQ(done(DiskOpKind::kFsync).count, 1U);
  EXPECT_EQ(meter.in_flight(), 0U);
  EXPECT_EQ(meter.in_flight_max(), 1U);
  disk_->set_meter(nullptr);
}

TEST_P(DiskTest, HasTheSizeThatWasAskedAndReadsZerosWhereNothingWasWritten) {
  EXPECT_EQ(disk_->size_bytes(), kDiskBytes);
  EXPECT_EQ(disk_->alignment_bytes(), kBlockBytes);
  const PoolBuffer buffer = pool_->try_acquire(kMiB);
  std::memset(buffer.bytes().data(), 0xff, buffer.bytes().size());
  ASSERT_TRUE(test::run_task(real_.loop, read(*disk_, kDiskBytes - kMiB, buffer.bytes())));
  EXPECT_TRUE(std::all_of(buffer.bytes().begin(), buffer.bytes().end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST_P(DiskTest, AgreesWithAModelWithManyWorkersAtOnce) {
  constexpr std::size_t kWorkers = 32;
  constexpr std::size_t kPart = kDiskBytes / kWorkers;
  std::vector<std::byte> model(kDiskBytes);
  int mismatches = 0;
  int failures = 0;
  std::vector<coro::Task<void>> workers;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    workers.push_back(work(*disk_, *pool_, i * kPart, Bytes(model).subspan(i * kPart, kPart), i,
                           mismatches, failures));
  }
  test::run_task(real_.loop, coro::when_all(std::move(workers)));
  EXPECT_EQ(mismatches, 0);
  EXPECT_EQ(failures, 0);
  const PoolBuffer buffer = pool_->try_acquire(kMiB);
  for (std::uint64_t at = 0; at < kDiskBytes; at += kMiB) {
    ASSERT_TRUE(test::run_task(real_.loop, read(*disk_, at, buffer.bytes())));
    ASSERT_TRUE(equal(buffer.bytes(), Bytes(model).subspan(at, kMiB))) << "at " << at;
  }
}

TEST_P(DiskTest, ThousandsOfOperationsAtOnceAllEndOnce) {
  constexpr std::size_t kCount = 2000;
  const PoolBuffer first = pool_->try_acquire(kBufferBytesMax);
  const std::size_t blocks = first.bytes().size() / kBlockBytes;
  std::mt19937_64 random(1);
  fill(random, first.bytes());
  std::vector<coro::Task<Status>> writes;
  for (std::size_t i = 0; i < kCount; ++i) {
    writes.push_back(write(*disk_, i * kBlockBytes,
                           first.bytes().subspan(i % blocks * kBlockBytes, kBlockBytes)));
  }
  const std::vector<Status> statuses =
      test::run_task(real_.loop, coro::when_all(std::move(writes)));
  EXPECT_EQ(std::count_if(statuses.begin(), statuses.end(),
                          [](const Status& status) { return status.has_value(); }),
            static_cast<std::ptrdiff_t>(kCount));
  const PoolBuffer back = pool_->try_acquire(kBlockBytes);
  for (std::size_t i = 0; i < kCount; i += 97) {
    ASSERT_TRUE(test::run_task(real_.loop, read(*disk_, i * kBlockBytes, back.bytes())));
    ASSERT_TRUE(equal(back.bytes(), first.bytes().subspan(i % blocks * kBlockBytes, kBlockBytes)));
  }
}

TEST_P(DiskTest, MemoryThatIsNotOfThePoolWorksToo) {
  void* const memory = std::aligned_alloc(kBlockBytes, 2 * kBlockBytes);
  const Bytes bytes(static_cast<std::byte*>(memory), 2 * kBlockBytes);
  std::mt19937_64 random(2);
  fill(random, bytes.first(kBlockBytes));
  ASSERT_TRUE(test::run_task(real_.loop, write(*disk_, kMiB, bytes.first(kBlockBytes))));
  ASSERT_TRUE(test::run_task(real_.loop, read(*disk_, kMiB, bytes.last(kBlockBytes))));
  EXPECT_TRUE(equal(bytes.first(kBlockBytes), bytes.last(kBlockBytes)));
  std::free(memory);
}

TEST_P(DiskTest, FsyncSucceedsAmongWrites) {
  const PoolBuffer buffer = pool_->try_acquire(kMiB);
  std::vector<coro::Task<Status>> tasks;
  for (int i = 0; i < 8; ++i) {
    tasks.push_back(write(*disk_, static_cast<std::uint64_t>(i) * kMiB, buffer.bytes()));
    tasks.push_back(fsync(*disk_));
  }
  for (const Status& status : test::run_task(real_.loop, coro::when_all(std::move(tasks)))) {
    EXPECT_TRUE(status.has_value());
  }
}

TEST_P(DiskTest, RefusesWhatIsNotInsideOfTheDisk) {
  const PoolBuffer buffer = pool_->try_acquire(2 * kBlockBytes);
  for (const std::uint64_t offset :
       {kDiskBytes - kBlockBytes, kDiskBytes, kDiskBytes + kMiB, UINT64_MAX - kBlockBytes + 1}) {
    SCOPED_TRACE(offset);
    const Status reading = test::run_task(real_.loop, read(*disk_, offset, buffer.bytes()));
    ASSERT_FALSE(reading.has_value());
    EXPECT_EQ(reading.error().code, Errc::kOutOfRange);
    const Status writing = test::run_task(real_.loop, write(*disk_, offset, buffer.bytes()));
    ASSERT_FALSE(writing.has_value());
    EXPECT_EQ(writing.error().code, Errc::kOutOfRange);
  }
  EXPECT_TRUE(
      test::run_task(real_.loop, read(*disk_, kDiskBytes - 2 * kBlockBytes, buffer.bytes())));
}

TEST_P(DiskTest, RefusesWhatIsNotAligned) {
  const PoolBuffer buffer = pool_->try_acquire(2 * kBlockBytes);
  const Bytes bytes = buffer.bytes();
  const Status offset = test::run_task(real_.loop, read(*disk_, 512, bytes));
  const Status length = test::run_task(real_.loop, read(*disk_, 0, bytes.first(100)));
  const Status memory = test::run_task(real_.loop, read(*disk_, 0, bytes.subspan(8, kBlockBytes)));
  for (const Status& status : {offset, length, memory}) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Errc::kInvalid);
  }
}

TEST_P(DiskTest, AnEmptyTransferSucceeds) {
  const PoolBuffer buffer = pool_->try_acquire(kBlockBytes);
  EXPECT_TRUE(test::run_task(real_.loop, read(*disk_, 0, buffer.bytes().first(0))));
  EXPECT_TRUE(test::run_task(real_.loop, write(*disk_, kDiskBytes, buffer.bytes().first(0))));
}

TEST_P(DiskTest, NothingEndsInsideOfTheSubmission) {
  const PoolBuffer buffer = pool_->try_acquire(kBlockBytes);
  std::vector<coro::Task<Status>> tasks;
  tasks.push_back(read(*disk_, 0, buffer.bytes()));
  tasks.push_back(read(*disk_, kDiskBytes, buffer.bytes()));
  tasks.push_back(read(*disk_, 0, buffer.bytes().first(0)));
  for (coro::Task<Status>& task : tasks) {
    task.start();
    EXPECT_FALSE(task.done());
  }
  for (coro::Task<Status>& task : tasks) {
    while (!task.done()) {
      real_.loop.run_once(UINT64_MAX);
    }
  }
}

TEST_P(DiskTest, ASleepingLoopWakesForEachCompletion) {
  // One at a time, and the loop does not spin, so that each wait really is a sleep.
  SystemClock clock;
  const PoolBuffer buffer = pool_->try_acquire(64 * kKiB);
  for (std::uint64_t i = 0; i < 200; ++i) {
    const std::uint64_t start_ns = clock.now_ns();
    auto task = write(*disk_, i * 64 * kKiB % kDiskBytes, buffer.bytes());
    task.start();
    real_.loop.turn();
    while (!task.done()) {
      real_.loop.run_once(start_ns + 5 * kNsPerSec);
      ASSERT_LT(clock.now_ns() - start_ns, 5 * kNsPerSec) << "a completion woke nobody";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, DiskTest, testing::ValuesIn(kVariants),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace benchfs::io
