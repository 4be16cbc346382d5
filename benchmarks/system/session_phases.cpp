// ping, wake and clients: what a session costs without any file.

#include <chrono>
#include <thread>

#include "run.h"

namespace benchfs::bench {

namespace {

/// Long enough for a server that nobody asks anything to have fallen asleep.
constexpr std::chrono::milliseconds kAsleepAfter(3);

PhaseResult round_trips(Run& run, const std::string& phase, std::chrono::milliseconds pause) {
  for (std::uint64_t i = 0; i < run.options.operations / 10 + 1; ++i) {
    run.backend.ping();
  }
  return measure(run, phase, [&](Tally& tally) {
    run.progress.begin(phase, run.options.operations);
    for (std::uint64_t i = 0; i < run.options.operations; ++i) {
      if (pause.count() > 0) {
        std::this_thread::sleep_for(pause);  // What is measured: a request after silence.
      }
      const Clock::time_point start = Clock::now();
      run.backend.ping();
      tally.latencies.add_ns(static_cast<std::uint64_t>((Clock::now() - start).count()));
      ++tally.operations;
      run.progress.at(i);
    }
  });
}

}  // namespace

PhaseResult ping(Run& run) {
  return round_trips(run, "ping", std::chrono::milliseconds(0));
}

PhaseResult wake(Run& run) {
  return round_trips(run, "wake", kAsleepAfter);
}

PhaseResult join_clients(Run& run) {
  PhaseResult result;
  const Usage before = usage_of(run.options.watch);
  run.backend.crowd(run.options.clients, [&] {
    // Between the two barriers of this, every rank's clients are there.
    result = measure(run, "clients", [&](Tally& tally) { tally.operations = run.options.clients; });
    run.job.barrier();
  });
  result.before = before;
  return result;
}

}  // namespace benchfs::bench
