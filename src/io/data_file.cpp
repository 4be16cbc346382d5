#include "io/data_file.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/parse.h"
#include "io/file.h"
#include "io/memory_disk.h"
#include "io/posix_disk.h"
#include "io/uring_disk.h"

namespace benchfs::io {

File::~File() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

bool File::direct() const noexcept {
  const int flags = ::fcntl(fd_, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0;
}

namespace {

Failure say(const std::string& path, const char* what, const char* where, int code) {
  log_error("{}: {}: {}", path, what, std::strerror(code));
  return fail(from_errno(code), where, code);
}

Failure say_in_use(const std::string& path) {
  log_error("{}: in use by another process", path);
  return fail(Errc::kBusy, "data_file.lock", EWOULDBLOCK);
}

bool try_lock(int fd) noexcept {
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/// The kernel keeps open what a process used through io_uring until it has taken the ring apart,
/// some time after the process was killed.
constexpr int kLockPausesMax = 500;
constexpr timespec kLockPause = {.tv_sec = 0, .tv_nsec = 10'000'000};

bool lock_soon(int fd) noexcept {
  for (int pauses = 0; pauses < kLockPausesMax; ++pauses) {
    if (try_lock(fd) || errno != EWOULDBLOCK) {
      break;
    }
    ::nanosleep(&kLockPause, nullptr);
  }
  return try_lock(fd);
}

/// Somebody's file is in the way: tells whether it lives.
Failure say_exists(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool in_use = fd >= 0 && !try_lock(fd) && errno == EWOULDBLOCK;
  if (fd >= 0) {
    ::close(fd);
  }
  if (in_use) {
    return say_in_use(path);
  }
  log_error("{}: exists already, and is not overwritten", path);
  return fail(Errc::kExists, "data_file.create", EEXIST);
}

Failure say_too_large(const File& file, int code, std::uint64_t free_bytes) {
  log_error("{}: cannot reserve a capacity of {}: {}; its file system has {} free", file.path(),
            format_size(file.size_bytes()), std::strerror(code), format_size(free_bytes));
  return fail(Errc::kOutOfSpace, "data_file.reserve", code);
}

/// Reserves the file's whole size, so that no later write can find the drive full.
Status reserve(const File& file) {
  struct statvfs space {};
  if (::fstatvfs(file.fd(), &space) != 0) {
    return say(file.path(), "cannot ask for the free space", "data_file.space", errno);
  }
  // Asked first: fallocate() would take all that is left, from everybody, before it fails.
  const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
  if (free_bytes < file.size_bytes()) {
    return say_too_large(file, ENOSPC, free_bytes);
  }
  int result = 0;
  do {
    result = ::fallocate(file.fd(), 0, 0, static_cast<off_t>(file.size_bytes())) == 0 ? 0 : errno;
  } while (result == EINTR);
  switch (result) {
    case 0:
      return {};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // More than one file of this file system can have.
      return say_too_large(file, result, free_bytes);
    case EOPNOTSUPP:
      break;
    default:
      return say(file.path(), "cannot reserve its capacity", "data_file.reserve", result);
  }
  if (::ftruncate(file.fd(), static_cast<off_t>(file.size_bytes())) != 0) {
    return say(file.path(), "cannot set its size", "data_file.size", errno);
  }
  log_warning("{}: its file system cannot reserve space; others may use up what it needs",
              file.path());
  return {};
}

/// The name must survive power loss as well as the bytes.
Status sync_name(const File& file) {
  const std::string parent = std::filesystem::path(file.path()).parent_path().string();
  const int fd = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return say(parent, "cannot open the directory", "data_file.sync_name", errno);
  }
  const int result = ::fsync(file.fd()) == 0 && ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (result != 0 && result != EINVAL) {  // EINVAL: a file system that has nothing to sync.
    return say(file.path(), "cannot sync", "data_file.sync_name", result);
  }
  return {};
}

Status set_direct(const File& file) {
  // After open(), not with it: open() with O_DIRECT may fail and yet leave the file behind.
  if (::fcntl(file.fd(), F_SETFL, O_DIRECT) == 0) {
    return {};
  }
  if (errno != EINVAL) {
    return say(file.path(), "cannot set O_DIRECT", "data_file.direct", errno);
  }
  log_warning("{}: its file system has no direct I/O; using buffered I/O", file.path());
  return {};
}

/// What is done to the file once it is ours. If it fails, the file goes.
Status prepare(const File& file, bool direct) {
  if (direct) {
    BENCHFS_CHECK(set_direct(file));
  }
  BENCHFS_CHECK(reserve(file));
  return sync_name(file);
}

Result<File> create_file(const DataFileOptions& options) {
  const int fd = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int code = errno;
    return code == EEXIST
               ? say_exists(options.path)
               : say(options.path, "cannot create the data file", "data_file.create", code);
  }
  File file(fd, options.path, options.size_bytes);
  if (!try_lock(fd)) {
    return say_in_use(options.path);  // Whoever was quicker than we has it now.
  }
  const Status prepared = prepare(file, options.direct);
  if (!prepared) {
    ::unlink(options.path.c_str());
    return fail(prepared.error());
  }
  return file;
}

Result<File> open_file(const DataFileOptions& options) {
  // O_NONBLOCK: a pipe of that name must not hold us up.
  const int fd = ::open(options.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    const int code = errno;
    return say(options.path,
               code == EROFS ? "cannot write to the data file; mount it writable, or start on "
                               "another store"
                             : "cannot open the data file",
               "data_file.open", code);
  }
  File file(fd, options.path, options.size_bytes);
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return say(options.path, "cannot ask for its size", "data_file.size", errno);
  }
  if (!S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) != options.size_bytes) {
    log_error("{}: has {} bytes instead of {}: this is not the data of the store beside it",
              options.path, status.st_size, options.size_bytes);
    return fail(Errc::kCorrupt, "data_file.size");
  }
  if (!lock_soon(fd)) {
    return say_in_use(options.path);
  }
  if (options.direct) {
    BENCHFS_CHECK(set_direct(file));
  }
  return file;
}

/// Whether a data file is new, and so goes if it cannot be used.
enum class Origin : std::uint8_t { kCreated, kExisting };

Result<File> take_file(const DataFileOptions& options, Origin origin) {
  return origin == Origin::kCreated ? create_file(options) : open_file(options);
}

/// What was made for a disk that did not come to be.
void give_back(const DataFileOptions& options, Origin origin) {
  if (origin == Origin::kCreated) {
    ::unlink(options.path.c_str());
  }
}

Result<std::unique_ptr<Disk>> make_uring(std::shared_ptr<Uring> ring,
                                         const DataFileOptions& options, BufferPool* pool,
                                         Origin origin) {
  BENCHFS_TRY(File file, take_file(options, origin));
  if (pool != nullptr) {
    ring->register_buffers(pool->region());  // Says why if it cannot.
  }
  auto disk = UringDisk::create(std::move(ring), std::move(file));
  if (!disk) {
    give_back(options, origin);
    return fail(disk.error());
  }
  return std::move(*disk);
}

Result<std::unique_ptr<Disk>> make_posix(loop::EventLoop& loop, const DataFileOptions& options,
                                         Origin origin) {
  BENCHFS_TRY(File file, take_file(options, origin));
  auto disk = PosixDisk::create(loop, std::move(file));
  if (!disk) {
    give_back(options, origin);
    return fail(disk.error());
  }
  return std::move(*disk);
}

Status check_size(const DataFileOptions& options) {
  if (options.size_bytes == 0 || options.size_bytes % kBlockBytes != 0 ||
      options.size_bytes > kFileBytesMax) {
    log_error("{}: a capacity of {} bytes is not a positive multiple of {}", options.path,
              options.size_bytes, kBlockBytes);
    return fail(Errc::kInvalid, "data_file.size");
  }
  return {};
}

Result<std::unique_ptr<Disk>> make_disk(loop::EventLoop& loop, const DataFileOptions& options,
                                        BufferPool* pool, Origin origin) {
  BENCHFS_CHECK(check_size(options));
  if (options.backend == DiskBackend::kPosix) {
    return make_posix(loop, options, origin);
  }
  auto ring = Uring::create(loop);
  if (ring) {
    return make_uring(std::move(*ring), options, pool, origin);
  }
  const char* const reason = std::strerror(ring.error().os_code);
  if (options.backend == DiskBackend::kUring) {
    log_error("io_uring is demanded, but not available here: {}", reason);
    return fail(ring.error());
  }
  log_warning("io_uring is not available here ({}): using {} threads with POSIX calls", reason,
              kPosixThreads);
  return make_posix(loop, options, origin);
}

}  // namespace

Result<std::unique_ptr<Disk>> create_data_file(loop::EventLoop& loop,
                                               const DataFileOptions& options, BufferPool* pool) {
  if (options.backend != DiskBackend::kMemory) {
    return make_disk(loop, options, pool, Origin::kCreated);
  }
  BENCHFS_CHECK(check_size(options));
  BENCHFS_TRY(std::unique_ptr<Disk> disk, MemoryDisk::create(loop, options.size_bytes));
  return disk;
}

Result<std::unique_ptr<Disk>> open_data_file(loop::EventLoop& loop, const DataFileOptions& options,
                                             BufferPool* pool) {
  if (options.backend == DiskBackend::kMemory) {
    return fail(Errc::kInvalid, "data_file.memory");
  }
  return make_disk(loop, options, pool, Origin::kExisting);
}

}  // namespace benchfs::io
