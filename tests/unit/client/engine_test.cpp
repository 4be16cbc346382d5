// Goal: any number of threads get their operations done by one loop; nobody sleeps while there is
// work, nobody is forgotten when the leader leaves. Method: operations that depend on one another,
// so that a lost wake-up is a hang and not a delay; real threads, real sleeping. Meant to run under
// the thread sanitizer too.

#include "client/engine.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"
#include "coro/event.h"
#include "loop/timer_queue.h"

namespace benchfs::client {
namespace {

class EngineTest : public testing::Test {
 protected:
  coro::Task<int> after(std::uint64_t ns, int value) {
    loop::SleepOp sleep(loop_, loop_.now_ns() + ns);
    co_await sleep;
    ++ended_;  // The loop's thread only: no atomic.
    co_return value;
  }
  static coro::Task<int> at_once(int value) { co_return value; }
  static coro::Task<int> wait_for(coro::Event& event) {
    co_await event;
    co_return 1;
  }
  static coro::Task<int> set(coro::Event& event) {
    event.set();
    co_return 2;
  }

  SystemClock clock_;
  loop::PollSleeper sleeper_;
  loop::EventLoop loop_{clock_, sleeper_, loop::LoopOptions{.spin_ns = 0}};
  std::unique_ptr<Engine> engine_ = std::move(*Engine::create(loop_, 50 * kNsPerUs));
  int ended_ = 0;
};

TEST_F(EngineTest, RunsATaskAndReturnsItsValue) {
  EXPECT_EQ(engine_->run(at_once(7)), 7);
  EXPECT_EQ(engine_->run(after(kNsPerMs, 8)), 8);
}

TEST_F(EngineTest, WakesALeaderThatSleepsForWhatAnotherThreadSubmits) {
  // The first thread can end only by what the second one does, and no timer would ever wake it.
  for (int round = 0; round < 500; ++round) {
    coro::Event event;
    std::thread waiting([&] { EXPECT_EQ(engine_->run(wait_for(event)), 1); });
    if (round % 4 != 0) {
      std::this_thread::yield();
    }
    EXPECT_EQ(engine_->run(set(event)), 2);
    waiting.join();
  }
}

TEST_F(EngineTest, HandsTheLeadToSomebodyWhoStillWaits) {
  constexpr int kThreads = 8;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      // Each ends later than the one before, so the lead moves through all of them.
      threads.emplace_back([this, i] {
        EXPECT_EQ(engine_->run(after(static_cast<std::uint64_t>(i) * 200 * kNsPerUs, i)), i);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  EXPECT_EQ(ended_, 20 * kThreads);
}

TEST_F(EngineTest, ServesManyThreadsThatAskAllTheTime) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 300;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      for (int k = 0; k < kRounds; ++k) {
        const auto ns = static_cast<std::uint64_t>((k * 7 + i * 13) % 60) * kNsPerUs;
        ASSERT_EQ(engine_->run(after(ns, k)), k);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(ended_, kThreads * kRounds);
}

TEST_F(EngineTest, FinishesByTestingAlone) {
  std::optional<int> value;
  Operation operation(coro::detail::run_into(after(2 * kNsPerMs, 5), value));
  engine_->submit(operation);
  EXPECT_FALSE(engine_->test(operation));
  while (!engine_->test(operation)) {
    std::this_thread::yield();
  }
  EXPECT_EQ(value, 5);
}

TEST_F(EngineTest, MovesSubmittedOperationsOnWhileAnybodyIsInside) {
  std::optional<int> value;
  Operation operation(coro::detail::run_into(after(kNsPerMs, 5), value));
  engine_->submit(operation);
  EXPECT_EQ(engine_->run(after(20 * kNsPerMs, 1)), 1);
  EXPECT_EQ(value, 5);
  engine_->wait(operation);
}

TEST_F(EngineTest, LetsThreadsTestAndWaitSideBySide) {
  std::atomic<bool> stop = false;
  std::thread tester([&] {
    while (!stop.load()) {
      std::optional<int> value;
      Operation operation(coro::detail::run_into(after(100 * kNsPerUs, 3), value));
      engine_->submit(operation);
      while (!engine_->test(operation)) {
        std::this_thread::yield();
      }
      EXPECT_EQ(value, 3);
    }
  });
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([this] {
      for (int k = 0; k < 200; ++k) {
        ASSERT_EQ(engine_->run(after(150 * kNsPerUs, k)), k);
      }
    });
  }
  for (std::thread& waiter : waiters) {
    waiter.join();
  }
  stop = true;
  tester.join();
}

TEST_F(EngineTest, StopsSpinningForWaitsThatAreLong) {
  EXPECT_EQ(engine_->spin_ns(), 50 * kNsPerUs);
  for (int i = 0; i < 20; ++i) {
    engine_->run(after(2 * kNsPerMs, 0));
  }
  EXPECT_LT(engine_->spin_ns(), kNsPerUs);
}

}  // namespace
}  // namespace benchfs::client
