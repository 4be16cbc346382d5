#pragma once

// The servers of a session, asked all at once and for a bounded time: which are up, and what they
// say.
//
// Threading: called from the main thread. Asking takes a thread per server; those that are still
// waiting for a server when the time is up are left behind, and then the caller has to end with
// leave_process().

#include <chrono>
#include <string>
#include <vector>

#include <benchfs/benchfs.h>

#include "launcher/launch_record.h"
#include "session/session_file.h"

namespace benchfs::launcher {

enum class ServerState {
  kUp,            ///< It answered.
  kDown,          ///< Its process is gone, or, on another host, nobody takes connections for it.
  kNotAnswering,  ///< Nothing was heard in time, or its process lives and takes no connection.
};

const char* name_of(ServerState state) noexcept;

struct ServerReport {
  ServerState state = ServerState::kNotAnswering;
  std::string trouble;             ///< Why, unless it is up.
  benchfs_server_status status{};  ///< What it said, if it is up.
};

enum class Question {
  kStatus,
  kShutdown,         ///< Asks it to stop; kUp then means that it agreed.
  kShutdownAndKeep,  ///< The same, and to leave its store.
};

struct Survey {
  std::vector<ServerReport> reports;  ///< Index: server.
  std::string trouble;                ///< Why the session could not be joined at all; else empty.
  bool threads_left = false;

  std::size_t count(ServerState state) const;
};

/// Asks every server that may be alive. One whose process is seen to be gone from this host is
/// kDown at once. `record` may be null: a session whose servers were started by mpirun without
/// `up`.
Survey ask_servers(const std::string& session_directory, const session::Session& session,
                   const LaunchRecord* record, Question question,
                   std::chrono::milliseconds time_max);

/// The process of server `index`, if it lives on this host.
std::optional<ProcessId> local_process(const session::Session& session, const LaunchRecord* record,
                                       std::size_t index);

/// Whether the server's process runs on this host, so that /proc can tell about it.
bool is_local(const session::Server& server);

/// Flushes what was said and ends the process without touching what threads left behind may use.
[[noreturn]] void leave_process(int exit_status);

}  // namespace benchfs::launcher
