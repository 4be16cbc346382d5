#include "support/cluster.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "launcher/launch_record.h"
#include "launcher/process.h"
#include "session/session_file.h"
#include "support/sanitizer_reports.h"

namespace benchfs::test {

std::string benchfs_program() {
  return BENCHFS_TOOL;
}

Variables transport_variables(const std::string& tls) {
  if (tls == "shm") {
    return {{"UCX_TLS", "posix,sysv,cma,self"}, {"UCX_NET_DEVICES", ""}};
  }
  if (tls == "tcp") {
    return {{"UCX_TLS", "tcp,self"}, {"UCX_NET_DEVICES", "lo"}};
  }
  return {};
}

bool is_running(pid_t pid) {
  return launcher::identify(pid).has_value();
}

bool kill_and_wait(pid_t pid, int signal) {
  const auto process = launcher::identify(pid);
  if (!process.has_value()) {
    return true;
  }
  const auto held = launcher::hold_all({*process});
  if (held.empty()) {
    return true;
  }
  held.front().signal(signal);
  return launcher::wait_for_end(held, std::chrono::steady_clock::now() + std::chrono::seconds(10));
}

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)),
      caretaker_({benchfs_program(), "down"}, variables(), place_.path().string()) {}

Cluster::~Cluster() {
  const CommandResult result = down();
  if (result.exit_status != 0) {
    std::fprintf(stderr, "benchfs down: %s%s\n", result.out.c_str(), result.err.c_str());
  }
  const std::string reports = sanitizer_reports(place_.path());
  if (!reports.empty()) {
    std::fprintf(stderr, "Findings in processes of the session:\n%s\n", reports.c_str());
    std::abort();
  }
}

CommandResult Cluster::up(const std::vector<std::string>& more_options) {
  std::vector<std::string> words = {"up", "--servers", std::to_string(options_.server_count),
                                    "--store", store_directory()};
  if (!options_.capacity.empty()) {
    words.insert(words.end(), {"--capacity", options_.capacity});
  }
  words.insert(words.end(), options_.up_options.begin(), options_.up_options.end());
  words.insert(words.end(), more_options.begin(), more_options.end());
  return benchfs(words);
}

CommandResult Cluster::down() {
  return benchfs({"down"});
}

CommandResult Cluster::benchfs(std::vector<std::string> words) const {
  words.insert(words.begin(), benchfs_program());
  return run_command(words, variables());
}

Variables Cluster::variables() const {
  Variables variables = transport_variables(options_.tls);
  variables.emplace_back("BENCHFS_SESSION", session_directory());
  for (const auto& variable : sanitizer_variables(place_.path())) {
    variables.push_back(variable);
  }
  return variables;
}

std::vector<pid_t> Cluster::server_pids() const {
  std::vector<pid_t> pids;
  const auto session = session::read_session(session_directory());
  if (session.has_value()) {
    for (const session::Server& server : session->servers) {
      pids.push_back(static_cast<pid_t>(server.pid));
    }
  }
  return pids;
}

pid_t Cluster::mpirun_pid() const {
  const auto record = launcher::read_record(session_directory());
  return record.has_value() ? record->mpirun.pid : 0;
}

std::vector<pid_t> Cluster::processes() const {
  std::vector<pid_t> pids;
  const auto record = launcher::read_record(session_directory());
  if (record.has_value()) {
    for (const launcher::ProcessId process :
         launcher::processes_with_variable(record->launch_variable())) {
      pids.push_back(process.pid);
    }
  }
  return pids;
}

}  // namespace benchfs::test
