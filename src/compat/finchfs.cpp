// finchfs.h over calls.h.

#include "finchfs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compat/calls.h"
#include "compat/getdents.h"

using namespace benchfs::compat;  // NOLINT(google-build-using-namespace)

namespace {

/// What the functions work on: finchfs.h has no handle. Never destroyed, as threads may outlive
/// main().
Library& library() {
  static Library& the_one = *new Library("finchfs", "FINCHFS_CHUNK_SIZE");
  return the_one;
}

/// Runs `call(mount, from, to)`, both being paths from a directory each.
template <typename Call>
int on_two_paths(int from_dirfd, const char* from, int to_dirfd, const char* to, Call call) {
  const Visit visit(library());
  if (!visit) {
    return -1;
  }
  const auto absolute_from = absolute_path(visit, from_dirfd, from);
  if (!absolute_from.has_value()) {
    return -1;
  }
  const auto absolute_to = absolute_path(visit, to_dirfd, to);
  return absolute_to.has_value() ? call(visit->mount, absolute_from->c_str(), absolute_to->c_str())
                                 : -1;
}

int fail(int error) {
  errno = error;
  return -1;
}

/// Reads until the end of the file or of the range.
bool read_all(int fd, void* out, size_t length, off_t offset) {
  size_t filled = 0;
  while (filled < length) {
    const ssize_t got = finchfs_pread(fd, static_cast<char*>(out) + filled, length - filled,
                                      offset + static_cast<off_t>(filled));
    if (got <= 0) {
      return got == 0;
    }
    filled += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

int finchfs_init(const char* addrfile) {
  return library().init(addrfile);
}

int finchfs_term(void) {
  return library().term();
}

const char* finchfs_version(void) {
  return "benchfs " BENCHFS_VERSION;
}

void finchfs_set_chunk_size(size_t chunk_size) {
  // The largest number stands for "never set".
  library().set_chunk_size(chunk_size == SIZE_MAX ? 0 : chunk_size);
}

int finchfs_create(const char* path, int32_t flags, mode_t mode) {
  return finchfs_createat(AT_FDCWD, path, flags, mode);
}

int finchfs_create_chunk_size(const char* path, int32_t flags, mode_t mode, size_t chunk_size) {
  return finchfs_createat_chunk_size(AT_FDCWD, path, flags, mode, chunk_size);
}

int finchfs_open(const char* path, int32_t flags) {
  return finchfs_openat(AT_FDCWD, path, flags);
}

int finchfs_close(int fd) {
  return close(library(), fd);
}

ssize_t finchfs_pwrite(int fd, const void* buf, size_t size, off_t offset) {
  return pwrite(library(), fd, buf, size, offset);
}

ssize_t finchfs_pread(int fd, void* buf, size_t size, off_t offset) {
  return pread(library(), fd, buf, size, offset);
}

ssize_t finchfs_write(int fd, const void* buf, size_t size) {
  return write(library(), fd, buf, size);
}

ssize_t finchfs_read(int fd, void* buf, size_t size) {
  return read(library(), fd, buf, size);
}

off_t finchfs_seek(int fd, off_t offset, int whence) {
  return seek(library(), fd, offset, whence);
}

int finchfs_fsync(int fd) {
  return fsync(library(), fd);
}

int finchfs_fstat(int fd, struct stat* st) {
  return fstat(library(), fd, st);
}

int finchfs_unlink(const char* path) {
  return unlink(library(), AT_FDCWD, path);
}

int finchfs_mkdir(const char* path, mode_t mode) {
  return mkdir(library(), AT_FDCWD, path, mode);
}

int finchfs_rmdir(const char* path) {
  return rmdir(library(), AT_FDCWD, path);
}

int finchfs_stat(const char* path, struct stat* st) {
  return stat(library(), AT_FDCWD, path, st);
}

int finchfs_rename(const char* oldpath, const char* newpath) {
  return finchfs_renameat(AT_FDCWD, oldpath, AT_FDCWD, newpath);
}

int finchfs_link(const char* oldpath, const char* newpath) {
  return finchfs_linkat(AT_FDCWD, oldpath, AT_FDCWD, newpath);
}

int finchfs_createat(int dirfd, const char* pathname, int flags, mode_t mode) {
  return create(library(), dirfd, pathname, flags, mode, std::nullopt);
}

int finchfs_createat_chunk_size(int dirfd, const char* pathname, int flags, mode_t mode,
                                size_t chunk_size) {
  return create(library(), dirfd, pathname, flags, mode, chunk_size);
}

int finchfs_openat(int dirfd, const char* pathname, int flags) {
  return open(library(), dirfd, pathname, flags, Directories::kOnAsking);
}

int finchfs_fstatat(int dirfd, const char* pathname, struct stat* st, int flags) {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) {
    return fail(EINVAL);
  }
  if (pathname != nullptr && *pathname == '\0' && (flags & AT_EMPTY_PATH) != 0) {
    return dirfd == AT_FDCWD ? finchfs_stat("/", st) : finchfs_fstat(dirfd, st);
  }
  return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? lstat(library(), dirfd, pathname, st)
                                            : stat(library(), dirfd, pathname, st);
}

int finchfs_mkdirat(int dirfd, const char* pathname, mode_t mode) {
  return mkdir(library(), dirfd, pathname, mode);
}

int finchfs_unlinkat(int dirfd, const char* pathname, int flags) {
  if ((flags & ~AT_REMOVEDIR) != 0) {
    return fail(EINVAL);
  }
  return (flags & AT_REMOVEDIR) != 0 ? rmdir(library(), dirfd, pathname)
                                     : unlink(library(), dirfd, pathname);
}

int finchfs_renameat(int olddirfd, const char* oldpath, int newdirfd, const char* newpath) {
  return on_two_paths(olddirfd, oldpath, newdirfd, newpath, benchfs_rename);
}

int finchfs_linkat(int olddirfd, const char* oldpath, int newdirfd, const char* newpath) {
  return on_two_paths(olddirfd, oldpath, newdirfd, newpath, benchfs_link);
}

ssize_t finchfs_getdents(int fd, void* dirp, size_t count) {
  return getdents(library(), fd, dirp, count);
}

void* finchfs_mmap(void* addr, size_t length, int prot, int flags, int fd, off_t offset) {
  if (flags != MAP_PRIVATE) {
    errno = ENOTSUP;
    return MAP_FAILED;
  }
  // A descriptor that cannot be read is told before memory is asked for.
  char probe = 0;
  const long page = ::sysconf(_SC_PAGESIZE);
  if (length == 0 || offset < 0 || offset % page != 0) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  if (finchfs_pread(fd, &probe, 0, 0) < 0) {
    return MAP_FAILED;
  }
  void* memory = ::mmap(addr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return MAP_FAILED;
  }
  if (!read_all(fd, memory, length, offset) || ::mprotect(memory, length, prot) != 0) {
    const int saved = errno;
    ::munmap(memory, length);
    errno = saved;
    return MAP_FAILED;
  }
  return memory;
}

int finchfs_munmap(void* addr, size_t length) {
  return ::munmap(addr, length);
}
