#include "server/handlers/outside_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/units.h"

namespace benchfs::server {
namespace {

/// Not in every version of <linux/magic.h>.
constexpr long kXfsMagic = 0x58465342;

Failure failed(const char* where) {
  return fail(from_errno(errno), where, errno);
}

std::uint64_t ns_of(const timespec& time) noexcept {
  // benchfs keeps no times before 1970.
  return time.tv_sec < 0 ? 0
                         : static_cast<std::uint64_t>(time.tv_sec) * kNsPerSec +
                               static_cast<std::uint64_t>(time.tv_nsec);
}

timespec timespec_of(std::uint64_t ns) noexcept {
  return {.tv_sec = static_cast<time_t>(ns / kNsPerSec),
          .tv_nsec = static_cast<long>(ns % kNsPerSec)};
}

}  // namespace

std::uint64_t OutsideStatus::stamp() const noexcept {
  const std::uint64_t parts[] = {size_bytes, mtime_ns, ctime_ns, inode};
  return XXH3_64bits(parts, sizeof(parts));
}

OutsideFile& OutsideFile::operator=(OutsideFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OutsideFile::~OutsideFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<OutsideFile> OutsideFile::open(const std::string& path, int flags, mode_t mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
  if (fd < 0) {
    return failed("outside.open");
  }
  OutsideFile file(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return failed("outside.stat");
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::kInvalid, "outside.type", EINVAL);
  }
  return file;
}

Result<OutsideFile> OutsideFile::open_source(const std::string& path) {
  return open(path, O_RDONLY, 0);
}

Result<OutsideFile> OutsideFile::open_target(const std::string& path) {
  return open(path, O_WRONLY, 0);
}

Result<OutsideFile> OutsideFile::create(const std::string& path) {
  return open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
}

Result<OutsideStatus> OutsideFile::status() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) {
    return failed("outside.stat");
  }
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  return OutsideStatus{
      .size_bytes = size_bytes,
      .atime_ns = ns_of(status.st_atim),
      .mtime_ns = ns_of(status.st_mtim),
      .ctime_ns = ns_of(status.st_ctim),
      .inode = status.st_ino,
      .mode = status.st_mode & 07777,
      .uid = status.st_uid,
      .gid = status.st_gid,
      .sparse = static_cast<std::uint64_t>(status.st_blocks) * 512 < size_bytes,
  };
}

Status OutsideFile::read(Bytes into, std::uint64_t offset_bytes) const {
  while (!into.empty()) {
    const ssize_t count = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset_bytes));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return failed("outside.read");
    }
    if (count == 0) {
      return fail(Errc::kStale, "outside.shorter");
    }
    into = into.subspan(static_cast<std::size_t>(count));
    offset_bytes += static_cast<std::uint64_t>(count);
  }
  return {};
}

Status OutsideFile::write(ConstBytes bytes, std::uint64_t offset_bytes) const {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset_bytes));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return failed("outside.write");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset_bytes += static_cast<std::uint64_t>(count);
  }
  return {};
}

void OutsideFile::start_writing(std::uint64_t offset_bytes,
                                std::uint64_t size_bytes) const noexcept {
  // Only a hint: what it cannot do fsync() does, and tells.
  static_cast<void>(::sync_file_range(fd_, static_cast<off_t>(offset_bytes),
                                      static_cast<off_t>(size_bytes), SYNC_FILE_RANGE_WRITE));
}

Status OutsideFile::resize(std::uint64_t size_bytes) const {
  if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) {
    return failed("outside.resize");
  }
  return {};
}

Status OutsideFile::set_attributes(const OutsideStatus& like) const {
  if (::fchown(fd_, like.uid, like.gid) != 0 && errno != EPERM && errno != EINVAL) {
    return failed("outside.owner");
  }
  // Behind the owner, whose change takes set-user-id bits away.
  if (::fchmod(fd_, like.mode) != 0) {
    return failed("outside.mode");
  }
  const timespec times[2] = {timespec_of(like.atime_ns), timespec_of(like.mtime_ns)};
  if (::futimens(fd_, times) != 0) {
    return failed("outside.times");
  }
  return {};
}

Status OutsideFile::fsync() const {
  if (::fsync(fd_) != 0) {
    return failed("outside.fsync");
  }
  return {};
}

void OutsideFile::drop_cache() const noexcept {
  static_cast<void>(::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED));
}

bool OutsideFile::has_whole_sync() const noexcept {
  struct statfs status {};
  if (::fstatfs(fd_, &status) != 0) {
    return false;
  }
  const auto type = static_cast<long>(status.f_type);
  return type == EXT4_SUPER_MAGIC || type == kXfsMagic || type == BTRFS_SUPER_MAGIC ||
         type == TMPFS_MAGIC;
}

std::string outside_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

Status rename_outside(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return failed("outside.rename");
  }
  return {};
}

void remove_outside(const std::string& path) noexcept {
  ::unlink(path.c_str());
}

Result<std::uint64_t> device_number_of(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    return failed("outside.stat");
  }
  return status.st_dev;
}

namespace {

template <typename Sync>
Status with_directory(const std::string& path, Sync sync) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return failed("outside.directory");
  }
  const bool done = sync(fd) == 0;
  const int error = errno;
  ::close(fd);
  return done ? Status() : fail(from_errno(error), "outside.sync", error);
}

}  // namespace

Status fsync_directory(const std::string& path) {
  return with_directory(path, [](int fd) { return ::fsync(fd); });
}

Status sync_file_system(const std::string& directory) {
  return with_directory(directory, [](int fd) { return ::syncfs(fd); });
}

}  // namespace benchfs::server
