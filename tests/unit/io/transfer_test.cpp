// Goal: short transfers go on where they stopped, retries are told from failures, and every
// operation ends. Method: the answers of a kernel, by hand and by chance, on operations that no
// disk performs.

#include "io/transfer.h"

#include <cerrno>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace benchfs::io {
namespace {

class NoDisk final : public Disk {
 public:
  void submit(DiskOp&) noexcept override {}
  std::uint64_t size_bytes() const noexcept override { return UINT64_MAX / 2; }
  std::size_t alignment_bytes() const noexcept override { return kBlockBytes; }
};

struct TransferTest : testing::Test {
  NoDisk disk;
  std::vector<std::byte> memory = std::vector<std::byte>(16 * kBlockBytes);
};

TEST_F(TransferTest, AWholeTransferIsDone) {
  ReadOp op(disk, 0, memory);
  EXPECT_EQ(advance(op, 16 * kBlockBytes, kBlockBytes), TransferStep::kDone);
  EXPECT_TRUE(op.await_resume().has_value());
}

TEST_F(TransferTest, AShortTransferGoesOnWhereItStopped) {
  WriteOp op(disk, 100 * kBlockBytes, memory);
  EXPECT_EQ(advance(op, 3 * kBlockBytes, kBlockBytes), TransferStep::kAgain);
  EXPECT_EQ(rest_data(op), memory.data() + 3 * kBlockBytes);
  EXPECT_EQ(rest_offset_bytes(op), 103 * kBlockBytes);
  EXPECT_EQ(rest_size_bytes(op), 13 * kBlockBytes);
  EXPECT_EQ(advance(op, 13 * kBlockBytes, kBlockBytes), TransferStep::kDone);
  EXPECT_TRUE(op.await_resume().has_value());
}

TEST_F(TransferTest, AnOddShortTransferGoesOnAtTheStartOfTheBlock) {
  WriteOp op(disk, 0, memory);
  EXPECT_EQ(advance(op, 2 * kBlockBytes + 512, kBlockBytes), TransferStep::kAgain);
  EXPECT_EQ(rest_offset_bytes(op), 2 * kBlockBytes);
}

TEST_F(TransferTest, InterruptionsAreTriedAgain) {
  ReadOp op(disk, 0, memory);
  for (const int code : {EINTR, EAGAIN}) {
    EXPECT_EQ(advance(op, -code, kBlockBytes), TransferStep::kAgain);
    EXPECT_EQ(rest_size_bytes(op), memory.size());
  }
}

TEST_F(TransferTest, AFailureKeepsItsErrno) {
  const std::pair<int, Errc> cases[] = {{EIO, Errc::kIo},
                                        {ENOSPC, Errc::kOutOfSpace},
                                        {EDQUOT, Errc::kOutOfSpace},
                                        {EBADF, Errc::kIo}};
  for (const auto& [code, errc] : cases) {
    WriteOp op(disk, 0, memory);
    EXPECT_EQ(advance(op, -code, kBlockBytes), TransferStep::kDone);
    ASSERT_FALSE(op.await_resume().has_value());
    EXPECT_EQ(op.await_resume().error().code, errc);
    EXPECT_EQ(op.await_resume().error().os_code, code);
  }
}

TEST_F(TransferTest, NoProgressIsAFailureAndNotAnEndlessLoop) {
  for (const std::int64_t moved : {0, 512}) {
    ReadOp op(disk, 0, memory);
    EXPECT_EQ(advance(op, moved, kBlockBytes), TransferStep::kDone);
    ASSERT_FALSE(op.await_resume().has_value());
    EXPECT_EQ(op.await_resume().error().code, Errc::kIo);
  }
}

TEST_F(TransferTest, AnFsyncIsDoneWithAnyAnswerButARetry) {
  FsyncOp good(disk);
  EXPECT_EQ(advance(good, -EINTR, kBlockBytes), TransferStep::kAgain);
  EXPECT_EQ(advance(good, 0, kBlockBytes), TransferStep::kDone);
  EXPECT_TRUE(good.await_resume().has_value());
  FsyncOp bad(disk);
  EXPECT_EQ(advance(bad, -EIO, kBlockBytes), TransferStep::kDone);
  EXPECT_EQ(bad.await_resume().error().code, Errc::kIo);
}

TEST_F(TransferTest, EveryPartIsAskedForInOrderForEverySeed) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    ReadOp op(disk, 5 * kBlockBytes, memory);
    std::size_t covered = 0;
    TransferStep step = TransferStep::kAgain;
    while (step == TransferStep::kAgain) {
      ASSERT_LE(rest_offset_bytes(op) - 5 * kBlockBytes, covered) << "a gap";
      ASSERT_EQ(static_cast<std::size_t>(rest_data(op) - memory.data()) + 5 * kBlockBytes,
                rest_offset_bytes(op));
      const std::size_t moved =
          std::min<std::size_t>(rest_size_bytes(op), kBlockBytes + random() % 20000);
      covered = op.done_bytes + moved;
      step =
          advance(op, random() % 4 == 0 ? -EINTR : static_cast<std::int64_t>(moved), kBlockBytes);
    }
    ASSERT_TRUE(op.await_resume().has_value());
    ASSERT_EQ(op.done_bytes, memory.size());
  }
}

}  // namespace
}  // namespace benchfs::io
