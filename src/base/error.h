#pragma once

// The one list of operating errors. Borders translate it in one place each:
// net/ucs_map.cpp, client/errno_map.cpp, mpiio/ad_benchfs/ad_benchfs_error.c.

#include <cstdint>
#include <string_view>

namespace benchfs {

/// What went wrong, as the caller may act on it. Append only: the numbers travel on the wire.
enum class Errc : std::uint16_t {
  kNotFound = 1,       ///< ENOENT
  kExists = 2,         ///< EEXIST
  kNotDirectory = 3,   ///< ENOTDIR
  kIsDirectory = 4,    ///< EISDIR
  kNotEmpty = 5,       ///< ENOTEMPTY
  kInvalid = 6,        ///< EINVAL: an argument that can never be right.
  kNameTooLong = 7,    ///< ENAMETOOLONG
  kOutOfSpace = 8,     ///< ENOSPC
  kOutOfRange = 9,     ///< EINVAL: an offset or index outside of what exists.
  kTooLarge = 10,      ///< EFBIG
  kIo = 11,            ///< EIO: the drive or its file system failed.
  kCorrupt = 12,       ///< EIO: bytes that are not what was written.
  kPeerLost = 13,      ///< EHOSTDOWN: the server (or client) is gone.
  kTimedOut = 14,      ///< EIO: no reply within the deadline.
  kProtocol = 15,      ///< EPROTO: a message that no correct peer sends.
  kAccess = 16,        ///< EACCES: not permitted by mode, or a wrong secret.
  kBadHandle = 17,     ///< EBADF: not open, or not open for this.
  kStale = 18,         ///< ESTALE: the directory or session that was meant is no more.
  kUnsupported = 19,   ///< ENOTSUP
  kBusy = 20,          ///< EBUSY
  kCancelled = 21,     ///< ECANCELED
  kOutOfMemory = 22,   ///< ENOMEM
  kTooManyLinks = 23,  ///< EMLINK
  kSymlinkLoop = 24,   ///< ELOOP
  kReadOnly = 25,      ///< EROFS
  kPermission = 26,    ///< EPERM
  kAgain = 27,         ///< EAGAIN: try the same request again, at once.
  kTooManyFiles = 28,  ///< EMFILE: a named limit on open things is reached.
  kCrossDevice = 29,   ///< EXDEV
  kPowerLost = 30,     ///< EIO: what was acknowledged and not synced may be gone.
  kNoLock = 31,        ///< ENOLCK: the lock is not held any more, or there are too many.
};

inline constexpr std::uint16_t kErrcLast = 31;

/// An operating error: expected, handled or handed on, never thrown. 16 bytes, free to copy.
struct [[nodiscard]] Error {
  Errc code;
  std::int32_t os_code = 0;  ///< errno or ucs_status_t of the failing call; 0 if none.
  const char* where = "";    ///< Static string that names the failing step, e.g. "chunk.read".
};

/// The POSIX errno that an application sees for `code`.
int to_errno(Errc code) noexcept;

/// The closest Errc for an errno of the operating system; kIo for what is not in the list.
Errc from_errno(int posix_errno) noexcept;

/// Stable lower-case name for logs, e.g. "out_of_space".
std::string_view name_of(Errc code) noexcept;

/// Whether `number`, as it came from a peer, is one of the list.
constexpr bool is_errc(std::uint16_t number) noexcept {
  return number >= 1 && number <= kErrcLast;
}

}  // namespace benchfs
