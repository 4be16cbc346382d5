#pragma once

// What stands behind the handles of benchfs.h, and the words that its functions are made of: check
// the arguments, run a coroutine, turn an Error into errno and a sentence.
//
// Threading: any thread.

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "benchfs/benchfs.h"
#include "client/engine.h"
#include "client/errno_map.h"
#include "client/file.h"
#include "client/listing.h"
#include "client/mount.h"
#include "client/path.h"
#include "client/striper.h"

/// Counts itself as a user of something for as long as it lives.
class benchfs_use {
 public:
  explicit benchfs_use(std::atomic<std::uint32_t>& users) noexcept : users_(users) {
    users_.fetch_add(1, std::memory_order_acq_rel);
  }
  ~benchfs_use() { users_.fetch_sub(1, std::memory_order_acq_rel); }
  benchfs_use(const benchfs_use&) = delete;
  benchfs_use& operator=(const benchfs_use&) = delete;

 private:
  std::atomic<std::uint32_t>& users_;
};

struct benchfs_mount {
  std::unique_ptr<benchfs::client::Mount> mount;
};

struct benchfs_file {
  benchfs_file(benchfs::client::Mount& its_mount, std::string name,
               const benchfs::client::File::Identity& identity,
               benchfs::client::File::Origin origin)
      : mount(its_mount),
        use(its_mount.users()),
        file(its_mount.servers(), std::move(name), identity, origin) {}

  benchfs::client::Mount& mount;
  const benchfs_use use;
  benchfs::client::File file;
};

/// A lock that is held, or asked for: it uses its file.
struct benchfs_lock {
  explicit benchfs_lock(benchfs_file& its_file) noexcept
      : file(its_file), use(its_file.file.users()) {}

  benchfs_file& file;
  const benchfs_use use;
  std::uint64_t number = 0;
};

struct benchfs_dir {
  benchfs_dir(benchfs::client::Mount& its_mount, std::string path, benchfs::InodeId directory)
      : mount(its_mount),
        use(its_mount.users()),
        context{.subject = std::move(path), .server = {}},
        listing(its_mount.servers(), directory) {}

  benchfs::client::Mount& mount;
  const benchfs_use use;
  benchfs::client::Context context;
  benchfs::client::Listing listing;
  std::size_t next = 0;  ///< Of listing.entries().
};

namespace benchfs::client {

/// One read or write with its lists, checked.
struct IoLists {
  std::vector<iovec> memory;
  std::vector<Extent> extents;
};

/// Sets errno and the sentence, and returns false, if `mount` cannot be used: null, or another
/// process's.
inline bool check_mount(const Mount* mount) noexcept {
  if (mount == nullptr) {
    set_error(EINVAL, "the mount is NULL");
    return false;
  }
  if (!mount->is_usable()) {
    set_error(ECHILD, "the mount was opened by this process's parent: open one after fork()");
    return false;
  }
  return true;
}

inline bool check(const benchfs_mount* mount) noexcept {
  return check_mount(mount == nullptr ? nullptr : mount->mount.get());
}

inline bool check(const benchfs_file* file) noexcept {
  if (file == nullptr) {
    set_error(EINVAL, "the file is NULL");
    return false;
  }
  return check_mount(&file->mount);
}

/// A path of the user's, or nothing with errno and the sentence set.
std::optional<Path> take_path(const char* path) noexcept;

/// Checks the lists of a read or write. Nothing: errno and the sentence are set.
std::optional<IoLists> take_range(const benchfs_file* file, const iovec* iov, int iov_count,
                                  off_t offset, bool is_write);
std::optional<IoLists> take_lists(const benchfs_file* file, const iovec* iov, int iov_count,
                                  const benchfs_extent* extents, std::size_t extent_count);

struct stat to_stat(const wire::Attributes& attributes) noexcept;

/// What a C function returns: the number or 0, or -1 with errno and the sentence set.
template <typename T>
ssize_t to_c(const Mount& mount, const Context& context, const Result<T>& result) noexcept {
  if (!result.has_value()) {
    return set_error(context, result.error(), &mount.server_names());
  }
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    return static_cast<ssize_t>(*result);
  } else {
    return 0;
  }
}

}  // namespace benchfs::client
