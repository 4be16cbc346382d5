#pragma once

// The way along a path: from directory to directory, with the help of a cache, and through symbolic
// links.
//
// ".." leads back to the directory that the way came from: there is one name for every directory.
// What is cached may be out of date: a server that is asked about a directory which is no more, or
// that knows of directories which have moved since the way was begun, answers kStale, and then the
// way is forgotten and begun anew. Links are not cached.
//
// Threading: loop thread only. Coroutines borrow the Walker, the Walk and `context` until they end.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client/directory_cache.h"
#include "client/errno_map.h"
#include "client/path.h"
#include "client/servers.h"
#include "coro/task.h"
#include "wire/messages.h"

namespace benchfs::client {

/// Symbolic links that one path may lead through, as in Linux.
inline constexpr int kLinksFollowedMax = 40;

/// How far one walk has come.
class Walk {
 public:
  InodeId directory() const noexcept { return trail_.empty() ? kRootInode : trail_.back(); }
  /// The last name of the path, in directory(); empty if the path means directory() itself.
  const std::string& name() const noexcept { return name_; }
  wire::EntryKey key() const { return {.parent = directory(), .name = name_}; }
  /// For requests that name directory(): how many moves of directories it has seen.
  std::uint64_t moves() const noexcept { return moves_; }
  /// Whether what it leads to is written with a slash, or dots, at the end.
  bool must_be_directory() const noexcept { return must_be_directory_; }

 private:
  friend class Walker;
  Walk(const Path& path, std::uint64_t moves);
  void go_on(const Path& path);

  std::vector<InodeId> trail_;        ///< Directories from below the root to where it stands.
  std::vector<std::string> pending_;  ///< Components to come, the next at the back.
  std::string name_;
  const std::uint64_t moves_;
  bool must_be_directory_ = false;
  int links_followed_ = 0;
  std::vector<std::pair<InodeId, std::string>> used_;  ///< What it relied on: names of directories.
};

class Walker {
 public:
  /// Borrows `servers`.
  explicit Walker(Servers& servers) noexcept : servers_(servers) {}
  Walker(const Walker&) = delete;
  Walker& operator=(const Walker&) = delete;

  /// A way that stands in the root.
  Walk begin(const Path& path) const { return Walk(path, moves_); }
  /// Goes on until only the last name is left, or nothing. kNotFound, kNotDirectory, kSymlinkLoop,
  /// kNameTooLong, kStale.
  coro::Task<Status> advance(Context& context, Walk& walk);
  /// name() is this link: goes on where it says; advance() then.
  coro::Task<Status> follow(Context& context, Walk& walk, InodeId link);

  /// Something on the way was out of date, as the server that `context` names has said. Whether
  /// directories have moved since the way was begun.
  coro::Task<bool> forget(Context& context, const Walk& walk);
  void forget(const wire::EntryKey& key) { directories_.forget(key.parent, key.name); }

 private:
  std::optional<InodeId> cached(InodeId parent, const std::string& name);

  Servers& servers_;
  DirectoryCache directories_;
  std::uint64_t restarts_ = 0;  ///< Servers::restart_count() when something was put last.
  std::uint64_t moves_ = 0;     ///< How often directories have moved, as far as was heard.
};

}  // namespace benchfs::client
