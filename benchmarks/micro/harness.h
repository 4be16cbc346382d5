#pragma once

// What several micro benchmarks need: a loop on the machine's clock, and coroutines run to their
// end on it.

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/result.h"
#include "coro/task.h"
#include "loop/event_loop.h"

namespace benchfs::micro {

struct World {
  SystemClock clock;
  loop::PollSleeper sleeper;
  loop::EventLoop loop{clock, sleeper};

  /// Turns the loop without ever sleeping until `task` has ended.
  template <typename T>
  T finish(coro::Task<T> task) {
    task.start();
    while (!task.done()) {
      loop.turn();
    }
    return task.take();
  }
};

/// A benchmark whose component fails has nothing to report.
template <typename T>
void must(const Result<T>& result, const char* what) {
  if (!result.has_value()) {
    std::fprintf(stderr, "%s: %s\n", what, to_string(result.error()).c_str());
    std::exit(1);
  }
}

}  // namespace benchfs::micro
