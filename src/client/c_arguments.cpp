// What the functions of benchfs.h check before anything is done.

#include <algorithm>
#include <climits>
#include <string_view>

#include "base/limits.h"
#include "base/units.h"
#include "client/c_handles.h"

namespace benchfs::client {
namespace {

// What applications take as a good size for one transfer.
constexpr std::uint64_t kTransferHintMin = 4 * kKiB;
constexpr std::uint64_t kTransferHintMax = 16 * kMiB;
constexpr std::uint64_t kStatBlockBytes = 512;

/// Copies the list and adds up its bytes; nothing if it cannot be right.
std::optional<std::uint64_t> take_memory(const iovec* iov, int count, std::vector<iovec>& out) {
  if (count < 0 || (count > 0 && iov == nullptr)) {
    set_error(EINVAL, fmt::format("not a list of memory: {} pieces", count));
    return std::nullopt;
  }
  std::uint64_t total = 0;
  for (int i = 0; i < count; ++i) {
    if (iov[i].iov_len > SSIZE_MAX - total) {
      set_error(EINVAL, "more memory in one call than a ssize_t can count");
      return std::nullopt;
    }
    if (iov[i].iov_base == nullptr && iov[i].iov_len > 0) {
      set_error(EFAULT, "a buffer is NULL");
      return std::nullopt;
    }
    total += iov[i].iov_len;
  }
  out.assign(iov, iov + count);
  return total;
}

/// Cuts the list to its first `bytes`.
void shorten(std::vector<iovec>& memory, std::uint64_t bytes) {
  for (iovec& piece : memory) {
    piece.iov_len = std::min<std::uint64_t>(piece.iov_len, bytes);
    bytes -= piece.iov_len;
  }
}

timespec to_timespec(std::uint64_t ns) noexcept {
  return {.tv_sec = static_cast<time_t>(ns / kNsPerSec),
          .tv_nsec = static_cast<long>(ns % kNsPerSec)};
}

}  // namespace

std::optional<Path> take_path(const char* path) noexcept {
  if (path == nullptr) {
    set_error(EINVAL, "the path is NULL");
    return std::nullopt;
  }
  auto parsed = parse_path(path);
  if (!parsed.has_value()) {
    const Errc code = parsed.error().code;
    const std::string_view shown = std::string_view(path).substr(0, 200);
    set_error(to_errno(code),
              code == Errc::kInvalid
                  ? fmt::format("\"{}\": a path inside a session begins with \"/\"", shown)
              : code == Errc::kNameTooLong
                  ? fmt::format("\"{}\"...: longer than {} bytes, or a name than {}", shown,
                                kPathBytesMax, kNameBytesMax)
                  : "the path is empty");
    return std::nullopt;
  }
  return std::move(*parsed);
}

std::optional<IoLists> take_range(const benchfs_file* file, const iovec* iov, int iov_count,
                                  off_t offset, bool is_write) {
  if (!check(file)) {
    return std::nullopt;
  }
  const std::string& name = file->file.name();
  if (offset < 0) {
    set_error(EINVAL, fmt::format("{}: the offset {} is negative", name, offset));
    return std::nullopt;
  }
  IoLists lists;
  const auto total = take_memory(iov, iov_count, lists.memory);
  if (!total.has_value()) {
    return std::nullopt;
  }
  Extent extent{.offset_bytes = static_cast<std::uint64_t>(offset), .size_bytes = *total};
  if (extent.size_bytes > kFileBytesMax - extent.offset_bytes) {
    if (is_write) {
      set_error(EFBIG, fmt::format("{}: a file cannot reach beyond byte 2^63", name));
      return std::nullopt;
    }
    extent.size_bytes = kFileBytesMax - extent.offset_bytes;
    shorten(lists.memory, extent.size_bytes);
  }
  lists.extents.push_back(extent);
  return lists;
}

std::optional<IoLists> take_lists(const benchfs_file* file, const iovec* iov, int iov_count,
                                  const benchfs_extent* extents, std::size_t extent_count) {
  if (!check(file)) {
    return std::nullopt;
  }
  if (extents == nullptr && extent_count > 0) {
    set_error(EINVAL, "the list of extents is NULL");
    return std::nullopt;
  }
  IoLists lists;
  const auto memory_total = take_memory(iov, iov_count, lists.memory);
  if (!memory_total.has_value()) {
    return std::nullopt;
  }
  lists.extents.reserve(extent_count);
  std::uint64_t left = *memory_total;
  for (std::size_t i = 0; i < extent_count; ++i) {
    const benchfs_extent& extent = extents[i];
    if (extent.length > left || extent.offset > kFileBytesMax ||
        extent.length > kFileBytesMax - extent.offset) {
      set_error(EINVAL,
                fmt::format("{}: extent {} (offset {}, length {}) reaches beyond the memory "
                            "or the largest file",
                            file->file.name(), i, extent.offset, extent.length));
      return std::nullopt;
    }
    left -= extent.length;
    lists.extents.push_back({.offset_bytes = extent.offset, .size_bytes = extent.length});
  }
  if (left != 0) {
    set_error(EINVAL,
              fmt::format("{}: {} bytes of memory have no extent", file->file.name(), left));
    return std::nullopt;
  }
  return lists;
}

struct stat to_stat(const wire::Attributes& attributes) noexcept {
  struct stat out {};
  const bool is_directory = attributes.type == wire::FileType::kDirectory;
  const bool is_link = attributes.type == wire::FileType::kSymlink;
  out.st_mode = (attributes.mode & 07777U) | (is_directory ? S_IFDIR : is_link ? S_IFLNK : S_IFREG);
  out.st_ino = to_integer(attributes.inode);
  out.st_nlink = attributes.link_count;
  out.st_uid = attributes.uid;
  out.st_gid = attributes.gid;
  out.st_size = static_cast<off_t>(attributes.size_bytes);
  out.st_blksize = static_cast<blksize_t>(
      is_directory ? kTransferHintMin
                   : std::clamp(attributes.layout.chunk_bytes, kTransferHintMin, kTransferHintMax));
  out.st_blocks = static_cast<blkcnt_t>(
      is_directory || is_link ? 0
                              : attributes.size_bytes / kStatBlockBytes +
                                    (attributes.size_bytes % kStatBlockBytes != 0 ? 1 : 0));
  out.st_atim = to_timespec(attributes.atime_ns);
  out.st_mtim = to_timespec(attributes.mtime_ns);
  out.st_ctim = to_timespec(attributes.ctime_ns);
  return out;
}

}  // namespace benchfs::client
