#pragma once

// The command line of `benchfs`.

#include <string>
#include <vector>

#include "launcher/commands.h"

namespace benchfs::launcher {

/// Reads `arguments` (without the program's name), does what they ask for and returns the exit
/// status: 2 for a command line that makes no sense.
int run_command_line(std::vector<std::string> arguments, const Surroundings& surroundings);

}  // namespace benchfs::launcher
