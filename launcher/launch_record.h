#pragma once

// What `up` writes down about a launch, in the file `launcher` (0600) of the session directory, so
// that `down` finds everything again, whichever part has crashed since. Every process of the launch
// carries the launch id in its environment as BENCHFS_LAUNCH_ID, which is how it is found: never by
// its name.
//
// Format: one JSON object. Threading: any thread; calls block on the local file system.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "launcher/process.h"

namespace benchfs::launcher {

inline constexpr char kRecordFileName[] = "launcher";
inline constexpr char kLogFileName[] = "servers.log";
inline constexpr char kMpiDirectoryPrefix[] =
    "mpi.";                                         ///< With the launch id: for mpirun's own files.
inline constexpr std::size_t kLaunchIdDigits = 16;  ///< Hexadecimal.
inline constexpr char kLaunchIdVariable[] = "BENCHFS_LAUNCH_ID";

struct RecordedServer {
  std::string host;
  ProcessId process;  ///< start_ticks is 0 if the server runs on another host.
  std::string store_directory;

  bool operator==(const RecordedServer&) const = default;
};

struct LaunchRecord {
  std::string launch_id;
  std::string host;  ///< Where mpirun runs.
  std::string boot;  ///< boot_id() of that host: tells that its processes cannot live any more.
  std::uint64_t started_ns = 0;  ///< Since the Unix epoch, before anything was started.
  ProcessId mpirun;              ///< pid 0 until it has been started.
  std::string store;             ///< The option --store, made absolute.
  bool store_made = false;       ///< `up` made that directory.
  std::uint64_t server_count = 0;
  std::string server_program;
  std::vector<std::string> server_options;  ///< Of every server, besides session and store.
  std::vector<RecordedServer> servers;      ///< Known once the session is published.

  bool operator==(const LaunchRecord&) const = default;

  std::string launch_variable() const { return std::string(kLaunchIdVariable) + "=" + launch_id; }
};

/// The contents of the file, and back; pure. kCorrupt, or kUnsupported (of another version).
std::string encode_record(const LaunchRecord& record);
Result<LaunchRecord> decode_record(std::string_view text);

/// kNotFound (there is none), kAccess (another user's, or open to others), and those of
/// decode_record().
Result<LaunchRecord> read_record(const std::string& session_directory);

/// Replaces the record by atomic rename.
Status write_record(const std::string& session_directory, const LaunchRecord& record);

}  // namespace benchfs::launcher
