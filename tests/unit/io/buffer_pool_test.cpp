// Goal: the pool hands out memory that nobody else holds, loses none, and serves in order of
// arrival. Method: cases by hand, then random requests against a model that knows every byte's
// holder.

#include "io/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/units.h"
#include "coro/scope.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace benchfs::io {
namespace {

using Log = std::vector<int>;

struct BufferPoolTest : testing::Test {
  std::unique_ptr<BufferPool> make(std::uint64_t size_bytes) {
    auto pool = BufferPool::create(loop, size_bytes);
    EXPECT_TRUE(pool.has_value());
    return std::move(*pool);
  }

  test::ManualClock clock;
  test::ManualSleeper sleeper{clock};
  loop::EventLoop loop{clock, sleeper};
};

coro::Task<void> acquire(BufferPool& pool, std::size_t size, PoolBuffer& out, Log& log, int name) {
  BufferPool::AcquireOp op(pool, size);
  out = co_await op;
  log.push_back(name);
}

TEST_F(BufferPoolTest, SizesAreWhatWasAskedAndCapacitiesPowersOfTwo) {
  const auto pool = make(1);
  EXPECT_EQ(pool->region().size(), kBufferBytesMax);
  const std::map<std::size_t, std::size_t> cases = {{1, 4096},
                                                    {4096, 4096},
                                                    {4097, 8192},
                                                    {100'000, 131'072},
                                                    {kMiB, kMiB},
                                                    {kMiB + 1, kBufferBytesMax},
                                                    {kBufferBytesMax, kBufferBytesMax}};
  for (const auto& [size, capacity] : cases) {
    SCOPED_TRACE(size);
    const PoolBuffer buffer = pool->try_acquire(size);
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer.bytes().size(), size);
    EXPECT_EQ(buffer.capacity().size(), capacity);
    EXPECT_EQ(buffer.bytes().data(), buffer.capacity().data());
    EXPECT_EQ(pool->used_bytes(), capacity);
    const auto address = reinterpret_cast<std::uintptr_t>(buffer.bytes().data());
    EXPECT_EQ(address % capacity, 0U) << "aligned to its own size";
  }
  EXPECT_EQ(pool->used_bytes(), 0U);
}

TEST_F(BufferPoolTest, TheWholeRegionCanBeHeldAndComesBackWhole) {
  const auto pool = make(3 * kBufferBytesMax - 1);
  EXPECT_EQ(pool->region().size(), 3 * kBufferBytesMax);
  for (int round = 0; round < 2; ++round) {
    std::vector<PoolBuffer> small;
    while (PoolBuffer buffer = pool->try_acquire(1)) {
      small.push_back(std::move(buffer));
    }
    EXPECT_EQ(small.size(), pool->region().size() / kBlockBytes);
    std::mt19937 random(static_cast<unsigned>(round));
    std::shuffle(small.begin(), small.end(), random);
    small.clear();
    std::vector<PoolBuffer> large;
    while (PoolBuffer buffer = pool->try_acquire(kBufferBytesMax)) {
      large.push_back(std::move(buffer));
    }
    EXPECT_EQ(large.size(), 3U);
  }
  EXPECT_EQ(pool->used_bytes(), 0U);
}

TEST_F(BufferPoolTest, AMovedBufferIsGivenBackOnce) {
  const auto pool = make(1);
  PoolBuffer a = pool->try_acquire(kMiB);
  PoolBuffer b = std::move(a);
  EXPECT_FALSE(a);
  PoolBuffer c = pool->try_acquire(kMiB);
  EXPECT_EQ(pool->used_bytes(), 2 * kMiB);
  b = std::move(c);
  EXPECT_EQ(pool->used_bytes(), kMiB);
  b = PoolBuffer();
  EXPECT_EQ(pool->used_bytes(), 0U);
}

TEST_F(BufferPoolTest, ALargeRequestIsNotStarvedBySmallOnesBehindIt) {
  const auto pool = make(1);
  PoolBuffer held = pool->try_acquire(4096);
  coro::Scope scope;
  Log log;
  PoolBuffer large;
  PoolBuffer small;
  scope.spawn(acquire(*pool, kBufferBytesMax, large, log, 1));
  scope.spawn(acquire(*pool, 4096, small, log, 2));
  EXPECT_FALSE(pool->try_acquire(4096)) << "nobody overtakes those who wait";
  EXPECT_EQ(pool->waiter_count(), 2U);
  loop.turn();
  EXPECT_TRUE(log.empty());
  held = PoolBuffer();
  EXPECT_TRUE(log.empty()) << "resumed by the loop, not from inside of the release";
  loop.turn();
  EXPECT_EQ(log, Log{1});
  large = PoolBuffer();
  loop.turn();
  EXPECT_EQ(log, (Log{1, 2}));
  EXPECT_EQ(pool->waiter_count(), 0U);
}

TEST_F(BufferPoolTest, RefusesASizeThatCannotBe) {
  EXPECT_EQ(BufferPool::create(loop, 0).error().code, Errc::kInvalid);
  EXPECT_EQ(BufferPool::create(loop, UINT64_MAX).error().code, Errc::kInvalid);
}

TEST_F(BufferPoolTest, SaysSoWhenTheMemoryIsNotThere) {
  // Room for what the test itself needs, not for the pool, whatever the machine's overcommit
  // policy.
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = pages * 4096 + 64 * kGiB;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &tight), 0);
  const auto pool = BufferPool::create(loop, 128 * kGiB);
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().code, Errc::kOutOfMemory);
}

TEST_F(BufferPoolTest, AgreesWithAModelForEverySeed) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto pool = make(2 * kBufferBytesMax);
    coro::Scope scope;
    Log log;
    std::deque<PoolBuffer> buffers;
    std::vector<std::size_t> sizes;
    std::deque<int> waiting;
    std::map<const std::byte*, std::size_t> held;  // First byte to capacity.
    std::vector<int> holders;
    // Takes over what the pool has granted since the last look, and checks that it was in order.
    const auto settle = [&] {
      loop.turn();
      for (const int name : log) {
        ASSERT_FALSE(waiting.empty());
        ASSERT_EQ(name, waiting.front());
        waiting.pop_front();
        const auto index = static_cast<std::size_t>(name);
        const Bytes got = buffers[index].capacity();
        ASSERT_EQ(buffers[index].bytes().size(), sizes[index]);
        ASSERT_EQ(got.size(), std::max<std::size_t>(std::bit_ceil(sizes[index]), kBlockBytes));
        ASSERT_GE(got.data(), pool->region().data());
        ASSERT_LE(got.data() + got.size(), pool->region().data() + pool->region().size());
        const auto after = held.lower_bound(got.data());
        ASSERT_TRUE(after == held.end() || got.data() + got.size() <= after->first);
        ASSERT_TRUE(after == held.begin() ||
                    std::prev(after)->first + std::prev(after)->second <= got.data());
        held.emplace(got.data(), got.size());
        holders.push_back(name);
      }
      log.clear();
      std::uint64_t used = 0;
      for (const auto& [data, capacity] : held) {
        used += capacity;
      }
      ASSERT_EQ(pool->used_bytes(), used);
      ASSERT_EQ(pool->waiter_count(), waiting.size());
    };
    const auto give_back_one = [&] {
      const std::size_t which = random() % holders.size();
      PoolBuffer& buffer = buffers[static_cast<std::size_t>(holders[which])];
      held.erase(buffer.capacity().data());
      holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(which));
      buffer = PoolBuffer();
    };
    for (int step = 0; step < 600; ++step) {
      if (holders.empty() || random() % 100 < 52) {
        const std::size_t size = 1 + random() % (std::size_t{1} << (random() % 22));
        sizes.push_back(size);
        buffers.emplace_back();
        const int name = static_cast<int>(sizes.size()) - 1;
        waiting.push_back(name);
        scope.spawn(acquire(*pool, size, buffers.back(), log, name));
      } else {
        give_back_one();
      }
      ASSERT_NO_FATAL_FAILURE(settle());
    }
    while (!holders.empty()) {
      give_back_one();
      ASSERT_NO_FATAL_FAILURE(settle());
    }
    EXPECT_TRUE(waiting.empty());
    EXPECT_EQ(scope.child_count(), 0U);
  }
}

TEST(BufferPoolDeathTest, DyingWithAPieceHeldIsAProgrammersError) {
  EXPECT_DEATH(
      {
        test::RealLoop real;
        PoolBuffer held;
        auto pool = BufferPool::create(real.loop, 1);
        held = (*pool)->try_acquire(1);
        pool->reset();
      },
      "used_bytes_ == 0");
}

}  // namespace
}  // namespace benchfs::io
