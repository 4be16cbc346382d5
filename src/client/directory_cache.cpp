#include "client/directory_cache.h"

#include "base/assert.h"
#include "placement/placement.h"

namespace benchfs::client {

DirectoryCache::DirectoryCache(std::size_t entries_max, std::uint64_t lease_ns)
    : entries_max_(entries_max), lease_ns_(lease_ns) {
  BENCHFS_ASSERT(entries_max > 0);
}

std::size_t DirectoryCache::KeyHash::operator()(const Key& key) const noexcept {
  return placement::entry_hash(key.parent, key.name);
}

std::optional<InodeId> DirectoryCache::find(InodeId parent, const std::string& name,
                                            std::uint64_t now_ns) {
  const auto found = index_.find(Key{parent, name});
  if (found == index_.end()) {
    return std::nullopt;
  }
  const Entries::iterator entry = found->second;
  if (entry->expires_ns <= now_ns) {
    index_.erase(found);
    entries_.erase(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->directory;
}

void DirectoryCache::put(InodeId parent, const std::string& name, InodeId directory,
                         std::uint64_t now_ns) {
  forget(parent, name);
  if (entries_.size() == entries_max_) {
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front(
      Entry{.key = Key{parent, name}, .directory = directory, .expires_ns = now_ns + lease_ns_});
  index_.emplace(entries_.front().key, entries_.begin());
  BENCHFS_ASSERT(index_.size() == entries_.size());
}

void DirectoryCache::forget(InodeId parent, const std::string& name) {
  const auto found = index_.find(Key{parent, name});
  if (found != index_.end()) {
    entries_.erase(found->second);
    index_.erase(found);
  }
}

void DirectoryCache::clear() {
  index_.clear();
  entries_.clear();
}

}  // namespace benchfs::client
