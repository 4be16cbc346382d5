// benchfs.h: sessions.

#include <memory>
#include <new>
#include <vector>

#include "base/limits.h"
#include "client/c_handles.h"
#include "client/cluster.h"
#include "client/options.h"

using namespace benchfs;          // NOLINT(google-build-using-namespace)
using namespace benchfs::client;  // NOLINT(google-build-using-namespace)

const char* benchfs_version(void) {
  return BENCHFS_VERSION;
}

const char* benchfs_error_text(void) {
  return error_sentence();
}

benchfs_mount* benchfs_mount_open(const char* session_directory) {
  const auto options = read_options(session_directory);
  if (!options.has_value()) {
    set_error(EINVAL, options.error());
    return nullptr;
  }
  auto mount = Mount::open(*options);
  if (!mount.has_value()) {
    set_error(to_errno(mount.error().error.code), std::move(mount.error().text));
    return nullptr;
  }
  return new benchfs_mount{std::move(*mount)};
}

int benchfs_mount_close(benchfs_mount* mount) {
  if (!check(mount)) {
    return -1;
  }
  if (const auto users = mount->mount->users().load(); users != 0) {
    return set_error(EBUSY, fmt::format("{} files or directories of the session are open", users));
  }
  delete mount;
  return 0;
}

int benchfs_server_count(const benchfs_mount* mount) {
  return check(mount) ? mount->mount->server_count() : -1;
}

int benchfs_ping(benchfs_mount* mount, int server) {
  if (!check(mount)) {
    return -1;
  }
  if (server < 0 || server >= mount->mount->server_count()) {
    return set_error(
        EINVAL, fmt::format("no server {}: there are {}", server, mount->mount->server_count()));
  }
  Context context{.subject = "ping", .server = {}};
  const auto result = mount->mount->run(
      ping(mount->mount->servers(), context, ServerId{static_cast<std::uint16_t>(server)}));
  return static_cast<int>(to_c(*mount->mount, context, result));
}

int benchfs_statvfs(benchfs_mount* mount, struct statvfs* out) {
  if (!check(mount)) {
    return -1;
  }
  if (out == nullptr) {
    return set_error(EINVAL, "nowhere to put the answer");
  }
  Context context{.subject = "statvfs", .server = {}};
  const auto result = mount->mount->run(measure(mount->mount->servers(), context));
  if (!result.has_value()) {
    return set_error(context, result.error(), &mount->mount->server_names());
  }
  *out = {};
  out->f_bsize = kTransferBytesMax;
  out->f_frsize = kBlockBytes;
  out->f_blocks = result->capacity_bytes / kBlockBytes;
  out->f_bfree = (result->capacity_bytes - result->used_bytes) / kBlockBytes;
  out->f_bavail = out->f_bfree;
  out->f_files = result->inode_count;
  out->f_fsid = mount->mount->session_id();
  out->f_namemax = kNameBytesMax;
  return 0;
}
