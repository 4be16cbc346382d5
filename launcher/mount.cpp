#include <cerrno>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "launcher/commands.h"
#include "launcher/launch_record.h"
#include "launcher/mounts.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

using tools::complain;
using tools::say;

constexpr char kProgram[] = "benchfs-fuse";

std::string find_program(const Surroundings& surroundings) {
  const std::string here = std::filesystem::path(surroundings.program).parent_path().string();
  for (const char* place : {"/", "/../bin/"}) {
    const std::string path = here + place + kProgram;
    if (::access(path.c_str(), X_OK) == 0) {
      return std::filesystem::path(path).lexically_normal().string();
    }
  }
  return kProgram;
}

/// False: it is in use by a mount that works, or a dead one cannot be cleared.
bool clear_dead_mounts(const std::string& directory) {
  for (const FuseMount& mount : find_mounts()) {
    struct stat status {};
    if (mount.directory != directory) {
      continue;
    }
    if (::stat(directory.c_str(), &status) == 0 || errno != ENOTCONN) {
      complain("{}: session {} is mounted there already; benchfs unmount {} ends that", directory,
               mount.session, directory);
      return false;
    }
    const std::string trouble = take_away(mount, Busy::kDetach);
    if (!trouble.empty()) {
      complain("{}", trouble);
      return false;
    }
    complain("note: {} was left by a mount whose process had died", directory);
  }
  return true;
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

int mount(const MountOptions& options, const Surroundings& surroundings) {
  const std::string directory = absolute_mount_point(options.directory);
  const std::string session = absolute_session(options.session);
  if (!clear_dead_mounts(directory)) {
    return tools::kExitFailure;
  }
  const std::string program = find_program(surroundings);
  std::vector<std::string> argv = {program, "--session", session};
  for (const auto& [wanted, word] : {std::pair(options.foreground, "--foreground"),
                                     std::pair(options.allow_other, "--allow-other"),
                                     std::pair(options.read_only, "--read-only")}) {
    if (wanted) {
      argv.emplace_back(word);
    }
  }
  if (options.cache.count() != 0) {
    argv.insert(argv.end(), {"--cache", std::to_string(options.cache.count()) + "ms"});
  }
  argv.insert(argv.end(), {"--", directory});
  std::vector<std::string> environment = surroundings.environment;
  std::erase_if(environment, [](const std::string& variable) {
    // It is none of the launch's processes: it outlives servers that start again.
    return variable.compare(0, sizeof(kLaunchIdVariable), std::string(kLaunchIdVariable) + "=") ==
           0;
  });
  environment.push_back(std::string(kFuseSessionVariable) + "=" + session);
  environment.push_back(std::string(kFuseDirectoryVariable) + "=" + directory);
  ::execvpe(program.c_str(), pointers_to(argv).data(), pointers_to(environment).data());
  complain("cannot run {}: {}", tools::in_quotes(program), tools::errno_text(errno));
  return tools::kExitFailure;
}

int unmount(const UnmountOptions& options) {
  int exit_status = tools::kExitOk;
  for (const std::string& named : options.directories) {
    const std::string directory = absolute_mount_point(named);
    bool found = false;
    auto mounts = find_mounts();
    for (auto each = mounts.rbegin(); each != mounts.rend() && !found; ++each) {
      if (each->directory == directory) {
        found = true;
        const std::string trouble = take_away(*each, options.force ? Busy::kDetach : Busy::kRefuse);
        if (!trouble.empty()) {
          complain("{}", trouble);
          exit_status = tools::kExitFailure;
        }
      }
    }
    if (!found) {
      complain("{}: no session is mounted there", directory);
      exit_status = tools::kExitFailure;
    }
  }
  return exit_status;
}

}  // namespace benchfs::launcher
