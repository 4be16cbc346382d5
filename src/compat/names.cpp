// calls.h: paths and names.

#include "compat/calls.h"

namespace benchfs::compat {
namespace {

/// `path` below `directory`, which begins with "/".
std::string joined(const std::string& directory, const char* path) {
  return directory + (directory.back() == '/' ? "" : "/") + path;
}

}  // namespace

int stat_directory(const Visit& visit, const Directory& directory, struct stat* out) {
  if (benchfs_stat(visit->mount, directory.path.c_str(), out) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      errno = ESTALE;
    }
    return -1;
  }
  if (!S_ISDIR(out->st_mode) || out->st_ino != directory.inode) {
    errno = ESTALE;
    return -1;
  }
  return 0;
}

std::optional<std::string> absolute_path(const Visit& visit, int dirfd, const char* path) {
  if (path == nullptr || *path == '\0') {
    errno = path == nullptr ? EFAULT : ENOENT;
    return std::nullopt;
  }
  if (*path == '/') {
    return path;
  }
  if (dirfd == AT_FDCWD) {
    return joined("/", path);
  }
  const DescriptorUse descriptor(visit, dirfd);
  if (!descriptor) {
    return std::nullopt;
  }
  if (descriptor->directory == nullptr) {
    errno = ENOTDIR;
    return std::nullopt;
  }
  // A path may lead to another directory by now, which must not be taken for the one that was
  // opened.
  struct stat status {};
  if (stat_directory(visit, *descriptor->directory, &status) != 0) {
    return std::nullopt;
  }
  return joined(descriptor->directory->path, path);
}

int stat(Library& library, int dirfd, const char* path, struct stat* out) {
  return on_path(library, dirfd, path, [out](benchfs_mount* mount, const char* absolute) {
    return benchfs_stat(mount, absolute, out);
  });
}

int lstat(Library& library, int dirfd, const char* path, struct stat* out) {
  return on_path(library, dirfd, path, [out](benchfs_mount* mount, const char* absolute) {
    return benchfs_lstat(mount, absolute, out);
  });
}

int unlink(Library& library, int dirfd, const char* path) {
  return on_path(library, dirfd, path, benchfs_unlink);
}

int mkdir(Library& library, int dirfd, const char* path, mode_t mode) {
  return on_path(library, dirfd, path, [mode](benchfs_mount* mount, const char* absolute) {
    return benchfs_mkdir(mount, absolute, mode);
  });
}

int rmdir(Library& library, int dirfd, const char* path) {
  return on_path(library, dirfd, path, benchfs_rmdir);
}

}  // namespace benchfs::compat
