// benchfs, by its C interface.

#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>

#include <benchfs/benchfs.h>

#include "conformance/file_system.h"

namespace benchfs::test {
namespace {

class BenchfsSystem final : public FileSystem {
 public:
  explicit BenchfsSystem(benchfs_mount* mount) : mount_(mount) {}
  ~BenchfsSystem() override {
    leave();
    if (benchfs_mount_close(mount_) != 0) {
      std::fprintf(stderr, "conformance: leaving the session: %s\n", benchfs_error_text());
    }
  }

  void leave() override {
    const std::lock_guard guard(lock_);
    for (const auto& [number, file] : files_) {
      benchfs_close(file);
    }
    for (const auto& [number, directory] : directories_) {
      benchfs_closedir(directory);
    }
    files_.clear();
    directories_.clear();
  }

  int open(const std::string& path, int flags, mode_t mode) override {
    errno = 0;
    benchfs_file* const file = benchfs_open(mount_, at(path).c_str(), flags, mode, nullptr);
    if (file == nullptr) {
      return told("open", -1);
    }
    const std::lock_guard guard(lock_);
    files_[next_] = file;
    return next_++;
  }
  int close(int file) override {
    benchfs_file* const closed = handle(file);
    {
      const std::lock_guard guard(lock_);
      files_.erase(file);
    }
    return told("close", benchfs_close(closed));
  }
  ssize_t pread(int file, void* buffer, size_t length, off_t offset) override {
    return told("pread", benchfs_pread(handle(file), buffer, length, offset));
  }
  ssize_t pwrite(int file, const void* buffer, size_t length, off_t offset) override {
    return told("pwrite", benchfs_pwrite(handle(file), buffer, length, offset));
  }
  ssize_t preadv(int file, const iovec* iov, int count, off_t offset) override {
    return told("preadv", benchfs_preadv(handle(file), iov, count, offset));
  }
  ssize_t pwritev(int file, const iovec* iov, int count, off_t offset) override {
    return told("pwritev", benchfs_pwritev(handle(file), iov, count, offset));
  }
  ssize_t read(int file, void* buffer, size_t length) override {
    return told("read", benchfs_read(handle(file), buffer, length));
  }
  ssize_t write(int file, const void* buffer, size_t length) override {
    return told("write", benchfs_write(handle(file), buffer, length));
  }
  off_t lseek(int file, off_t offset, int whence) override {
    return told("lseek", benchfs_lseek(handle(file), offset, whence));
  }
  int fstat(int file, struct stat* out) override {
    return told("fstat", benchfs_fstat(handle(file), out));
  }
  int ftruncate(int file, off_t size) override {
    return told("ftruncate", benchfs_ftruncate(handle(file), size));
  }
  int fsync(int file) override { return told("fsync", benchfs_fsync(handle(file))); }

  int stat(const std::string& path, struct stat* out) override {
    return told("stat", benchfs_stat(mount_, at(path).c_str(), out));
  }
  int truncate(const std::string& path, off_t size) override {
    return told("truncate", benchfs_truncate(mount_, at(path).c_str(), size));
  }
  int unlink(const std::string& path) override {
    return told("unlink", benchfs_unlink(mount_, at(path).c_str()));
  }
  int mkdir(const std::string& path, mode_t mode) override {
    return told("mkdir", benchfs_mkdir(mount_, at(path).c_str(), mode));
  }
  int rmdir(const std::string& path) override {
    return told("rmdir", benchfs_rmdir(mount_, at(path).c_str()));
  }
  int rename(const std::string& from, const std::string& to) override {
    return told("rename", benchfs_rename(mount_, at(from).c_str(), at(to).c_str()));
  }
  int chmod(const std::string& path, mode_t mode) override {
    return told("chmod", benchfs_chmod(mount_, at(path).c_str(), mode));
  }
  int chown(const std::string& path, uid_t uid, gid_t gid) override {
    return told("chown", benchfs_chown(mount_, at(path).c_str(), uid, gid));
  }
  int utimens(const std::string& path, const timespec* times) override {
    return told("utimens", benchfs_utimens(mount_, at(path).c_str(), times));
  }
  int lstat(const std::string& path, struct stat* out) override {
    return told("lstat", benchfs_lstat(mount_, at(path).c_str(), out));
  }
  int lchown(const std::string& path, uid_t uid, gid_t gid) override {
    return told("lchown", benchfs_lchown(mount_, at(path).c_str(), uid, gid));
  }
  int lutimens(const std::string& path, const timespec* times) override {
    return told("lutimens", benchfs_lutimens(mount_, at(path).c_str(), times));
  }
  ssize_t readlink(const std::string& path, char* buffer, size_t size) override {
    return told("readlink", benchfs_readlink(mount_, at(path).c_str(), buffer, size));
  }
  int symlink(const std::string& target, const std::string& path) override {
    return told("symlink", benchfs_symlink(mount_, target.c_str(), at(path).c_str()));
  }
  int link(const std::string& from, const std::string& to) override {
    return told("link", benchfs_link(mount_, at(from).c_str(), at(to).c_str()));
  }
  int statvfs(struct statvfs* out) override {
    return told("statvfs", benchfs_statvfs(mount_, out));
  }

  int opendir(const std::string& path) override {
    errno = 0;
    benchfs_dir* const directory = benchfs_opendir(mount_, at(path).c_str());
    if (directory == nullptr) {
      return told("opendir", -1);
    }
    const std::lock_guard guard(lock_);
    directories_[next_] = directory;
    return next_++;
  }
  int readdir(int directory, Entry* out) override {
    benchfs_dirent entry;
    const int result = told("readdir", benchfs_readdir(find(directory), &entry));
    if (result == 1) {
      *out = {.name = entry.name, .attributes = entry.attributes};
    }
    return result;
  }
  int closedir(int directory) override {
    benchfs_dir* const closed = find(directory);
    {
      const std::lock_guard guard(lock_);
      directories_.erase(directory);
    }
    return told("closedir", benchfs_closedir(closed));
  }

  benchfs_mount* mount() override { return mount_; }
  benchfs_file* handle(int file) override {
    const std::lock_guard guard(lock_);
    const auto found = files_.find(file);
    return found == files_.end() ? nullptr : found->second;
  }

  std::string complaint() const override {
    const std::lock_guard guard(lock_);
    return complaint_;
  }

 private:
  /// Every failure has an errno and says in a sentence what failed.
  template <typename T>
  T told(const char* call, T result) {
    if (result >= 0) {
      return result;
    }
    const int code = errno;
    const std::string sentence = benchfs_error_text();
    if (code <= 0 || sentence.empty() || sentence.find('\n') != std::string::npos) {
      const std::lock_guard guard(lock_);
      complaint_ = std::string(call) + " failed with errno " + std::to_string(code) +
                   " and said \"" + sentence + "\"";
    }
    return static_cast<T>(code > 0 ? -code : result);
  }
  benchfs_dir* find(int directory) {
    const std::lock_guard guard(lock_);
    const auto found = directories_.find(directory);
    return found == directories_.end() ? nullptr : found->second;
  }

  benchfs_mount* const mount_;
  mutable std::mutex lock_;
  std::map<int, benchfs_file*> files_;
  std::map<int, benchfs_dir*> directories_;
  int next_ = 0;
  std::string complaint_;
};

}  // namespace

std::unique_ptr<FileSystem> join_session() {
  benchfs_mount* const mount = benchfs_mount_open(nullptr);
  if (mount == nullptr) {
    std::fprintf(stderr, "conformance: joining the session: %s\n", benchfs_error_text());
    return nullptr;
  }
  return std::make_unique<BenchfsSystem>(mount);
}

}  // namespace benchfs::test
