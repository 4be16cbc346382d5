#pragma once

// What would be wrong with a server that skips a duty, shown by parts around it that skip it: the
// ledger, the drive and the network of a simulation. Each must be caught by the checkers.
//
// Threading: the world's thread.

#include <span>
#include <string_view>

#include "sim/cluster.h"
#include "sim/plan.h"

namespace benchfs::sim {

struct Mutation {
  std::string_view name;
  std::string_view what;
  void (*tune)(Plan& plan);  ///< So that the seeds meet what it breaks.
  void (*break_it)(Hooks& hooks);
};

std::span<const Mutation> mutations();
/// nullptr if there is none of the name.
const Mutation* find_mutation(std::string_view name);

/// The plan and the hooks of a seed, mutated.
Plan mutated_plan(const Mutation& mutation, std::uint64_t seed);
Hooks mutated_hooks(const Mutation& mutation);

}  // namespace benchfs::sim
