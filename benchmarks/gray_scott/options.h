#pragma once

// The command line of the program.

#include <cstdint>
#include <string>

#include "decomposition.h"
#include "failure.h"
#include "solver.h"

namespace gray_scott {

struct Options {
  Grid grid{1024, 1024};
  std::uint64_t steps = 2000;  ///< Steps of the whole run, counted from the initial state.
  std::uint64_t checkpoint_every = 500;  ///< Steps.
  std::uint64_t keep = 3;                ///< Checkpoints kept, 2 or more.
  std::string checkpoints;               ///< Directory of the checkpoints, as MPI-IO takes it.
  bool restart = false;
  Parameters parameters;
};

/// What main should do after the command line was read.
struct ParsedOptions {
  Options options;
  bool only_help = false;  ///< `text` is the help: print it and leave.
  std::string text;
};

/// Fails with a sentence that names the option.
Result<ParsedOptions> parse_options(int argc, const char* const* argv);

/// A grid from "1024" (square) or "1024x768" (rows x columns).
Result<Grid> parse_grid(const std::string& text);

}  // namespace gray_scott
