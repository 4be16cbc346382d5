#include "store/store_files.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <optional>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"

namespace benchfs::store {
namespace {

constexpr int kLockPausesMax = 1000;
constexpr timespec kLockPause = {.tv_sec = 0, .tv_nsec = 10'000'000};

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

Failure say(const std::string& path, const char* what, const char* where) {
  const int code = errno;
  log_error("{}: cannot {}: {}", path, what, std::strerror(code));
  return fail(from_errno(code), where, code);
}

enum class Owner { kNobody, kUs, kSomebodyElse };

/// A file that should be a superblock, as it is.
struct Marker {
  Owner owner = Owner::kNobody;
  Result<Superblock> superblock;
};

Result<Marker> read_marker(int directory_fd, const std::string& path, const char* name) {
  Marker marker;
  // O_NONBLOCK: a pipe of that name must not hold us up.
  const Descriptor file(
      ::openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.fd() < 0) {
    if (errno == ENOENT) {
      return marker;
    }
    if (errno != ELOOP) {
      return say(path, "open", "store.superblock.open");
    }
    marker.owner = Owner::kSomebodyElse;
    return marker;
  }
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) {
    return say(path, "stat", "store.superblock.stat");
  }
  marker.owner = Owner::kSomebodyElse;
  if (!S_ISREG(status.st_mode)) {
    return marker;
  }
  std::array<std::byte, kSuperblockBytes + 1> bytes{};
  const ssize_t count = ::pread(file.fd(), bytes.data(), bytes.size(), 0);
  if (count < 0) {
    return say(path, "read", "store.superblock.read");
  }
  const auto content = ConstBytes(bytes).first(static_cast<std::size_t>(count));
  // Nothing is lost with an empty file, which is what a crash right after its creation leaves.
  if (content.empty() || has_superblock_magic(content)) {
    marker.owner = Owner::kUs;
  }
  marker.superblock = decode_superblock(content);
  return marker;
}

/// Everything in a store's directory that has one of our names.
struct Contents {
  Marker superblock;
  Marker unfinished;
  bool has_data = false;
  bool data_is_file = false;

  bool is_ours() const noexcept {
    return superblock.owner == Owner::kUs || unfinished.owner == Owner::kUs;
  }
  /// The name of a file that is in the way and not ours; null if there is none.
  const char* foreign_name() const noexcept {
    if (superblock.owner == Owner::kSomebodyElse) {
      return kSuperblockName;
    }
    if (unfinished.owner == Owner::kSomebodyElse) {
      return kUnfinishedName;
    }
    return has_data && (!is_ours() || !data_is_file) ? kDataName : nullptr;
  }
};

Result<Contents> look_into(int directory_fd, const std::string& path) {
  Contents contents;
  BENCHFS_TRY(contents.superblock,
              read_marker(directory_fd, path + "/" + kSuperblockName, kSuperblockName));
  BENCHFS_TRY(contents.unfinished,
              read_marker(directory_fd, path + "/" + kUnfinishedName, kUnfinishedName));
  struct stat status {};
  if (::fstatat(directory_fd, kDataName, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    contents.has_data = true;
    contents.data_is_file = S_ISREG(status.st_mode);
  } else if (errno != ENOENT) {
    return say(path + "/" + kDataName, "stat", "store.data.stat");
  }
  return contents;
}

Failure say_foreign(const std::string& path, const char* name) {
  log_error("{}/{} is not of a benchfs store; choose another directory, or move it away", path,
            name);
  return fail(Errc::kNotEmpty, "store.foreign");
}

Failure say_in_use(const std::string& path, int directory_fd) {
  const auto marker = read_marker(directory_fd, path + "/" + kSuperblockName, kSuperblockName);
  if (marker.has_value() && marker->owner == Owner::kUs && marker->superblock.has_value()) {
    log_error("store {} is in use by server {} of session {:016x}, which is running", path,
              to_integer(marker->superblock->server), marker->superblock->session_id);
  } else {
    log_error("store {} is in use by another server, which is running", path);
  }
  return fail(Errc::kBusy, "store.lock", EWOULDBLOCK);
}

Failure say_unreadable(const std::string& path, Error error) {
  log_error("store {} has a superblock {}; start with --discard to remove the store", path,
            error.code == Errc::kUnsupported
                ? "of another version of the format, unknown to this server"
                : "that is broken");
  return fail(error);
}

}  // namespace

Result<LockedDirectory> LockedDirectory::open(const std::string& path) {
  return open_with(path, 0);
}

Result<LockedDirectory> LockedDirectory::open_after_owner(const std::string& path) {
  return open_with(path, kLockPausesMax);
}

Result<LockedDirectory> LockedDirectory::open_with(const std::string& path, int pauses_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return say(path, "open the store directory", "store.open");
  }
  LockedDirectory directory(path, fd);
  int result = ::flock(fd, LOCK_EX | LOCK_NB);
  for (int pauses = 0; result != 0 && errno == EWOULDBLOCK && pauses < pauses_max; ++pauses) {
    ::nanosleep(&kLockPause, nullptr);
    result = ::flock(fd, LOCK_EX | LOCK_NB);
  }
  if (result != 0) {
    return errno == EWOULDBLOCK ? say_in_use(path, fd)
                                : say(path, "lock the store directory", "store.lock");
  }
  return directory;
}

LockedDirectory::~LockedDirectory() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Status LockedDirectory::write_unfinished(const Superblock& superblock) const {
  const std::string path = path_of(kUnfinishedName);
  const Descriptor file(
      ::openat(fd_, kUnfinishedName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.fd() < 0) {
    return say(path, "create", "store.superblock.create");
  }
  const SuperblockBytes bytes = encode(superblock);
  const ssize_t count = ::pwrite(file.fd(), bytes.data(), bytes.size(), 0);
  if (count != static_cast<ssize_t>(bytes.size())) {
    errno = count < 0 ? errno : ENOSPC;
    return say(path, "write", "store.superblock.write");
  }
  if (::fsync(file.fd()) != 0 || ::fsync(fd_) != 0) {
    return say(path, "sync", "store.superblock.fsync");
  }
  return {};
}

Status LockedDirectory::finish() const {
  if (::renameat(fd_, kUnfinishedName, fd_, kSuperblockName) != 0 || ::fsync(fd_) != 0) {
    return say(path_of(kUnfinishedName), "rename to superblock", "store.superblock.rename");
  }
  return {};
}

Result<std::optional<Superblock>> LockedDirectory::owner() const {
  BENCHFS_TRY(const Contents contents, look_into(fd_, path_));
  if (const char* const name = contents.foreign_name()) {
    return say_foreign(path_, name);
  }
  if (contents.superblock.owner != Owner::kUs) {
    return std::optional<Superblock>();
  }
  const Result<Superblock>& superblock = contents.superblock.superblock;
  if (!superblock.has_value()) {
    return say_unreadable(path_, superblock.error());
  }
  return std::optional(*superblock);
}

Status LockedDirectory::refuse(const Superblock& owner) const {
  log_error(
      "store {} holds {} of server {} of {} of session {:016x}, which is not running; start with "
      "--discard to remove it, or remove {}/{} and {}/{}",
      path_, format_size(owner.capacity_bytes), to_integer(owner.server), owner.server_count,
      owner.session_id, path_, kDataName, path_, kSuperblockName);
  return fail(Errc::kExists, "store.exists");
}

Status LockedDirectory::remove_store() const {
  BENCHFS_TRY(const Contents contents, look_into(fd_, path_));
  if (const char* const name = contents.foreign_name()) {
    return say_foreign(path_, name);
  }
  // A superblock stays under one of its names until the data is gone, so that a crash in between
  // does not leave a file that nobody knows to be ours.
  if (contents.superblock.owner == Owner::kUs &&
      ::renameat(fd_, kSuperblockName, fd_, kUnfinishedName) != 0) {
    return say(path_of(kSuperblockName), "rename", "store.remove");
  }
  for (const char* const name : {kDataName, kUnfinishedName}) {
    if (::unlinkat(fd_, name, 0) != 0 && errno != ENOENT) {
      return say(path_of(name), "remove", "store.remove");
    }
  }
  return {};
}

}  // namespace benchfs::store
