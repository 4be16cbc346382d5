// benchfs: the command of the launcher and of the files.

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

#include "launcher/cli.h"
#include "tools/console.h"

int main(int argc, char** argv) {
  benchfs::launcher::Surroundings surroundings;
  std::error_code failed;
  surroundings.program = std::filesystem::read_symlink("/proc/self/exe", failed).string();
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    surroundings.environment.emplace_back(*variable);
  }
  const int exit_status = benchfs::launcher::run_command_line(
      std::vector<std::string>(argv + 1, argv + argc), surroundings);
  return benchfs::tools::finish_output(exit_status);
}
