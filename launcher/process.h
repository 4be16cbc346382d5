#pragma once

// Processes of this host, told apart for certain: a pid alone may have been given to another
// process meanwhile, a pid with its start time since boot not.
//
// Threading: any thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "tools/descriptor.h"

namespace benchfs::launcher {

using Deadline = std::chrono::steady_clock::time_point;

/// Milliseconds until `deadline` for poll(2): 0 if it has passed, rounded up otherwise.
int poll_timeout_ms(Deadline deadline) noexcept;

struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< Field 22 of /proc/PID/stat: clock ticks since boot.

  bool operator==(const ProcessId&) const = default;
};

/// Nothing if there is no such process, or if only its exit status is left (a zombie).
std::optional<ProcessId> identify(pid_t pid);

inline bool is_alive(ProcessId process) {
  return identify(process.pid) == process;
}

/// When the process started, in nanoseconds since the Unix epoch; exact to the 10 ms of a tick.
std::uint64_t started_at_ns(ProcessId process);

/// Effective owner of a process; nothing if it is gone.
std::optional<uid_t> owner_of(pid_t pid);

/// Tells one boot of the machine from the next; empty if the kernel does not say.
std::string boot_id();

std::string host_name();

/// Processes of this user whose environment, as it was at exec, has `variable` ("NAME=value"). The
/// calling process is never among them.
std::vector<ProcessId> processes_with_variable(const std::string& variable);

/// A process held fast: the signal cannot hit another one, whatever happens to the pid.
class HeldProcess {
 public:
  /// Nothing if the process is gone.
  static std::optional<HeldProcess> hold(ProcessId process);

  ProcessId id() const noexcept { return id_; }
  int poll_fd() const noexcept { return fd_.get(); }  ///< Readable once the process has ended.
  void signal(int number) const noexcept;

 private:
  HeldProcess(ProcessId id, tools::Descriptor fd) noexcept : id_(id), fd_(std::move(fd)) {}

  ProcessId id_;
  tools::Descriptor fd_;
};

std::vector<HeldProcess> hold_all(const std::vector<ProcessId>& processes);

/// Waits until all have ended; false if some are left at `deadline`.
bool wait_for_end(const std::vector<HeldProcess>& processes, Deadline deadline);

/// The programs that a session's servers run in share nothing with the caller but what is said
/// here.
struct SpawnRequest {
  std::vector<std::string> argv;  ///< argv[0] is looked up in PATH if it has no '/'.
  std::vector<std::string> environment;
  int output_fd = -1;  ///< Standard output and error; standard input is /dev/null.
};

struct Spawned {
  pid_t pid = 0;
  int error = 0;  ///< errno if it could not be started, and then pid is 0.
};

/// Starts a program in a new session (setsid), with default signal dispositions and no other
/// descriptors.
Spawned spawn_detached(const SpawnRequest& request);

/// Whole contents of a small file, such as those of /proc; empty if it cannot be read.
std::string read_text(const std::string& path);

}  // namespace benchfs::launcher
