// Goal: timers expire in order, once, and never after they were cancelled or destroyed. Method:
// cases by hand, then random operations against a std::multimap.

#include "loop/timer_queue.h"

#include <map>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "loop/event_loop.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace benchfs::loop {
namespace {

using Log = std::vector<int>;

struct NamedTimer : Timer {
  NamedTimer(Log& log_in, int name_in) : Timer(&expired), log(log_in), name(name_in) {}
  static void expired(Timer& timer) noexcept {
    auto& self = static_cast<NamedTimer&>(timer);
    self.log.push_back(self.name);
  }
  Log& log;
  int name;
};

TEST(TimerQueue, ExpiresInOrderOfDeadlinesThenOfArming) {
  TimerQueue queue;
  Log log;
  NamedTimer a(log, 1);
  NamedTimer b(log, 2);
  NamedTimer c(log, 3);
  queue.arm(a, 20);
  queue.arm(b, 10);
  queue.arm(c, 20);
  EXPECT_EQ(queue.next_deadline_ns(), 10U);
  EXPECT_EQ(queue.expire(9), 0U);
  EXPECT_EQ(queue.expire(20), 3U);
  EXPECT_EQ(log, (Log{2, 1, 3}));
  EXPECT_FALSE(a.armed());
  EXPECT_EQ(queue.next_deadline_ns(), UINT64_MAX);
}

TEST(TimerQueue, ACancelledOrDestroyedTimerDoesNotExpire) {
  TimerQueue queue;
  Log log;
  NamedTimer a(log, 1);
  {
    NamedTimer b(log, 2);
    queue.arm(a, 1);
    queue.arm(b, 1);
  }
  EXPECT_EQ(queue.size(), 1U);
  a.cancel();
  a.cancel();
  EXPECT_EQ(queue.expire(100), 0U);
  EXPECT_TRUE(log.empty());
}

TEST(TimerQueue, ArmingAnArmedTimerMovesIt) {
  TimerQueue queue;
  Log log;
  NamedTimer a(log, 1);
  queue.arm(a, 5);
  queue.arm(a, 50);
  EXPECT_EQ(a.deadline_ns(), 50U);
  EXPECT_EQ(queue.expire(49), 0U);
  EXPECT_EQ(queue.expire(50), 1U);
  EXPECT_EQ(log, Log{1});
}

TEST(TimerQueue, ATimerMayOutliveItsQueue) {
  Log log;
  NamedTimer a(log, 1);
  {
    TimerQueue queue;
    queue.arm(a, 5);
  }
  EXPECT_FALSE(a.armed());
}

struct Repeater : Timer {
  explicit Repeater(TimerQueue& queue_in) : Timer(&expired), queue(queue_in) {}
  static void expired(Timer& timer) noexcept {
    auto& self = static_cast<Repeater&>(timer);
    ++self.count;
    self.queue.arm(self, 0);
  }
  TimerQueue& queue;
  int count = 0;
};

TEST(TimerQueue, ATimerThatArmsItselfForThePastNeitherHangsNorStarvesOthers) {
  TimerQueue queue;
  Repeater repeater(queue);
  Log log;
  NamedTimer other(log, 1);
  queue.arm(repeater, 5);
  queue.arm(other, 9);
  EXPECT_EQ(queue.expire(10), 2U);
  EXPECT_EQ(repeater.count, 1);
  EXPECT_EQ(log, Log{1});
  EXPECT_EQ(queue.expire(11), 1U);
  EXPECT_EQ(repeater.count, 2);
}

struct SelfDestroyer : Timer {
  explicit SelfDestroyer(std::unique_ptr<SelfDestroyer>& owner_in)
      : Timer(&expired), owner(owner_in) {}
  static void expired(Timer& timer) noexcept { static_cast<SelfDestroyer&>(timer).owner.reset(); }
  std::unique_ptr<SelfDestroyer>& owner;
};

TEST(TimerQueue, ACallbackMayDestroyItsTimer) {
  TimerQueue queue;
  std::unique_ptr<SelfDestroyer> timer;
  timer = std::make_unique<SelfDestroyer>(timer);
  queue.arm(*timer, 1);
  EXPECT_EQ(queue.expire(1), 1U);
  EXPECT_EQ(timer, nullptr);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(TimerQueue, AgreesWithAMultimapForEverySeed) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    constexpr int kTimers = 64;
    TimerQueue queue;
    Log log;
    std::vector<std::unique_ptr<NamedTimer>> timers;
    std::multimap<std::uint64_t, int> model;  // Equal keys keep the order of insertion.
    const auto forget = [&model](int name) {
      for (auto at = model.begin(); at != model.end(); ++at) {
        if (at->second == name) {
          model.erase(at);
          return;
        }
      }
    };
    for (int i = 0; i < kTimers; ++i) {
      timers.push_back(std::make_unique<NamedTimer>(log, i));
    }
    std::uint64_t now_ns = 1000;
    for (int step = 0; step < 2000; ++step) {
      const int name = static_cast<int>(random() % kTimers);
      const auto index = static_cast<std::size_t>(name);
      switch (random() % 8) {
        case 0:
          timers[index]->cancel();
          forget(name);
          break;
        case 1:
          forget(name);
          timers[index] = std::make_unique<NamedTimer>(log, name);
          break;
        case 2: {
          now_ns += random() % 100;
          Log expected;
          while (!model.empty() && model.begin()->first <= now_ns) {
            expected.push_back(model.begin()->second);
            model.erase(model.begin());
          }
          log.clear();
          ASSERT_EQ(queue.expire(now_ns), expected.size());
          ASSERT_EQ(log, expected);
          break;
        }
        default: {
          const std::uint64_t deadline_ns = now_ns + random() % 200;
          forget(name);
          model.emplace(deadline_ns, name);
          queue.arm(*timers[index], deadline_ns);
          break;
        }
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.next_deadline_ns(), model.empty() ? UINT64_MAX : model.begin()->first);
    }
  }
}

coro::Task<std::uint64_t> sleep_until(EventLoop& loop, std::uint64_t deadline_ns) {
  SleepOp pause(loop, deadline_ns);
  co_await pause;
  co_return loop.now_ns();
}

TEST(SleepOp, GoesOnAtItsDeadline) {
  test::ManualClock clock;
  test::ManualSleeper sleeper(clock);
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  const std::uint64_t until_ns = clock.now_ns() + 123'456'789;
  EXPECT_EQ(test::run_task(loop, sleep_until(loop, until_ns)), until_ns);
}

TEST(SleepOp, OfADeadlineThatIsOverGoesOnInALaterTurn) {
  test::ManualClock clock;
  test::ManualSleeper sleeper(clock);
  EventLoop loop(clock, sleeper);
  auto task = sleep_until(loop, 0);
  task.start();
  EXPECT_FALSE(task.done());
  loop.turn();
  EXPECT_TRUE(task.done());
}

}  // namespace
}  // namespace benchfs::loop
