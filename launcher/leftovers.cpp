#include "launcher/leftovers.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "launcher/process.h"
#include "tools/console.h"
#include "tools/descriptor.h"

namespace benchfs::launcher {
namespace {

constexpr char kSharedMemoryDirectory[] = "/dev/shm";

/// How UCX (mm/posix) and Open MPI (btl/vader, btl/sm) name their segments.
constexpr std::array<std::string_view, 3> kSegmentPrefixes = {"ucx_shm_posix_", "vader_segment.",
                                                              "sm_segment."};

/// What a server puts into its store directory, and how its superblock begins; see
/// src/store/README.md.
constexpr std::array<std::string_view, 3> kStoreFiles = {"superblock.new", "data", "superblock"};
constexpr std::string_view kSuperblockMagic = "BENCHFS\x1a";
constexpr std::size_t kSessionIdOffset = 16;

void for_each_name(const std::string& directory,
                   const std::function<void(const std::string&)>& visit) {
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) {
    return;
  }
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      visit(name);
    }
  }
  ::closedir(stream);
}

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

/// Paths that any process which this user may look into has open or mapped and that begin with
/// `prefix`.
std::vector<std::string> paths_in_use(const std::string& prefix) {
  std::vector<std::string> used;
  for_each_name("/proc", [&](const std::string& pid) {
    if (pid.find_first_not_of("0123456789") != std::string::npos) {
      return;
    }
    const std::string descriptors = "/proc/" + pid + "/fd";
    for_each_name(descriptors, [&](const std::string& fd) {
      const std::string target = link_target(descriptors + "/" + fd);
      if (target.compare(0, prefix.size(), prefix) == 0) {
        used.push_back(target);
      }
    });
    std::istringstream maps(read_text("/proc/" + pid + "/maps"));
    for (std::string line; std::getline(maps, line);) {
      const std::size_t at = line.find(" " + prefix);
      if (at != std::string::npos) {
        used.push_back(line.substr(at + 1));
      }
    }
  });
  return used;
}

bool is_segment_name(const std::string& name) {
  return std::any_of(
      kSegmentPrefixes.begin(), kSegmentPrefixes.end(),
      [&name](std::string_view prefix) { return name.compare(0, prefix.size(), prefix) == 0; });
}

void remove_posix_segments(std::uint64_t since_ns, Removed& removed) {
  std::vector<std::string> candidates;
  for_each_name(kSharedMemoryDirectory, [&](const std::string& name) {
    const std::string path = std::string(kSharedMemoryDirectory) + "/" + name;
    struct stat status {};
    if (is_segment_name(name) && ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_uid == ::geteuid() && born_at_ns(path) >= since_ns) {
      candidates.push_back(path);
    }
  });
  if (candidates.empty()) {
    return;
  }
  const auto used = paths_in_use(std::string(kSharedMemoryDirectory) + "/");
  for (const std::string& path : candidates) {
    if (std::find(used.begin(), used.end(), path) == used.end() && ::unlink(path.c_str()) == 0) {
      removed.things.push_back("shared memory " + path);
    }
  }
}

void remove_sysv_segments(std::uint64_t since_ns, const std::vector<pid_t>& creators,
                          Removed& removed) {
  std::istringstream table(read_text("/proc/sysvipc/shm"));
  std::string line;
  std::getline(table, line);  // Its first line names the columns.
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::int64_t key = 0;
    int id = -1;
    std::string mode;
    std::uint64_t size = 0;
    pid_t creator = 0;
    pid_t last = 0;
    std::uint64_t attached = 0;
    uid_t owner = 0;
    std::array<std::uint64_t, 3> other_ids{};  // Group; creator's user and group.
    std::array<std::uint64_t, 3> times_sec{};  // Last attached, last detached, made or changed.
    if (!(fields >> key >> id >> mode >> size >> creator >> last >> attached >> owner >>
          other_ids[0] >> other_ids[1] >> other_ids[2] >> times_sec[0] >> times_sec[1] >>
          times_sec[2])) {
      continue;
    }
    // What is older was made by somebody who had the pid before.
    const bool is_theirs = std::find(creators.begin(), creators.end(), creator) != creators.end() &&
                           times_sec[2] >= since_ns / kNsPerSec;
    if (is_theirs && attached == 0 && owner == ::geteuid() && !identify(creator).has_value() &&
        ::shmctl(id, IPC_RMID, nullptr) == 0) {
      removed.things.push_back(fmt::format("System V shared memory {}", id));
    }
  }
}

/// The session id of a superblock; nothing if the file is none.
std::optional<std::uint64_t> session_of_superblock(const std::string& path) {
  const std::string bytes = read_text(path);
  if (bytes.compare(0, kSuperblockMagic.size(), kSuperblockMagic) != 0 ||
      bytes.size() < kSessionIdOffset + sizeof(std::uint64_t)) {
    return std::nullopt;
  }
  std::uint64_t id = 0;
  for (std::size_t i = sizeof id; i-- > 0;) {
    id = id << 8U | static_cast<unsigned char>(bytes[kSessionIdOffset + i]);
  }
  return id;
}

/// Why the directory must not be removed; empty if it is a store, or what is left of the making of
/// one.
std::string why_not_a_store(const std::string& directory, std::optional<std::uint64_t> session_id) {
  std::string objection;
  bool has_data = false;
  for_each_name(directory, [&](const std::string& name) {
    struct stat file {};
    if (std::find(kStoreFiles.begin(), kStoreFiles.end(), name) == kStoreFiles.end() ||
        ::lstat((directory + "/" + name).c_str(), &file) != 0 || !S_ISREG(file.st_mode)) {
      objection = "holds " + tools::in_quotes(name) + ", which is no file of a store";
    }
    has_data = has_data || name == "data";
  });
  if (!objection.empty()) {
    return objection;
  }
  auto owner = session_of_superblock(directory + "/superblock");
  if (!owner.has_value()) {
    owner = session_of_superblock(directory + "/superblock.new");
  }
  if (has_data && !owner.has_value()) {
    return "has no superblock, so its data may be another's";
  }
  if (owner.has_value() && session_id.has_value() && owner != session_id) {
    return "belongs to another session";
  }
  return "";
}

}  // namespace

std::uint64_t born_at_ns(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &status) != 0 ||
      (status.stx_mask & STATX_BTIME) == 0) {
    return 0;
  }
  return static_cast<std::uint64_t>(status.stx_btime.tv_sec) * kNsPerSec + status.stx_btime.tv_nsec;
}

void remove_store(const std::string& directory, std::optional<std::uint64_t> session_id,
                  Removed& removed) {
  const tools::Descriptor held(
      ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!held.valid() || ::fstat(held.get(), &status) != 0) {
    if (errno != ENOENT) {
      removed.kept.push_back(directory + ": " + tools::errno_text(errno));
    }
    return;
  }
  if (status.st_uid != ::geteuid()) {
    removed.kept.push_back(directory + ": is not yours");
    return;
  }
  // The lock that a server has on its store for as long as it lives.
  if (::flock(held.get(), LOCK_EX | LOCK_NB) != 0) {
    removed.kept.push_back(directory + ": a server is using it");
    return;
  }
  const std::string objection = why_not_a_store(directory, session_id);
  if (!objection.empty()) {
    removed.kept.push_back(directory + ": " + objection);
    return;
  }
  for (const std::string_view name : kStoreFiles) {
    ::unlinkat(held.get(), std::string(name).c_str(), 0);
  }
  if (::rmdir(directory.c_str()) == 0) {
    removed.things.push_back("store " + directory);
  } else {
    removed.kept.push_back(directory + ": " + tools::errno_text(errno));
  }
}

void remove_shared_memory(std::uint64_t since_ns, const std::vector<pid_t>& creators,
                          Removed& removed) {
  remove_posix_segments(since_ns, removed);
  remove_sysv_segments(since_ns, creators, removed);
}

}  // namespace benchfs::launcher
