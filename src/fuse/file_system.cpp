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
  if (attributes.type != wire::FileType::kDirectory) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if ((attributes.mode & S_ISGID) != 0) {
    group_directories_[attributes.inode] = attributes.gid;
  } else if (!group_directories_.empty()) {
    group_directories_.erase(attributes.inode);
  }
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
