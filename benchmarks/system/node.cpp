// benchfs-node: what a node does without any file system. `copy` tells how fast memory is copied,
// the limit of whatever copies; `compute` how long a fixed amount of computing on all cores takes,
// beside whatever else runs. Prints a line of JSON.

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Runs `work(thread)` in so many threads; seconds until the last has ended.
template <typename Work>
double on_threads(unsigned count, Work&& work) {
  std::vector<std::thread> threads;
  const Clock::time_point start = Clock::now();
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([&work, i] { work(i); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return seconds_since(start);
}

/// Copies pieces of 1 MiB through more memory than any cache holds.
void copy(unsigned thread_count, std::uint64_t total_bytes) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  constexpr std::size_t kPieces = 128;
  std::vector<std::vector<char>> memory(thread_count,
                                        std::vector<char>(2 * kPieces * kPieceBytes, 1));
  const std::uint64_t pieces = total_bytes / kPieceBytes / thread_count;
  const double seconds = on_threads(thread_count, [&](unsigned thread) {
    char* const from = memory[thread].data();
    for (std::uint64_t i = 0; i < pieces; ++i) {
      std::memcpy(from + (kPieces + i % kPieces) * kPieceBytes, from + i % kPieces * kPieceBytes,
                  kPieceBytes);
    }
  });
  std::printf("{\"mib_per_s\": %.1f}\n", static_cast<double>(pieces * thread_count) / seconds);
}

/// One sweep of a diffusion over a row of cells: what a time step of a solver is made of.
void sweep(const std::vector<double>& from, std::vector<double>& to) {
  for (std::size_t i = 1; i + 1 < from.size(); ++i) {
    to[i] = from[i] + 0.1 * (from[i - 1] - 2 * from[i] + from[i + 1]);
  }
}

/// Steps that all threads end together, as the ranks of a job do: who is disturbed holds up all.
void compute(unsigned thread_count, std::uint64_t step_count) {
  constexpr std::size_t kCells = 32768;
  constexpr int kSweepsPerStep = 64;
  std::barrier together(static_cast<std::ptrdiff_t>(thread_count));
  std::atomic<double> sum = 0;
  const double seconds = on_threads(thread_count, [&](unsigned thread) {
    std::vector<double> cells(kCells, thread + 1.0);
    std::vector<double> next = cells;
    cells[kCells / 2] = 1000;
    for (std::uint64_t step = 0; step < step_count; ++step) {
      for (int i = 0; i < kSweepsPerStep; ++i) {
        sweep(cells, next);
        std::swap(cells, next);
      }
      together.arrive_and_wait();
    }
    sum.fetch_add(cells[kCells / 2]);  // So that nobody may leave the work out.
  });
  std::printf("{\"seconds\": %.6f, \"steps\": %llu, \"sum\": %.3f}\n", seconds,
              static_cast<unsigned long long>(step_count), sum.load());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What a node does by itself: the limits that benchfs is measured against",
               "benchfs-node");
  unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::uint64_t bytes = std::uint64_t{4} << 30;
  std::uint64_t steps = 1000;
  app.add_option("--threads", threads, "default: all cores")->check(CLI::Range(1, 4096));
  auto* const copying = app.add_subcommand("copy", "memory copies");
  copying->add_option("--size", bytes, "bytes to copy")->transform(CLI::AsSizeValue(false));
  auto* const computing = app.add_subcommand("compute", "a solver's time steps");
  computing->add_option("--steps", steps, "time steps")->check(CLI::Range(1, 1000000000));
  app.require_subcommand(1);
  app.fallthrough();
  CLI11_PARSE(app, argc, argv);
  if (copying->parsed()) {
    copy(threads, bytes);
  } else {
    compute(threads, steps);
  }
  return 0;
}
