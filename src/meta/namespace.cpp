#include "meta/namespace.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "placement/placement.h"

namespace benchfs::meta {
namespace {

std::uint64_t hash_of(const wire::EntryKey& key) noexcept {
  return placement::entry_hash(key.parent, key.name);
}

}  // namespace

Namespace::Namespace(const NamespaceOptions& options, ChangeLog* log)
    : self_(options.self),
      server_count_(options.server_count),
      next_inode_(to_integer(kRootInode) + 1),
      log_(log) {
  BENCHFS_ASSERT(to_integer(self_) < server_count_ && server_count_ <= kServerCountMax);
  if (is_home_of(kRootInode)) {
    directories_.emplace(kRootInode, Directory{.atime_ns = options.now_ns,
                                               .mtime_ns = options.now_ns,
                                               .mtime_set_at_ns = options.now_ns,
                                               .ctime_ns = options.now_ns,
                                               .mode = kRootMode,
                                               .uid = options.root_uid,
                                               .gid = options.root_gid,
                                               .parent = kRootInode,
                                               .holders = {}});
  }
}

InodeId Namespace::new_inode_id() {
  BENCHFS_ASSERT(next_inode_ <= kInodeCounterMax);
  return make_inode_id(self_, next_inode_++);
}

DirectoryShard& Namespace::shard(InodeId directory) {
  const auto found = shards_.find(directory);
  BENCHFS_ASSERT(found != shards_.end());
  return found->second;
}

std::optional<Entry> Namespace::find_entry(const wire::EntryKey& key) const {
  const auto found = shards_.find(key.parent);
  if (found == shards_.end()) {
    return std::nullopt;
  }
  return found->second.find(hash_of(key), key.name);
}

Page Namespace::list(InodeId directory, std::uint64_t cookie, std::uint32_t entries_max) const {
  const auto found = shards_.find(directory);
  return found == shards_.end() ? Page{} : found->second.list(cookie, entries_max);
}

DirectoryUsage Namespace::usage(InodeId directory) const {
  const auto found = shards_.find(directory);
  if (found == shards_.end()) {
    return {};
  }
  return {.entry_count = found->second.entry_count(),
          .directory_count = found->second.directory_count(),
          .mtime_ns = found->second.mtime_ns()};
}

void Namespace::attach(InodeId directory) {
  BENCHFS_ASSERT(directory != kNoInode);
  const bool is_new = shards_.try_emplace(directory).second;
  BENCHFS_ASSERT(is_new);
  tell(AttachedRow{.directory = directory});
}

void Namespace::detach(InodeId directory) {
  BENCHFS_ASSERT(shard(directory).empty());
  shards_.erase(directory);
  tell(DetachedRow{.directory = directory});
}

InodeId Namespace::create_file(const wire::EntryKey& key, const NewInode& inode,
                               const wire::Layout& layout, std::uint64_t now_ns) {
  BENCHFS_ASSERT(layout.chunk_bytes > 0 && layout.chunk_bytes <= wire::kChunkBytesMax);
  BENCHFS_ASSERT(layout.stripe_count > 0 && layout.stripe_count <= server_count_);
  const InodeId id = new_inode_id();
  // Ids ascend, so that it is the last one.
  const File& made = files_
                         .emplace_hint(files_.end(), id,
                                       File{.atime_ns = now_ns,
                                            .mtime_ns = now_ns,
                                            .ctime_ns = now_ns,
                                            .chunk_bytes = layout.chunk_bytes,
                                            .stripe_count = layout.stripe_count,
                                            .uid = inode.uid,
                                            .gid = inode.gid,
                                            .mode = static_cast<std::uint16_t>(inode.mode)})
                         ->second;
  tell_file(id, made);
  const bool is_new = set_entry(key, {.inode = id, .type = wire::FileType::kFile}, now_ns);
  BENCHFS_ASSERT(is_new);
  return id;
}

InodeId Namespace::create_directory(const wire::EntryKey& key, const NewInode& inode,
                                    std::uint64_t now_ns) {
  const InodeId id = new_inode_id();
  directories_.emplace(id, Directory{.atime_ns = now_ns,
                                     .mtime_ns = now_ns,
                                     .mtime_set_at_ns = now_ns,
                                     .ctime_ns = now_ns,
                                     .mode = inode.mode,
                                     .uid = inode.uid,
                                     .gid = inode.gid,
                                     .parent = key.parent,
                                     .holders = {}});
  tell_directory(id);
  const bool is_new = set_entry(key, {.inode = id, .type = wire::FileType::kDirectory}, now_ns);
  BENCHFS_ASSERT(is_new);
  return id;
}

InodeId Namespace::create_link(const wire::EntryKey& key, const NewInode& inode, std::string target,
                               std::uint64_t now_ns) {
  BENCHFS_ASSERT(!target.empty() && target.size() <= wire::kLinkTargetBytesMax);
  const InodeId id = new_inode_id();
  target_bytes_ += target.size();
  const Link& made = links_
                         .emplace(id, Link{.atime_ns = now_ns,
                                           .mtime_ns = now_ns,
                                           .ctime_ns = now_ns,
                                           .uid = inode.uid,
                                           .gid = inode.gid,
                                           .target = std::move(target)})
                         .first->second;
  tell(row_of(id, made));
  const bool is_new = set_entry(key, {.inode = id, .type = wire::FileType::kSymlink}, now_ns);
  BENCHFS_ASSERT(is_new);
  return id;
}

bool Namespace::set_entry(const wire::EntryKey& key, Entry entry, std::uint64_t now_ns) {
  DirectoryShard& changed = shard(key.parent);
  const bool is_new = changed.set(hash_of(key), key.name, entry, now_ns);
  if (is_new) {
    ++entry_count_;
    name_bytes_ += key.name.size();
  }
  tell(EntryRow{
      .key = key, .inode = entry.inode, .type = entry.type, .mtime_ns = changed.mtime_ns()});
  return is_new;
}

void Namespace::erase_entry(const wire::EntryKey& key, std::uint64_t now_ns) {
  DirectoryShard& changed = shard(key.parent);
  changed.erase(hash_of(key), key.name, now_ns);
  --entry_count_;
  name_bytes_ -= key.name.size();
  tell(EntryErasedRow{.key = key, .mtime_ns = changed.mtime_ns()});
}

void Namespace::rename_entry(const wire::EntryKey& from, const wire::EntryKey& to,
                             std::uint64_t now_ns) {
  BENCHFS_ASSERT(from != to);
  const std::optional<Entry> moved = find_entry(from);
  BENCHFS_ASSERT(moved.has_value());
  set_entry(to, *moved, now_ns);
  erase_entry(from, now_ns);
}

}  // namespace benchfs::meta
