#pragma once

// Manual pages and the completion of bash, from the same declarations as the command line and
// --help.

#include <string>

namespace CLI {
class App;
}

namespace benchfs::launcher {

/// The page benchfs(1).
std::string manual_of_program(const CLI::App& program);
/// The page benchfs-NAME(1) of one of its commands.
std::string manual_of_command(const CLI::App& command);
/// What the functions of completion.bash need to know of the commands, for bash to read.
std::string completion_tables(const CLI::App& program);

struct DocumentationOptions {
  std::string directory;             ///< Where man1/*.1 and bash-completion/benchfs are written.
  std::string completion_functions;  ///< The file completion.bash.
};

/// Returns the exit status, and has complained of what failed.
int write_documentation(const CLI::App& program, const DocumentationOptions& options);

}  // namespace benchfs::launcher
