#pragma once

// One run: what its phases share, and how a phase is measured.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "backend.h"
#include "latency.h"
#include "options.h"
#include "progress.h"
#include "watch.h"

namespace benchfs::bench {

using Clock = std::chrono::steady_clock;

/// The ranks. Every member but rank and size is called by all of them.
struct Job {
  int rank = 0;
  int size = 1;

  void barrier() const;
  std::uint64_t sum(std::uint64_t value) const;
  std::uint64_t max(std::uint64_t value) const;
  double sum(double value) const;
  double max(double value) const;
};

/// What there is in the files, of each rank: what a phase has written, else what the options say an
/// earlier run wrote.
struct Contents {
  std::uint64_t easy_transfers;
  std::uint64_t hard_segments;
  std::uint64_t random_writes;
  std::uint64_t easy_files;
  std::uint64_t hard_files;
  std::uint64_t names = 0;  ///< Files that this run has created, of all ranks.
};

/// What one rank did in a phase.
struct Tally {
  std::uint64_t operations = 0;
  std::uint64_t bytes = 0;
  std::uint64_t wrong = 0;  ///< Transfers or files that were not what they should be.
  std::string first_wrong;  ///< Which, and how.
  std::uint64_t stonewall_operations = 0;
  double stonewall_s = 0;  ///< 0: the phase was not cut off.
  Latencies latencies;

  /// Counts one that is not as it should be; `what` is kept of the first.
  void found_wrong(const std::string& what);
};

/// What all ranks did in a phase; whole on rank 0 only.
struct PhaseResult {
  std::string phase;
  double seconds = 0;
  double client_cpu_s = 0;
  Usage before;
  Usage after;
  Tally tally;
};

/// Everything that a phase needs.
struct Run {
  const Options& options;
  const Job& job;
  Backend& backend;
  Progress& progress;
  Contents contents;
  std::string directory;  ///< That all files are below; the run's own.

  /// Whose data this rank reads.
  int other_rank() const { return (job.rank + options.shift) % job.size; }
  /// When a phase that begins now has to stop.
  Clock::time_point deadline() const;
};

/// Runs `work` on all ranks at once and takes its time, from the first rank's begin to the last
/// one's end.
PhaseResult measure(Run& run, const std::string& phase, const std::function<void(Tally&)>& work);

/// The phases. Each returns its result, the same number of transfers or files on every rank.
PhaseResult write_easy(Run& run);
PhaseResult read_easy(Run& run);
PhaseResult write_hard(Run& run);
PhaseResult read_hard(Run& run);
PhaseResult write_random(Run& run);
PhaseResult read_random(Run& run);
PhaseResult create_easy(Run& run);
PhaseResult stat_easy(Run& run);
PhaseResult remove_easy(Run& run);
PhaseResult create_hard(Run& run);
PhaseResult stat_hard(Run& run);
PhaseResult read_small(Run& run);
PhaseResult remove_hard(Run& run);
PhaseResult find(Run& run);
PhaseResult ping(Run& run);
PhaseResult wake(Run& run);
PhaseResult join_clients(Run& run);

/// Removes what is below `path`, and it. One rank.
void remove_tree(Backend& backend, const std::string& path);

}  // namespace benchfs::bench
