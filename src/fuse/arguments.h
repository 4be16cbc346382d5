#pragma once

// The command line of `benchfs-fuse`, which `benchfs mount` writes.

#include <optional>
#include <string>
#include <vector>

namespace benchfs::fuse {

struct Arguments {
  std::string session;    ///< Empty: $BENCHFS_SESSION.
  std::string directory;  ///< Where to mount; absolute.
  bool foreground = false;
  bool allow_other = false;
  bool read_only = false;
  double cache_seconds = 0;
};

/// Nothing: what there is to say has been said (help, or what is wrong), and the program ends with
/// `exit_status`.
std::optional<Arguments> parse_arguments(const std::vector<std::string>& words, int& exit_status);

}  // namespace benchfs::fuse
