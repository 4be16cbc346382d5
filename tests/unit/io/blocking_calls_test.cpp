// Goal: what blocks runs beside the loop, many at once, and its end is heard on the loop's thread.
// Method: calls that wait for each other, which they could not in one thread.

#include "io/blocking_calls.h"

#include <barrier>
#include <thread>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "coro/scope.h"
#include "coro/task.h"
#include "loop/event_loop.h"

namespace benchfs::io {
namespace {

struct Outcome {
  int done = 0;
  bool on_loop_thread = true;
};

coro::Task<void> meet(BlockingCalls& calls, std::barrier<>& barrier, Outcome& outcome,
                      std::thread::id loop_thread) {
  std::thread::id worker = loop_thread;
  auto function = [&] {
    worker = std::this_thread::get_id();
    barrier.arrive_and_wait();
  };
  BlockingCalls::CallOp<decltype(function)> op(calls, function);
  co_await op;
  outcome.on_loop_thread =
      outcome.on_loop_thread && worker != loop_thread && std::this_thread::get_id() == loop_thread;
  ++outcome.done;
}

TEST(BlockingCalls, RunManyAtOnceAndEndOnTheLoop) {
  SystemClock clock;
  loop::PollSleeper sleeper;
  loop::EventLoop loop(clock, sleeper);
  auto calls = BlockingCalls::create(loop);
  ASSERT_TRUE(calls.has_value());
  std::barrier<> barrier(static_cast<std::ptrdiff_t>(kBlockingThreads));
  Outcome outcome;
  coro::Scope scope;
  constexpr int kCalls = 3 * static_cast<int>(kBlockingThreads);
  for (int i = 0; i < kCalls; ++i) {
    scope.spawn(meet(**calls, barrier, outcome, std::this_thread::get_id()));
  }
  while (outcome.done < kCalls) {
    loop.run_once(loop.now_ns() + 1'000'000'000);
  }
  EXPECT_TRUE(outcome.on_loop_thread);
}

}  // namespace
}  // namespace benchfs::io
