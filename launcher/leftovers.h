#pragma once

// What killed servers leave behind on this host, found and removed: stores and shared memory. Only
// what is recognisably theirs and used by no process is touched.
//
// Threading: the main thread; calls block on the local file system.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace benchfs::launcher {

struct Removed {
  std::vector<std::string> things;  ///< What was removed, for the user to read.
  std::vector<std::string> kept;    ///< What was found and left, each with the reason.
};

/// Removes the store of one server: a directory of this user that holds nothing but the files of a
/// store, that no server has locked and that is of the session, if that is known. Quiet if it is
/// not there.
void remove_store(const std::string& directory, std::optional<std::uint64_t> session_id,
                  Removed& removed);

/// Nanoseconds since the Unix epoch when the file or directory came into being; 0 if the file
/// system does not know or there is none.
std::uint64_t born_at_ns(const std::string& path);

/// Removes shared memory of UCX and MPI under /dev/shm that is this user's, younger than `since_ns`
/// (since the Unix epoch) and mapped or open nowhere; and System V segments that one of `creators`
/// made since then and nobody is attached to.
void remove_shared_memory(std::uint64_t since_ns, const std::vector<pid_t>& creators,
                          Removed& removed);

}  // namespace benchfs::launcher
