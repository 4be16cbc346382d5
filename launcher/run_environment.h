#pragma once

// What a command needs to find the session and, if it uses MPI-IO, the component. Pure but for the
// look at files that make_run_plan() takes as functions' results.

#include <string>
#include <vector>

#include "launcher/commands.h"

namespace benchfs::launcher {

struct RunPlan {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
};

struct RunInput {
  const RunOptions* options = nullptr;
  const Surroundings* surroundings = nullptr;
  std::string component_directory;  ///< Empty: there is none.
  std::string user_components;      ///< ~/.openmpi/components if it is there; else empty.
  bool command_is_mpirun = false;   ///< Open MPI's, whatever it is called.
};

RunPlan plan_run(const RunInput& input);

/// The directory with mca_io_benchfs.so that was built or installed with this program; else empty.
std::string find_component_directory(const std::string& program);

/// Whether `command` (looked up in `path`, a PATH) is Open MPI's mpirun.
bool is_open_mpi_launcher(const std::string& command, const std::string& path);

}  // namespace benchfs::launcher
