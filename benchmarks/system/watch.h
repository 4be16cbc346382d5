#pragma once

// What other processes of this node use: the servers, a mount.

#include <cstdint>
#include <vector>

namespace benchfs::bench {

struct Usage {
  std::uint64_t cpu_ns = 0;  ///< Of all threads, those that have ended too.
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_peak_bytes = 0;
};

/// The sum over the processes. Throws Failure if one is not there.
Usage usage_of(const std::vector<int>& pids);

/// CPU time of this process so far.
double own_cpu_s();

}  // namespace benchfs::bench
