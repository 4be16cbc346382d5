// Goal: the loop's turn is bounded and fair, and it sleeps exactly when nothing is left to do.
// Method: sources, clock and sleeper by hand; the real sleeper and a thread for the way in from
// outside.

#include "loop/event_loop.h"

#include <csignal>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "coro/scope.h"
#include "loop/wake_fd.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace benchfs::loop {
namespace {

using Log = std::vector<int>;

class FakeSource final : public Source {
 public:
  explicit FakeSource(int fd = 0) : fd_(fd) {}
  bool progress() noexcept override {
    ++progressed;
    if (log != nullptr) {
      log->push_back(fd_);
    }
    if (post_to != nullptr && waiter) {
      post_to->post(std::exchange(waiter, {}));
      return true;
    }
    return work > 0 && work-- > 0;
  }
  bool arm() noexcept override {
    ++armed;
    return armable;
  }
  int event_fd() const noexcept override { return fd_; }

  int work = 0;
  bool armable = true;
  int progressed = 0;
  int armed = 0;
  Log* log = nullptr;
  EventLoop* post_to = nullptr;
  std::coroutine_handle<> waiter;

 private:
  int fd_;
};

struct EventLoopTest : testing::Test {
  test::ManualClock clock;
  test::ManualSleeper sleeper{clock};
};

coro::Task<void> yield_forever(EventLoop& loop, int& rounds, const bool& stop) {
  while (!stop) {
    ++rounds;
    co_await loop.yield();
  }
}

coro::Task<void> yield_and_note(EventLoop& loop, Log& log, int name) {
  co_await loop.yield();
  log.push_back(name);
}

TEST_F(EventLoopTest, PostedCoroutinesRunInTheOrderOfTheCalls) {
  EventLoop loop(clock, sleeper);
  coro::Scope scope;
  Log log;
  for (int i = 0; i < 5; ++i) {
    scope.spawn(yield_and_note(loop, log, i));
  }
  EXPECT_TRUE(log.empty());
  EXPECT_TRUE(loop.turn());
  EXPECT_EQ(log, (Log{0, 1, 2, 3, 4}));
  EXPECT_FALSE(loop.turn());
  EXPECT_EQ(loop.counters().resumed, 5U);
}

TEST_F(EventLoopTest, ASourceThatGoesOnRefusingToBeArmedDoesNotKeepTheLoopSpinning) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  FakeSource source;
  source.armable = false;
  loop.add_source(source);
  loop.run_once(UINT64_MAX);
  clock.advance(kPatienceNs - 1);
  loop.run_once(UINT64_MAX);
  EXPECT_TRUE(sleeper.sleeps_ns.empty());  // It can most likely go on in a moment.
  clock.advance(1);
  loop.run_once(UINT64_MAX);
  ASSERT_EQ(sleeper.sleeps_ns.size(), 1U);
  EXPECT_EQ(sleeper.sleeps_ns[0], kPauseNsMin);
  clock.advance(10 * kPatienceNs);
  loop.run_once(UINT64_MAX);
  ASSERT_EQ(sleeper.sleeps_ns.size(), 2U);
  EXPECT_EQ(sleeper.sleeps_ns[1], (11 * kPatienceNs + kPauseNsMin) / kPauseDivisor);
  clock.advance(100 * kPauseNsMax);
  loop.run_once(UINT64_MAX);
  ASSERT_EQ(sleeper.sleeps_ns.size(), 3U);
  EXPECT_EQ(sleeper.sleeps_ns[2], kPauseNsMax);
  loop.run_once(clock.now_ns() + 10);
  ASSERT_EQ(sleeper.sleeps_ns.size(), 4U);
  EXPECT_EQ(sleeper.sleeps_ns[3], 10U);  // No longer than its caller allows.
  source.work = 1;                       // Something happens: the patience starts anew.
  loop.run_once(UINT64_MAX);
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 4U);
  loop.remove_source(source);
}

TEST_F(EventLoopTest, ASourceThatRefusesForAMomentAfterALongSleepCostsNoPause) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  FakeSource source;
  loop.add_source(source);
  loop.run_once(UINT64_MAX);
  ASSERT_EQ(sleeper.sleeps_ns.size(), 1U);  // Armed, and asleep.
  clock.advance(10 * kPatienceNs);
  source.armable = false;  // Woken for something that is not there yet.
  loop.run_once(UINT64_MAX);
  clock.advance(kPatienceNs - 1);
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 1U);
  source.armable = true;  // The next refusal has nothing to do with this one.
  loop.run_once(UINT64_MAX);
  loop.run_once(UINT64_MAX);  // After two refusals one turn does not ask.
  ASSERT_EQ(sleeper.sleeps_ns.size(), 2U);
  clock.advance(10 * kPatienceNs);
  source.armable = false;
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 2U);
  loop.remove_source(source);
}

TEST_F(EventLoopTest, ACoroutineThatYieldsForeverLetsTheSourcesGoOn) {
  EventLoop loop(clock, sleeper);
  FakeSource source;
  loop.add_source(source);
  coro::Scope scope;
  int rounds = 0;
  bool stop = false;
  scope.spawn(yield_forever(loop, rounds, stop));
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(loop.turn());
  }
  EXPECT_EQ(source.progressed, 10);
  EXPECT_EQ(rounds, 11);
  stop = true;
  loop.turn();
  EXPECT_EQ(scope.child_count(), 0U);
  loop.remove_source(source);
}

TEST_F(EventLoopTest, ATurnResumesABoundedNumberAndForgetsNobody) {
  EventLoop loop(clock, sleeper);
  coro::Scope scope;
  Log log;
  constexpr int kCount = static_cast<int>(2 * kResumesPerTurnMax + 7);
  Log expected;
  for (int i = 0; i < kCount; ++i) {
    expected.push_back(i);
    scope.spawn(yield_and_note(loop, log, i));
  }
  EXPECT_TRUE(loop.turn());
  EXPECT_EQ(log.size(), kResumesPerTurnMax);
  EXPECT_TRUE(loop.turn());
  EXPECT_TRUE(loop.turn());
  EXPECT_EQ(log, expected);
  EXPECT_FALSE(loop.turn());
}

TEST_F(EventLoopTest, WhatASourcePostsRunsInTheSameTurnButNotFromInsideOfIt) {
  EventLoop loop(clock, sleeper);
  FakeSource source;
  struct Suspend {
    FakeSource& source;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { source.waiter = waiter; }
    void await_resume() const noexcept {}
  };
  struct Waiter {
    static coro::Task<void> run(FakeSource& source, int& progressed_then) {
      Suspend suspend{source};
      co_await suspend;
      progressed_then = source.progressed;
    }
  };
  FakeSource second(1);
  loop.add_source(source);
  loop.add_source(second);
  source.post_to = &loop;
  int progressed_then = 0;
  auto task = Waiter::run(source, progressed_then);
  task.start();
  loop.turn();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(progressed_then, 1);
  EXPECT_EQ(second.progressed, 1);
  loop.remove_source(source);
  loop.remove_source(second);
}

TEST_F(EventLoopTest, SourcesProgressInTheOrderInWhichTheyWereAdded) {
  EventLoop loop(clock, sleeper);
  Log log;
  FakeSource a(3);
  FakeSource b(1);
  FakeSource c(2);
  for (FakeSource* source : {&a, &b, &c}) {
    source->log = &log;
    loop.add_source(*source);
  }
  loop.turn();
  loop.remove_source(b);
  loop.turn();
  EXPECT_EQ(log, (Log{3, 1, 2, 3, 2}));
  loop.remove_source(a);
  loop.remove_source(c);
}

TEST_F(EventLoopTest, SpinsForItsTimeAndThenSleeps) {
  EventLoop loop(clock, sleeper, {.spin_ns = 1000});
  FakeSource source(7);
  loop.add_source(source);
  loop.run_once(UINT64_MAX);
  clock.advance(999);
  for (std::uint32_t i = 0; i < kTurnsPerLook; ++i) {
    loop.run_once(UINT64_MAX);
  }
  EXPECT_TRUE(sleeper.sleeps_ns.empty());
  EXPECT_EQ(source.armed, 0);
  clock.advance(1);
  for (std::uint32_t i = 0; i < kTurnsPerLook && sleeper.sleeps_ns.empty(); ++i) {
    loop.run_once(UINT64_MAX);
  }
  ASSERT_EQ(sleeper.sleeps_ns.size(), 1U);
  EXPECT_EQ(sleeper.sleeps_ns[0], UINT64_MAX);
  EXPECT_EQ(sleeper.last_fds, std::vector<int>{7});
  EXPECT_EQ(loop.counters().sleeps, 1U);
  // Woken for nothing: sleeps again at once. Woken for work: spins anew.
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 2U);
  source.work = 1;
  loop.run_once(UINT64_MAX);
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 2U);
  loop.remove_source(source);
}

/// Counts how often it is asked.
struct CountingClock final : Clock {
  std::uint64_t now_ns() noexcept override {
    ++asked;
    return time_ns;
  }
  std::uint64_t wall_ns() noexcept override { return 0; }
  int asked = 0;
  std::uint64_t time_ns = 1000;
};

struct CountedTimer : Timer {
  CountedTimer()
      : Timer([](Timer& timer) noexcept { ++static_cast<CountedTimer&>(timer).expired; }) {}
  int expired = 0;
};

TEST_F(EventLoopTest, TurnsThatFindNothingSeldomLookAtTheClock) {
  CountingClock counting;
  EventLoop loop(counting, sleeper, {.spin_ns = 1000});
  CountedTimer timer;
  loop.timers().arm(timer, UINT64_MAX - 1);
  constexpr int kLooks = 10;
  for (std::uint32_t i = 0; i < kLooks * kTurnsPerLook; ++i) {
    EXPECT_FALSE(loop.spin());
    EXPECT_EQ(loop.asked_ns().has_value(), i % kTurnsPerLook == 0);
  }
  EXPECT_EQ(counting.asked, kLooks);
  loop.turn();  // Who turns only now and then wants to know.
  EXPECT_EQ(counting.asked, kLooks + 1);
}

TEST_F(EventLoopTest, ATimerExpiresSomeEmptyTurnsLateAtTheMostAndWithAnyWorkAtOnce) {
  CountingClock counting;
  EventLoop loop(counting, sleeper, {.spin_ns = UINT64_MAX});
  FakeSource source;
  loop.add_source(source);
  CountedTimer timer;
  for (std::uint32_t before = 0; before < 2 * kTurnsPerLook; ++before) {
    loop.timers().arm(timer, counting.time_ns + 1);
    for (std::uint32_t i = 0; i < before; ++i) {
      loop.run_once(UINT64_MAX);
    }
    EXPECT_EQ(timer.expired, 0);
    counting.time_ns += 1;
    for (std::uint32_t i = 0; i < kTurnsPerLook; ++i) {
      loop.run_once(UINT64_MAX);
    }
    EXPECT_EQ(std::exchange(timer.expired, 0), 1) << before;
  }
  loop.run_once(UINT64_MAX);
  loop.timers().arm(timer, ++counting.time_ns);
  source.work = 1;
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(timer.expired, 1);
  loop.remove_source(source);
}

TEST_F(EventLoopTest, WhatIsCalledOutsideATurnSeesOneTime) {
  CountingClock counting;
  EventLoop loop(counting, sleeper);
  loop.outside([&] {
    EXPECT_EQ(loop.now_ns(), 1000U);
    counting.time_ns = 2000;
    EXPECT_EQ(loop.now_ns(), 1000U);
  });
  EXPECT_EQ(loop.asked_ns(), 1000U);
  EXPECT_EQ(counting.asked, 1);
  EXPECT_EQ(loop.now_ns(), 2000U);
}

TEST_F(EventLoopTest, ASourceThatRefusesIsAskedMoreAndMoreSeldom) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  FakeSource source;
  source.armable = false;
  loop.add_source(source);
  std::vector<int> asked_in;
  for (int i = 0; i < 32; ++i) {
    const int before = source.armed;
    loop.run_once(UINT64_MAX);
    if (source.armed > before) {
      asked_in.push_back(i);
    }
  }
  EXPECT_EQ(asked_in, (std::vector<int>{0, 1, 3, 7, 15, 23, 31}));
  source.work = 1;  // Afterwards it is asked at once again.
  loop.run_once(UINT64_MAX);
  source.armable = true;
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 1U);
  loop.remove_source(source);
}

TEST_F(EventLoopTest, WithoutSpinTimeSleepsAtOnce) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 1U);
}

TEST_F(EventLoopTest, ASourceThatCannotBeArmedKeepsTheLoopAwake) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  FakeSource source;
  source.armable = false;
  loop.add_source(source);
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(source.armed, 1);
  EXPECT_TRUE(sleeper.sleeps_ns.empty());
  source.armable = true;
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns.size(), 1U);
  loop.remove_source(source);
}

TEST_F(EventLoopTest, DoesNotSleepWhileCoroutinesAreReady) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  coro::Scope scope;
  int rounds = 0;
  bool stop = false;
  scope.spawn(yield_forever(loop, rounds, stop));
  for (int i = 0; i < 5; ++i) {
    loop.run_once(UINT64_MAX);
  }
  EXPECT_TRUE(sleeper.sleeps_ns.empty());
  stop = true;
  loop.run_once(UINT64_MAX);
}

struct IdleTimer : Timer {
  IdleTimer() : Timer([](Timer&) noexcept {}) {}
};

TEST_F(EventLoopTest, SleepsNoLongerThanToTheNextTimerOrTheCallersDeadline) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  const std::uint64_t start_ns = clock.now_ns();
  IdleTimer timer;
  loop.timers().arm(timer, start_ns + 500);
  loop.run_once(start_ns + 200);
  loop.run_once(UINT64_MAX);
  EXPECT_EQ(sleeper.sleeps_ns, (std::vector<std::uint64_t>{200, 300}));
  EXPECT_TRUE(timer.armed());
  loop.run_once(UINT64_MAX);  // The timer expires in this turn: work, so no sleep.
  EXPECT_FALSE(timer.armed());
  EXPECT_EQ(sleeper.sleeps_ns.size(), 2U);
  loop.run_once(clock.now_ns());  // A deadline that is over allows no sleep.
  EXPECT_EQ(sleeper.sleeps_ns.size(), 2U);
}

coro::Task<void> set_later(EventLoop& loop, std::uint64_t deadline_ns, bool& done) {
  SleepOp pause(loop, deadline_ns);
  co_await pause;
  done = true;
}

TEST_F(EventLoopTest, RunUntilEndsWithTheTurnThatMakesItTrue) {
  EventLoop loop(clock, sleeper, {.spin_ns = 0});
  bool done = false;
  auto task = set_later(loop, clock.now_ns() + 77, done);
  task.start();
  loop.run_until(done);
  EXPECT_TRUE(task.done());
  EXPECT_EQ(sleeper.sleeps_ns, std::vector<std::uint64_t>{77});
}

TEST(PollSleeper, ReturnsWhenADescriptorIsReadableOrTheTimeIsOver) {
  SystemClock clock;
  PollSleeper sleeper;
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  const std::uint64_t start_ns = clock.now_ns();
  sleeper.sleep(std::span<const int>(fds, 1), 20'000'000);
  EXPECT_GE(clock.now_ns() - start_ns, 20'000'000U);
  ASSERT_EQ(::write(fds[1], "x", 1), 1);
  sleeper.sleep(std::span<const int>(fds, 1), UINT64_MAX);  // Hangs if it does not look.
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST(WakeFd, WakesASleepingLoopFromAnotherThreadForEveryRound) {
  test::RealLoop real;
  int calls = 0;
  bool seen = false;
  auto wake = WakeFd::create(real.loop, [&] {
    ++calls;
    seen = true;
  });
  ASSERT_TRUE(wake.has_value());
  constexpr int kRounds = 200;
  for (int i = 0; i < kRounds; ++i) {
    seen = false;
    std::thread other([&wake] { (*wake)->notify(); });
    real.loop.run_until(seen);
    other.join();
  }
  EXPECT_EQ(calls, kRounds);
}

TEST(WakeFd, ManyNotificationsBeforeATurnAreOneCall) {
  test::RealLoop real;
  int calls = 0;
  auto wake = WakeFd::create(real.loop, [&] { ++calls; });
  ASSERT_TRUE(wake.has_value());
  for (int i = 0; i < 100; ++i) {
    (*wake)->notify();
  }
  EXPECT_FALSE((*wake)->arm());
  EXPECT_TRUE(real.loop.turn());
  EXPECT_FALSE(real.loop.turn());
  EXPECT_TRUE((*wake)->arm());
  EXPECT_EQ(calls, 1);
}

WakeFd* signal_target = nullptr;

TEST(WakeFd, WakesASleepingLoopFromASignalHandler) {
  test::RealLoop real;
  bool seen = false;
  auto wake = WakeFd::create(real.loop, [&] { seen = true; });
  ASSERT_TRUE(wake.has_value());
  signal_target = wake->get();
  struct sigaction action {};
  action.sa_handler = [](int) { signal_target->notify(); };
  struct sigaction before {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  const pthread_t loop_thread = ::pthread_self();
  std::thread other([loop_thread] { ::pthread_kill(loop_thread, SIGUSR1); });
  real.loop.run_until(seen);
  other.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(seen);
}

TEST(EventLoopDeathTest, DyingBeforeASourceIsAProgrammersError) {
  EXPECT_DEATH(
      {
        FakeSource source;
        test::ManualClock clock;
        test::ManualSleeper sleeper(clock);
        EventLoop loop(clock, sleeper);
        loop.add_source(source);
      },
      "sources_.empty");
}

}  // namespace
}  // namespace benchfs::loop
