// The inodes whose home this server is, and who has them open.

#include <algorithm>
#include <type_traits>

#include "base/assert.h"
#include "meta/namespace.h"

namespace benchfs::meta {

const File* Namespace::find_file(InodeId inode) const {
  const auto found = files_.find(inode);
  return found == files_.end() ? nullptr : &found->second;
}

const Directory* Namespace::find_directory(InodeId inode) const {
  const auto found = directories_.find(inode);
  return found == directories_.end() ? nullptr : &found->second;
}

const Link* Namespace::find_link(InodeId inode) const {
  const auto found = links_.find(inode);
  return found == links_.end() ? nullptr : &found->second;
}

const FileUse* Namespace::find_use(InodeId inode) const {
  const auto found = uses_.find(inode);
  return found == uses_.end() ? nullptr : &found->second;
}

File& Namespace::file(InodeId inode) {
  const auto found = files_.find(inode);
  BENCHFS_ASSERT(found != files_.end());
  return found->second;
}

Directory& Namespace::directory(InodeId inode) {
  const auto found = directories_.find(inode);
  BENCHFS_ASSERT(found != directories_.end());
  return found->second;
}

bool Namespace::size_may_be_larger(InodeId file) const {
  const File* found = find_file(file);
  BENCHFS_ASSERT(found != nullptr);
  const FileUse* use = find_use(file);
  return found->unsettled || found->writer_lost || (use != nullptr && use->writer_count > 0);
}

wire::Attributes Namespace::attributes_of_file(InodeId file) const {
  const File* found = find_file(file);
  BENCHFS_ASSERT(found != nullptr);
  return {.inode = file,
          .type = wire::FileType::kFile,
          .mode = found->mode,
          .uid = found->uid,
          .gid = found->gid,
          .link_count = found->linked ? 1U : 0U,
          .size_bytes = found->size_bytes,
          .atime_ns = found->atime_ns,
          .mtime_ns = found->mtime_ns,
          .ctime_ns = found->ctime_ns,
          .layout = {.chunk_bytes = found->chunk_bytes, .stripe_count = found->stripe_count}};
}

wire::Attributes Namespace::attributes_of_directory(InodeId directory,
                                                    const DirectoryUsage& entries) const {
  const Directory* found = find_directory(directory);
  BENCHFS_ASSERT(found != nullptr);
  const bool changed_since = entries.mtime_ns > found->mtime_set_at_ns;
  return {.inode = directory,
          .type = wire::FileType::kDirectory,
          .mode = found->mode,
          .uid = found->uid,
          .gid = found->gid,
          .link_count = static_cast<std::uint32_t>(2 + entries.directory_count),
          .size_bytes = entries.entry_count,
          .atime_ns = found->atime_ns,
          .mtime_ns = changed_since ? entries.mtime_ns : found->mtime_ns,
          .ctime_ns = std::max(found->ctime_ns, entries.mtime_ns),
          .layout = {}};
}

wire::Attributes Namespace::attributes_of_link(InodeId link) const {
  const Link* found = find_link(link);
  BENCHFS_ASSERT(found != nullptr);
  return {.inode = link,
          .type = wire::FileType::kSymlink,
          .mode = kLinkMode,
          .uid = found->uid,
          .gid = found->gid,
          .link_count = 1,
          .size_bytes = found->target.size(),
          .atime_ns = found->atime_ns,
          .mtime_ns = found->mtime_ns,
          .ctime_ns = found->ctime_ns,
          .layout = {}};
}

void Namespace::add_holder(InodeId directory, ServerId server) {
  BENCHFS_ASSERT(to_integer(server) < server_count_);
  auto& holders = this->directory(directory).holders;
  const auto place = std::lower_bound(holders.begin(), holders.end(), server);
  if (place == holders.end() || *place != server) {
    holders.insert(place, server);
    ++holder_count_;
    tell(HolderAddedRow{.directory = directory, .server = server});
  }
}

void Namespace::remove_holder(InodeId directory, ServerId server) {
  auto& holders = this->directory(directory).holders;
  const auto place = std::lower_bound(holders.begin(), holders.end(), server);
  if (place != holders.end() && *place == server) {
    holders.erase(place);
    --holder_count_;
    tell(HolderRemovedRow{.directory = directory, .server = server});
  }
}

std::vector<ServerId> Namespace::holders(InodeId directory) const {
  if (!doubts_holders_ || !is_of_earlier_run(directory)) {
    return directories_.at(directory).holders;
  }
  std::vector<ServerId> all;
  for (std::uint16_t i = 0; i < server_count_; ++i) {
    all.push_back(ServerId{i});
  }
  return all;
}

void Namespace::raise_directory_mtime(InodeId directory, std::uint64_t mtime_ns) {
  Directory& changed = this->directory(directory);
  if (mtime_ns > changed.mtime_set_at_ns) {
    changed.mtime_ns = mtime_ns;
    changed.mtime_set_at_ns = mtime_ns;
    changed.ctime_ns = std::max(changed.ctime_ns, mtime_ns);
    tell_directory(directory);
  }
}

void Namespace::set_parent(InodeId directory, InodeId parent, std::uint64_t number,
                           std::uint64_t now_ns) {
  BENCHFS_ASSERT(directory != kRootInode && parent != kNoInode);
  Directory& moved = this->directory(directory);
  if (number > moved.parent_number) {
    moved.parent = parent;
    moved.parent_number = number;
    moved.ctime_ns = std::max(moved.ctime_ns, now_ns);
    tell_directory(directory);
  }
}

void Namespace::raise_moves(std::uint64_t number) {
  if (number > moves_) {
    moves_ = number;
    tell(MovesRow{.number = number});
  }
}

void Namespace::remove_directory(InodeId directory) {
  BENCHFS_ASSERT(directory != kRootInode);
  BENCHFS_ASSERT(this->directory(directory).holders.empty());
  directories_.erase(directory);
  tell(DirectoryRemovedRow{.inode = directory});
}

void Namespace::unlink_file(InodeId file, std::uint64_t now_ns) {
  File& unlinked = this->file(file);
  BENCHFS_ASSERT(unlinked.linked);
  unlinked.linked = false;
  unlinked.ctime_ns = now_ns;
  tell_file(file, unlinked);
}

void Namespace::remove_file(InodeId file) {
  BENCHFS_ASSERT(!this->file(file).linked && !uses_.contains(file));
  files_.erase(file);
  tell(FileRemovedRow{.inode = file});
}

void Namespace::remove_link(InodeId link) {
  const auto found = links_.find(link);
  BENCHFS_ASSERT(found != links_.end());
  target_bytes_ -= found->second.target.size();
  links_.erase(found);
  tell(LinkRemovedRow{.inode = link});
}

void Namespace::set_attributes(InodeId inode, const wire::SetAttrRequest& request,
                               std::uint64_t now_ns) {
  const auto set = [&request, now_ns](auto& changed) {
    if constexpr (!std::is_same_v<std::remove_reference_t<decltype(changed)>, Link>) {
      if ((request.mask & wire::kSetMode) != 0) {
        changed.mode = static_cast<decltype(changed.mode)>(request.mode);
      }
    }
    if ((request.mask & wire::kSetUid) != 0) {
      changed.uid = request.uid;
    }
    if ((request.mask & wire::kSetGid) != 0) {
      changed.gid = request.gid;
    }
    if ((request.mask & wire::kSetAtime) != 0) {
      changed.atime_ns = request.atime_ns;
    }
    if ((request.mask & wire::kSetMtime) != 0) {
      changed.mtime_ns = request.mtime_ns;
    }
    changed.ctime_ns = now_ns;
  };
  const bool sets_mtime = (request.mask & wire::kSetMtime) != 0;
  if (const auto found = directories_.find(inode); found != directories_.end()) {
    set(found->second);
    if (sets_mtime) {
      found->second.mtime_set_at_ns = now_ns;
    }
    tell_directory(inode);
    return;
  }
  if (const auto found = links_.find(inode); found != links_.end()) {
    BENCHFS_ASSERT((request.mask & wire::kSetMode) == 0);
    set(found->second);
    tell(row_of(inode, found->second));
    return;
  }
  File& changed = file(inode);
  set(changed);
  tell_file(inode, changed);
  if (const auto use = uses_.find(inode); sets_mtime && use != uses_.end()) {
    use->second.mtime_set_before_open_id = opens_.next_id();
  }
}

void Namespace::truncate(InodeId file, std::uint64_t size_bytes, std::uint64_t now_ns) {
  File& cut = this->file(file);
  cut.size_bytes = size_bytes;
  cut.mtime_ns = now_ns;
  cut.ctime_ns = now_ns;
  tell_file(file, cut);
  ++truncations_;
  if (const auto use = uses_.find(file); use != uses_.end()) {
    use->second.truncate_epoch = truncations_;
    use->second.append_end_bytes = 0;
  }
}

void Namespace::truncate_failed(InodeId file) {
  BENCHFS_ASSERT(files_.contains(file));
  ++truncations_;
  if (const auto use = uses_.find(file); use != uses_.end()) {
    use->second.truncate_epoch = truncations_;
  }
}

void Namespace::raise_size(InodeId file, std::uint64_t end_bytes) {
  File& raised = this->file(file);
  if (end_bytes <= raised.size_bytes && (raised.has_data || end_bytes == 0)) {
    return;  // Nothing new.
  }
  raised.size_bytes = std::max(raised.size_bytes, end_bytes);
  raised.has_data = true;
  tell_file(file, raised);
}

void Namespace::touch_written(InodeId file, std::uint64_t open_id, std::uint64_t now_ns) {
  File& written = this->file(file);
  const FileUse* use = find_use(file);
  BENCHFS_ASSERT(use != nullptr);
  if (open_id >= use->mtime_set_before_open_id) {
    written.mtime_ns = now_ns;
  }
  written.ctime_ns = now_ns;
  tell_file(file, written);
}

void Namespace::expect_data(InodeId file) {
  File& written = this->file(file);
  written.has_data = true;
  tell_file(file, written);
}

void Namespace::note_lost_writer(InodeId file) {
  File& written = this->file(file);
  written.writer_lost = true;
  written.has_data = true;
  tell_file(file, written);
}

void Namespace::mark_unsettled(InodeId file) {
  File& marked = this->file(file);
  marked.unsettled = true;
  marked.has_data = true;
  tell_file(file, marked);
  ++unsettled_marks_;
}

void Namespace::settle(InodeId file, std::uint64_t end_bytes, std::uint64_t marks) {
  raise_size(file, end_bytes);
  const FileUse* use = find_use(file);
  File& settled = this->file(file);
  if (settled.unsettled && marks == unsettled_marks_ &&
      (use == nullptr || use->writer_count == 0)) {
    settled.unsettled = false;
    tell_file(file, settled);
  }
}

std::uint64_t Namespace::open(InodeId file, ClientId client, std::uint32_t flags) {
  BENCHFS_ASSERT(files_.contains(file));
  const Open open{.inode = file, .client = client, .flags = flags};
  const auto [found, is_new] = uses_.try_emplace(file);
  FileUse& use = found->second;
  if (is_new) {
    use.truncate_epoch = truncations_;  // Never a number that an earlier open of this file knows.
  }
  ++use.open_count;
  use.writer_count += open.writes() ? 1 : 0;
  use.plain_writer_count += open.writes() && !open.appends() ? 1 : 0;
  if (open.writes() && use.writer_count == 1) {
    tell_file(file, this->file(file));
  }
  return opens_.add(open);
}

bool Namespace::close(std::uint64_t open_id) {
  const Open* found = opens_.find(open_id);
  BENCHFS_ASSERT(found != nullptr);
  const Open open = *found;
  const auto use = uses_.find(open.inode);
  BENCHFS_ASSERT(use != uses_.end() && use->second.open_count > 0);
  --use->second.open_count;
  use->second.writer_count -= open.writes() ? 1 : 0;
  use->second.plain_writer_count -= open.writes() && !open.appends() ? 1 : 0;
  opens_.remove(open_id);
  const bool was_last_writer = open.writes() && use->second.writer_count == 0;
  const bool was_last = use->second.open_count == 0;
  if (was_last) {
    BENCHFS_ASSERT(use->second.writer_count == 0 && use->second.plain_writer_count == 0);
    uses_.erase(use);
  }
  const File& closed = file(open.inode);
  if (was_last_writer) {
    tell_file(open.inode, closed);
  }
  return was_last && !closed.linked;
}

void Namespace::reserve_append(InodeId file, std::uint64_t end_bytes) {
  const auto use = uses_.find(file);
  BENCHFS_ASSERT(use != uses_.end() && end_bytes >= use->second.append_end_bytes);
  use->second.append_end_bytes = end_bytes;
}

}  // namespace benchfs::meta
