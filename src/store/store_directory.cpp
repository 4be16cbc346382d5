#include "store/store_directory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/parse.h"

namespace benchfs::store {
namespace {

Failure say(const std::string& path, const char* what, const char* where) {
  const int code = errno;
  log_error("store directory {}: {}: {}", path, what, std::strerror(code));
  return fail(from_errno(code), where, code);
}

Result<std::uint64_t> free_bytes_of(const std::string& directory) {
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) != 0) {
    return say(directory, "cannot ask for its free space", "store.statvfs");
  }
  return std::uint64_t{space.f_bavail} * space.f_frsize;
}

Status check_parent(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      log_error("store directory {}: does not exist; create it, or name another with --store",
                path);
      return fail(Errc::kNotFound, "store.parent", ENOENT);
    }
    return say(path, "not usable", "store.parent");
  }
  if (!S_ISDIR(status.st_mode)) {
    log_error("store directory {}: is not a directory; name one with --store", path);
    return fail(Errc::kNotDirectory, "store.parent", ENOTDIR);
  }
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return say(path, "not writable; change that, or name another with --store", "store.parent");
  }
  return {};
}

Result<std::uint64_t> choose_capacity(const StoreOptions& options) {
  const bool in_memory = options.backend == io::DiskBackend::kMemory;
  std::uint64_t capacity_bytes = options.capacity_bytes;
  if (capacity_bytes == 0 && in_memory) {
    capacity_bytes = kMemoryCapacityBytesDefault;
  } else if (capacity_bytes == 0) {
    BENCHFS_TRY(capacity_bytes, default_capacity(options.parent, options.sharers));
  }
  capacity_bytes = round_down(capacity_bytes, kBlockBytes);
  if (capacity_bytes < kCapacityBytesMin) {
    log_error("store {}: a capacity of {} bytes is too small; the least is {}", options.directory,
              options.capacity_bytes == 0 ? capacity_bytes : options.capacity_bytes,
              format_size(kCapacityBytesMin));
    return fail(options.capacity_bytes == 0 ? Errc::kOutOfSpace : Errc::kInvalid,
                "store.capacity.min");
  }
  if (in_memory) {
    return capacity_bytes;
  }
  BENCHFS_TRY(const std::uint64_t free_bytes, free_bytes_of(options.parent));
  if (capacity_bytes > free_bytes) {
    log_error("store {}: a capacity of {} is more than the {} that are free on its file system",
              options.directory, format_size(capacity_bytes), format_size(free_bytes));
    return fail(Errc::kOutOfSpace, "store.capacity.free", ENOSPC);
  }
  return capacity_bytes;
}

Status make_directory(const StoreOptions& options) {
  if (::mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return say(options.directory, "cannot create it", "store.mkdir");
  }
  return {};
}

/// A store that is whole goes only if the user has said so; what is left of one that never was, or
/// was being removed, goes anyway.
Status make_empty(const LockedDirectory& directory, bool discard) {
  if (!discard) {
    BENCHFS_TRY(const std::optional<Superblock> owner, directory.owner());
    if (owner.has_value()) {
      return directory.refuse(*owner);
    }
  }
  return directory.remove_store();
}

/// Everything between an empty, locked directory and a store.
Result<std::unique_ptr<io::Disk>> make_store(loop::EventLoop& loop, io::BufferPool& pool,
                                             const StoreOptions& options,
                                             const LockedDirectory& directory) {
  BENCHFS_TRY(const std::uint64_t capacity_bytes, choose_capacity(options));
  BENCHFS_CHECK(directory.write_unfinished({.session_id = options.session_id,
                                            .server = options.server,
                                            .server_count = options.server_count,
                                            .capacity_bytes = capacity_bytes,
                                            .store_id = options.store_id}));
  const io::DataFileOptions data = {.path = directory.path_of(kDataName),
                                    .size_bytes = capacity_bytes,
                                    .backend = options.backend};
  BENCHFS_TRY(std::unique_ptr<io::Disk> disk, io::create_data_file(loop, data, &pool));
  BENCHFS_CHECK(directory.finish());
  return disk;
}

Status check_owner(const StoreOptions& wanted, const Superblock& found) {
  if (found.session_id != wanted.session_id || found.server != wanted.server ||
      found.server_count != wanted.server_count) {
    log_error(
        "store {} is of server {} of {} of session {:016x}, not of server {} of {} of session "
        "{:016x}; name the right store with --store, or give the data up with --discard",
        wanted.directory, to_integer(found.server), found.server_count, found.session_id,
        to_integer(wanted.server), wanted.server_count, wanted.session_id);
    return fail(Errc::kStale, "store.owner");
  }
  if (wanted.capacity_bytes != 0 &&
      round_down(wanted.capacity_bytes, kBlockBytes) != found.capacity_bytes) {
    log_error(
        "store {} has a capacity of {} bytes, which cannot be changed to {}; start without "
        "--capacity, or with this one",
        wanted.directory, found.capacity_bytes, wanted.capacity_bytes);
    return fail(Errc::kInvalid, "store.capacity.other");
  }
  return {};
}

}  // namespace

Result<std::uint64_t> default_capacity(const std::string& directory, unsigned sharers) {
  BENCHFS_ASSERT(sharers > 0);
  BENCHFS_TRY(const std::uint64_t free_bytes, free_bytes_of(directory));
  return round_down(free_bytes / 5 * 4 / sharers, kBlockBytes);
}

Result<std::unique_ptr<StoreDirectory>> StoreDirectory::create(loop::EventLoop& loop,
                                                               io::BufferPool& pool,
                                                               const StoreOptions& options) {
  BENCHFS_ASSERT(to_integer(options.server) < options.server_count);
  if (options.backend == io::DiskBackend::kMemory) {
    BENCHFS_TRY(const std::uint64_t capacity_bytes, choose_capacity(options));
    const io::DataFileOptions data = {
        .path = {}, .size_bytes = capacity_bytes, .backend = options.backend};
    BENCHFS_TRY(std::unique_ptr<io::Disk> disk, io::create_data_file(loop, data, &pool));
    return std::unique_ptr<StoreDirectory>(
        new StoreDirectory(options, std::nullopt, std::move(disk)));
  }
  BENCHFS_CHECK(check_parent(options.parent));
  BENCHFS_CHECK(make_directory(options));
  BENCHFS_TRY(LockedDirectory directory, LockedDirectory::open(options.directory));
  BENCHFS_CHECK(make_empty(directory, options.discard));
  auto disk = make_store(loop, pool, options, directory);
  if (!disk.has_value()) {
    // What was made until then is ours alone. The reason has been said.
    if (directory.remove_store().has_value() && options.directory != options.parent) {
      ::rmdir(options.directory.c_str());
    }
    return fail(disk.error());
  }
  return std::unique_ptr<StoreDirectory>(
      new StoreDirectory(options, std::move(directory), std::move(*disk)));
}

Result<std::optional<Superblock>> StoreDirectory::find(const std::string& directory) {
  struct stat status {};
  // Who goes on to create one is told what is wrong with the way to it.
  if (::stat(directory.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
    return std::optional<Superblock>();
  }
  BENCHFS_TRY(const LockedDirectory locked, LockedDirectory::open(directory));
  return locked.owner();
}

Result<std::unique_ptr<StoreDirectory>> StoreDirectory::open(loop::EventLoop& loop,
                                                             io::BufferPool& pool,
                                                             const StoreOptions& options) {
  BENCHFS_TRY(LockedDirectory directory, LockedDirectory::open_after_owner(options.directory));
  BENCHFS_TRY(const std::optional<Superblock> found, directory.owner());
  if (!found.has_value()) {
    log_error("store {}: there is none", options.directory);
    return fail(Errc::kNotFound, "store.open", ENOENT);
  }
  BENCHFS_CHECK(check_owner(options, *found));
  const io::DataFileOptions data = {.path = directory.path_of(kDataName),
                                    .size_bytes = found->capacity_bytes,
                                    .backend = options.backend};
  BENCHFS_TRY(std::unique_ptr<io::Disk> disk, io::open_data_file(loop, data, &pool));
  StoreOptions owned = options;
  owned.store_id = found->store_id;
  return std::unique_ptr<StoreDirectory>(
      new StoreDirectory(owned, std::move(directory), std::move(disk)));
}

Status StoreDirectory::discard(const std::string& directory) {
  BENCHFS_TRY(const LockedDirectory locked, LockedDirectory::open(directory));
  return locked.remove_store();
}

StoreDirectory::StoreDirectory(const StoreOptions& options,
                               std::optional<LockedDirectory> directory,
                               std::unique_ptr<io::Disk> disk)
    : path_(options.directory),
      store_id_(options.store_id),
      goes_with_store_(options.directory != options.parent),
      directory_(std::move(directory)),
      disk_(std::move(disk)),
      traits_(disk_->traits()) {}

StoreDirectory::~StoreDirectory() = default;

Status StoreDirectory::remove() {
  BENCHFS_ASSERT(disk_ != nullptr);
  disk_.reset();
  if (!directory_.has_value()) {
    return {};
  }
  const Status removed = directory_->remove_store();
  if (removed.has_value() && goes_with_store_ && ::rmdir(path_.c_str()) != 0 &&
      errno != ENOTEMPTY && errno != EEXIST) {
    log_warning("store directory {}: cannot remove it: {}", path_, std::strerror(errno));
  }
  directory_.reset();
  return removed;
}

io::Disk& StoreDirectory::disk() noexcept {
  BENCHFS_ASSERT(disk_ != nullptr);
  return *disk_;
}

}  // namespace benchfs::store
