#pragma once

// The file commands of `benchfs`: what they are told, and their exit statuses, as coreutils has
// them. Each joins the session, does its work, and has complained of everything that failed.
//
// Threading: the main thread.

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace benchfs::tools {

enum class Format { kText, kJson };

struct ListOptions {
  std::vector<std::string> paths;  ///< None: the root.
  bool long_format = false;
  bool recursive = false;
  bool all = false;              ///< Also names that begin with a dot.
  bool directories_too = false;  ///< A directory itself, not what it holds.
  bool human_sizes = false;
  Format format = Format::kText;
};
int list(const std::string& session, const ListOptions& options);

struct StatOptions {
  std::vector<std::string> paths;
  Format format = Format::kText;
};
int show_status(const std::string& session, const StatOptions& options);

struct MakeDirectoryOptions {
  std::vector<std::string> paths;
  bool parents = false;  ///< Makes what is missing above; not an error if it is there.
  mode_t mode = 0777;    ///< Before the umask.
};
int make_directories(const std::string& session, const MakeDirectoryOptions& options);

struct RemoveOptions {
  std::vector<std::string> paths;
  bool recursive = false;
  bool force = false;  ///< What is not there is no error.
  bool verbose = false;
};
int remove(const std::string& session, const RemoveOptions& options);

int remove_directories(const std::string& session, const std::vector<std::string>& paths);

struct MoveOptions {
  std::vector<std::string> paths;  ///< Sources, then the destination.
  bool verbose = false;
};
int move(const std::string& session, const MoveOptions& options);

struct CopyOptions {
  std::vector<std::string> paths;  ///< Sources, then the destination.
  bool recursive = false;
  bool verbose = false;
  bool progress = false;           ///< Also when standard error is no terminal.
  std::uint64_t chunk_size = 0;    ///< Of files made in benchfs; 0: the session's default.
  std::uint32_t stripe_count = 0;  ///< Likewise.
};
int copy(const std::string& session, const CopyOptions& options);

int concatenate(const std::string& session, const std::vector<std::string>& paths);

struct FreeSpaceOptions {
  bool human_sizes = false;
  Format format = Format::kText;
};
int show_free_space(const std::string& session, const FreeSpaceOptions& options);

struct UsageOptions {
  std::vector<std::string> paths;  ///< None: the root.
  bool summarize = false;
  bool all = false;       ///< Files as well as directories.
  bool apparent = false;  ///< Sizes of files, not the space that they take.
  bool human_sizes = false;
};
int show_usage(const std::string& session, const UsageOptions& options);

struct TouchOptions {
  std::vector<std::string> paths;
  bool no_create = false;
};
int touch(const std::string& session, const TouchOptions& options);

struct TruncateOptions {
  std::vector<std::string> paths;
  std::uint64_t size = 0;
  bool no_create = false;
};
int truncate(const std::string& session, const TruncateOptions& options);

}  // namespace benchfs::tools
