// Operations on attributes.

#include <algorithm>
#include <ctime>
#include <limits>
#include <optional>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/units.h"
#include "client/cluster.h"
#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

constexpr std::uint64_t kStatFsUnitBytes = kBlockBytes;

/// Nothing for what the servers cannot keep: a time before 1970, or too far off.
std::optional<std::uint64_t> to_time_ns(const timespec& time) noexcept {
  constexpr auto kSecondsMax =
      std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(kNsPerSec) - 1;
  if (time.tv_sec < 0 || time.tv_sec > kSecondsMax || time.tv_nsec < 0 ||
      time.tv_nsec >= static_cast<long>(kNsPerSec)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSec +
         static_cast<std::uint64_t>(time.tv_nsec);
}

/// Nothing: a time that cannot be.
std::optional<wire::SetAttrRequest> to_change(fuse_ino_t node, const struct stat& wanted,
                                              int what) {
  wire::SetAttrRequest change{.inode = to_inode(node)};
  const std::uint64_t now_ns = SystemClock().wall_ns();
  if ((what & FUSE_SET_ATTR_MODE) != 0) {
    change.mask |= wire::kSetMode;
    change.mode = wanted.st_mode & 07777U;
  }
  if ((what & FUSE_SET_ATTR_UID) != 0) {
    change.mask |= wire::kSetUid;
    change.uid = wanted.st_uid;
  }
  if ((what & FUSE_SET_ATTR_GID) != 0) {
    change.mask |= wire::kSetGid;
    change.gid = wanted.st_gid;
  }
  if ((what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW)) != 0) {
    const auto time_ns =
        (what & FUSE_SET_ATTR_ATIME_NOW) != 0 ? now_ns : to_time_ns(wanted.st_atim);
    if (!time_ns.has_value()) {
      return std::nullopt;
    }
    change.mask |= wire::kSetAtime;
    change.atime_ns = *time_ns;
  }
  if ((what & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0) {
    const auto time_ns =
        (what & FUSE_SET_ATTR_MTIME_NOW) != 0 ? now_ns : to_time_ns(wanted.st_mtim);
    if (!time_ns.has_value()) {
      return std::nullopt;
    }
    change.mask |= wire::kSetMtime;
    change.mtime_ns = *time_ns;
  }
  return change;
}

coro::Task<Result<wire::Attributes>> find_attributes(Nodes& nodes, client::Context& context,
                                                     InodeId node, client::File* file) {
  if (file != nullptr) {
    auto asking = file->stat(context);  // Also if it has lost its name.
    co_return co_await asking;
  }
  auto asking = nodes.attributes(context, node);
  co_return co_await asking;
}

coro::Task<Result<wire::Attributes>> change_attributes(Nodes& nodes, client::Context& context,
                                                       wire::SetAttrRequest change,
                                                       std::optional<std::uint64_t> size_bytes,
                                                       client::File* file) {
  if (size_bytes.has_value()) {
    if (file != nullptr && file->may_write()) {
      BENCHFS_CO_CHECK(file->truncate(context, *size_bytes));
    } else {
      BENCHFS_CO_CHECK(nodes.truncate(context, change.inode, *size_bytes));
    }
  }
  if (change.mask != 0) {
    BENCHFS_CO_CHECK(nodes.set_attributes(context, change));
  }
  auto finding = find_attributes(nodes, context, change.inode, file);
  co_return co_await finding;
}

void get_attributes(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  client::Context context;
  client::File* const file = info == nullptr ? nullptr : open_file_of(info)->file.get();
  reply_attributes(request, run(request, find_attributes(file_system_of(request).nodes(), context,
                                                         to_inode(node), file)));
}

void set_attributes(fuse_req_t request, fuse_ino_t node, struct stat* wanted, int what,
                    fuse_file_info* info) {
  const auto change = to_change(node, *wanted, what);
  if (!change.has_value()) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  std::optional<std::uint64_t> size_bytes;
  if ((what & FUSE_SET_ATTR_SIZE) != 0) {
    size_bytes = static_cast<std::uint64_t>(wanted->st_size);
  }
  client::Context context;
  client::File* const file = info == nullptr ? nullptr : open_file_of(info)->file.get();
  reply_attributes(request, run(request, change_attributes(file_system_of(request).nodes(), context,
                                                           *change, size_bytes, file)));
}

void measure(fuse_req_t request, fuse_ino_t /*node*/) {
  client::Context context;
  const auto usage =
      run(request, client::measure(file_system_of(request).mount().servers(), context));
  if (!usage.has_value()) {
    reply(request, usage.error());
    return;
  }
  struct statvfs out {};
  const std::uint64_t free_bytes =
      usage->capacity_bytes - std::min(usage->used_bytes, usage->capacity_bytes);
  out.f_bsize = kStatFsUnitBytes;
  out.f_frsize = kStatFsUnitBytes;
  out.f_blocks = usage->capacity_bytes / kStatFsUnitBytes;
  out.f_bfree = free_bytes / kStatFsUnitBytes;
  out.f_bavail = out.f_bfree;
  out.f_files = usage->inode_count + out.f_bfree;  // As many more as there are blocks for.
  out.f_ffree = out.f_bfree;
  out.f_favail = out.f_bfree;
  out.f_namemax = kNameBytesMax;
  fuse_reply_statfs(request, &out);
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& table) {
  table.getattr = get_attributes;
  table.setattr = set_attributes;
  table.statfs = measure;
}

}  // namespace benchfs::fuse
