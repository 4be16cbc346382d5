// A directory of the system: a local one, or a mount.

#include <cerrno>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "slots.h"

namespace benchfs::bench {

namespace {

constexpr mode_t kFileMode = 0644;

/// Throws if `result` says that a call has failed.
template <typename Int>
Int must(const std::string& what, Int result) {
  if (result < 0) {
    throw system_failure(what, errno);
  }
  return result;
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : path_(path), fd_(must(path, ::open(path.c_str(), flags | O_CLOEXEC, kFileMode))) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  /// All of it, as a mount or a signal may have it done in parts.
  std::uint64_t write(std::span<const std::byte> bytes, std::uint64_t offset) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      done += static_cast<std::size_t>(
          must(path_, ::pwrite(fd_, bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(offset + done))));
    }
    return done;
  }
  std::uint64_t read(std::span<std::byte> bytes, std::uint64_t offset) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = must(path_, ::pread(fd_, bytes.data() + done, bytes.size() - done,
                                                static_cast<off_t>(offset + done)));
      if (count == 0) {
        break;
      }
      done += static_cast<std::size_t>(count);
    }
    return done;
  }
  std::uint64_t size_bytes() const {
    struct stat got {};
    must(path_, ::fstat(fd_, &got));
    return static_cast<std::uint64_t>(got.st_size);
  }
  void sync() const { must(path_, ::fsync(fd_)); }
  /// What is on the drive leaves the page cache, so that reading it means to read the drive.
  void forget() const { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }
  void close() { must(path_, ::close(std::exchange(fd_, -1))); }

 private:
  const std::string path_;
  int fd_;
};

class PosixFile final : public DataFile {
 public:
  PosixFile(const std::string& path, int flags, unsigned depth)
      : file_(path, flags), slots_(depth) {}

  void begin_write(unsigned slot, std::span<const std::byte> bytes, std::uint64_t offset) override {
    slots_.begin(slot, [this, bytes, offset] { return file_.write(bytes, offset); });
  }
  void begin_read(unsigned slot, std::span<std::byte> bytes, std::uint64_t offset) override {
    slots_.begin(slot, [this, bytes, offset] { return file_.read(bytes, offset); });
  }
  std::uint64_t finish(unsigned slot) override { return slots_.finish(slot); }
  void sync() override {
    file_.sync();
    file_.forget();
  }
  std::uint64_t size_bytes() override { return file_.size_bytes(); }
  void close() override { file_.close(); }

 private:
  Descriptor file_;
  Slots slots_;
};

class PosixBackend final : public Backend {
 public:
  explicit PosixBackend(const BackendOptions& options) : options_(options) {}

  std::unique_ptr<DataFile> open(const FileSpec& spec) override {
    int flags = spec.access == Access::kRead ? O_RDONLY : O_RDWR;
    flags |= spec.access == Access::kCreate ? O_CREAT : 0;
    // Of a shared file no rank may cut off what another has written already.
    flags |= spec.access == Access::kCreate && spec.sharing == Sharing::kOwn ? O_TRUNC : 0;
    flags |= options_.direct ? O_DIRECT : 0;
    return std::make_unique<PosixFile>(spec.path, flags, options_.depth);
  }
  void make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
      throw system_failure(path, errno);
    }
  }
  void remove_directory(const std::string& path) override { must(path, ::rmdir(path.c_str())); }
  void create(const std::string& path, std::span<const std::byte> bytes) override {
    Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL);
    file.write(bytes, 0);
    file.close();
  }
  std::uint64_t stat(const std::string& path) override {
    struct stat got {};
    must(path, ::stat(path.c_str(), &got));
    return static_cast<std::uint64_t>(got.st_size);
  }
  std::size_t read(const std::string& path, std::span<std::byte> bytes) override {
    Descriptor file(path, O_RDONLY);
    const std::size_t count = file.read(bytes, 0);
    file.close();
    return count;
  }
  void remove(const std::string& path) override { must(path, ::unlink(path.c_str())); }
  void list(const std::string& path, const std::function<void(const Name&)>& visit) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
    if (!directory) {
      throw system_failure(path, errno);
    }
    errno = 0;
    while (const dirent* const entry = ::readdir(directory.get())) {
      const std::string name = entry->d_name;
      struct stat got {};
      if (name != "." && name != "..") {
        must(path + "/" + name,
             ::fstatat(::dirfd(directory.get()), name.c_str(), &got, AT_SYMLINK_NOFOLLOW));
        visit(Name{.name = name,
                   .is_directory = S_ISDIR(got.st_mode),
                   .size_bytes = static_cast<std::uint64_t>(got.st_size)});
      }
      errno = 0;
    }
    if (errno != 0) {
      throw system_failure(path, errno);
    }
  }

 private:
  const BackendOptions options_;
};

}  // namespace

std::unique_ptr<Backend> make_posix_backend(const BackendOptions& options) {
  return std::make_unique<PosixBackend>(options);
}

}  // namespace benchfs::bench
