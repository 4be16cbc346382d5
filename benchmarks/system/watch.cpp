#include "watch.h"

#include <fstream>
#include <string>

#include <sys/resource.h>
#include <time.h>

#include "failure.h"

namespace benchfs::bench {

namespace {

constexpr std::uint64_t kKiB = 1024;

/// What the process has run, threads that have ended included; finer than the ticks of
/// /proc/PID/stat.
std::uint64_t cpu_ns_of(int pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    throw Failure("--watch: the CPU time of process " + std::to_string(pid) + " cannot be read");
  }
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

Usage usage_of(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  if (!status) {
    throw Failure("--watch: there is no process " + std::to_string(pid));
  }
  Usage usage;
  for (std::string key; status >> key;) {
    std::uint64_t kib = 0;
    if (key == "VmRSS:" && status >> kib) {
      usage.memory_bytes = kib * kKiB;
    } else if (key == "VmHWM:" && status >> kib) {
      usage.memory_peak_bytes = kib * kKiB;
    }
  }
  usage.cpu_ns = cpu_ns_of(pid);
  return usage;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

Usage usage_of(const std::vector<int>& pids) {
  Usage sum;
  for (const int pid : pids) {
    const Usage one = usage_of(pid);
    sum.cpu_ns += one.cpu_ns;
    sum.memory_bytes += one.memory_bytes;
    sum.memory_peak_bytes += one.memory_peak_bytes;
  }
  return sum;
}

double own_cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace benchfs::bench
