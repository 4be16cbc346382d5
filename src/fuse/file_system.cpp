#include "fuse/file_system.h"

#include <utility>
#include <vector>

#include <sys/stat.h>

namespace benchfs::fuse {

FileSystem::FileSystem(client::Mount& mount, FileSystemOptions options)
    : mount_(mount),
      options_(std::move(options)),
      nodes_(mount.servers(), options_.cache_seconds > 0 ? Detail::kAll : Detail::kEnough),
      locks_(mount.servers()),
      lock_keeper_(mount, locks_) {}

FileSystem::~FileSystem() {
  const std::vector<OpenFile*> left(open_files_.begin(), open_files_.end());
  for (OpenFile* const open : left) {
    // Nobody is there any more to be told what comes of it.
    static_cast<void>(close(open));
  }
}

OpenFile* FileSystem::add(std::unique_ptr<client::File> file) {
  auto open = std::make_unique<OpenFile>(OpenFile{.file = std::move(file)});
  const std::lock_guard lock(mutex_);
  open_files_.insert(open.get());
  return open.release();
}

Status FileSystem::close(OpenFile* open) {
  const std::unique_ptr<OpenFile> owned(open);
  {
    const std::lock_guard lock(mutex_);
    open_files_.erase(open);
  }
  client::Context context;
  return mount_.run(open->file->close(context));
}

void FileSystem::note(const wire::Attributes& attributes) {
  if (attributes.type == wire::FileType::kSymlink) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (attributes.type == wire::FileType::kFile) {
    if ((attributes.mode & (S_ISUID | S_ISGID)) != 0) {
      privileged_files_[attributes.inode] = attributes.mode;
    } else if (!privileged_files_.empty()) {
      privileged_files_.erase(attributes.inode);
    }
    return;
  }
  if ((attributes.mode & S_ISGID) != 0) {
    group_directories_[attributes.inode] = attributes.gid;
  } else if (!group_directories_.empty()) {
    group_directories_.erase(attributes.inode);
  }
}

std::optional<std::uint32_t> FileSystem::take_privileges(InodeId file) {
  const std::lock_guard lock(mutex_);
  const auto found = privileged_files_.find(file);
  if (found == privileged_files_.end()) {
    return std::nullopt;
  }
  const std::uint32_t mode = found->second;
  privileged_files_.erase(found);
  // Without the right to execute for the group, set-group-ID is no privilege.
  const std::uint32_t lost = S_ISUID | ((mode & S_IXGRP) != 0 ? S_ISGID : 0U);
  return (mode & lost) != 0 ? std::optional(mode & ~lost) : std::nullopt;
}

void FileSystem::inherit(InodeId directory, bool makes_directory, client::Owner& owner,
                         mode_t& mode) const {
  const std::lock_guard lock(mutex_);
  const auto found = group_directories_.find(directory);
  if (found != group_directories_.end()) {
    owner.gid = found->second;
    mode |= makes_directory ? S_ISGID : 0U;
  }
}

}  // namespace benchfs::fuse
