// benchfs.h: files, blocking.

#include <climits>

#include <fcntl.h>

#include "base/ids.h"
#include "base/limits.h"
#include "client/c_handles.h"
#include "client/file_export.h"

using namespace benchfs;          // NOLINT(google-build-using-namespace)
using namespace benchfs::client;  // NOLINT(google-build-using-namespace)

static_assert(BENCHFS_EXPORT_SIZE == kExportBytes);

namespace {

constexpr int kOpenFlagsKnown =
    O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// The wire's flags for open(2)'s; nothing if a flag is not supported.
std::optional<std::uint32_t> to_wire_flags(int flags) noexcept {
  const int access = flags & O_ACCMODE;
  if ((flags & ~kOpenFlagsKnown) != 0 || access == O_ACCMODE) {
    return std::nullopt;
  }
  std::uint32_t out = 0;
  out |= access != O_WRONLY ? wire::kOpenRead : 0U;
  out |= access != O_RDONLY ? wire::kOpenWrite : 0U;
  out |= (flags & O_CREAT) != 0 ? wire::kOpenCreate : 0U;
  // Without O_CREAT, O_EXCL means nothing; without the right to write, O_APPEND does.
  out |= (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0 ? wire::kOpenExclusive : 0U;
  out |= (flags & O_TRUNC) != 0 ? wire::kOpenTruncate : 0U;
  out |= access != O_RDONLY && (flags & O_APPEND) != 0 ? wire::kOpenAppend : 0U;
  out |= (flags & O_DIRECTORY) != 0 ? wire::kOpenDirectory : 0U;
  return out;
}

/// The lists of a blocking call, run: what the C function returns.
ssize_t run_read(benchfs_file* file, const std::optional<IoLists>& lists) {
  if (!lists.has_value()) {
    return -1;
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto count = file->mount.run(file->file.read(context, lists->memory, lists->extents));
  return to_c(file->mount, context, count);
}

ssize_t run_write(benchfs_file* file, const std::optional<IoLists>& lists) {
  if (!lists.has_value()) {
    return -1;
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto count = file->mount.run(file->file.write(context, lists->memory, lists->extents));
  return to_c(file->mount, context, count);
}

}  // namespace

// ---- Open and close
// ------------------------------------------------------------------------------------

benchfs_file* benchfs_open(benchfs_mount* mount, const char* path, int flags, mode_t mode,
                           const benchfs_layout* layout) {
  if (!check(mount)) {
    return nullptr;
  }
  auto parsed = take_path(path);
  if (!parsed.has_value()) {
    return nullptr;
  }
  const auto wire_flags = to_wire_flags(flags);
  if (!wire_flags.has_value()) {
    set_error(EINVAL, fmt::format("{}: open flags {:#o} are not supported", path, flags));
    return nullptr;
  }
  wire::Layout wire_layout;
  if (layout != nullptr) {
    if (layout->chunk_size == 0 || layout->chunk_size > wire::kChunkBytesMax) {
      set_error(EINVAL, fmt::format("{}: a chunk size of {} bytes is not between 1 and 2^40", path,
                                    layout->chunk_size));
      return nullptr;
    }
    wire_layout.chunk_bytes = layout->chunk_size;
    wire_layout.stripe_count =
        layout->stripe_count > mount->mount->server_count() ? 0 : layout->stripe_count;
  }
  Mount& its_mount = *mount->mount;
  Context context{.subject = path, .server = {}};
  const Follow follow = (flags & O_NOFOLLOW) != 0 ? Follow::kNo : Follow::kYes;
  const auto opened = its_mount.run(its_mount.names().open(context, std::move(*parsed), *wire_flags,
                                                           mode & 07777U, wire_layout, follow));
  if (!opened.has_value()) {
    set_error(context, opened.error(), &its_mount.server_names());
    return nullptr;
  }
  const wire::Attributes& attributes = opened->entry.attributes;
  const File::Identity identity{
      .inode = attributes.inode,
      .layout = attributes.layout,
      .flags = *wire_flags & (wire::kOpenRead | wire::kOpenWrite | wire::kOpenAppend),
      .open_id = opened->open_id,
      .truncate_epoch = opened->truncate_epoch,
      .is_old = context.answer_is_old,
      .name_servers = std::move(*context.name_servers)};
  if (!File::is_sound(identity, its_mount.server_count())) {
    set_error(EPROTO, fmt::format("{}: its server described a file that cannot be", path));
    return nullptr;
  }
  return new benchfs_file(its_mount, path, identity, File::Origin::kOpened);
}

int benchfs_close(benchfs_file* file) {
  if (!check(file)) {
    return -1;
  }
  if (file->file.users().load(std::memory_order_acquire) != 0) {
    return set_error(EBUSY, fmt::format("{}: operations on it go on", file->file.name()));
  }
  Context context{.subject = file->file.name(), .server = {}};
  const auto result = file->mount.run(file->file.close(context));
  const auto returned = static_cast<int>(to_c(file->mount, context, result));
  const int saved_errno = errno;
  delete file;
  errno = saved_errno;
  return returned;
}

// ---- Data
// ----------------------------------------------------------------------------------------------

ssize_t benchfs_pread(benchfs_file* file, void* buffer, size_t length, off_t offset) {
  const iovec iov{.iov_base = buffer, .iov_len = length};
  return run_read(file, take_range(file, &iov, 1, offset, false));
}

ssize_t benchfs_pwrite(benchfs_file* file, const void* buffer, size_t length, off_t offset) {
  const iovec iov{.iov_base = const_cast<void*>(buffer), .iov_len = length};
  return run_write(file, take_range(file, &iov, 1, offset, true));
}

ssize_t benchfs_preadv(benchfs_file* file, const struct iovec* iov, int count, off_t offset) {
  return run_read(file, take_range(file, iov, count, offset, false));
}

ssize_t benchfs_pwritev(benchfs_file* file, const struct iovec* iov, int count, off_t offset) {
  return run_write(file, take_range(file, iov, count, offset, true));
}

ssize_t benchfs_read_list(benchfs_file* file, const struct iovec* iov, int iov_count,
                          const benchfs_extent* extents, size_t extent_count) {
  return run_read(file, take_lists(file, iov, iov_count, extents, extent_count));
}

ssize_t benchfs_write_list(benchfs_file* file, const struct iovec* iov, int iov_count,
                           const benchfs_extent* extents, size_t extent_count) {
  return run_write(file, take_lists(file, iov, iov_count, extents, extent_count));
}

ssize_t benchfs_read(benchfs_file* file, void* buffer, size_t length) {
  const iovec iov{.iov_base = buffer, .iov_len = length};
  if (!take_range(file, &iov, 1, 0, false).has_value()) {
    return -1;
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto count = file->mount.run(file->file.read_next(context, iov));
  return to_c(file->mount, context, count);
}

ssize_t benchfs_write(benchfs_file* file, const void* buffer, size_t length) {
  const iovec iov{.iov_base = const_cast<void*>(buffer), .iov_len = length};
  if (!take_range(file, &iov, 1, 0, true).has_value()) {
    return -1;
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto count = file->mount.run(file->file.write_next(context, iov));
  return to_c(file->mount, context, count);
}

off_t benchfs_lseek(benchfs_file* file, off_t offset, int whence) {
  if (!check(file)) {
    return -1;
  }
  if (whence == SEEK_DATA || whence == SEEK_HOLE) {
    return set_error(ENOTSUP, "SEEK_DATA and SEEK_HOLE are not supported");
  }
  if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) {
    return set_error(EINVAL, fmt::format("no such way to seek: {}", whence));
  }
  const Whence from = whence == SEEK_SET   ? Whence::kSet
                      : whence == SEEK_CUR ? Whence::kCurrent
                                           : Whence::kEnd;
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto position = file->mount.run(file->file.seek(context, offset, from));
  if (!position.has_value() && position.error().code == Errc::kTooLarge) {
    return set_error(EOVERFLOW, fmt::format("{}: no position beyond byte 2^63", context.subject));
  }
  return to_c(file->mount, context, position);
}

// ---- The open file
// -------------------------------------------------------------------------------------

int benchfs_fstat(benchfs_file* file, struct stat* out) {
  if (!check(file)) {
    return -1;
  }
  if (out == nullptr) {
    return set_error(EINVAL, "nowhere to put the answer");
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto attributes = file->mount.run(file->file.stat(context));
  if (attributes.has_value()) {
    *out = to_stat(*attributes);
  }
  return static_cast<int>(to_c(file->mount, context, attributes));
}

int benchfs_ftruncate(benchfs_file* file, off_t size) {
  if (!check(file)) {
    return -1;
  }
  if (size < 0) {
    return set_error(EINVAL, fmt::format("{}: the size {} is negative", file->file.name(), size));
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto result =
      file->mount.run(file->file.truncate(context, static_cast<std::uint64_t>(size)));
  return static_cast<int>(to_c(file->mount, context, result));
}

int benchfs_fsync(benchfs_file* file) {
  if (!check(file)) {
    return -1;
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto result = file->mount.run(file->file.fsync(context));
  return static_cast<int>(to_c(file->mount, context, result));
}

int benchfs_file_layout(const benchfs_file* file, benchfs_layout* out) {
  if (!check(file)) {
    return -1;
  }
  if (out == nullptr) {
    return set_error(EINVAL, "nowhere to put the answer");
  }
  const wire::Layout& layout = file->file.identity().layout;
  *out = {.chunk_size = layout.chunk_bytes, .stripe_count = layout.stripe_count};
  return 0;
}

// ---- Sharing
// -------------------------------------------------------------------------------------------

int benchfs_file_export(benchfs_file* file, void* buffer, size_t size) {
  if (!check(file)) {
    return -1;
  }
  if (buffer == nullptr || size < kExportBytes) {
    return set_error(EINVAL, fmt::format("an export takes {} bytes", kExportBytes));
  }
  const File::Identity& identity = file->file.identity();
  const FileExport what{.session_id = file->mount.session_id(),
                        .epoch = file->mount.epoch(),
                        .inode = to_integer(identity.inode),
                        .layout = identity.layout,
                        .flags = identity.flags,
                        .open_id = identity.open_id,
                        .truncate_epoch = identity.truncate_epoch,
                        .counter = file->file.counter()};
  encode_export(what, Bytes(static_cast<std::byte*>(buffer), kExportBytes));
  file->file.mark_exported();
  return 0;
}

benchfs_file* benchfs_file_attach(benchfs_mount* mount, const void* buffer, size_t size) {
  if (!check(mount)) {
    return nullptr;
  }
  const auto what = buffer == nullptr
                        ? Result<FileExport>(fail(Errc::kInvalid, "client.attach"))
                        : decode_export({static_cast<const std::byte*>(buffer), size});
  if (!what.has_value()) {
    set_error(EINVAL, "not the bytes of an exported file");
    return nullptr;
  }
  Mount& its_mount = *mount->mount;
  if (what->session_id != its_mount.session_id() || what->epoch != its_mount.epoch()) {
    set_error(ESTALE, "the file was exported from another session");
    return nullptr;
  }
  const File::Identity identity{.inode = InodeId{what->inode},
                                .layout = what->layout,
                                .flags = what->flags,
                                .open_id = what->open_id,
                                .truncate_epoch = what->truncate_epoch,
                                .counter = what->counter};
  if (!File::is_sound(identity, its_mount.server_count())) {
    set_error(EINVAL, "not the bytes of an exported file");
    return nullptr;
  }
  return new benchfs_file(its_mount, fmt::format("inode {:#x}", what->inode), identity,
                          File::Origin::kAttached);
}

// ---- Locks, and the counter
// -----------------------------------------------------------------------------

benchfs_lock* benchfs_lock_range(benchfs_file* file, int shared, off_t offset, off_t length) {
  if (!check(file)) {
    return nullptr;
  }
  if (offset < 0 || length < 0 ||
      (length > 0 &&
       static_cast<std::uint64_t>(offset) > kFileBytesMax - static_cast<std::uint64_t>(length)) ||
      static_cast<std::uint64_t>(offset) >= kFileBytesMax) {
    set_error(EINVAL, fmt::format("{}: no range begins at {} and has {} bytes", file->file.name(),
                                  offset, length));
    return nullptr;
  }
  auto lock = std::make_unique<benchfs_lock>(*file);
  Context context{.subject = file->file.name(), .server = {}};
  const auto begin_bytes = static_cast<std::uint64_t>(offset);
  const Extent range{
      .offset_bytes = begin_bytes,
      .size_bytes = length > 0 ? static_cast<std::uint64_t>(length) : kFileBytesMax - begin_bytes};
  const auto number = file->mount.run(file->file.lock(context, range, shared != 0));
  if (!number.has_value()) {
    set_error(context, number.error(), &file->mount.server_names());
    return nullptr;
  }
  lock->number = *number;
  return lock.release();
}

int benchfs_unlock(benchfs_lock* lock) {
  if (lock == nullptr) {
    return set_error(EINVAL, "the lock is NULL");
  }
  if (!check(&lock->file)) {
    return -1;
  }
  benchfs_file& file = lock->file;
  Context context{.subject = file.file.name(), .server = {}};
  const auto result = file.mount.run(file.file.unlock(context, lock->number));
  const auto returned = static_cast<int>(to_c(file.mount, context, result));
  const int saved_errno = errno;
  delete lock;
  errno = saved_errno;
  return returned;
}

namespace {

int run_count(benchfs_file* file, int64_t value, bool set, int64_t* before) {
  if (!check(file)) {
    return -1;
  }
  if (value < 0) {
    return set_error(EINVAL, fmt::format("{}: {} is negative", file->file.name(), value));
  }
  const benchfs_use use(file->file.users());
  Context context{.subject = file->file.name(), .server = {}};
  const auto was =
      file->mount.run(file->file.count(context, static_cast<std::uint64_t>(value), set));
  if (!was.has_value() && was.error().code == Errc::kTooLarge) {
    return set_error(EOVERFLOW, fmt::format("{}: no counter beyond 2^63", context.subject));
  }
  if (was.has_value() && before != nullptr) {
    *before = static_cast<int64_t>(*was);
  }
  return was.has_value() ? 0 : static_cast<int>(to_c(file->mount, context, was));
}

}  // namespace

int benchfs_counter_add(benchfs_file* file, int64_t amount, int64_t* before) {
  return run_count(file, amount, false, before);
}

int benchfs_counter_set(benchfs_file* file, int64_t value, int64_t* before) {
  return run_count(file, value, true, before);
}
