#include "server/process_usage.h"

#include <cstdio>
#include <memory>

#include <sys/resource.h>
#include <unistd.h>

#include "base/units.h"

namespace benchfs::server {
namespace {

std::uint64_t memory_bytes() noexcept {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   &std::fclose);
  unsigned long long total = 0;
  unsigned long long resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%llu %llu", &total, &resident) != 2) {
    return 0;
  }
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessUsage process_usage() noexcept {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSec +
           static_cast<std::uint64_t>(time.tv_usec) * kNsPerUs;
  };
  return {.cpu_ns = ns(usage.ru_utime) + ns(usage.ru_stime),
          .memory_peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * kKiB,
          .memory_bytes = memory_bytes()};
}

}  // namespace benchfs::server
