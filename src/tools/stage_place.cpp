#include "tools/stage_place.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "tools/descriptor.h"

namespace benchfs::tools {
namespace {

class OutsideLog final : public StageLog {
 public:
  explicit OutsideLog(Descriptor file) : file_(std::move(file)) {}

  bool read_all(std::string& text) override {
    char buffer[65536];
    off_t at = 0;
    while (true) {
      const ssize_t count = ::pread(file_.get(), buffer, sizeof(buffer), at);
      if (count <= 0) {
        return count == 0;
      }
      text.append(buffer, static_cast<std::size_t>(count));
      at += count;
    }
  }
  bool clear() override { return ::ftruncate(file_.get(), 0) == 0; }
  bool add(const std::string& lines) override {
    return ::write(file_.get(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
  }
  bool sync() override { return ::fsync(file_.get()) == 0; }

 private:
  Descriptor file_;  ///< With a lock, which ends with it.
};

class OutsidePlace final : public StagePlace {
 public:
  bool list(const std::string& path, std::vector<Entry>& out) override {
    DIR* const directory = ::opendir(path.c_str());
    if (directory == nullptr) {
      return false;
    }
    errno = 0;
    int error = 0;
    while (const dirent* const found = ::readdir(directory)) {
      const std::string name = found->d_name;
      if (name == "." || name == "..") {
        continue;
      }
      Entry entry{.name = name};
      if (::fstatat(::dirfd(directory), name.c_str(), &entry.attributes, AT_SYMLINK_NOFOLLOW) ==
          0) {
        out.push_back(std::move(entry));
      } else if (errno != ENOENT) {
        error = errno;
      }
      errno = 0;
    }
    error = errno != 0 ? errno : error;
    ::closedir(directory);
    std::sort(out.begin(), out.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    errno = error;
    return error == 0;
  }
  bool status(const std::string& path, struct stat& out) override {
    return ::lstat(path.c_str(), &out) == 0;
  }
  bool target_status(const std::string& path, struct stat& out) override {
    return ::stat(path.c_str(), &out) == 0;
  }
  bool make_directory(const std::string& path) override { return ::mkdir(path.c_str(), 0700) == 0; }
  bool set_attributes(const std::string& path, const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    return (::lchown(path.c_str(), like.st_uid, like.st_gid) == 0 || errno == EPERM ||
            errno == EINVAL) &&
           ::chmod(path.c_str(), like.st_mode & 07777U) == 0 &&
           ::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0;
  }
  bool read_link(const std::string& path, std::string& target) override {
    target.resize(4096);
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    target.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return length >= 0;
  }
  bool make_link(const std::string& path, const std::string& temporary, const std::string& target,
                 const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    ::unlink(temporary.c_str());
    return ::symlink(target.c_str(), temporary.c_str()) == 0 &&
           (::lchown(temporary.c_str(), like.st_uid, like.st_gid) == 0 || errno == EPERM ||
            errno == EINVAL) &&
           ::utimensat(AT_FDCWD, temporary.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0 &&
           ::rename(temporary.c_str(), path.c_str()) == 0;
  }
  bool rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0;
  }
  bool remove(const std::string& path) override { return ::unlink(path.c_str()) == 0; }
  bool sync_directory(const std::string& path) override {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return directory.valid() && ::fsync(directory.get()) == 0;
  }
  std::unique_ptr<StageLog> open_log(const std::string& path) override {
    Descriptor file(
        ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) {
      return nullptr;
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      errno = errno == EWOULDBLOCK ? EBUSY : errno;
      return nullptr;
    }
    return std::make_unique<OutsideLog>(std::move(file));
  }
  std::string shown(const std::string& path) const override { return path; }
};

class SessionLog final : public StageLog {
 public:
  explicit SessionLog(benchfs_file* file) : file_(file) {}
  ~SessionLog() override { benchfs_close(file_); }

  bool read_all(std::string& text) override {
    std::string buffer(std::size_t{1} << 20, '\0');
    off_t at = 0;
    while (true) {
      const ssize_t count = benchfs_pread(file_, buffer.data(), buffer.size(), at);
      if (count <= 0) {
        end_ = at;
        return count == 0;
      }
      text.append(buffer, 0, static_cast<std::size_t>(count));
      at += count;
    }
  }
  bool clear() override {
    end_ = 0;
    return benchfs_ftruncate(file_, 0) == 0;
  }
  bool add(const std::string& lines) override {
    const ssize_t count = benchfs_pwrite(file_, lines.data(), lines.size(), end_);
    end_ += std::max<ssize_t>(count, 0);
    return count == static_cast<ssize_t>(lines.size());
  }
  bool sync() override { return benchfs_fsync(file_) == 0; }

 private:
  benchfs_file* const file_;
  off_t end_ = 0;
};

class SessionPlace final : public StagePlace {
 public:
  explicit SessionPlace(benchfs_mount* mount) : mount_(mount) {}

  bool list(const std::string& path, std::vector<Entry>& out) override {
    return read_directory(mount_, path, out);
  }
  bool status(const std::string& path, struct stat& out) override {
    return benchfs_lstat(mount_, path.c_str(), &out) == 0;
  }
  bool target_status(const std::string& path, struct stat& out) override {
    return benchfs_stat(mount_, path.c_str(), &out) == 0;
  }
  bool make_directory(const std::string& path) override {
    return benchfs_mkdir(mount_, path.c_str(), 0700) == 0;
  }
  bool set_attributes(const std::string& path, const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    return benchfs_chown(mount_, path.c_str(), like.st_uid, like.st_gid) == 0 &&
           benchfs_chmod(mount_, path.c_str(), like.st_mode & 07777U) == 0 &&
           benchfs_utimens(mount_, path.c_str(), times) == 0;
  }
  bool read_link(const std::string& path, std::string& target) override {
    return tools::read_link(mount_, path, target);
  }
  bool make_link(const std::string& path, const std::string& temporary, const std::string& target,
                 const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    benchfs_unlink(mount_, temporary.c_str());
    return benchfs_symlink(mount_, target.c_str(), temporary.c_str()) == 0 &&
           benchfs_lchown(mount_, temporary.c_str(), like.st_uid, like.st_gid) == 0 &&
           benchfs_lutimens(mount_, temporary.c_str(), times) == 0 &&
           benchfs_rename(mount_, temporary.c_str(), path.c_str()) == 0;
  }
  bool rename(const std::string& from, const std::string& to) override {
    return benchfs_rename(mount_, from.c_str(), to.c_str()) == 0;
  }
  bool remove(const std::string& path) override {
    return benchfs_unlink(mount_, path.c_str()) == 0;
  }
  /// All is synced together in the end: benchfs_stage_sync().
  bool sync_directory(const std::string& /*path*/) override { return true; }
  std::unique_ptr<StageLog> open_log(const std::string& path) override {
    benchfs_file* const file = benchfs_open(mount_, path.c_str(), O_RDWR | O_CREAT, 0600, nullptr);
    return file == nullptr ? nullptr : std::make_unique<SessionLog>(file);
  }
  std::string shown(const std::string& path) const override { return "benchfs:" + path; }

 private:
  benchfs_mount* const mount_;
};

}  // namespace

std::unique_ptr<StagePlace> outside_place() {
  return std::make_unique<OutsidePlace>();
}

std::unique_ptr<StagePlace> session_place(benchfs_mount* mount) {
  return std::make_unique<SessionPlace>(mount);
}

}  // namespace benchfs::tools
