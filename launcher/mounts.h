#pragma once

// FUSE mounts of sessions on this host, found by what the kernel says of them, so that they are
// found again whatever became of the process that serves them.
//
// Threading: the main thread; calls block on the mount, which may take a server's time-out.

#include <string>
#include <vector>

namespace benchfs::launcher {

/// In the environment of a mount's process: whose it is. Set by `benchfs mount`.
inline constexpr char kFuseSessionVariable[] = "BENCHFS_FUSE_SESSION";
inline constexpr char kFuseDirectoryVariable[] = "BENCHFS_FUSE_DIRECTORY";

struct FuseMount {
  std::string directory;
  std::string session;  ///< Its directory, as absolute_session() has it.

  bool operator==(const FuseMount&) const = default;
};

/// The mounts that a text like /proc/self/mountinfo tells of, in its order. Pure.
std::vector<FuseMount> parse_mounts(const std::string& mountinfo);

/// Those of this process's mount namespace.
std::vector<FuseMount> find_mounts();

/// How a session's directory is written in the kernel's table, so that it is compared.
std::string absolute_session(const std::string& directory);

/// The mount point that the user means, also if what serves it is dead: then it cannot be looked
/// at.
std::string absolute_mount_point(const std::string& directory);

enum class Busy {
  kRefuse,  ///< A mount that somebody works in stays.
  kDetach,  ///< It is taken out of the tree, and ends for those that are in it.
};

/// Takes the mount away and ends the process that serves it. Empty if that has been done, else a
/// sentence.
std::string take_away(const FuseMount& mount, Busy busy);

/// What was done to all mounts of a session, a line each, and what could not be.
struct MountsTakenAway {
  std::vector<std::string> done;
  std::vector<std::string> failures;
};
MountsTakenAway take_away_mounts_of(const std::string& session_directory);

}  // namespace benchfs::launcher
