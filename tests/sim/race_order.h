#pragma once

// Whether what was told about names for which all clients raced is what some order of the calls
// tells. A call finds its way one name after the other, as walks do, and then happens at one
// moment; none stands before one that had ended when it began.
//
// Pure.

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace benchfs::sim {

/// One of two names, and so many folders below it; each name in those is the same.
struct RacePath {
  int top = 0;  ///< 0 or 1.
  int depth = 0;
  friend auto operator<=>(const RacePath&, const RacePath&) = default;
};

struct RaceCall {
  enum class Kind { kCreate, kUnlink, kMkdir, kRmdir, kStat, kRename, kSymlink };
  enum class Type { kNone, kFile, kDirectory, kLink };
  Kind kind = Kind::kStat;
  RacePath path{};
  RacePath to{};  ///< kRename: its new name; kSymlink: what it says, of depth 0.
  /// Its way may have been found since then, by names that it or a server remembered.
  std::uint64_t walked_from_ns = 0;
  std::uint64_t began_ns = 0;
  std::uint64_t ended_ns = UINT64_MAX;  ///< kNever: it failed, and may happen at any time, or not.
  bool done = false;
  Errc error{};             ///< If it is not done.
  std::uint64_t inode = 0;  ///< What a create made or a stat saw.
  Type type = Type::kNone;  ///< What a stat saw.

  bool certain() const noexcept { return ended_ns != UINT64_MAX; }
};

/// Whether some order explains all of `calls`, from names that are not there; also if there are too
/// many orders to tell.
bool has_order(const std::vector<RaceCall>& calls);

}  // namespace benchfs::sim
