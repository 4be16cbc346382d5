// calls.h: open files.

#include <memory>
#include <utility>

#include "compat/calls.h"

namespace benchfs::compat {
namespace {

// IOR hands the bits of its own flags on as they are, 0x01 to 0x80, and programs of POSIX theirs.
// What is looked at must mean the same to both.
constexpr int kBitsOfIor = 0xff;
constexpr int kFlagsOfCreate = O_APPEND;
constexpr int kFlagsOfOpen = O_APPEND | O_TRUNC;
static_assert(((kFlagsOfOpen | O_DIRECTORY) & kBitsOfIor) == 0);

int add_file(const Visit& visit, benchfs_file* file) {
  if (file == nullptr) {
    return -1;
  }
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->file = file;
  const int number = visit->descriptors.add(std::move(descriptor));
  if (number < 0) {
    benchfs_close(file);
    errno = EMFILE;
  }
  return number;
}

int open_directory(const Visit& visit, const std::string& path) {
  struct stat status {};
  if (benchfs_stat(visit->mount, path.c_str(), &status) != 0) {
    return -1;
  }
  if (!S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    return -1;
  }
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->directory = std::make_unique<Directory>();
  descriptor->directory->path = path;
  descriptor->directory->inode = status.st_ino;
  return visit->descriptors.add(std::move(descriptor));
}

/// A directory has no position but its begin.
off_t rewind_directory(Directory& directory, off_t offset, int whence) {
  if (offset != 0 || whence != SEEK_SET) {
    errno = ENOTSUP;
    return -1;
  }
  const std::lock_guard lock(directory.mutex);
  if (directory.listing != nullptr) {
    benchfs_closedir(std::exchange(directory.listing, nullptr));
  }
  directory.has_next = false;
  directory.is_at_end = false;
  directory.position = 0;
  return 0;
}

int stat_file(benchfs_file* file, struct stat* out) {
  benchfs_layout layout{};
  if (benchfs_fstat(file, out) != 0 || benchfs_file_layout(file, &layout) != 0) {
    return -1;
  }
  out->st_blksize = static_cast<blksize_t>(layout.chunk_size);
  return 0;
}

}  // namespace

int create(Library& library, int dirfd, const char* path, int flags, mode_t mode,
           std::optional<std::uint64_t> chunk_size_bytes) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const auto absolute = absolute_path(visit, dirfd, path);
  if (!absolute.has_value()) {
    return -1;
  }
  const auto chunk = chunk_size_bytes.has_value() ? chunk_size_bytes : library.chunk_size();
  const benchfs_layout layout{.chunk_size = chunk.value_or(0), .stripe_count = 0};
  return add_file(visit, benchfs_open(visit->mount, absolute->c_str(),
                                      O_RDWR | O_CREAT | (flags & kFlagsOfCreate), mode,
                                      chunk.has_value() ? &layout : nullptr));
}

int open(Library& library, int dirfd, const char* path, int flags, Directories directories) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const auto absolute = absolute_path(visit, dirfd, path);
  if (!absolute.has_value()) {
    return -1;
  }
  if (directories == Directories::kOnAsking && (flags & O_DIRECTORY) != 0) {
    return open_directory(visit, *absolute);
  }
  return add_file(visit, benchfs_open(visit->mount, absolute->c_str(),
                                      O_RDWR | (flags & kFlagsOfOpen), 0, nullptr));
}

int close(Library& library, int fd) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const auto descriptor = visit->descriptors.take(fd);
  if (descriptor == nullptr) {
    errno = EBADF;
    return -1;
  }
  return close_descriptor(*descriptor);
}

ssize_t pread(Library& library, int fd, void* buffer, std::size_t size, off_t offset) {
  return on_file(library, fd,
                 [=](benchfs_file* file) { return benchfs_pread(file, buffer, size, offset); });
}

ssize_t pwrite(Library& library, int fd, const void* buffer, std::size_t size, off_t offset) {
  return on_file(library, fd,
                 [=](benchfs_file* file) { return benchfs_pwrite(file, buffer, size, offset); });
}

ssize_t read(Library& library, int fd, void* buffer, std::size_t size) {
  return on_file(library, fd, [=](benchfs_file* file) { return benchfs_read(file, buffer, size); });
}

ssize_t write(Library& library, int fd, const void* buffer, std::size_t size) {
  return on_file(library, fd,
                 [=](benchfs_file* file) { return benchfs_write(file, buffer, size); });
}

off_t seek(Library& library, int fd, off_t offset, int whence) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const DescriptorUse descriptor(visit, fd);
  if (!descriptor) {
    return -1;
  }
  return descriptor->file != nullptr ? benchfs_lseek(descriptor->file, offset, whence)
                                     : rewind_directory(*descriptor->directory, offset, whence);
}

int fsync(Library& library, int fd) {
  const int result = on_file(library, fd, [](benchfs_file* file) { return benchfs_fsync(file); });
  if (result != 0 && errno == EISDIR) {
    errno = ENOTSUP;
  }
  return result;
}

int fstat(Library& library, int fd, struct stat* out) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const DescriptorUse descriptor(visit, fd);
  if (!descriptor) {
    return -1;
  }
  return descriptor->file != nullptr ? stat_file(descriptor->file, out)
                                     : stat_directory(visit, *descriptor->directory, out);
}

}  // namespace benchfs::compat
