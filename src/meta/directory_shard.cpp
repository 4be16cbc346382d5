#include "meta/directory_shard.h"

#include <algorithm>

#include "base/assert.h"

namespace benchfs::meta {

std::optional<Entry> DirectoryShard::find(std::uint64_t hash, std::string_view name) const {
  const auto found = entries_.find(KeyView{.hash = hash, .name = name});
  if (found == entries_.end()) {
    return std::nullopt;
  }
  return found->second;
}

bool DirectoryShard::set(std::uint64_t hash, std::string_view name, Entry entry,
                         std::uint64_t now_ns) {
  BENCHFS_ASSERT(entry.inode != kNoInode && !name.empty());
  // One way down the tree, whether the entry is new or not.
  const KeyView key{.hash = hash, .name = name};
  const auto found = entries_.lower_bound(key);
  const bool is_new = found == entries_.end() || Before()(key, found->first);
  if (is_new) {
    entries_.emplace_hint(found, Key{.hash = hash, .name = std::string(name)}, entry);
  } else {
    directory_count_ -= found->second.type == wire::FileType::kDirectory ? 1 : 0;
    found->second = entry;
  }
  directory_count_ += entry.type == wire::FileType::kDirectory ? 1 : 0;
  mtime_ns_ = std::max(mtime_ns_, now_ns);
  return is_new;
}

void DirectoryShard::erase(std::uint64_t hash, std::string_view name, std::uint64_t now_ns) {
  const auto found = entries_.find(KeyView{.hash = hash, .name = name});
  BENCHFS_ASSERT(found != entries_.end());
  directory_count_ -= found->second.type == wire::FileType::kDirectory ? 1 : 0;
  entries_.erase(found);
  mtime_ns_ = std::max(mtime_ns_, now_ns);
}

void DirectoryShard::raise_mtime(std::uint64_t mtime_ns) noexcept {
  mtime_ns_ = std::max(mtime_ns_, mtime_ns);
}

Page DirectoryShard::list(std::uint64_t cookie, std::uint32_t entries_max) const {
  BENCHFS_ASSERT(entries_max > 0);
  Page page;
  auto next = entries_.lower_bound(KeyView{.hash = cookie, .name = {}});
  std::uint64_t last_hash = 0;
  while (next != entries_.end() &&
         (page.items.size() < entries_max || next->first.hash == last_hash)) {
    last_hash = next->first.hash;
    page.items.push_back({.name = next->first.name, .entry = next->second});
    ++next;
  }
  page.at_end = next == entries_.end();
  // Not at the end there is a larger hash, so the sum does not wrap.
  page.next_cookie = page.at_end ? 0 : last_hash + 1;
  return page;
}

}  // namespace benchfs::meta
