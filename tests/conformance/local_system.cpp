// The kernel's file system, by POSIX calls below one directory.

#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "conformance/file_system.h"

namespace benchfs::test {
namespace {

template <typename T>
T or_errno(T result) {
  return result < 0 ? static_cast<T>(-errno) : result;
}

class LocalSystem final : public FileSystem {
 public:
  explicit LocalSystem(int root_fd) : root_(root_fd) {}
  ~LocalSystem() override { leave(); }

  void leave() override {
    const std::lock_guard guard(lock_);
    for (const auto& [fd, directory] : open_) {
      directory == nullptr ? ::close(fd) : ::closedir(directory);
    }
    open_.clear();
  }

  int open(const std::string& path, int flags, mode_t mode) override {
    return keep(or_errno(::openat(root_, to(path).c_str(), flags, mode)), nullptr);
  }
  int close(int file) override {
    forget(file);
    return or_errno(::close(file));
  }
  ssize_t pread(int file, void* buffer, size_t length, off_t offset) override {
    return or_errno(::pread(file, buffer, length, offset));
  }
  ssize_t pwrite(int file, const void* buffer, size_t length, off_t offset) override {
    return or_errno(::pwrite(file, buffer, length, offset));
  }
  ssize_t preadv(int file, const iovec* iov, int count, off_t offset) override {
    return or_errno(::preadv(file, iov, count, offset));
  }
  ssize_t pwritev(int file, const iovec* iov, int count, off_t offset) override {
    return or_errno(::pwritev(file, iov, count, offset));
  }
  ssize_t read(int file, void* buffer, size_t length) override {
    return or_errno(::read(file, buffer, length));
  }
  ssize_t write(int file, const void* buffer, size_t length) override {
    return or_errno(::write(file, buffer, length));
  }
  off_t lseek(int file, off_t offset, int whence) override {
    return or_errno(::lseek(file, offset, whence));
  }
  int fstat(int file, struct stat* out) override { return or_errno(::fstat(file, out)); }
  int ftruncate(int file, off_t size) override { return or_errno(::ftruncate(file, size)); }
  int fsync(int file) override { return or_errno(::fsync(file)); }

  int stat(const std::string& path, struct stat* out) override {
    return or_errno(::fstatat(root_, to(path).c_str(), out, 0));
  }
  int truncate(const std::string& path, off_t size) override {
    // There is no truncateat(): this reaches the same directory by its descriptor.
    const std::string below = to(path);
    return or_errno(
        ::truncate(below.empty() || below.front() == '/'
                       ? below.c_str()
                       : ("/proc/self/fd/" + std::to_string(root_) + "/" + below).c_str(),
                   size));
  }
  int unlink(const std::string& path) override {
    return or_errno(::unlinkat(root_, to(path).c_str(), 0));
  }
  int mkdir(const std::string& path, mode_t mode) override {
    return or_errno(::mkdirat(root_, to(path).c_str(), mode));
  }
  int rmdir(const std::string& path) override {
    return or_errno(::unlinkat(root_, to(path).c_str(), AT_REMOVEDIR));
  }
  int rename(const std::string& from, const std::string& target) override {
    return or_errno(::renameat(root_, to(from).c_str(), root_, to(target).c_str()));
  }
  int chmod(const std::string& path, mode_t mode) override {
    return or_errno(::fchmodat(root_, to(path).c_str(), mode, 0));
  }
  int chown(const std::string& path, uid_t uid, gid_t gid) override {
    return or_errno(::fchownat(root_, to(path).c_str(), uid, gid, 0));
  }
  int utimens(const std::string& path, const timespec* times) override {
    return or_errno(::utimensat(root_, to(path).c_str(), times, 0));
  }
  int lstat(const std::string& path, struct stat* out) override {
    return or_errno(::fstatat(root_, to(path).c_str(), out, AT_SYMLINK_NOFOLLOW));
  }
  int lchown(const std::string& path, uid_t uid, gid_t gid) override {
    return or_errno(::fchownat(root_, to(path).c_str(), uid, gid, AT_SYMLINK_NOFOLLOW));
  }
  int lutimens(const std::string& path, const timespec* times) override {
    return or_errno(::utimensat(root_, to(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
  }
  ssize_t readlink(const std::string& path, char* buffer, size_t size) override {
    return or_errno(::readlinkat(root_, to(path).c_str(), buffer, size));
  }
  int symlink(const std::string& target, const std::string& path) override {
    return or_errno(::symlinkat(target.c_str(), root_, to(path).c_str()));
  }
  int link(const std::string& from, const std::string& target) override {
    return or_errno(::linkat(root_, to(from).c_str(), root_, to(target).c_str(), 0));
  }
  int statvfs(struct statvfs* out) override { return or_errno(::fstatvfs(root_, out)); }

  int opendir(const std::string& path) override {
    const int fd = or_errno(::openat(root_, to(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0) {
      return fd;
    }
    DIR* const directory = ::fdopendir(fd);
    return directory == nullptr ? -errno : keep(fd, directory);
  }
  int readdir(int directory, Entry* out) override {
    DIR* const stream = find(directory);
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(stream);
      if (entry == nullptr) {
        return -errno;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") {
        continue;
      }
      out->name = name;
      if (::fstatat(::dirfd(stream), entry->d_name, &out->attributes, AT_SYMLINK_NOFOLLOW) == 0) {
        return 1;
      }
      if (errno != ENOENT) {  // Else it has gone since it was listed.
        return -errno;
      }
    }
  }
  int closedir(int directory) override {
    DIR* const stream = find(directory);
    forget(directory);
    return or_errno(::closedir(stream));
  }

  benchfs_mount* mount() override { return nullptr; }
  benchfs_file* handle(int /*file*/) override { return nullptr; }

 private:
  /// The path below root_: the root itself is the machine's, which answers as every root does, and
  /// which none of the rows can change.
  std::string to(const std::string& path) const {
    const std::string whole = at(path);
    const std::size_t begin = whole.find_first_not_of('/');
    if (begin == std::string::npos) {
      return whole.substr(0, 1);
    }
    return whole.substr(begin);
  }

  int keep(int fd, DIR* directory) {
    if (fd >= 0) {
      const std::lock_guard guard(lock_);
      open_[fd] = directory;
    }
    return fd;
  }
  DIR* find(int fd) {
    const std::lock_guard guard(lock_);
    return open_.at(fd);
  }
  void forget(int fd) {
    const std::lock_guard guard(lock_);
    open_.erase(fd);
  }

  const int root_;
  std::mutex lock_;
  std::map<int, DIR*> open_;  ///< Null: a file.
};

}  // namespace

std::unique_ptr<FileSystem> open_local(int root_fd) {
  return std::make_unique<LocalSystem>(root_fd);
}

}  // namespace benchfs::test
