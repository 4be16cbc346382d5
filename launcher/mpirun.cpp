#include "launcher/mpirun.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "base/limits.h"
#include "base/parse.h"
#include "launcher/slurm_job.h"

namespace benchfs::launcher {
namespace {

std::string_view name_of_variable(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

bool begins_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// What servers on other nodes have to be told as well; mpirun hands only its own variables on.
bool is_for_servers(std::string_view name) {
  return begins_with(name, "UCX_") || begins_with(name, "BENCHFS_") || name == "LD_LIBRARY_PATH" ||
         begins_with(name, "ASAN_OPTIONS") || begins_with(name, "UBSAN_OPTIONS");
}

/// What tells an MPI process who it is: `up` may be called from one, but starts a job of its own.
bool is_of_another_job(std::string_view name) {
  return begins_with(name, "OMPI_COMM_WORLD_") || begins_with(name, "OMPI_UNIVERSE_") ||
         begins_with(name, "OMPI_MCA_orte_") || begins_with(name, "OMPI_MCA_ess") ||
         begins_with(name, "PMIX_RANK") || begins_with(name, "PMIX_NAMESPACE") ||
         begins_with(name, "PMIX_SERVER_");
}

}  // namespace

MpirunPlan plan_mpirun(const MpirunInput& input) {
  const UpOptions& options = *input.options;
  MpirunPlan plan;
  bool has_pml = false;
  bool has_btl = false;
  std::vector<std::string> forwarded;
  for (const std::string& variable : with_slurm_step(input.surroundings->environment)) {
    const std::string_view name = name_of_variable(variable);
    // The list of variables to forward cannot be mixed with -x, which is used below.
    if (is_of_another_job(name) || name == "OMPI_MCA_mca_base_env_list" ||
        name == name_of_variable(input.launch_variable)) {
      continue;
    }
    has_pml = has_pml || name == "OMPI_MCA_pml";
    has_btl = has_btl || name == "OMPI_MCA_btl";
    plan.environment.push_back(variable);
    if (is_for_servers(name)) {
      forwarded.emplace_back(name);
    }
  }
  plan.environment.push_back(input.launch_variable);
  forwarded.emplace_back(name_of_variable(input.launch_variable));

  plan.argv = {options.mpirun};
  const auto add = [&plan](std::initializer_list<std::string> words) {
    plan.argv.insert(plan.argv.end(), words);
  };
  if (input.as_root) {
    add({"--allow-run-as-root"});
  }
  // One thread per server, which the kernel may put where the application leaves room.
  add({"--oversubscribe", "--bind-to", "none", "--map-by", "node"});
  // MPI carries a few addresses at start-up. Sockets do, and leave no shared memory behind when
  // killed.
  if (!has_pml) {
    add({"--mca", "pml", "ob1"});
  }
  if (!has_btl) {
    add({"--mca", "btl", "self,tcp"});
  }
  const bool temporary = std::find(options.server_options.begin(), options.server_options.end(),
                                   "--temporary") != options.server_options.end();
  // Else mpirun's own place, which it clears on every node: nobody may be left to remove ours
  // there.
  if (!temporary) {
    add({"--mca", "orte_tmpdir_base", input.mpi_directory});
  }
  if (input.several_hosts) {
    // A host that is lost costs its own servers; the others have met, and need MPI no more. That a
    // host is cut off without a word is noticed, on both sides, by probes: idle time, then between
    // two of them, then how many. A server that has lost mpirun ends.
    add({"--enable-recovery", "--mca", "oob_tcp_keepalive_time", "60"});
    add({"--mca", "oob_tcp_keepalive_intvl", "20", "--mca", "oob_tcp_keepalive_probes", "12"});
  }
  if (!options.hostfile.empty()) {
    add({"--hostfile", options.hostfile});
  }
  if (!options.hosts.empty()) {
    std::string list;
    for (const std::string& host : options.hosts) {
      list += (list.empty() ? "" : ",") + host;
    }
    add({"--host", list});
  }
  for (const std::string& name : forwarded) {
    add({"-x", name});
  }
  add({"-n", std::to_string(input.server_count), input.server_program});
  add({"--session", options.session, "--store", options.store});
  if (input.makes_store) {
    add({"--make-store"});
  }
  plan.argv.insert(plan.argv.end(), options.server_options.begin(), options.server_options.end());
  return plan;
}

std::vector<std::string> hosts_of_hostfile(const std::string& text) {
  std::vector<std::string> hosts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string host;
    if (words >> host && std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
      hosts.push_back(host);
    }
  }
  return hosts;
}

unsigned default_server_count(const UpOptions& options, const std::vector<std::string>& hosts,
                              const Surroundings& surroundings) {
  if (options.server_count > 0) {
    return options.server_count;
  }
  if (!hosts.empty()) {
    return static_cast<unsigned>(hosts.size());
  }
  const auto nodes = parse_count(surroundings.variable("SLURM_JOB_NUM_NODES"));
  return nodes.has_value() && *nodes >= 1 && *nodes <= kServerCountMax
             ? static_cast<unsigned>(*nodes)
             : 1U;
}

}  // namespace benchfs::launcher
