#pragma once

// Names with attributes as people and as programs read them. Pure but for the user database and the
// clock's time zone.

#include <cstdint>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "tools/mount.h"

namespace benchfs::tools {

/// "-rw-r--r--", "drwxr-xr-x".
std::string mode_text(mode_t mode);

/// "regular file", "directory".
const char* kind_text(const struct stat& status);

std::string user_name(uid_t uid);  ///< The number if it has no name.
std::string group_name(gid_t gid);

/// "2026-11-22 18:30", in local time.
std::string time_text(const timespec& time);

/// "2026-11-22 18:30:05.123456789 +0000", in local time.
std::string exact_time_text(const timespec& time);

/// As `ls -l` shows sizes: bytes, or "1.5K" for people.
std::string size_text(std::uint64_t bytes, bool human);

/// A line of `ls` or `ls -l`.
struct Line {
  std::string name;    ///< With its mark, as it is shown.
  std::string target;  ///< Of a symbolic link.
  const struct stat* status;
};

struct LongOptions {
  bool human_sizes;
  bool numeric_ids;
  bool inodes;
};

/// Lines of `ls -l`.
std::string long_listing(const std::vector<Line>& lines, const LongOptions& options);

/// A name for a terminal: control bytes as '?'. Unchanged if `for_terminal` is false.
std::string shown_name(const std::string& name, bool for_terminal);

/// What `stat` says about one path.
std::string status_text(const std::string& path, const struct stat& status);

struct NamedDirectory {
  std::string path;
  std::vector<Entry> entries;
};

/// One array of objects with all attributes. Bytes of names that are no UTF-8 become U+FFFD.
std::string listing_json(const std::vector<NamedDirectory>& directories);
std::string status_json(const std::vector<Entry>& entries);

/// Space and inodes of a session, or of one of its servers.
struct Space {
  std::string name;  ///< "benchfs", or "server 2 (n3)".
  std::uint64_t capacity;
  std::uint64_t used;
  std::uint64_t available;
  std::uint64_t inodes;
  std::uint64_t inodes_free;
};
/// `servers` empty: they were not asked for.
std::string free_space_json(const std::string& session, const Space& space,
                            const std::vector<Space>& servers);

struct Usage {
  std::string path;
  std::uint64_t bytes;
};
std::string usage_json(const std::vector<Usage>& usages);

}  // namespace benchfs::tools
