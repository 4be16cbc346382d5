#include <csignal>

#include "launcher/commands.h"
#include "launcher/process.h"
#include "tools/console.h"

namespace benchfs::launcher {

int end_marked(const EndOptions& options) {
  const Deadline deadline = std::chrono::steady_clock::now() + options.time_max;
  while (true) {
    // Over and over, since what is ended may just have started another one.
    const auto held = hold_all(processes_with_variable(options.variable));
    if (held.empty()) {
      return tools::kExitOk;
    }
    for (const HeldProcess& process : held) {
      process.signal(SIGKILL);
    }
    if (!wait_for_end(held, deadline)) {
      for (const HeldProcess& process : held) {
        if (is_alive(process.id())) {
          tools::complain("process {} survives SIGKILL", process.id().pid);
        }
      }
      return tools::kExitFailure;
    }
  }
}

}  // namespace benchfs::launcher
