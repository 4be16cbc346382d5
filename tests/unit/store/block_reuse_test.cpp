// Goal: a block is written again only when no recovery can ask any more whether what a record says
// of it is there; otherwise the record would be dropped, and what it says of its other blocks with
// it. Method: a drive that is so full that a write has to take what was freed a moment ago, and is
// stopped (its bytes copied) between the write of the data and of its record.

#include <algorithm>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "support/store_fixture.h"

namespace benchfs::store {
namespace {

using test::ByteVector;
using test::JournaledStore;
using test::pattern;
using test::StoreFixture;

/// A store on the bytes that another one's drive has now.
struct Reopened {
  explicit Reopened(StoreFixture& dead)
      : memory(std::move(*io::MemoryDisk::create(real.loop, dead.memory->bytes().size()))),
        pool(std::move(*io::BufferPool::create(real.loop, 8 * kMiB))) {
    std::copy(dead.memory->bytes().begin(), dead.memory->bytes().end(), memory->bytes().begin());
    journaled = std::make_unique<JournaledStore>(
        real.loop, *memory, *pool, test::kFixtureRingBlocks, JournaledStore::Start::kLater);
    found = test::run_task(real.loop, journaled->journal.recover());
  }

  ByteVector read(std::uint64_t file, std::uint64_t size_bytes) {
    const Piece all = {0, size_bytes};
    const Result<ReadData> got =
        test::run_task(real.loop, journaled->store.read(InodeId{file}, std::span(&all, 1)));
    EXPECT_TRUE(got.has_value());
    ByteVector bytes(size_bytes);
    if (got.has_value() && !got->data.empty()) {
      std::copy(got->data.begin(), got->data.end(), bytes.begin());
    }
    return bytes;
  }

  test::RealLoop real;
  std::unique_ptr<io::MemoryDisk> memory;
  std::unique_ptr<io::BufferPool> pool;
  std::unique_ptr<JournaledStore> journaled;
  Result<journal::Recovered> found;
};

TEST(BlockReuse, LeavesTheRestOfTheRecordThatHadTheBlock) {
  StoreFixture f(9);
  const ByteVector first = pattern(1, 6 * kBlockBytes);
  const ByteVector second = pattern(2, 3 * kBlockBytes);
  ASSERT_TRUE(f.write_now(1, {{0, first.size()}}, first).has_value());
  ASSERT_TRUE(f.write_now(1, {{0, second.size()}}, second).has_value());
  ASSERT_TRUE(f.fsync_now().has_value());
  ByteVector expected = first;
  std::copy(second.begin(), second.end(), expected.begin());

  // Every moment of the third write, at which the process may end.
  coro::Task<Status> third = f.write(InodeId{2}, {{0, second.size()}}, pattern(3, second.size()));
  f.disk.hold = true;
  third.start();
  f.settle();
  std::size_t moments = 0;
  for (; !third.done(); ++moments) {
    Reopened reopened(f);
    ASSERT_TRUE(reopened.found.has_value());
    EXPECT_EQ(reopened.read(1, expected.size()), expected) << "moment " << moments;
    ASSERT_GT(f.disk.queued(), 0U);
    f.disk.release();
    f.settle();
  }
  EXPECT_GE(moments, 2U);
  EXPECT_TRUE(third.take().has_value());
  Reopened reopened(f);
  EXPECT_EQ(reopened.read(1, expected.size()), expected);
  EXPECT_EQ(reopened.read(2, second.size()), pattern(3, second.size()));
}

}  // namespace
}  // namespace benchfs::store
