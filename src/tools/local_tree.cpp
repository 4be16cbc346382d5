#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "tools/descriptor.h"
#include "tools/file_tree.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

class LocalReadEnd final : public ReadEnd {
 public:
  LocalReadEnd(Descriptor file, bool seekable) : file_(std::move(file)), seekable_(seekable) {}

  int status(struct stat& out) override { return ::fstat(file_.get(), &out); }
  bool begin_read(Piece& /*piece*/) override { return true; }

  bool finish_read(Piece& piece) override {
    std::size_t filled = 0;
    while (filled < piece.length) {
      std::byte* const to = piece.data + filled;
      const std::size_t wanted = piece.length - filled;
      const ssize_t got =
          seekable_ ? ::pread(file_.get(), to, wanted, piece.offset + static_cast<off_t>(filled))
                    : ::read(file_.get(), to, wanted);
      if (got < 0 && errno == EINTR && !was_interrupted()) {
        continue;
      }
      if (got < 0) {
        return false;
      }
      if (got == 0) {
        break;
      }
      filled += static_cast<std::size_t>(got);
    }
    piece.length = filled;
    return true;
  }

 private:
  Descriptor file_;
  bool seekable_;
};

class LocalWriteEnd final : public WriteEnd {
 public:
  /// Without a temporary name the file is written in place: a device or a pipe.
  LocalWriteEnd(Descriptor file, std::string temporary, std::string path, bool stays)
      : file_(std::move(file)),
        temporary_(std::move(temporary)),
        path_(std::move(path)),
        stays_(stays) {}
  ~LocalWriteEnd() override {
    if (!temporary_.empty() && !stays_) {
      const int saved = errno;
      ::unlink(temporary_.c_str());
      errno = saved;
    }
  }

  int status(struct stat& out) override { return ::fstat(file_.get(), &out); }
  bool begin_write(Piece& /*piece*/) override { return true; }

  bool finish_write(Piece& piece) override {
    std::size_t done = 0;
    while (done < piece.length) {
      const std::byte* const from = piece.data + done;
      const std::size_t left = piece.length - done;
      const ssize_t written =
          temporary_.empty()
              ? ::write(file_.get(), from, left)
              : ::pwrite(file_.get(), from, left, piece.offset + static_cast<off_t>(done));
      if (written < 0 && errno == EINTR && !was_interrupted()) {
        continue;
      }
      if (written < 0) {
        return false;
      }
      done += static_cast<std::size_t>(written);
    }
    return true;
  }

  std::uint64_t resumable() override {
    struct stat there {};
    return stays_ && status(there) == 0 ? static_cast<std::uint64_t>(there.st_size) : 0;
  }

  std::unique_ptr<ReadEnd> read_back() override {
    if (temporary_.empty()) {
      errno = ESPIPE;
      return nullptr;
    }
    // From the drive, not from what the kernel still has of it in memory.
    if (::fsync(file_.get()) != 0) {
      return nullptr;
    }
    Descriptor file(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid()) {
      return nullptr;
    }
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    return std::make_unique<LocalReadEnd>(std::move(file), true);
  }

  void discard() override { stays_ = false; }

  bool commit(const struct stat& like) override {
    if (temporary_.empty()) {
      // EINVAL and the like: a pipe or terminal, which has nothing to synchronise.
      const bool synchronised = ::fsync(file_.get()) == 0 || (errno != EIO && errno != ENOSPC);
      const int outcome = synchronised ? 0 : errno;
      file_.close();
      errno = outcome;
      return synchronised;
    }
    const timespec times[2] = {like.st_atim, like.st_mtim};
    // Synchronised before it gets its name, so that not even a crash of the machine shows half a
    // file.
    if (::fchmod(file_.get(), like.st_mode & 07777U) != 0 || ::futimens(file_.get(), times) != 0 ||
        ::fsync(file_.get()) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return false;
    }
    temporary_.clear();
    file_.close();
    return true;
  }

 private:
  Descriptor file_;
  std::string temporary_;
  std::string path_;
  bool stays_;
};

class LocalTree final : public FileTree {
 public:
  int status(const std::string& path, struct stat& out) override {
    return ::stat(path.c_str(), &out);
  }
  int link_status(const std::string& path, struct stat& out) override {
    return ::lstat(path.c_str(), &out);
  }

  bool list(const std::string& path, std::vector<std::string>& names) override {
    DIR* const stream = ::opendir(path.c_str());
    if (stream == nullptr) {
      return false;
    }
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") {
        names.push_back(name);
      }
      errno = 0;
    }
    const int saved = errno;
    ::closedir(stream);
    std::sort(names.begin(), names.end());
    errno = saved;
    return saved == 0;
  }

  int make_directory(const std::string& path) override { return ::mkdir(path.c_str(), 0700); }

  int set_attributes(const std::string& path, const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    return ::chmod(path.c_str(), like.st_mode & 07777U) == 0 &&
                   ::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0
               ? 0
               : -1;
  }

  int set_owner(const std::string& path, const struct stat& like) override {
    return ::lchown(path.c_str(), like.st_uid, like.st_gid);
  }

  bool read_link(const std::string& path, std::string& target) override {
    target.resize(PATH_MAX);
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    target.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return length >= 0;
  }

  bool make_link(const std::string& path, const std::string& target,
                 const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    const auto make = [&] {
      return ::symlink(target.c_str(), path.c_str()) == 0 &&
             ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0;
    };
    if (make()) {
      return true;
    }
    struct stat there {};
    if (errno != EEXIST || ::lstat(path.c_str(), &there) != 0) {
      return false;
    }
    if (S_ISDIR(there.st_mode)) {
      errno = EEXIST;
      return false;
    }
    return ::unlink(path.c_str()) == 0 && make();
  }

  std::unique_ptr<ReadEnd> open(const std::string& path) override {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!file.valid() || ::fstat(file.get(), &status) != 0) {
      return nullptr;
    }
    return std::make_unique<LocalReadEnd>(std::move(file), S_ISREG(status.st_mode));
  }

  std::unique_ptr<WriteEnd> create(const std::string& path, const CreateOptions& options) override {
    std::string target = path;
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) {
      if (!S_ISREG(status.st_mode)) {
        Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        return file.valid()
                   ? std::make_unique<LocalWriteEnd>(std::move(file), std::string(), path, false)
                   : nullptr;
      }
      // A symbolic link stays one; what it points to is replaced.
      if (char* const real = ::realpath(path.c_str(), nullptr); real != nullptr) {
        target = real;
        std::free(real);
      }
      if (::access(target.c_str(), W_OK) != 0) {
        return nullptr;
      }
    }
    const bool stays = !options.resume_key.empty();
    std::string temporary = joined_path(
        parent_path(target),
        stays ? resumable_name(last_name(target) + options.resume_key) : temporary_name());
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (stays ? 0 : O_EXCL);
    Descriptor file(::open(temporary.c_str(), flags, 0600));
    return file.valid() ? std::make_unique<LocalWriteEnd>(std::move(file), std::move(temporary),
                                                          std::move(target), stays)
                        : nullptr;
  }

  std::string shown(const std::string& path) const override { return path; }
};

}  // namespace

std::unique_ptr<FileTree> local_tree() {
  return std::make_unique<LocalTree>();
}

}  // namespace benchfs::tools
