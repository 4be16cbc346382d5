#pragma once

// A session of real servers for a test: brought up by `benchfs up`, in a directory of its own below
// the working directory, and gone with this object, however the test ends: also if it is killed.

#include <string>
#include <vector>

#include <sys/types.h>

#include "support/caretaker.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace benchfs::test {

struct ClusterOptions {
  unsigned server_count = 1;
  std::string capacity = "1G";  ///< Empty: the servers' default.
  std::string tls{};            ///< "shm" or "tcp"; empty: UCX chooses.
  std::vector<std::string> up_options{};
};

class Cluster {
 public:
  /// Starts nothing yet.
  explicit Cluster(ClusterOptions options);
  /// Takes the session down. Aborts if a sanitizer found something in a process of the session, as
  /// it would have done in this one.
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  CommandResult up(const std::vector<std::string>& more_options = {});
  CommandResult down();
  /// `benchfs WORDS…` in this session.
  CommandResult benchfs(std::vector<std::string> words) const;

  const TempDir& place() const noexcept { return place_; }
  std::string session_directory() const { return place_.file("session"); }
  std::string store_directory() const { return place_.file("store"); }
  /// What a program of the session has to have in its environment.
  Variables variables() const;

  /// By server number; 0 where there is none.
  std::vector<pid_t> server_pids() const;
  pid_t mpirun_pid() const;
  /// Processes of the launch: found by the id that they carry.
  std::vector<pid_t> processes() const;

 private:
  ClusterOptions options_;
  TempDir place_;
  Caretaker caretaker_;
};

/// Whether there is such a process; one that has ended and only waits to be reaped does not count.
bool is_running(pid_t pid);

/// Sends the signal (0: none) and waits until it has ended; false if it did not within 10 s.
bool kill_and_wait(pid_t pid, int signal);

/// Transports of UCX for "shm" and "tcp", as variables.
Variables transport_variables(const std::string& tls);

/// Path of the command under test.
std::string benchfs_program();

}  // namespace benchfs::test
