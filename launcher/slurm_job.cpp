#include "launcher/slurm_job.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parse.h"
#include "launcher/launch_record.h"
#include "tools/console.h"
#include "tools/descriptor.h"

namespace benchfs::launcher {
namespace {

constexpr std::string_view kStepArguments = "OMPI_MCA_plm_slurm_args=";
/// The first, or else the step of mpirun's daemons holds CPUs, and the job's own steps wait for
/// them for ever. The others, so that a node which is lost costs its own servers only.
constexpr std::array<std::string_view, 4> kStepOptions = {"--overlap", "--no-kill",
                                                          "--kill-on-bad-exit=0", "--wait=0"};
/// What srun may take to end a step that it was told to end.
constexpr std::chrono::milliseconds kEndPatience{3'000};

bool begins_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool ends_within(const HeldProcess& process, std::chrono::milliseconds time) {
  return wait_for_end(hold_all({process.id()}), std::chrono::steady_clock::now() + time);
}

/// Its exit status; nothing if it had to be ended.
std::optional<int> await(pid_t pid, std::chrono::milliseconds time_max) {
  bool in_time = true;
  if (const auto id = identify(pid)) {
    if (const auto process = HeldProcess::hold(*id)) {
      in_time = ends_within(*process, time_max);
      if (!in_time) {
        process->signal(SIGTERM);
        if (!ends_within(*process, kEndPatience)) {
          process->signal(SIGKILL);
        }
      }
    }
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return in_time && WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
}

}  // namespace

std::optional<SlurmJob> find_slurm_job(const Surroundings& surroundings) {
  SlurmJob job;
  job.id = surroundings.variable("SLURM_JOB_ID");
  const auto nodes = parse_count(surroundings.variable("SLURM_JOB_NUM_NODES"));
  if (job.id.empty() || !nodes.has_value() || *nodes == 0) {
    return std::nullopt;
  }
  job.here = surroundings.variable("SLURMD_NODENAME");
  job.other_nodes = static_cast<unsigned>(*nodes) - (job.here.empty() ? 0 : 1);
  return job.other_nodes > 0 ? std::optional(job) : std::nullopt;
}

std::vector<std::string> with_slurm_step(std::vector<std::string> environment) {
  const auto has = [&environment](std::string_view start) {
    return std::find_if(environment.begin(), environment.end(),
                        [start](const auto& variable) { return begins_with(variable, start); });
  };
  if (has("SLURM_JOB_ID=") == environment.end()) {
    return environment;
  }
  auto arguments = has(kStepArguments);
  if (arguments == environment.end()) {
    environment.emplace_back(kStepArguments);
    arguments = std::prev(environment.end());
  }
  for (const std::string_view option : kStepOptions) {
    const std::string_view name = option.substr(0, option.find('='));
    if (arguments->find(name) == std::string::npos) {
      *arguments += fmt::format("{}{}", arguments->back() == '=' ? "" : " ", option);
    }
  }
  return environment;
}

std::vector<std::string> plan_clearing(const SlurmJob& job, const Clearing& clearing,
                                       const std::string& program) {
  const std::string count = std::to_string(job.other_nodes);
  std::vector<std::string> argv = {"srun",
                                   "--overlap",
                                   "--mpi=none",
                                   "--quiet",
                                   "--input=none",
                                   "--chdir=/",
                                   "--jobid=" + job.id,
                                   "--nodes=" + count,
                                   "--ntasks=" + count,
                                   "--ntasks-per-node=1",
                                   "--cpus-per-task=1",
                                   "--kill-on-bad-exit=0"};
  if (!job.here.empty()) {
    argv.push_back("--exclude=" + job.here);
  }
  argv.insert(argv.end(), {program, "down", "--here", "--session", clearing.session});
  if (!clearing.launch_id.empty()) {
    argv.insert(argv.end(), {"--launch", clearing.launch_id});
  }
  if (!clearing.store.empty()) {
    argv.insert(argv.end(), {"--store", clearing.store});
  }
  if (clearing.keep_stores) {
    argv.emplace_back("--keep");
  }
  return argv;
}

void clear_other_nodes(const SlurmJob& job, const Clearing& clearing,
                       const Surroundings& surroundings, std::chrono::milliseconds time_max,
                       TeardownResult& result) {
  SpawnRequest request{.argv = plan_clearing(job, clearing, surroundings.program),
                       .environment = surroundings.environment};
  std::erase_if(request.environment, [](const std::string& variable) {
    return begins_with(variable, kLaunchIdVariable);
  });
  const tools::Descriptor output(::memfd_create("benchfs-down", MFD_CLOEXEC));
  request.output_fd = output.get();
  const Spawned spawned = spawn_detached(request);
  if (spawned.error != 0) {
    result.failures.push_back(fmt::format(
        "cannot start srun ({}): what servers left on {} other node{} remains there",
        tools::errno_text(spawned.error), job.other_nodes, job.other_nodes == 1 ? "" : "s"));
    return;
  }
  const auto status = await(spawned.pid, time_max);
  if (status == 0) {
    result.done.push_back(fmt::format("cleared {} other node{} of job {}", job.other_nodes,
                                      job.other_nodes == 1 ? "" : "s", job.id));
    return;
  }
  std::string said = read_text(fmt::format("/proc/self/fd/{}", output.get()));
  said.erase(said.find_last_not_of('\n') + 1);
  result.failures.push_back(
      fmt::format("the other nodes of job {} may not be clear: {}{}{}", job.id,
                  status.has_value() ? fmt::format("srun ended with status {}", *status)
                                     : fmt::format("srun did not end within {} s",
                                                   std::chrono::duration<double>(time_max).count()),
                  said.empty() ? "" : "\n", said));
}

}  // namespace benchfs::launcher
