#pragma once

// Many seeds, several at once, each in a process of its own.

#include <cstdint>

#include "sim/mutations.h"

namespace benchfs::sim {

struct HuntOptions {
  std::uint64_t seconds = 0;  ///< 0: no limit.
  std::uint64_t seeds = 0;    ///< 0: no limit.
  std::uint64_t from = 1;
  std::uint64_t jobs = 1;
  /// Stops at the first seed that fails; 0 if there is one.
  const Mutation* mutation = nullptr;
  /// The mutation's plans, and nothing broken: what fails then is no merit of the mutation.
  bool spare = false;
};

/// Prints each seed that fails, and the sums at the end. 0 if none did (of a mutation: if one did).
int hunt_seeds(const HuntOptions& options);

}  // namespace benchfs::sim
