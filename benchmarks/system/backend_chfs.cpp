// The interface of CHFS, as benchfs's libchfs serves it: what programs written for CHFS get.

#include <cerrno>

#include <chfs.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend.h"
#include "slots.h"

namespace benchfs::bench {

namespace {

constexpr mode_t kFileMode = 0644;

template <typename Int>
Int must(const std::string& what, Int result) {
  if (result < 0) {
    throw system_failure(what, errno);
  }
  return result;
}

class ChfsFile final : public DataFile {
 public:
  ChfsFile(std::string path, int fd, unsigned depth)
      : path_(std::move(path)), fd_(fd), slots_(depth) {}

  void begin_write(unsigned slot, std::span<const std::byte> bytes, std::uint64_t offset) override {
    slots_.begin(slot, [this, bytes, offset] {
      return static_cast<std::uint64_t>(
          must(path_, chfs_pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset))));
    });
  }
  void begin_read(unsigned slot, std::span<std::byte> bytes, std::uint64_t offset) override {
    slots_.begin(slot, [this, bytes, offset] {
      return static_cast<std::uint64_t>(
          must(path_, chfs_pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset))));
    });
  }
  std::uint64_t finish(unsigned slot) override { return slots_.finish(slot); }
  void sync() override { must(path_, chfs_fsync(fd_)); }
  std::uint64_t size_bytes() override {
    struct stat got {};
    must(path_, chfs_stat(path_.c_str(), &got));
    return static_cast<std::uint64_t>(got.st_size);
  }
  void close() override { must(path_, chfs_close(fd_)); }

 private:
  const std::string path_;
  const int fd_;
  Slots slots_;
};

/// For chfs_readdir(), whose visitor is a plain function.
int visit_name(void* visitor, const char* name, const struct stat* got, off_t /*offset*/) {
  const std::string text = name;
  if (text != "." && text != "..") {
    (*static_cast<const std::function<void(const Name&)>*>(visitor))(
        Name{.name = text,
             .is_directory = S_ISDIR(got->st_mode),
             .size_bytes = static_cast<std::uint64_t>(got->st_size)});
  }
  return 0;
}

class ChfsBackend final : public Backend {
 public:
  explicit ChfsBackend(const BackendOptions& options) : depth_(options.depth) {
    must("cannot join the session by libchfs", chfs_init(nullptr));
  }
  ~ChfsBackend() override { chfs_term(); }

  std::unique_ptr<DataFile> open(const FileSpec& spec) override {
    const char* const path = spec.path.c_str();
    const bool create = spec.access == Access::kCreate;
    const int fd = must(spec.path, create ? chfs_create(path, 0, kFileMode) : chfs_open(path, 0));
    if (create && spec.sharing == Sharing::kOwn) {
      must(spec.path, chfs_truncate(path, 0));  // CHFS's create leaves what is there.
    }
    return std::make_unique<ChfsFile>(spec.path, fd, depth_);
  }
  void make_directory(const std::string& path) override {
    if (chfs_mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
      throw system_failure(path, errno);
    }
  }
  void remove_directory(const std::string& path) override { must(path, chfs_rmdir(path.c_str())); }
  void create(const std::string& path, std::span<const std::byte> bytes) override {
    const int fd = must(path, chfs_create(path.c_str(), 0, kFileMode));
    if (!bytes.empty()) {
      must(path, chfs_pwrite(fd, bytes.data(), bytes.size(), 0));
    }
    must(path, chfs_close(fd));
  }
  std::uint64_t stat(const std::string& path) override {
    struct stat got {};
    must(path, chfs_stat(path.c_str(), &got));
    return static_cast<std::uint64_t>(got.st_size);
  }
  std::size_t read(const std::string& path, std::span<std::byte> bytes) override {
    const int fd = must(path, chfs_open(path.c_str(), 0));
    const ssize_t count = must(path, chfs_pread(fd, bytes.data(), bytes.size(), 0));
    must(path, chfs_close(fd));
    return static_cast<std::size_t>(count);
  }
  void remove(const std::string& path) override { must(path, chfs_unlink(path.c_str())); }
  void list(const std::string& path, const std::function<void(const Name&)>& visit) override {
    auto visitor = visit;
    must(path, chfs_readdir(path.c_str(), &visitor, &visit_name));
  }

 private:
  const unsigned depth_;
};

}  // namespace

std::unique_ptr<Backend> make_chfs_backend(const BackendOptions& options) {
  return std::make_unique<ChfsBackend>(options);
}

}  // namespace benchfs::bench
