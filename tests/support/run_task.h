#pragma once

// Runs coroutines to their end from a test.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/units.h"
#include "coro/task.h"
#include "loop/event_loop.h"

namespace benchfs::test {

/// A loop on the machine's clock that sleeps in the kernel.
struct RealLoop {
  explicit RealLoop(benchfs::loop::LoopOptions options = {}) : loop(clock, sleeper, options) {}

  SystemClock clock;
  benchfs::loop::PollSleeper sleeper;
  benchfs::loop::EventLoop loop;
};

/// Turns `loop` until `task` has ended, and returns its value. Aborts the test program after
/// `limit` of the machine's time, far more than any takes on a slow machine under a sanitizer: a
/// task that hangs owns operations in flight, so no test can go on.
template <typename T>
T run_task(loop::EventLoop& loop, coro::Task<T> task,
           std::chrono::seconds limit = std::chrono::seconds(240)) {
  const auto give_up = std::chrono::steady_clock::now() + limit;
  task.start();
  while (!task.done()) {
    loop.run_once(loop.now_ns() + 100 * kNsPerMs);
    if (std::chrono::steady_clock::now() > give_up) {
      std::fprintf(stderr, "run_task: the task did not end within %lld s\n",
                   static_cast<long long>(limit.count()));
      std::abort();
    }
  }
  return task.take();
}

}  // namespace benchfs::test
