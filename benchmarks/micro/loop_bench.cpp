// What it costs to go from one coroutine to another, and what a turn of the loop costs by itself.

#include <vector>

#include <benchmark/benchmark.h>

#include "coro/task.h"
#include "harness.h"
#include "loop/event_loop.h"

namespace benchfs::micro {
namespace {

coro::Task<int> child(int value) {
  co_return value + 1;
}

coro::Task<int> call_many(int count) {
  int value = 0;
  for (int i = 0; i < count; ++i) {
    coro::Task<int> calling = child(value);
    value = co_await calling;
  }
  co_return value;
}

/// One coroutine calls another that ends at once: a frame made, entered and gone.
void task_call(benchmark::State& state) {
  constexpr int kCalls = 1000;
  World world;
  for (auto _ : state) {
    benchmark::DoNotOptimize(world.finish(call_many(kCalls)));
  }
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(task_call);

coro::Task<int> give_way(loop::EventLoop& loop, int count) {
  for (int i = 0; i < count; ++i) {
    co_await loop.yield();
  }
  co_return count;
}

/// So many coroutines that take turns over the ready queue: one switch each item.
void task_switch(benchmark::State& state) {
  const auto tasks = static_cast<int>(state.range(0));
  constexpr int kYields = 1000;
  World world;
  for (auto _ : state) {
    std::vector<coro::Task<int>> running;
    for (int i = 0; i < tasks; ++i) {
      running.push_back(give_way(world.loop, kYields));
      running.back().start();
    }
    while (!running.front().done()) {
      world.loop.turn();
    }
  }
  state.SetItemsProcessed(state.iterations() * kYields * tasks);
}
BENCHMARK(task_switch)->Arg(1)->Arg(64);

/// A source that has nothing to do.
class QuietSource final : public loop::Source {
 public:
  bool progress() noexcept override { return false; }
  bool arm() noexcept override { return true; }
  int event_fd() const noexcept override { return -1; }
};

/// A turn that finds nothing, with so many sources.
void loop_turn(benchmark::State& state) {
  World world;
  std::vector<QuietSource> sources(static_cast<std::size_t>(state.range(0)));
  for (QuietSource& source : sources) {
    world.loop.add_source(source);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(world.loop.turn());
  }
  state.SetItemsProcessed(state.iterations());
  for (QuietSource& source : sources) {
    world.loop.remove_source(source);
  }
}
BENCHMARK(loop_turn)->Arg(0)->Arg(3);

}  // namespace
}  // namespace benchfs::micro
