// Goal: an Event wakes its waiter once; a Semaphore is fair, exact, and safe on the stack. Method:
// coroutines that note in a log when they go on, driven by hand.

#include "coro/event.h"

#include <deque>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "coro/scope.h"
#include "coro/task.h"

namespace benchfs::coro {
namespace {

using Log = std::vector<int>;

Task<void> wait_for(Event& event, Log& log, int name) {
  co_await event;
  log.push_back(name);
}

Task<void> take(Semaphore& semaphore, std::uint64_t units, Log& log, int name) {
  co_await semaphore.acquire(units);
  log.push_back(name);
}

Task<void> take_and_give_back(Semaphore& semaphore, int& count) {
  co_await semaphore.acquire(1);
  ++count;
  semaphore.release(1);
}

TEST(Event, ASetEventDoesNotMakeWait) {
  Event event;
  event.set();
  event.set();
  Log log;
  auto waiter = wait_for(event, log, 1);
  waiter.start();
  EXPECT_EQ(log, Log{1});
  EXPECT_TRUE(event.is_set());
}

TEST(Event, SetResumesTheWaiterOnce) {
  Event event;
  Log log;
  auto waiter = wait_for(event, log, 1);
  waiter.start();
  EXPECT_TRUE(log.empty());
  event.set();
  event.set();
  EXPECT_EQ(log, Log{1});
}

TEST(EventDeathTest, ASecondWaiterIsAProgrammersError) {
  EXPECT_DEATH(
      {
        Event event;
        Log log;
        auto first = wait_for(event, log, 1);
        auto second = wait_for(event, log, 2);
        first.start();
        second.start();
      },
      "!waiter_");
}

TEST(Semaphore, UnitsAreTakenAndGivenBack) {
  Semaphore semaphore(3);
  Log log;
  auto first = take(semaphore, 2, log, 1);
  first.start();
  EXPECT_EQ(semaphore.available(), 1U);
  auto second = take(semaphore, 1, log, 2);
  second.start();
  EXPECT_EQ(log, (Log{1, 2}));
  EXPECT_EQ(semaphore.available(), 0U);
  semaphore.release(3);
  EXPECT_EQ(semaphore.available(), 3U);
}

TEST(Semaphore, ALargeRequestIsNotStarvedBySmallOnesBehindIt) {
  Semaphore semaphore(2);
  Log log;
  auto holder = take(semaphore, 1, log, 0);
  auto large = take(semaphore, 2, log, 1);
  auto small = take(semaphore, 1, log, 2);
  holder.start();
  large.start();
  small.start();  // A unit is free, but the large one came first.
  EXPECT_EQ(log, Log{0});
  EXPECT_TRUE(semaphore.has_waiters());
  semaphore.release(1);
  EXPECT_EQ(log, (Log{0, 1}));
  semaphore.release(2);
  EXPECT_EQ(log, (Log{0, 1, 2}));
  semaphore.release(1);
  EXPECT_EQ(semaphore.available(), 2U);
}

TEST(Semaphore, ALongQueueUsesConstantStack) {
  constexpr int kCount = 200'000;
  Semaphore semaphore(0);
  int count = 0;
  Scope scope;
  for (int i = 0; i < kCount; ++i) {
    scope.spawn(take_and_give_back(semaphore, count));
  }
  semaphore.release(1);
  EXPECT_EQ(count, kCount);
  EXPECT_EQ(semaphore.available(), 1U);
  EXPECT_EQ(scope.child_count(), 0U);
}

TEST(Semaphore, AResumedWaiterMayDestroyIt) {
  struct Destroyer {
    static Task<void> run(std::unique_ptr<Semaphore>& owned) {
      co_await owned->acquire(1);
      owned.reset();
    }
  };
  auto semaphore = std::make_unique<Semaphore>(0);
  auto destroyer = Destroyer::run(semaphore);
  destroyer.start();
  semaphore->release(1);
  EXPECT_EQ(semaphore, nullptr);
}

TEST(Semaphore, AgreesWithAQueueForEverySeed) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    constexpr std::uint64_t kUnits = 10;
    Semaphore semaphore(kUnits);
    Scope scope;
    Log log;
    Log expected;
    std::vector<std::uint64_t> wanted;
    std::deque<int> queue;
    std::vector<int> holders;
    std::uint64_t free_units = kUnits;
    const auto serve = [&] {
      while (!queue.empty() && wanted[static_cast<std::size_t>(queue.front())] <= free_units) {
        const int name = queue.front();
        queue.pop_front();
        free_units -= wanted[static_cast<std::size_t>(name)];
        holders.push_back(name);
        expected.push_back(name);
      }
    };
    const auto give_back_one = [&] {
      const std::size_t which = random() % holders.size();
      const std::uint64_t units = wanted[static_cast<std::size_t>(holders[which])];
      holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(which));
      free_units += units;
      serve();
      semaphore.release(units);
    };
    for (int step = 0; step < 400; ++step) {
      if (holders.empty() || random() % 2 == 0) {
        const int name = static_cast<int>(wanted.size());
        wanted.push_back(1 + random() % kUnits);
        queue.push_back(name);
        serve();
        scope.spawn(take(semaphore, wanted.back(), log, name));
      } else {
        give_back_one();
      }
      ASSERT_EQ(log, expected);
      ASSERT_EQ(semaphore.available(), free_units);
      ASSERT_EQ(semaphore.has_waiters(), !queue.empty());
    }
    while (!holders.empty()) {
      give_back_one();
    }
    EXPECT_EQ(log, expected);
    EXPECT_EQ(scope.child_count(), 0U);
  }
}

Task<void> critical(Mutex& mutex, Event& inside, Log& log, int name) {
  co_await mutex.lock();
  log.push_back(name);
  co_await inside;
  log.push_back(-name);
  mutex.unlock();
}

TEST(Mutex, LetsOneInAtATimeInOrderOfArrival) {
  Mutex mutex;
  Event events[2];
  Log log;
  Scope scope;
  scope.spawn(critical(mutex, events[0], log, 1));
  scope.spawn(critical(mutex, events[1], log, 2));
  EXPECT_TRUE(mutex.locked());
  EXPECT_EQ(log, Log{1});
  events[1].set();
  EXPECT_EQ(log, Log{1});
  events[0].set();
  EXPECT_EQ(log, (Log{1, -1, 2, -2}));
  EXPECT_FALSE(mutex.locked());
}

}  // namespace
}  // namespace benchfs::coro
