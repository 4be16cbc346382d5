#pragma once

// The calls that chfs.h and finchfs.h share, and the words that their functions are made of: enter
// the session, make the path, enter the descriptor. The headers say what each promises.
//
// Threading: any thread. Errors: -1 and errno.

#include <cerrno>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "compat/library.h"

namespace benchfs::compat {

/// A path as benchfs takes it: from the root, or from the directory open as `dirfd` (AT_FDCWD: the
/// root). Nothing, with errno, if that is no directory or not there any more.
std::optional<std::string> absolute_path(const Visit& visit, int dirfd, const char* path);

/// Runs `call(mount, path)` inside the session.
template <typename Call>
int on_path(Library& library, int dirfd, const char* path, Call call) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const auto absolute = absolute_path(visit, dirfd, path);
  return absolute.has_value() ? call(visit->mount, absolute->c_str()) : -1;
}

/// Runs `call(file)` on the open file `fd`; EISDIR if it is a directory.
template <typename Call>
auto on_file(Library& library, int fd, Call call) -> decltype(call(nullptr)) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const DescriptorUse descriptor(visit, fd);
  if (!descriptor) {
    return -1;
  }
  if (descriptor->file == nullptr) {
    errno = EISDIR;
    return -1;
  }
  return call(descriptor->file);
}

/// Opens or creates. `chunk_size_bytes`: nothing for the one that is set for new files.
int create(Library& library, int dirfd, const char* path, int flags, mode_t mode,
           std::optional<std::uint64_t> chunk_size_bytes);

/// Whether the system's O_DIRECTORY opens a directory.
enum class Directories { kNone, kOnAsking };
int open(Library& library, int dirfd, const char* path, int flags, Directories directories);
int close(Library& library, int fd);

ssize_t pread(Library& library, int fd, void* buffer, std::size_t size, off_t offset);
ssize_t pwrite(Library& library, int fd, const void* buffer, std::size_t size, off_t offset);
ssize_t read(Library& library, int fd, void* buffer, std::size_t size);
ssize_t write(Library& library, int fd, const void* buffer, std::size_t size);
off_t seek(Library& library, int fd, off_t offset, int whence);
int fsync(Library& library, int fd);
int fstat(Library& library, int fd, struct stat* out);

int stat(Library& library, int dirfd, const char* path, struct stat* out);
int lstat(Library& library, int dirfd, const char* path, struct stat* out);
int unlink(Library& library, int dirfd, const char* path);
int mkdir(Library& library, int dirfd, const char* path, mode_t mode);
int rmdir(Library& library, int dirfd, const char* path);

/// Of an open directory. EBADF, ENOTDIR; ESTALE if another one, or none, is at its path now.
int stat_directory(const Visit& visit, const Directory& directory, struct stat* out);

}  // namespace benchfs::compat
