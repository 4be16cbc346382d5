// chfs.h over calls.h.

#include "chfs.h"

#include <algorithm>
#include <limits>

#include "compat/calls.h"
#include "compat/share.h"

using namespace benchfs::compat;  // NOLINT(google-build-using-namespace)

namespace {

using Filler = int (*)(void*, const char*, const struct stat*, off_t);

/// What the functions work on: chfs.h has no handle. Never destroyed, as threads may outlive
/// main().
Library& library() {
  static Library& the_one = *new Library("chfs", "CHFS_CHUNK_SIZE");
  return the_one;
}

/// What is no size becomes 0, which is refused when a file is created with it.
std::uint64_t to_chunk_size(int bytes) {
  return static_cast<std::uint64_t>(std::max(bytes, 0));
}

/// Every name, or with an index those of its share.
int read_directory(const char* path, std::optional<int> index, void* buf, Filler filler) {
  const Visit visit(library());
  if (!visit) {
    return -1;
  }
  const int count = benchfs_server_count(visit->mount);
  if (filler == nullptr || (index.has_value() && (*index < 0 || *index >= count))) {
    errno = EINVAL;
    return -1;
  }
  const auto absolute = absolute_path(visit, AT_FDCWD, path);
  if (!absolute.has_value()) {
    return -1;
  }
  benchfs_dir* dir = benchfs_opendir(visit->mount, absolute->c_str());
  if (dir == nullptr) {
    return -1;
  }
  const std::string directory = plain_path(*absolute);
  benchfs_dirent entry;
  int more = benchfs_readdir(dir, &entry);
  while (more > 0) {
    const bool is_wanted = !index.has_value() || share_of(directory, entry.name, count) == *index;
    if (is_wanted && filler(buf, entry.name, &entry.attributes, 0) != 0) {
      more = 0;
      break;
    }
    more = benchfs_readdir(dir, &entry);
  }
  const int saved = errno;
  benchfs_closedir(dir);
  errno = saved;
  return more;
}

}  // namespace

int chfs_init(const char* server) {
  return library().init(server);
}

int chfs_initialized(void) {
  const int saved = errno;
  const Visit visit(library());
  errno = saved;
  return visit ? 1 : 0;
}

int chfs_term(void) {
  return library().term();
}

int chfs_term_without_sync(void) {
  return library().term();
}

int chfs_size(void) {
  const Visit visit(library());
  return visit ? benchfs_server_count(visit->mount) : 0;
}

const char* chfs_version(void) {
  return "benchfs " BENCHFS_VERSION;
}

void chfs_set_chunk_size(int chunk_size) {
  library().set_chunk_size(to_chunk_size(chunk_size));
}

void chfs_set_buf_size(int /*size*/) {}
void chfs_set_async_access(int /*enable*/) {}
void chfs_set_rdma_thresh(size_t /*threshold*/) {}
void chfs_set_rpc_timeout_msec(int /*timeout*/) {}
void chfs_set_node_list_cache_timeout(int /*seconds*/) {}
void chfs_set_stagein_buf_size(int /*size*/) {}

int chfs_create(const char* path, int32_t flags, mode_t mode) {
  return create(library(), AT_FDCWD, path, flags, mode, std::nullopt);
}

int chfs_create_chunk_size(const char* path, int32_t flags, mode_t mode, int chunk_size) {
  return create(library(), AT_FDCWD, path, flags, mode, to_chunk_size(chunk_size));
}

int chfs_open(const char* path, int32_t flags) {
  return open(library(), AT_FDCWD, path, flags, Directories::kNone);
}

int chfs_close(int fd) {
  return close(library(), fd);
}

ssize_t chfs_pwrite(int fd, const void* buf, size_t size, off_t offset) {
  return pwrite(library(), fd, buf, size, offset);
}

ssize_t chfs_pread(int fd, void* buf, size_t size, off_t offset) {
  return pread(library(), fd, buf, size, offset);
}

ssize_t chfs_write(int fd, const void* buf, size_t size) {
  return write(library(), fd, buf, size);
}

ssize_t chfs_read(int fd, void* buf, size_t size) {
  return read(library(), fd, buf, size);
}

off_t chfs_seek(int fd, off_t offset, int whence) {
  return seek(library(), fd, offset, whence);
}

int chfs_fsync(int fd) {
  return fsync(library(), fd);
}

void chfs_sync(void) {}

int chfs_stagein(const char* /*path*/) {
  errno = ENOTSUP;
  return -1;
}

int chfs_truncate(const char* path, off_t len) {
  return on_path(library(), AT_FDCWD, path, [len](benchfs_mount* mount, const char* absolute) {
    return benchfs_truncate(mount, absolute, len);
  });
}

int chfs_unlink(const char* path) {
  return unlink(library(), AT_FDCWD, path);
}

int chfs_mkdir(const char* path, mode_t mode) {
  return mkdir(library(), AT_FDCWD, path, mode);
}

int chfs_rmdir(const char* path) {
  return rmdir(library(), AT_FDCWD, path);
}

int chfs_stat(const char* path, struct stat* st) {
  return lstat(library(), AT_FDCWD, path, st);
}

int chfs_readdir(const char* path, void* buf, Filler filler) {
  return read_directory(path, std::nullopt, buf, filler);
}

int chfs_readdir_index(const char* path, int index, void* buf, Filler filler) {
  return read_directory(path, index, buf, filler);
}

int chfs_symlink(const char* target, const char* path) {
  return on_path(library(), AT_FDCWD, path, [target](benchfs_mount* mount, const char* absolute) {
    return benchfs_symlink(mount, target, absolute);
  });
}

int chfs_readlink(const char* path, char* buf, size_t size) {
  return on_path(library(), AT_FDCWD, path, [=](benchfs_mount* mount, const char* absolute) {
    return static_cast<int>(benchfs_readlink(mount, absolute, buf, size));
  });
}
