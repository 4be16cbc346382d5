#pragma once

// The Slurm job that this process runs in, if its nodes are several: what is told to Open MPI about
// it, and how the other nodes are cleared of a session.
//
// Threading: the main thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "launcher/commands.h"
#include "launcher/teardown.h"

namespace benchfs::launcher {

struct SlurmJob {
  std::string id;
  unsigned other_nodes = 0;  ///< Nodes of the job but this one.
  std::string here;          ///< Slurm's name of this node; empty: it is none of the job's.
};

/// Nothing outside of a job, and in one that has no other node.
std::optional<SlurmJob> find_slurm_job(const Surroundings& surroundings);

/// The environment with what mpirun needs to start servers in a step of its own which takes nothing
/// from the steps of the job. Outside of a job it is what was given.
std::vector<std::string> with_slurm_step(std::vector<std::string> environment);

/// What the other nodes are to forget.
struct Clearing {
  std::string session;
  std::string launch_id;  ///< Empty: not known.
  std::string store;  ///< Its stores go too, whosever they are; empty: those of the session only.
  bool keep_stores = false;
};

/// srun … benchfs down --here …; pure.
std::vector<std::string> plan_clearing(const SlurmJob& job, const Clearing& clearing,
                                       const std::string& program);

/// Runs `benchfs down --here` on all other nodes at once, for at most `time_max`, and says in
/// `result` what came of it.
void clear_other_nodes(const SlurmJob& job, const Clearing& clearing,
                       const Surroundings& surroundings, std::chrono::milliseconds time_max,
                       TeardownResult& result);

}  // namespace benchfs::launcher
