// Goal: every operation of a metered disk is counted once when it has ended, with its bytes, its
// outcome and the time that it took; what waits is counted while it does. Method: a disk that ends
// its operations when the test says so, on a manual clock.

#include "io/disk_meter.h"

#include <array>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "coro/task.h"
#include "loop/event_loop.h"
#include "support/manual_clock.h"

namespace benchfs::io {
namespace {

class HeldDisk final : public Disk {
 public:
  void submit(DiskOp& op) noexcept override { held.push_back(&op); }
  std::uint64_t size_bytes() const noexcept override { return 1 << 20; }
  std::size_t alignment_bytes() const noexcept override { return 1; }

  std::vector<DiskOp*> held;
};

class DiskMeterTest : public testing::Test {
 protected:
  ~DiskMeterTest() override { EXPECT_TRUE(disk_.held.empty()); }

  template <typename Op>
  static coro::Task<void> await(Op& op) {
    co_await op;
  }
  void start(coro::Task<void>& task) { task.start(); }
  /// Ends the first operation that the disk holds.
  void end_first(Status status) {
    DiskOp& op = *disk_.held.front();
    disk_.held.erase(disk_.held.begin());
    op.set_status(status);
    op.complete(loop_);
    loop_.turn();
  }

  test::ManualClock clock_{0};
  test::ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_};
  HeldDisk disk_;
  DiskMeter meter_{clock_};
  std::array<std::byte, 8192> memory_{};
};

TEST_F(DiskMeterTest, CountsEachKindWithItsBytesAndItsTime) {
  disk_.set_meter(&meter_);
  WriteOp write(disk_, 0, memory_);
  ReadOp read(disk_, 0, Bytes(memory_).first(4096));
  FsyncOp fsync(disk_);
  auto writing = await(write);
  auto reading = await(read);
  auto syncing = await(fsync);
  start(writing);
  clock_.advance(1'000);
  start(reading);
  start(syncing);
  EXPECT_EQ(meter_.in_flight(), 3U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).count, 0U);
  clock_.advance(10'000);
  end_first(Status());
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).latency.max_ns(), 11'000U);
  clock_.advance(5'000);
  end_first(Status());
  end_first(Status());
  EXPECT_EQ(meter_.in_flight(), 0U);
  EXPECT_EQ(meter_.in_flight_max(), 3U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).bytes, 8192U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kRead).bytes, 4096U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kRead).latency.max_ns(), 15'000U);
  for (const DiskOpKind kind : {DiskOpKind::kRead, DiskOpKind::kWrite, DiskOpKind::kFsync}) {
    EXPECT_EQ(meter_.counters(kind).count, 1U);
    EXPECT_EQ(meter_.counters(kind).error_count, 0U);
    EXPECT_EQ(meter_.counters(kind).latency.count(), 1U);
  }
}

TEST_F(DiskMeterTest, WhatFailsIsAnErrorWithoutBytes) {
  disk_.set_meter(&meter_);
  WriteOp write(disk_, 0, memory_);
  auto writing = await(write);
  start(writing);
  end_first(fail(Errc::kIo, "test"));
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).count, 1U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).error_count, 1U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).bytes, 0U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).latency.count(), 1U);
}

TEST_F(DiskMeterTest, WhatBeganBeforeItIsNotCounted) {
  WriteOp write(disk_, 0, memory_);
  auto writing = await(write);
  start(writing);
  disk_.set_meter(&meter_);
  end_first(Status());
  EXPECT_EQ(meter_.in_flight(), 0U);
  EXPECT_EQ(meter_.counters(DiskOpKind::kWrite).count, 0U);
}

}  // namespace
}  // namespace benchfs::io
