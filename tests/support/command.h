#pragma once

// Runs a program to its end and keeps what it said.

#include <string>
#include <utility>
#include <vector>

namespace benchfs::test {

struct CommandResult {
  int exit_status = -1;  ///< 128 + signal if a signal ended it; -1 if it could not be started.
  std::string out;
  std::string err;
};

using Variables = std::vector<std::pair<std::string, std::string>>;

/// `variables` are set on top of this process's environment; an empty value removes one. Without
/// `keep_output` the program writes to where this process does.
CommandResult run_command(const std::vector<std::string>& argv, const Variables& variables = {},
                          bool keep_output = true);

/// Becomes that program, as run_command() would start it. For the child of a fork.
[[noreturn]] void become_command(const std::vector<std::string>& argv, const Variables& variables);

}  // namespace benchfs::test
