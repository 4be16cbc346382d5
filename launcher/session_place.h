#pragma once

// The session directory as the launcher finds it, held against other `up` and `down` while one is
// at work.
//
// Threading: the main thread.

#include <optional>
#include <string>
#include <vector>

#include "launcher/launch_record.h"
#include "session/session_file.h"
#include "tools/descriptor.h"

namespace benchfs::launcher {

/// What is known of a session before its servers are asked.
struct SessionPlace {
  std::string directory;
  std::optional<session::Session> session;
  std::string session_trouble;  ///< Why a session file that is there cannot be used.
  std::optional<LaunchRecord> record;
  std::string record_trouble;  ///< Likewise for the record.
  /// Of launches whose mpirun has put files here. On other nodes than that of `up` they are all
  /// that is known of a launch whose servers are gone.
  std::vector<std::string> launch_ids;

  bool is_empty() const {
    return !session && !record && session_trouble.empty() && record_trouble.empty() &&
           launch_ids.empty();
  }
  /// Null if there is none.
  const LaunchRecord* record_or_null() const { return record ? &*record : nullptr; }
};

/// Reads both files. What cannot be read is reported in the trouble texts.
SessionPlace inspect(const std::string& directory);

/// Processes of this host that belong to the session: those of the launch, and servers that mpirun
/// started without `up`. mpirun, if it is one of them, comes first.
std::vector<ProcessId> living_processes(const SessionPlace& place);

/// Keeps other `up` and `down` out for as long as it lives, also if this process is killed.
class PlaceLock {
 public:
  enum class Outcome { kHeld, kTaken, kFailed };

  /// kTaken: another one is at work. kFailed: errno says why.
  Outcome take(const std::string& directory);

 private:
  tools::Descriptor directory_;
};

/// Names in the session directory that are neither the launcher's nor a server's.
std::vector<std::string> strangers_in(const std::string& directory);

/// Removes the directories of mpirun's own files from the session directory.
void remove_mpi_files(const std::string& directory);

/// Removes every file that the launcher or a server has put into the session directory, and the
/// directory itself if that empties it. Returns names that are left in it.
std::vector<std::string> remove_session_files(const std::string& directory);

}  // namespace benchfs::launcher
