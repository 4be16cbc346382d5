#include "run.h"

#include <mpi.h>

namespace benchfs::bench {

namespace {

template <typename T>
T reduce(T value, MPI_Datatype type, MPI_Op how) {
  T out{};
  MPI_Allreduce(&value, &out, 1, type, how, MPI_COMM_WORLD);
  return out;
}

}  // namespace

void Job::barrier() const {
  MPI_Barrier(MPI_COMM_WORLD);
}
std::uint64_t Job::sum(std::uint64_t value) const {
  return reduce(value, MPI_UINT64_T, MPI_SUM);
}
std::uint64_t Job::max(std::uint64_t value) const {
  return reduce(value, MPI_UINT64_T, MPI_MAX);
}
double Job::sum(double value) const {
  return reduce(value, MPI_DOUBLE, MPI_SUM);
}
double Job::max(double value) const {
  return reduce(value, MPI_DOUBLE, MPI_MAX);
}

void Tally::found_wrong(const std::string& what) {
  if (wrong++ == 0) {
    first_wrong = what;
  }
}

Clock::time_point Run::deadline() const {
  return options.seconds > 0 ? Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                  std::chrono::duration<double>(options.seconds))
                             : Clock::time_point::max();
}

PhaseResult measure(Run& run, const std::string& phase, const std::function<void(Tally&)>& work) {
  PhaseResult result;
  result.phase = phase;
  Tally& tally = result.tally;
  run.job.barrier();
  if (run.job.rank == 0) {
    result.before = usage_of(run.options.watch);
  }
  run.job.barrier();
  const double cpu_s = own_cpu_s();
  const Clock::time_point start = Clock::now();
  work(tally);
  const double elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
  const double used_s = own_cpu_s() - cpu_s;
  run.progress.end();

  result.seconds = run.job.max(elapsed_s);
  if (run.job.rank == 0) {
    result.after = usage_of(run.options.watch);
  }
  result.client_cpu_s = run.job.sum(used_s);
  tally.operations = run.job.sum(tally.operations);
  tally.bytes = run.job.sum(tally.bytes);
  tally.wrong = run.job.sum(tally.wrong);
  tally.stonewall_operations = run.job.sum(tally.stonewall_operations);
  tally.stonewall_s = run.job.max(tally.stonewall_s);
  tally.latencies.gather();
  return result;
}

}  // namespace benchfs::bench
