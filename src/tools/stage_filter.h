#pragma once

// Which names stage-in and stage-out take: --include and --exclude.
//
// Pure.

#include <string>
#include <vector>

namespace benchfs::tools {

/// A pattern is a shell's (fnmatch(3)). With a '/' in it, not at its end, it is matched with the
/// path below the source, where '*' matches no '/'; without, with the name alone. One that ends in
/// '/' matches directories only.
bool matches_stage_pattern(const std::string& pattern, const std::string& relative,
                           bool is_directory);

struct StageFilter {
  std::vector<std::string> include;  ///< None: everything. Directories are entered in any case.
  std::vector<std::string> exclude;  ///< Wins over include. A directory goes with all it holds.

  /// `relative` is the path below the source: "a/b".
  bool admits(const std::string& relative, bool is_directory) const;
};

}  // namespace benchfs::tools
