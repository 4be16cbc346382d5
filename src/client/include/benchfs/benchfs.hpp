// C++ interface of benchfs (C++20), over the C interface in benchfs.h, whose text holds here too:
// what is visible when, who makes progress, which errors there are.
//
// Errors. A call that fails throws std::system_error: code() holds the errno (compare with
// std::errc), what() the sentence that names the file or server. Destructors swallow errors; call
// close() to see them.
//
// Ownership. All classes are handles that can be moved, not copied. What was opened keeps its
// Session alive, so the order in which they go does not matter; a Request keeps its File open.
//
// Threads. Every member may be called from any thread, several at once, but for moving, assigning,
// closing and destroying, and for Directory and Request, which one thread at a time may use.
//
// Memory. Buffers are borrowed until the call returns; of an asynchronous operation, until its
// Request has ended. Sizes and offsets are bytes.
#ifndef BENCHFS_BENCHFS_HPP
#define BENCHFS_BENCHFS_HPP

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <benchfs/benchfs.h>

namespace benchfs {

/// How a file is cut and spread; see benchfs_layout.
using Layout = benchfs_layout;

/// A contiguous range of a file: offset, length.
using Extent = benchfs_extent;

/// An open file as bytes, for other processes of the session. See File::export_handle().
using ExportedFile = std::array<std::byte, BENCHFS_EXPORT_SIZE>;

/// What every call throws that fails.
class SystemError : public std::system_error {
 public:
  SystemError(int posix_errno, std::string sentence)
      : std::system_error(posix_errno, std::generic_category()), sentence_(std::move(sentence)) {}
  const char* what() const noexcept override { return sentence_.c_str(); }

 private:
  std::string sentence_;
};

namespace detail {

[[noreturn]] inline void throw_last_error() {
  const int code = errno;
  throw SystemError(code, benchfs_error_text());
}

inline void check(int result) {
  if (result != 0) {
    throw_last_error();
  }
}

inline std::size_t check_count(ssize_t result) {
  if (result < 0) {
    throw_last_error();
  }
  return static_cast<std::size_t>(result);
}

template <typename T>
T* check_handle(T* handle) {
  if (handle == nullptr) {
    throw_last_error();
  }
  return handle;
}

/// Owns the mount for everything that was opened in it.
struct MountHandle {
  explicit MountHandle(benchfs_mount* opened) noexcept : mount(opened) {}
  ~MountHandle() { benchfs_mount_close(mount); }
  MountHandle(const MountHandle&) = delete;
  MountHandle& operator=(const MountHandle&) = delete;

  benchfs_mount* const mount;
};

/// Owns an open file for its File and its Requests.
struct FileHandle {
  FileHandle(std::shared_ptr<MountHandle> its_mount, benchfs_file* opened) noexcept
      : mount(std::move(its_mount)), file(opened) {}
  ~FileHandle() {
    if (file != nullptr) {
      benchfs_close(file);
    }
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  std::shared_ptr<MountHandle> mount;
  benchfs_file* file;
};

}  // namespace detail

/// One asynchronous read or write.
class Request {
 public:
  Request(Request&& other) noexcept
      : file_(std::move(other.file_)), request_(std::exchange(other.request_, nullptr)) {}
  Request& operator=(Request&& other) noexcept {
    if (this != &other) {
      finish();
      file_ = std::move(other.file_);
      request_ = std::exchange(other.request_, nullptr);
    }
    return *this;
  }
  /// Waits for the end: the buffer is borrowed until then.
  ~Request() { finish(); }

  /// Whether the operation has not been waited for or tested to its end.
  bool valid() const noexcept { return request_ != nullptr; }

  /// Waits for the end; returns the bytes read or written. Once, while valid().
  std::size_t wait() {
    benchfs_request* const request = std::exchange(request_, nullptr);
    const ssize_t count = benchfs_request_wait(request);
    const auto file = std::move(file_);
    return detail::check_count(count);
  }

  /// Makes progress without waiting; the bytes if the operation has ended. While valid().
  std::optional<std::size_t> test() {
    ssize_t count = 0;
    const int ended = benchfs_request_test(request_, &count);
    if (ended < 0) {
      detail::throw_last_error();
    }
    if (ended == 0) {
      return std::nullopt;
    }
    request_ = nullptr;
    const auto file = std::move(file_);
    return detail::check_count(count);
  }

 private:
  friend class File;
  Request(std::shared_ptr<detail::FileHandle> file, benchfs_request* request)
      : file_(std::move(file)), request_(detail::check_handle(request)) {}
  void finish() noexcept {
    if (request_ != nullptr) {
      benchfs_request_wait(std::exchange(request_, nullptr));
    }
    file_.reset();
  }

  std::shared_ptr<detail::FileHandle> file_;
  benchfs_request* request_ = nullptr;
};

/// A lock on a range of a file; see benchfs_lock_range. Comes from File::lock().
class RangeLock {
 public:
  RangeLock(RangeLock&& other) noexcept
      : file_(std::move(other.file_)), lock_(std::exchange(other.lock_, nullptr)) {}
  RangeLock& operator=(RangeLock&& other) noexcept {
    if (this != &other) {
      end();
      file_ = std::move(other.file_);
      lock_ = std::exchange(other.lock_, nullptr);
    }
    return *this;
  }
  ~RangeLock() { end(); }

  bool held() const noexcept { return lock_ != nullptr; }

  /// Throws ENOLCK if somebody else may have had the lock meanwhile. While held().
  void unlock() {
    const int result = benchfs_unlock(std::exchange(lock_, nullptr));
    const auto file = std::move(file_);
    detail::check(result);
  }

 private:
  friend class File;
  RangeLock(std::shared_ptr<detail::FileHandle> file, benchfs_lock* lock)
      : file_(std::move(file)), lock_(detail::check_handle(lock)) {}
  void end() noexcept {
    if (lock_ != nullptr) {
      benchfs_unlock(std::exchange(lock_, nullptr));
    }
    file_.reset();
  }

  std::shared_ptr<detail::FileHandle> file_;
  benchfs_lock* lock_ = nullptr;
};

/// One open file. Comes from Session::open() or attach().
class File {
 public:
  File(File&&) noexcept = default;
  File& operator=(File&&) noexcept = default;

  bool is_open() const noexcept { return handle_ != nullptr; }

  /// Settles the size and closes; the File is not open afterwards, whatever is thrown, but for
  /// EBUSY: Requests go on.
  void close() {
    benchfs_file* const file = handle_->file;
    if (benchfs_close(file) != 0) {
      const int code = errno;
      if (code != EBUSY) {
        handle_->file = nullptr;
        handle_.reset();
      }
      errno = code;
      detail::throw_last_error();
    }
    handle_->file = nullptr;
    handle_.reset();
  }

  /// Bytes read: fewer than asked for only at the end of the file.
  std::size_t read(std::span<std::byte> buffer, std::uint64_t offset) {
    return detail::check_count(
        benchfs_pread(get(), buffer.data(), buffer.size(), static_cast<off_t>(offset)));
  }
  /// Writes all of `buffer`, or throws; then any part may have been written.
  void write(std::span<const std::byte> buffer, std::uint64_t offset) {
    detail::check_count(
        benchfs_pwrite(get(), buffer.data(), buffer.size(), static_cast<off_t>(offset)));
  }

  /// Scattered: the bytes of `memory`, in order, are those of `extents`, in order. See
  /// benchfs_read_list.
  std::size_t read_list(std::span<const iovec> memory, std::span<const Extent> extents) {
    return detail::check_count(benchfs_read_list(
        get(), memory.data(), static_cast<int>(memory.size()), extents.data(), extents.size()));
  }
  void write_list(std::span<const iovec> memory, std::span<const Extent> extents) {
    detail::check_count(benchfs_write_list(get(), memory.data(), static_cast<int>(memory.size()),
                                           extents.data(), extents.size()));
  }

  /// At the file's own position; opened with O_APPEND, write_next() goes to the end in one piece.
  std::size_t read_next(std::span<std::byte> buffer) {
    return detail::check_count(benchfs_read(get(), buffer.data(), buffer.size()));
  }
  void write_next(std::span<const std::byte> buffer) {
    detail::check_count(benchfs_write(get(), buffer.data(), buffer.size()));
  }
  /// `whence` is SEEK_SET, SEEK_CUR or SEEK_END. Returns the new position.
  std::uint64_t seek(std::int64_t offset, int whence) {
    return detail::check_count(benchfs_lseek(get(), offset, whence));
  }

  /// Waits for a lock on `length` bytes from `offset` on, 0: all behind it.
  [[nodiscard]] RangeLock lock(std::uint64_t offset, std::uint64_t length) {
    return {handle_, benchfs_lock_range(get(), 0, static_cast<off_t>(offset),
                                        static_cast<off_t>(length))};
  }
  /// The same for one that others may share.
  [[nodiscard]] RangeLock lock_shared(std::uint64_t offset, std::uint64_t length) {
    return {handle_, benchfs_lock_range(get(), 1, static_cast<off_t>(offset),
                                        static_cast<off_t>(length))};
  }

  /// The counter that this open shares with all that attach to it: adds, returns what it was.
  std::uint64_t counter_add(std::uint64_t amount) {
    std::int64_t before = 0;
    detail::check(benchfs_counter_add(get(), static_cast<std::int64_t>(amount), &before));
    return static_cast<std::uint64_t>(before);
  }
  /// Sets, returns what it was.
  std::uint64_t counter_set(std::uint64_t value) {
    std::int64_t before = 0;
    detail::check(benchfs_counter_set(get(), static_cast<std::int64_t>(value), &before));
    return static_cast<std::uint64_t>(before);
  }

  /// Start an operation. `buffer` is borrowed until the Request has ended.
  [[nodiscard]] Request read_async(std::span<std::byte> buffer, std::uint64_t offset) {
    return {handle_,
            benchfs_pread_begin(get(), buffer.data(), buffer.size(), static_cast<off_t>(offset))};
  }
  [[nodiscard]] Request write_async(std::span<const std::byte> buffer, std::uint64_t offset) {
    return {handle_,
            benchfs_pwrite_begin(get(), buffer.data(), buffer.size(), static_cast<off_t>(offset))};
  }
  /// The lists are copied; what `memory` points to is borrowed.
  [[nodiscard]] Request read_list_async(std::span<const iovec> memory,
                                        std::span<const Extent> extents) {
    return {handle_, benchfs_read_list_begin(get(), memory.data(), static_cast<int>(memory.size()),
                                             extents.data(), extents.size())};
  }
  [[nodiscard]] Request write_list_async(std::span<const iovec> memory,
                                         std::span<const Extent> extents) {
    return {handle_, benchfs_write_list_begin(get(), memory.data(), static_cast<int>(memory.size()),
                                              extents.data(), extents.size())};
  }

  struct stat stat() {
    struct stat out {};
    detail::check(benchfs_fstat(get(), &out));
    return out;
  }
  std::uint64_t size() { return static_cast<std::uint64_t>(stat().st_size); }
  void truncate(std::uint64_t size) {
    detail::check(benchfs_ftruncate(get(), static_cast<off_t>(size)));
  }
  /// Returns when all data of the file, whoever wrote it, is on the servers' drives.
  void sync() { detail::check(benchfs_fsync(get())); }

  Layout layout() const {
    Layout out{};
    detail::check(benchfs_file_layout(get(), &out));
    return out;
  }

  /// For Session::attach() in other processes. Stay open until they have closed.
  ExportedFile export_handle() {
    ExportedFile out{};
    detail::check(benchfs_file_export(get(), out.data(), out.size()));
    return out;
  }

  /// For functions of benchfs.h; stays this object's.
  benchfs_file* get() const noexcept { return handle_ == nullptr ? nullptr : handle_->file; }

 private:
  friend class Session;
  File(std::shared_ptr<detail::MountHandle> mount, benchfs_file* file) {
    detail::check_handle(file);
    handle_ = std::make_shared<detail::FileHandle>(std::move(mount), file);
  }

  std::shared_ptr<detail::FileHandle> handle_;
};

/// One name of a directory.
struct DirectoryEntry {
  std::string name;
  struct stat attributes {};
};

/// One pass over a directory. Comes from Session::list().
class Directory {
 public:
  Directory(Directory&& other) noexcept
      : mount_(std::move(other.mount_)), directory_(std::exchange(other.directory_, nullptr)) {}
  Directory& operator=(Directory&& other) noexcept {
    std::swap(mount_, other.mount_);
    std::swap(directory_, other.directory_);
    return *this;
  }
  ~Directory() {
    if (directory_ != nullptr) {
      benchfs_closedir(directory_);
    }
  }

  /// The next entry, or nothing at the end. A list that could not be completed throws, never ends.
  std::optional<DirectoryEntry> next() {
    benchfs_dirent entry;
    const int result = benchfs_readdir(directory_, &entry);
    if (result < 0) {
      detail::throw_last_error();
    }
    if (result == 0) {
      return std::nullopt;
    }
    return DirectoryEntry{entry.name, entry.attributes};
  }

 private:
  friend class Session;
  Directory(std::shared_ptr<detail::MountHandle> mount, benchfs_dir* directory)
      : mount_(std::move(mount)), directory_(detail::check_handle(directory)) {}

  std::shared_ptr<detail::MountHandle> mount_;
  benchfs_dir* directory_ = nullptr;
};

/// One session, joined.
class Session {
 public:
  /// Joins the session whose directory is $BENCHFS_SESSION.
  Session() : Session(benchfs_mount_open(nullptr)) {}
  /// Joins the session whose directory is `directory`.
  explicit Session(const std::string& directory) : Session(benchfs_mount_open(directory.c_str())) {}

  int server_count() const noexcept { return benchfs_server_count(get()); }
  void ping(int server) { detail::check(benchfs_ping(get(), server)); }
  struct statvfs statvfs() {
    struct statvfs out {};
    detail::check(benchfs_statvfs(get(), &out));
    return out;
  }

  /// `flags` and `mode` as for open(2); see benchfs_open().
  File open(const std::string& path, int flags, mode_t mode = 0666) {
    return {handle_, benchfs_open(get(), path.c_str(), flags, mode, nullptr)};
  }
  File open(const std::string& path, int flags, mode_t mode, const Layout& layout) {
    return {handle_, benchfs_open(get(), path.c_str(), flags, mode, &layout)};
  }
  File attach(std::span<const std::byte> exported) {
    return {handle_, benchfs_file_attach(get(), exported.data(), exported.size())};
  }

  struct stat stat(const std::string& path) {
    struct stat out {};
    detail::check(benchfs_stat(get(), path.c_str(), &out));
    return out;
  }
  /// Of a symbolic link itself, as lchown() and lutimens().
  struct stat lstat(const std::string& path) {
    struct stat out {};
    detail::check(benchfs_lstat(get(), path.c_str(), &out));
    return out;
  }
  void truncate(const std::string& path, std::uint64_t size) {
    detail::check(benchfs_truncate(get(), path.c_str(), static_cast<off_t>(size)));
  }
  void unlink(const std::string& path) { detail::check(benchfs_unlink(get(), path.c_str())); }
  void mkdir(const std::string& path, mode_t mode = 0777) {
    detail::check(benchfs_mkdir(get(), path.c_str(), mode));
  }
  void rmdir(const std::string& path) { detail::check(benchfs_rmdir(get(), path.c_str())); }
  void rename(const std::string& from, const std::string& to) {
    detail::check(benchfs_rename(get(), from.c_str(), to.c_str()));
  }
  void chmod(const std::string& path, mode_t mode) {
    detail::check(benchfs_chmod(get(), path.c_str(), mode));
  }
  void chown(const std::string& path, uid_t uid, gid_t gid) {
    detail::check(benchfs_chown(get(), path.c_str(), uid, gid));
  }
  void utimens(const std::string& path, const std::array<timespec, 2>& times) {
    detail::check(benchfs_utimens(get(), path.c_str(), times.data()));
  }
  void lchown(const std::string& path, uid_t uid, gid_t gid) {
    detail::check(benchfs_lchown(get(), path.c_str(), uid, gid));
  }
  void lutimens(const std::string& path, const std::array<timespec, 2>& times) {
    detail::check(benchfs_lutimens(get(), path.c_str(), times.data()));
  }
  /// A symbolic link at `path` that says `target`.
  void symlink(const std::string& target, const std::string& path) {
    detail::check(benchfs_symlink(get(), target.c_str(), path.c_str()));
  }
  /// What the symbolic link says.
  std::string readlink(const std::string& path) {
    std::string target(4096, '\0');
    target.resize(detail::check_count(
        benchfs_readlink(get(), path.c_str(), target.data(), target.size())));
    return target;
  }
  Directory list(const std::string& path) {
    return {handle_, benchfs_opendir(get(), path.c_str())};
  }

  /// For functions of benchfs.h; stays this object's.
  benchfs_mount* get() const noexcept { return handle_ == nullptr ? nullptr : handle_->mount; }

 private:
  explicit Session(benchfs_mount* mount) {
    detail::check_handle(mount);
    handle_ = std::make_shared<detail::MountHandle>(mount);
  }

  std::shared_ptr<detail::MountHandle> handle_;
};

}  // namespace benchfs

#endif  // BENCHFS_BENCHFS_HPP
