#pragma once

// One seed from beginning to end: a cluster begins, clients work while things go wrong, everything
// is mended, and then all that was promised is checked.
//
// Threading: one thread.

#include <cstdint>
#include <string>

#include "sim/cluster.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace benchfs::sim {

struct Report {
  std::string violation;  ///< Empty: all promises were kept.
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;
  std::uint64_t virtual_ns = 0;
  Counts counts;
};

enum class Trace { kSilent, kPrinted };

Report simulate(const Plan& plan, const Hooks& hooks = {}, Trace trace = Trace::kSilent);

}  // namespace benchfs::sim
