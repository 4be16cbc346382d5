// benchfs-bench: IO500's patterns by MPI ranks over one of several ways to files. Status 0 only if
// every call has succeeded and every byte and count was what it should be.

#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <memory>

#include <mpi.h>
#include <unistd.h>

#include "report.h"
#include "run.h"

namespace benchfs::bench {

namespace {

using Phase = PhaseResult (*)(Run&);

const std::map<std::string, Phase> kFunctions = {
    {"ping", &ping},
    {"wake", &wake},
    {"clients", &join_clients},
    {"easy-write", &write_easy},
    {"easy-read", &read_easy},
    {"hard-write", &write_hard},
    {"hard-read", &read_hard},
    {"random-write", &write_random},
    {"random-read", &read_random},
    {"md-easy-create", &create_easy},
    {"md-easy-stat", &stat_easy},
    {"md-easy-remove", &remove_easy},
    {"md-hard-create", &create_hard},
    {"md-hard-stat", &stat_hard},
    {"md-hard-read", &read_small},
    {"md-hard-remove", &remove_hard},
    {"find", &find},
};

/// A directory of its own below the path that was given, so that clearing up touches nothing of
/// anybody else's.
std::string own_directory(std::string path) {
  while (path.ends_with('/')) {
    path.pop_back();
  }
  return path + "/benchfs-bench.data";
}

Contents contents_of(const Options& options) {
  return {.easy_transfers = options.size_bytes / options.transfer_bytes,
          .hard_segments = options.hard_size_bytes / kHardTransferBytes,
          .random_writes = options.operations,
          .easy_files = options.files,
          .hard_files = options.files};
}

/// The files of data that a phase has made are to be found as well.
void count_files(Run& run, const std::string& phase) {
  if (phase == "easy-write" || phase == "random-write") {
    run.contents.names += static_cast<std::uint64_t>(run.job.size);
  } else if (phase == "hard-write") {
    ++run.contents.names;
  }
}

/// Every rank says what it has found; returns how many wrong things there are in all.
std::uint64_t complain(const Run& run, const PhaseResult& result) {
  if (!result.tally.first_wrong.empty()) {
    std::fprintf(stderr, "benchfs-bench: %s: rank %d: %s\n", result.phase.c_str(), run.job.rank,
                 result.tally.first_wrong.c_str());
  }
  return run.job.max(result.tally.wrong);
}

void write_report(const Run& run, const std::vector<PhaseResult>& results) {
  if (run.options.json == "-") {
    std::fputs(json_of(run, results).c_str(), stdout);
    return;
  }
  std::fputs(table_of(results).c_str(), stdout);
  if (!run.options.json.empty()) {
    std::ofstream file(run.options.json);
    if (!(file << json_of(run, results)).flush()) {
      throw Failure(run.options.json + ": cannot be written");
    }
  }
}

int work(const Options& options, const Job& job) {
  const auto backend = make_backend(options.backend, options.path,
                                    {.depth = options.depth, .direct = options.direct});
  Progress progress(job.rank == 0 &&
                    (options.progress == "always" ||
                     (options.progress == "auto" && ::isatty(STDERR_FILENO) == 1)));
  Run run{.options = options,
          .job = job,
          .backend = *backend,
          .progress = progress,
          .contents = contents_of(options),
          .directory = own_directory(options.path)};
  if (job.rank == 0) {
    backend->make_directory(run.directory);
  }
  job.barrier();

  std::vector<PhaseResult> results;
  std::uint64_t wrong = 0;
  for (const std::string& phase : options.phases) {
    results.push_back(kFunctions.at(phase)(run));
    count_files(run, phase);
    wrong += complain(run, results.back());
  }
  job.barrier();
  if (job.rank == 0) {
    write_report(run, results);
    if (!options.keep) {
      remove_tree(*backend, run.directory);
    }
  }
  job.barrier();
  return wrong == 0 ? 0 : 1;
}

int run_all(int argc, char** argv) {
  Job job;
  MPI_Comm_rank(MPI_COMM_WORLD, &job.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &job.size);
  Options options;
  if (const auto status = parse_options(argc, argv, job.rank == 0, options)) {
    return *status;
  }
  try {
    return work(options, job);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchfs-bench: rank %d: %s\n", job.rank, error.what());
    // The others may wait for this one. What this one has open is lost with it.
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  return 1;
}

}  // namespace

}  // namespace benchfs::bench

int main(int argc, char** argv) {
  int provided = MPI_THREAD_SINGLE;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const int status = benchfs::bench::run_all(argc, argv);
  MPI_Finalize();
  return status;
}
