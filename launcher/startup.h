#pragma once

// What `up` and `restart` share: which program a server is, how to wait until it has published
// itself, and what to show if it does not.
//
// Threading: the main thread.

#include <functional>
#include <optional>
#include <string>

#include "launcher/commands.h"
#include "launcher/process.h"
#include "session/session_file.h"
#include "tools/descriptor.h"

namespace benchfs::launcher {

/// The benchfsd that was built or installed with this program; else the one in PATH.
std::string find_server_program(const Surroundings& surroundings);

/// The last lines of the servers' log in the session directory, indented, on standard error: why
/// they did not come up.
void show_log_tail(const std::string& session_directory);

/// Descriptors of what may happen while servers start.
class StartWatch {
 public:
  /// From now on SIGINT, SIGTERM and SIGHUP of this process come to this object. Says what it
  /// cannot watch.
  static std::optional<StartWatch> begin(const std::string& session_directory);

  enum class Outcome { kPublished, kEnded, kInterrupted, kTimedOut };

  /// Sleeps until a session is published there that is as `awaited`, or `process` has ended without
  /// that; nothing: it has ended already.
  Outcome wait(const std::function<bool(const session::Session&)>& awaited,
               const std::optional<HeldProcess>& process, Deadline deadline) const;

 private:
  StartWatch() = default;
  bool is_published(const std::function<bool(const session::Session&)>& awaited) const;

  std::string directory_;
  tools::Descriptor names_;    ///< inotify on the session directory.
  tools::Descriptor signals_;  ///< Blocked elsewhere.
};

}  // namespace benchfs::launcher
