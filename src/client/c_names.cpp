// benchfs.h: names and directories.

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include <fcntl.h>

#include "base/clock.h"
#include "base/units.h"
#include "client/c_handles.h"

using namespace benchfs;          // NOLINT(google-build-using-namespace)
using namespace benchfs::client;  // NOLINT(google-build-using-namespace)

namespace {

/// A call on one path: checks, then runs the task that `make(names, context, path)` returns.
template <typename Make>
int run_on_path(benchfs_mount* mount, const char* path, Make make) {
  if (!check(mount)) {
    return -1;
  }
  auto parsed = take_path(path);
  if (!parsed.has_value()) {
    return -1;
  }
  Context context{.subject = path, .server = {}};
  const auto result = mount->mount->run(make(mount->mount->names(), context, std::move(*parsed)));
  return static_cast<int>(to_c(*mount->mount, context, result));
}

/// Adds one of utimensat(2)'s times to a change; false if it is not a time.
bool take_time(const timespec* time, std::uint64_t now_ns, wire::SetAttrMask bit,
               std::uint32_t& mask, std::uint64_t& out_ns) noexcept {
  if (time == nullptr || time->tv_nsec == UTIME_NOW) {
    mask |= bit;
    out_ns = now_ns;
    return true;
  }
  if (time->tv_nsec == UTIME_OMIT) {
    return true;
  }
  constexpr auto kSecondsMax = static_cast<time_t>(std::numeric_limits<std::int64_t>::max() /
                                                   static_cast<std::int64_t>(kNsPerSec)) -
                               1;
  if (time->tv_sec < 0 || time->tv_sec > kSecondsMax || time->tv_nsec < 0 ||
      time->tv_nsec >= static_cast<long>(kNsPerSec)) {
    return false;
  }
  mask |= bit;
  out_ns = static_cast<std::uint64_t>(time->tv_sec) * kNsPerSec +
           static_cast<std::uint64_t>(time->tv_nsec);
  return true;
}

}  // namespace

namespace {

int stat_path(benchfs_mount* mount, const char* path, struct stat* out, Follow follow) {
  if (!check(mount)) {
    return -1;
  }
  if (out == nullptr) {
    return set_error(EINVAL, "nowhere to put the answer");
  }
  auto parsed = take_path(path);
  if (!parsed.has_value()) {
    return -1;
  }
  Context context{.subject = path, .server = {}};
  const auto attributes =
      mount->mount->run(mount->mount->names().stat(context, std::move(*parsed), follow));
  if (attributes.has_value()) {
    *out = to_stat(*attributes);
  }
  return static_cast<int>(to_c(*mount->mount, context, attributes));
}

int change_owner(benchfs_mount* mount, const char* path, uid_t uid, gid_t gid, Follow follow) {
  wire::SetAttrRequest change;
  if (uid != static_cast<uid_t>(-1)) {
    change.mask |= wire::kSetUid;
    change.uid = uid;
  }
  if (gid != static_cast<gid_t>(-1)) {
    change.mask |= wire::kSetGid;
    change.gid = gid;
  }
  return run_on_path(mount, path, [&change, follow](Names& names, Context& context, Path parsed) {
    return names.set_attributes(context, std::move(parsed), change, follow);
  });
}

int change_times(benchfs_mount* mount, const char* path, const struct timespec* times,
                 Follow follow) {
  wire::SetAttrRequest change;
  const std::uint64_t now_ns = SystemClock().wall_ns();
  const timespec* const atime = times == nullptr ? nullptr : &times[0];
  const timespec* const mtime = times == nullptr ? nullptr : &times[1];
  if (!take_time(atime, now_ns, wire::kSetAtime, change.mask, change.atime_ns) ||
      !take_time(mtime, now_ns, wire::kSetMtime, change.mask, change.mtime_ns)) {
    return set_error(EINVAL, "not a time since 1970");
  }
  if (change.mask == 0) {  // Both UTIME_OMIT: nothing changes, nor the ctime.
    struct stat ignored {};
    return stat_path(mount, path, &ignored, follow);
  }
  return run_on_path(mount, path, [&change, follow](Names& names, Context& context, Path parsed) {
    return names.set_attributes(context, std::move(parsed), change, follow);
  });
}

}  // namespace

int benchfs_stat(benchfs_mount* mount, const char* path, struct stat* out) {
  return stat_path(mount, path, out, Follow::kYes);
}

int benchfs_lstat(benchfs_mount* mount, const char* path, struct stat* out) {
  return stat_path(mount, path, out, Follow::kNo);
}

int benchfs_truncate(benchfs_mount* mount, const char* path, off_t size) {
  if (size < 0) {
    return set_error(EINVAL, fmt::format("the size {} is negative", size));
  }
  return run_on_path(mount, path, [size](Names& names, Context& context, Path parsed) {
    return names.truncate(context, std::move(parsed), static_cast<std::uint64_t>(size));
  });
}

int benchfs_unlink(benchfs_mount* mount, const char* path) {
  return run_on_path(mount, path, [](Names& names, Context& context, Path parsed) {
    return names.unlink(context, std::move(parsed));
  });
}

int benchfs_mkdir(benchfs_mount* mount, const char* path, mode_t mode) {
  return run_on_path(mount, path, [mode](Names& names, Context& context, Path parsed) {
    return names.mkdir(context, std::move(parsed), mode & 07777U);
  });
}

int benchfs_rmdir(benchfs_mount* mount, const char* path) {
  return run_on_path(mount, path, [](Names& names, Context& context, Path parsed) {
    return names.rmdir(context, std::move(parsed));
  });
}

int benchfs_rename(benchfs_mount* mount, const char* from, const char* to) {
  if (!check(mount)) {
    return -1;
  }
  auto target = take_path(to);
  if (!target.has_value()) {
    return -1;
  }
  return run_on_path(mount, from, [&target, to](Names& names, Context& context, Path parsed) {
    context.subject += fmt::format(" -> {}", to);
    return names.rename(context, std::move(parsed), std::move(*target));
  });
}

int benchfs_chmod(benchfs_mount* mount, const char* path, mode_t mode) {
  wire::SetAttrRequest change;
  change.mask = wire::kSetMode;
  change.mode = mode & 07777U;
  return run_on_path(mount, path, [&change](Names& names, Context& context, Path parsed) {
    return names.set_attributes(context, std::move(parsed), change);
  });
}

int benchfs_chown(benchfs_mount* mount, const char* path, uid_t uid, gid_t gid) {
  return change_owner(mount, path, uid, gid, Follow::kYes);
}

int benchfs_lchown(benchfs_mount* mount, const char* path, uid_t uid, gid_t gid) {
  return change_owner(mount, path, uid, gid, Follow::kNo);
}

int benchfs_utimens(benchfs_mount* mount, const char* path, const struct timespec times[2]) {
  return change_times(mount, path, times, Follow::kYes);
}

int benchfs_lutimens(benchfs_mount* mount, const char* path, const struct timespec times[2]) {
  return change_times(mount, path, times, Follow::kNo);
}

int benchfs_symlink(benchfs_mount* mount, const char* target, const char* path) {
  if (target == nullptr) {
    return set_error(EINVAL, "the target is NULL");
  }
  const std::size_t target_bytes = std::strlen(target);
  if (target_bytes == 0) {
    return set_error(ENOENT, "the target of a symbolic link is empty");
  }
  if (target_bytes > wire::kLinkTargetBytesMax) {
    return set_error(ENAMETOOLONG,
                     fmt::format("the target of a symbolic link is longer than {} bytes",
                                 wire::kLinkTargetBytesMax));
  }
  return run_on_path(mount, path, [target](Names& names, Context& context, Path parsed) {
    return names.symlink(context, target, std::move(parsed));
  });
}

ssize_t benchfs_readlink(benchfs_mount* mount, const char* path, char* buffer, size_t size) {
  if (!check(mount)) {
    return -1;
  }
  if (buffer == nullptr || size == 0) {
    return set_error(EINVAL, "nowhere to put the target");
  }
  auto parsed = take_path(path);
  if (!parsed.has_value()) {
    return -1;
  }
  Context context{.subject = path, .server = {}};
  const auto target =
      mount->mount->run(mount->mount->names().read_link(context, std::move(*parsed)));
  if (!target.has_value()) {
    return to_c(*mount->mount, context, target);
  }
  const std::size_t count = std::min(size, target->size());
  std::memcpy(buffer, target->data(), count);
  return static_cast<ssize_t>(count);
}

int benchfs_link(benchfs_mount* mount, const char* from, const char* to) {
  if (!check(mount) || !take_path(from).has_value() || !take_path(to).has_value()) {
    return -1;
  }
  return set_error(ENOTSUP, fmt::format("{}: hard links are not supported", to));
}

// ---- Directories
// ---------------------------------------------------------------------------------------

benchfs_dir* benchfs_opendir(benchfs_mount* mount, const char* path) {
  if (!check(mount)) {
    return nullptr;
  }
  auto parsed = take_path(path);
  if (!parsed.has_value()) {
    return nullptr;
  }
  Context context{.subject = path, .server = {}};
  const auto directory =
      mount->mount->run(mount->mount->names().find_directory(context, std::move(*parsed)));
  if (!directory.has_value()) {
    set_error(context, directory.error(), &mount->mount->server_names());
    return nullptr;
  }
  return new benchfs_dir(*mount->mount, path, *directory);
}

int benchfs_readdir(benchfs_dir* dir, benchfs_dirent* out) {
  if (dir == nullptr || out == nullptr) {
    return set_error(EINVAL, "the directory, or the place for the answer, is NULL");
  }
  if (!check_mount(&dir->mount)) {
    return -1;
  }
  if (dir->next == dir->listing.entries().size()) {
    dir->next = 0;
    const Status status = dir->mount.run(dir->listing.fill(dir->context));
    if (!status.has_value()) {
      // The directory was there when it was opened; that it is no more has its own errno.
      Error error = status.error();
      if (error.code == Errc::kStale) {
        error.code = Errc::kNotFound;
      }
      return set_error(dir->context, error, &dir->mount.server_names());
    }
    if (dir->listing.entries().empty()) {
      return 0;
    }
  }
  const wire::DirectoryEntry& entry = dir->listing.entries()[dir->next];
  static_assert(sizeof(out->name) == kNameBytesMax + 1);
  if (!wire::is_valid_name(entry.name)) {
    return set_error(EPROTO,
                     fmt::format("{}: a server sent a name that cannot be", dir->context.subject));
  }
  ++dir->next;
  std::memcpy(out->name, entry.name.c_str(), entry.name.size() + 1);
  out->attributes = to_stat(entry.entry.attributes);
  return 1;
}

int benchfs_closedir(benchfs_dir* dir) {
  if (dir == nullptr) {
    return set_error(EINVAL, "the directory is NULL");
  }
  if (!check_mount(&dir->mount)) {
    return -1;
  }
  delete dir;
  return 0;
}
