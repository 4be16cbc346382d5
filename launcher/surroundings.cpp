#include <algorithm>

#include <unistd.h>

#include "launcher/commands.h"

namespace benchfs::launcher {

std::string Surroundings::variable(const std::string& name) const {
  const std::string start = name + "=";
  const auto found =
      std::find_if(environment.begin(), environment.end(), [&start](const std::string& variable) {
        return variable.compare(0, start.size(), start) == 0;
      });
  return found == environment.end() ? "" : found->substr(start.size());
}

std::string default_session_directory(const Surroundings& surroundings) {
  std::string directory = surroundings.variable("BENCHFS_SESSION");
  if (directory.empty()) {
    const std::string runtime = surroundings.variable("XDG_RUNTIME_DIR");
    directory =
        runtime.empty() ? "/tmp/benchfs-" + std::to_string(::geteuid()) : runtime + "/benchfs";
  }
  return directory;
}

std::string default_store_directory(const Surroundings& surroundings) {
  std::string directory = surroundings.variable("BENCHFS_STORE");
  if (directory.empty()) {
    const std::string temporary = surroundings.variable("TMPDIR");
    directory =
        (temporary.empty() ? "/tmp" : temporary) + "/benchfs-store-" + std::to_string(::geteuid());
  }
  return directory;
}

}  // namespace benchfs::launcher
