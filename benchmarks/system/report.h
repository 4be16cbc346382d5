#pragma once

// What a run has found, for people and for programs. Rank 0 only.

#include <string>
#include <vector>

#include "run.h"

namespace benchfs::bench {

std::string table_of(const std::vector<PhaseResult>& results);

/// One object: the options that matter, and "phases", an array in the order of the run. Times in s,
/// latencies in us.
std::string json_of(const Run& run, const std::vector<PhaseResult>& results);

}  // namespace benchfs::bench
