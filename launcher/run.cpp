#include <cerrno>
#include <filesystem>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include "launcher/commands.h"
#include "launcher/run_environment.h"
#include "session/session_file.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

constexpr char kComponentFile[] = "mca_io_benchfs.so";
constexpr char kComponentPathVariable[] = "OMPI_MCA_mca_base_component_path";
constexpr char kForwardVariable[] = "OMPI_MCA_mca_base_env_list";
constexpr int kExitCannotRun = 126;
constexpr int kExitNotFound = 127;

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void set_variable(std::vector<std::string>& environment, const std::string& name,
                  const std::string& value) {
  std::erase_if(environment, [&name](const std::string& variable) {
    return variable.compare(0, name.size() + 1, name + "=") == 0;
  });
  environment.push_back(name + "=" + value);
}

/// Open MPI stops at the first directory that does not exist, so only those that do may be named. A
/// path that the user has set already is kept, in its order.
std::string component_path(const RunInput& input) {
  std::string path = input.surroundings->variable(kComponentPathVariable);
  if (path.empty()) {
    path = "SYSTEM_DEFAULT";
    if (!input.user_components.empty()) {
      return path + ":" + input.component_directory + ":USER_DEFAULT";
    }
  }
  return path + ":" + input.component_directory;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

RunPlan plan_run(const RunInput& input) {
  RunPlan plan;
  plan.argv = input.options->command;
  plan.environment = input.surroundings->environment;
  set_variable(plan.environment, "BENCHFS_SESSION", input.options->session);
  if (!input.component_directory.empty()) {
    set_variable(plan.environment, kComponentPathVariable, component_path(input));
  }
  if (!input.command_is_mpirun) {
    return plan;
  }
  // mpirun takes OMPI_MCA_… to other nodes by itself, other variables only if told: by -x or by a
  // list, and it refuses both at once. The list is used where the user has one, else -x, which
  // mixes with his.
  const std::string list = input.surroundings->variable(kForwardVariable);
  if (!list.empty()) {
    set_variable(plan.environment, kForwardVariable, list + ";BENCHFS_SESSION");
  } else {
    plan.argv.insert(plan.argv.begin() + 1, {"-x", "BENCHFS_SESSION"});
  }
  return plan;
}

std::string find_component_directory(const std::string& program) {
  const std::filesystem::path here = std::filesystem::path(program).parent_path();
  for (const char* place : {BENCHFS_COMPONENT_FROM_BIN, "../lib/openmpi-benchfs"}) {
    const std::filesystem::path directory = (here / place).lexically_normal();
    if (::access((directory / kComponentFile).c_str(), R_OK) == 0) {
      return directory.string();
    }
  }
  return "";
}

bool is_open_mpi_launcher(const std::string& command, const std::string& path) {
  std::vector<std::string> candidates;
  if (command.find('/') != std::string::npos) {
    candidates.push_back(command);
  } else {
    std::istringstream directories(path);
    for (std::string directory; std::getline(directories, directory, ':');) {
      candidates.push_back((directory.empty() ? "." : directory) + "/" + command);
    }
  }
  for (const std::string& candidate : candidates) {
    if (::access(candidate.c_str(), X_OK) != 0 || is_directory(candidate)) {
      continue;
    }
    std::error_code failed;
    const auto real = std::filesystem::canonical(candidate, failed).filename().string();
    return !failed && (real == "orterun" || real == "prterun" || real == "mpirun.openmpi");
  }
  return false;
}

int run(const RunOptions& options, const Surroundings& surroundings) {
  const auto session = session::read_session(options.session);
  if (!session.has_value()) {
    tools::complain("{}", session.error().text);
    return tools::kExitFailure;
  }
  const std::string user_components = surroundings.variable("HOME") + "/.openmpi/components";
  const RunInput input{.options = &options,
                       .surroundings = &surroundings,
                       .component_directory = find_component_directory(surroundings.program),
                       .user_components = is_directory(user_components) ? user_components : "",
                       .command_is_mpirun = is_open_mpi_launcher(options.command.front(),
                                                                 surroundings.variable("PATH"))};
  if (input.component_directory.empty()) {
    tools::complain("note: {} is not there, so MPI-IO will not find benchfs", kComponentFile);
  }
  RunPlan plan = plan_run(input);
  ::execvpe(plan.argv[0].c_str(), pointers_to(plan.argv).data(),
            pointers_to(plan.environment).data());
  const int saved = errno;
  tools::complain("cannot run {}: {}", tools::in_quotes(options.command.front()),
                  tools::errno_text(saved));
  return saved == ENOENT ? kExitNotFound : kExitCannotRun;
}

}  // namespace benchfs::launcher
