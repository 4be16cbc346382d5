#pragma once

// Ids of directories that were looked up a moment ago, so that a path is not walked again for each
// of its files. What is in here may be out of date: a server that is asked about a directory which
// is no more, or knows that directories have moved, answers kStale, and the path is forgotten.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "base/units.h"

namespace benchfs::client {

inline constexpr std::size_t kCachedDirectoriesMax = 4096;
inline constexpr std::uint64_t kDirectoryLeaseNs = 5 * kNsPerSec;

class DirectoryCache {
 public:
  explicit DirectoryCache(std::size_t entries_max = kCachedDirectoriesMax,
                          std::uint64_t lease_ns = kDirectoryLeaseNs);

  /// The id of the directory `name` in `parent`, if it was put within the lease.
  std::optional<InodeId> find(InodeId parent, const std::string& name, std::uint64_t now_ns);

  /// Remembers, in place of the least recently used if there is no room.
  void put(InodeId parent, const std::string& name, InodeId directory, std::uint64_t now_ns);

  void forget(InodeId parent, const std::string& name);
  void clear();

  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Key {
    InodeId parent;
    std::string name;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Entry {
    Key key;
    InodeId directory;
    std::uint64_t expires_ns;
  };
  using Entries = std::list<Entry>;

  const std::size_t entries_max_;
  const std::uint64_t lease_ns_;
  Entries entries_;  ///< The most recently used first.
  std::unordered_map<Key, Entries::iterator, KeyHash> index_;
};

}  // namespace benchfs::client
