#pragma once

// The entries of one directory that one server holds, in the order in which they are listed.
//
// Pure state: no I/O, no clock. Threading: loop thread only.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/ids.h"
#include "wire/attributes.h"

namespace benchfs::meta {

/// What a name stands for.
struct Entry {
  InodeId inode = kNoInode;
  wire::FileType type = wire::FileType::kFile;
  friend bool operator==(const Entry&, const Entry&) = default;
};

/// Some entries in the order of their hashes.
struct Page {
  struct Item {
    std::string name;
    Entry entry;
  };
  std::vector<Item> items;
  std::uint64_t next_cookie = 0;  ///< Where the next page begins, unless `at_end`.
  bool at_end = true;
};

class DirectoryShard {
 public:
  /// `hash` is placement::entry_hash of the name, in every function.
  std::optional<Entry> find(std::uint64_t hash, std::string_view name) const;

  /// Adds the entry, or lets it stand for something else; whether it is new.
  bool set(std::uint64_t hash, std::string_view name, Entry entry, std::uint64_t now_ns);
  /// Requires that the entry exists.
  void erase(std::uint64_t hash, std::string_view name, std::uint64_t now_ns);

  /// The entries whose hash is `cookie` or more: about `entries_max` (1 or more) of them, since
  /// names of one hash stay on one page. So a cookie holds whatever comes and goes between two
  /// pages: an entry that is there all the time is listed exactly once.
  Page list(std::uint64_t cookie, std::uint32_t entries_max) const;

  /// Calls `visit(hash, name, entry)`, which says whether to go on, for the entries from (`hash`,
  /// `name`) on in their order; that one included. Returns whether all went on.
  template <typename Visit>
  bool visit_from(std::uint64_t hash, std::string_view name, Visit visit) const {
    for (auto next = entries_.lower_bound(KeyView{.hash = hash, .name = name});
         next != entries_.end(); ++next) {
      if (!visit(next->first.hash, next->first.name, next->second)) {
        return false;
      }
    }
    return true;
  }
  /// Something changed here at that time.
  void raise_mtime(std::uint64_t mtime_ns) noexcept;

  bool empty() const noexcept { return entries_.empty(); }
  std::uint64_t entry_count() const noexcept { return entries_.size(); }
  std::uint64_t directory_count() const noexcept { return directory_count_; }
  /// When an entry was last added, changed or erased; 0 if never.
  std::uint64_t mtime_ns() const noexcept { return mtime_ns_; }

 private:
  struct Key {
    std::uint64_t hash;
    std::string name;
  };
  struct KeyView {
    std::uint64_t hash;
    std::string_view name;
  };
  struct Before {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const noexcept {
      return a.hash != b.hash ? a.hash < b.hash
                              : std::string_view(a.name) < std::string_view(b.name);
    }
  };

  absl::btree_map<Key, Entry, Before> entries_;
  std::uint64_t directory_count_ = 0;
  std::uint64_t mtime_ns_ = 0;
};

}  // namespace benchfs::meta
