#include "watch.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/resource.h>

#include "failure.h"

namespace benchfs::bench {

namespace {

constexpr std::uint64_t kKiB = 1024;

/// Nanoseconds that the process's threads have run: finer than the ticks of /proc/PID/stat. What
/// ended threads have used is not in it; servers and mounts end none while they work.
std::uint64_t cpu_ns_of(const std::filesystem::path& process) {
  std::uint64_t sum_ns = 0;
  for (const auto& thread : std::filesystem::directory_iterator(process / "task")) {
    std::ifstream file(thread.path() / "schedstat");
    std::uint64_t ns = 0;
    if (file >> ns) {
      sum_ns += ns;
    }
  }
  return sum_ns;
}

Usage usage_of(int pid) {
  const std::filesystem::path process = "/proc/" + std::to_string(pid);
  std::ifstream status(process / "status");
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
  usage.cpu_ns = cpu_ns_of(process);
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
