#pragma once

// What this process takes from its node.
//
// Threading: any thread.

#include <cstdint>

namespace benchfs::server {

struct ProcessUsage {
  std::uint64_t cpu_ns = 0;  ///< User and system time.
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t memory_bytes = 0;  ///< Resident; 0 where /proc does not tell.
};

ProcessUsage process_usage() noexcept;

}  // namespace benchfs::server
