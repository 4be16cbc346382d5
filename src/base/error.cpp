#include "base/error.h"

#include <array>
#include <cerrno>

#include "base/assert.h"

namespace benchfs {
namespace {

struct Row {
  Errc code;
  int posix_errno;
  std::string_view name;
};

constexpr std::array<Row, kErrcLast> kRows = {{
    {Errc::kNotFound, ENOENT, "not_found"},
    {Errc::kExists, EEXIST, "exists"},
    {Errc::kNotDirectory, ENOTDIR, "not_directory"},
    {Errc::kIsDirectory, EISDIR, "is_directory"},
    {Errc::kNotEmpty, ENOTEMPTY, "not_empty"},
    {Errc::kInvalid, EINVAL, "invalid"},
    {Errc::kNameTooLong, ENAMETOOLONG, "name_too_long"},
    {Errc::kOutOfSpace, ENOSPC, "out_of_space"},
    {Errc::kOutOfRange, EINVAL, "out_of_range"},
    {Errc::kTooLarge, EFBIG, "too_large"},
    {Errc::kIo, EIO, "io"},
    {Errc::kCorrupt, EIO, "corrupt"},
    {Errc::kPeerLost, EHOSTDOWN, "peer_lost"},
    {Errc::kTimedOut, EIO, "timed_out"},
    {Errc::kProtocol, EPROTO, "protocol"},
    {Errc::kAccess, EACCES, "access"},
    {Errc::kBadHandle, EBADF, "bad_handle"},
    {Errc::kStale, ESTALE, "stale"},
    {Errc::kUnsupported, ENOTSUP, "unsupported"},
    {Errc::kBusy, EBUSY, "busy"},
    {Errc::kCancelled, ECANCELED, "cancelled"},
    {Errc::kOutOfMemory, ENOMEM, "out_of_memory"},
    {Errc::kTooManyLinks, EMLINK, "too_many_links"},
    {Errc::kSymlinkLoop, ELOOP, "symlink_loop"},
    {Errc::kReadOnly, EROFS, "read_only"},
    {Errc::kPermission, EPERM, "permission"},
    {Errc::kAgain, EAGAIN, "again"},
    {Errc::kTooManyFiles, EMFILE, "too_many_files"},
    {Errc::kCrossDevice, EXDEV, "cross_device"},
    {Errc::kPowerLost, EIO, "power_lost"},
    {Errc::kNoLock, ENOLCK, "no_lock"},
}};

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].code) != i + 1) {
      return false;
    }
  }
  return true;
}
static_assert(rows_are_in_order(), "row i must describe Errc i + 1");

const Row& row_of(Errc code) noexcept {
  const auto index = static_cast<std::size_t>(code) - 1;
  BENCHFS_ASSERT(index < kRows.size());
  return kRows[index];
}

}  // namespace

int to_errno(Errc code) noexcept {
  return row_of(code).posix_errno;
}

Errc from_errno(int posix_errno) noexcept {
  for (const Row& row : kRows) {
    // The first row wins, so kIo stands for EIO and kInvalid for EINVAL.
    if (row.posix_errno == posix_errno) {
      return row.code;
    }
  }
  return posix_errno == EDQUOT ? Errc::kOutOfSpace : Errc::kIo;
}

std::string_view name_of(Errc code) noexcept {
  return row_of(code).name;
}

}  // namespace benchfs
