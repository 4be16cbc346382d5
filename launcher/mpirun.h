#pragma once

// How the servers are started: the command line of mpirun and its environment. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "launcher/commands.h"

namespace benchfs::launcher {

struct MpirunPlan {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
};

struct MpirunInput {
  const UpOptions* options = nullptr;  ///< session and store are absolute paths here.
  const Surroundings* surroundings = nullptr;
  unsigned server_count = 1;
  std::string server_program;
  std::string launch_variable;  ///< "BENCHFS_LAUNCH_ID=…"
  std::string mpi_directory;    ///< For mpirun's own files.
  bool makes_store = false;     ///< The store directory is new, on other nodes too.
  bool several_hosts = false;
  bool as_root = false;
};

MpirunPlan plan_mpirun(const MpirunInput& input);

/// Hosts that a hostfile's text names: one a line, the first word; "#" begins a comment.
std::vector<std::string> hosts_of_hostfile(const std::string& text);

/// One server per host named, else per node of a Slurm allocation, else one.
unsigned default_server_count(const UpOptions& options, const std::vector<std::string>& hosts,
                              const Surroundings& surroundings);

}  // namespace benchfs::launcher
