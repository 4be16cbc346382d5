#pragma once

// The commands that start, stop and use the servers of a session. Each returns the exit status of
// `benchfs` and has said what there is to say.
//
// Threading: the main thread.

#include <chrono>
#include <string>
#include <vector>

namespace benchfs::launcher {

/// What the commands take from their surroundings, read once by main.
struct Surroundings {
  std::string program;                   ///< Path of this executable.
  std::vector<std::string> environment;  ///< "NAME=value", as handed to what is started.

  /// Empty if it is not set.
  std::string variable(const std::string& name) const;
};

/// Where the session is if nobody says: $BENCHFS_SESSION, else $XDG_RUNTIME_DIR/benchfs, else
/// /tmp/benchfs-<uid>.
std::string default_session_directory(const Surroundings& surroundings);

/// Where stores go if nobody says: $BENCHFS_STORE, else benchfs-store-<uid> in $TMPDIR or /tmp.
std::string default_store_directory(const Surroundings& surroundings);

struct UpOptions {
  std::string session;
  std::string store;
  unsigned server_count = 0;  ///< 0: one per host named, per node of a Slurm allocation, or one.
  std::string hostfile;
  std::vector<std::string> hosts;
  std::vector<std::string> server_options;  ///< Handed to every benchfsd.
  std::string server_program;               ///< Empty: the benchfsd beside this program.
  std::string mpirun = "mpirun";
  std::chrono::milliseconds time_max{60'000};
  bool replace = false;      ///< Clears a stale session first, with its data.
  bool store_given = false;  ///< Else a session that goes on keeps its own.
};

/// Starts servers and returns when every one of them answers. A session whose servers are all gone
/// goes on with its stores. Leaves nothing new behind on a failure.
int up(const UpOptions& options, const Surroundings& surroundings);

struct DownOptions {
  std::string session;
  std::chrono::milliseconds patience{
      10'000};            ///< For an orderly stop, before processes are killed.
  bool force = false;     ///< Kill at once.
  bool keep = false;      ///< Leave the stores, for an `up` to go on with.
  bool here = false;      ///< Only what is on this node, and at once.
  std::string launch_id;  ///< With `here`: of the launch, where nothing on this node tells it.
  std::string report;     ///< Write what the servers have done to this file first; empty: do not.
  std::string store;      ///< Remove what stores are in this directory too; empty: only known ones.
};

/// Stops what runs and removes what is left of the session, whatever state it is in: on this node
/// and, inside a Slurm job, on the job's others. Idempotent.
int down(const DownOptions& options, const Surroundings& surroundings);

struct RestartOptions {
  std::string session;
  std::vector<unsigned> servers;  ///< Empty: all of this host that have died.
  std::string server_program;     ///< Empty: as of `up`.
  std::chrono::milliseconds time_max{60'000};
};

/// Starts servers of this host that have died again, on their stores, while the others live on.
int restart(const RestartOptions& options, const Surroundings& surroundings);

struct EndOptions {
  std::string variable;  ///< NAME=value.
  std::chrono::milliseconds time_max{10'000};
};

/// Kills all processes of this user, but this one, that have been started with this variable in
/// their environment; whatever they start meanwhile too. For the epilog of a Slurm job.
int end_marked(const EndOptions& options);

struct StatusOptions {
  std::string session;
  std::chrono::milliseconds time_max{2'000};
  bool json = false;
};

/// 0 only if every server answers.
int status(const StatusOptions& options);

struct TopOptions {
  std::string session;
  std::chrono::milliseconds interval{1'000};
  std::chrono::milliseconds time_max{2'000};  ///< For a server to answer.
  unsigned count = 0;                         ///< Intervals to show; 0: until it is told to quit.
  bool json = false;
};

/// Shows what the servers do, an interval after the other. With a count: 0 only if every server has
/// answered in the last one.
int top(const TopOptions& options);

struct ReportOptions {
  std::string session;
  std::chrono::milliseconds time_max{2'000};
  bool json = false;
};

/// What the servers have done since they started. 0 only if every server answers.
int report(const ReportOptions& options);

/// The same into a file, as JSON if its name ends with ".json". False, after a complaint, if there
/// is no session or it cannot be written; of servers that do not answer it says so and goes on.
bool write_report(const std::string& session, const std::string& file,
                  std::chrono::milliseconds time_max);

struct MountOptions {
  std::string session;
  std::string directory;  ///< Where.
  bool foreground = false;
  bool allow_other = false;  ///< Lets other users in.
  bool read_only = false;
  std::chrono::milliseconds cache{0};  ///< How old names and attributes may be.
};

/// Becomes the program of the mount, which returns when the mount is usable (or stays, in the
/// foreground); returns only if there is none. Clears what a dead one has left at the directory.
int mount(const MountOptions& options, const Surroundings& surroundings);

struct UnmountOptions {
  std::string session;  ///< Not used: the mount says whose it is.
  std::vector<std::string> directories;
  bool force = false;  ///< Also if somebody works in it.
};

/// Returns when the mounts, and the processes that served them, are gone.
int unmount(const UnmountOptions& options);

struct RunOptions {
  std::string session;
  std::vector<std::string> command;
};

/// Becomes the command; returns only if that fails: 127 if it is not found, 126 if it cannot be
/// run.
int run(const RunOptions& options, const Surroundings& surroundings);

}  // namespace benchfs::launcher
