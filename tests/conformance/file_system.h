#pragma once

// The file API as the rows of the conformance table use it: POSIX's calls, on a session of benchfs
// or on a directory of the kernel's.
//
// Results. A negative errno, or what the call returns; files and directories that are open are
// numbers from 0. Paths that begin with "/" begin at the root of the file system, others in the
// directory that enter() named.
//
// Threading: any thread, but for enter() and leave().

#include <memory>
#include <string>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

struct benchfs_mount;
struct benchfs_file;

namespace benchfs::test {

struct Entry {
  std::string name;
  struct stat attributes {};
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Where paths without a leading "/" begin.
  void enter(std::string directory) { directory_ = std::move(directory); }
  const std::string& directory() const noexcept { return directory_; }
  /// Closes what is open.
  virtual void leave() = 0;

  virtual int open(const std::string& path, int flags, mode_t mode = 0644) = 0;
  virtual int close(int file) = 0;
  virtual ssize_t pread(int file, void* buffer, size_t length, off_t offset) = 0;
  virtual ssize_t pwrite(int file, const void* buffer, size_t length, off_t offset) = 0;
  virtual ssize_t preadv(int file, const iovec* iov, int count, off_t offset) = 0;
  virtual ssize_t pwritev(int file, const iovec* iov, int count, off_t offset) = 0;
  virtual ssize_t read(int file, void* buffer, size_t length) = 0;
  virtual ssize_t write(int file, const void* buffer, size_t length) = 0;
  virtual off_t lseek(int file, off_t offset, int whence) = 0;
  virtual int fstat(int file, struct stat* out) = 0;
  virtual int ftruncate(int file, off_t size) = 0;
  virtual int fsync(int file) = 0;

  virtual int stat(const std::string& path, struct stat* out) = 0;
  virtual int truncate(const std::string& path, off_t size) = 0;
  virtual int unlink(const std::string& path) = 0;
  virtual int mkdir(const std::string& path, mode_t mode = 0755) = 0;
  virtual int rmdir(const std::string& path) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int chmod(const std::string& path, mode_t mode) = 0;
  virtual int chown(const std::string& path, uid_t uid, gid_t gid) = 0;
  virtual int utimens(const std::string& path, const timespec* times) = 0;
  virtual int lstat(const std::string& path, struct stat* out) = 0;
  virtual int lchown(const std::string& path, uid_t uid, gid_t gid) = 0;
  virtual int lutimens(const std::string& path, const timespec* times) = 0;
  virtual ssize_t readlink(const std::string& path, char* buffer, size_t size) = 0;
  virtual int symlink(const std::string& target, const std::string& path) = 0;
  virtual int link(const std::string& from, const std::string& to) = 0;
  virtual int statvfs(struct statvfs* out) = 0;

  virtual int opendir(const std::string& path) = 0;
  /// 1 with `*out` filled, 0 at the end. Without "." and "..".
  virtual int readdir(int directory, Entry* out) = 0;
  virtual int closedir(int directory) = 0;

  // For rows about calls that only benchfs has: null if this is the kernel's.
  virtual benchfs_mount* mount() = 0;
  virtual benchfs_file* handle(int file) = 0;

  /// What is wrong with the calls so far, whatever the row: failures that told no reason.
  virtual std::string complaint() const { return {}; }

 protected:
  std::string at(const std::string& path) const {
    return path.empty() || path.front() == '/' ? path : directory_ + "/" + path;
  }

 private:
  std::string directory_;
};

/// One more mount of $BENCHFS_SESSION; null if it cannot be joined, after saying why.
std::unique_ptr<FileSystem> join_session();

/// The directory open as `root_fd`, which stays open, as the root.
std::unique_ptr<FileSystem> open_local(int root_fd);

}  // namespace benchfs::test
