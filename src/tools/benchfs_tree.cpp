#include <cerrno>
#include <random>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/limits.h"
#include "tools/digest.h"
#include "tools/file_tree.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

class BenchfsReadEnd final : public ReadEnd {
 public:
  explicit BenchfsReadEnd(benchfs_file* file) : file_(file) {}
  ~BenchfsReadEnd() override { benchfs_close(file_); }

  int status(struct stat& out) override { return benchfs_fstat(file_, &out); }

  bool begin_read(Piece& piece) override {
    piece.request = benchfs_pread_begin(file_, piece.data, piece.length, piece.offset);
    return piece.request != nullptr;
  }

  bool finish_read(Piece& piece) override {
    const ssize_t got = benchfs_request_wait(std::exchange(piece.request, nullptr));
    piece.length = got < 0 ? 0 : static_cast<std::size_t>(got);
    return got >= 0;
  }

 private:
  benchfs_file* file_;
};

class BenchfsWriteEnd final : public WriteEnd {
 public:
  BenchfsWriteEnd(benchfs_mount* mount, benchfs_file* file, std::string temporary, std::string path,
                  bool stays)
      : mount_(mount),
        file_(file),
        temporary_(std::move(temporary)),
        path_(std::move(path)),
        stays_(stays) {}
  ~BenchfsWriteEnd() override {
    const int saved = errno;
    if (file_ != nullptr) {
      benchfs_close(file_);
    }
    if (!temporary_.empty() && !stays_) {
      benchfs_unlink(mount_, temporary_.c_str());
    }
    errno = saved;
  }

  int status(struct stat& out) override { return benchfs_fstat(file_, &out); }

  bool begin_write(Piece& piece) override {
    piece.request = benchfs_pwrite_begin(file_, piece.data, piece.length, piece.offset);
    return piece.request != nullptr;
  }

  bool finish_write(Piece& piece) override {
    return benchfs_request_wait(std::exchange(piece.request, nullptr)) >= 0;
  }

  std::uint64_t resumable() override {
    struct stat there {};
    return stays_ && status(there) == 0 ? static_cast<std::uint64_t>(there.st_size) : 0;
  }

  std::unique_ptr<ReadEnd> read_back() override {
    benchfs_file* const file = benchfs_open(mount_, temporary_.c_str(), O_RDONLY, 0, nullptr);
    return file != nullptr ? std::make_unique<BenchfsReadEnd>(file) : nullptr;
  }

  void discard() override { stays_ = false; }

  bool commit(const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    const bool closed = benchfs_close(std::exchange(file_, nullptr)) == 0;
    if (!closed || benchfs_chmod(mount_, temporary_.c_str(), like.st_mode & 07777U) != 0 ||
        benchfs_utimens(mount_, temporary_.c_str(), times) != 0 ||
        benchfs_rename(mount_, temporary_.c_str(), path_.c_str()) != 0) {
      return false;
    }
    temporary_.clear();
    return true;
  }

 private:
  benchfs_mount* mount_;
  benchfs_file* file_;
  std::string temporary_;
  std::string path_;
  bool stays_;
};

class BenchfsTree final : public FileTree {
 public:
  explicit BenchfsTree(benchfs_mount* mount) : mount_(mount) {}

  int status(const std::string& path, struct stat& out) override {
    return benchfs_stat(mount_, path.c_str(), &out);
  }
  int link_status(const std::string& path, struct stat& out) override {
    return benchfs_lstat(mount_, path.c_str(), &out);
  }

  bool list(const std::string& path, std::vector<std::string>& names) override {
    std::vector<Entry> entries;
    if (!read_directory(mount_, path, entries)) {
      return false;
    }
    for (Entry& entry : entries) {
      names.push_back(std::move(entry.name));
    }
    return true;
  }

  int make_directory(const std::string& path) override {
    return benchfs_mkdir(mount_, path.c_str(), 0700);
  }

  int set_attributes(const std::string& path, const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    return benchfs_chmod(mount_, path.c_str(), like.st_mode & 07777U) == 0 &&
                   benchfs_utimens(mount_, path.c_str(), times) == 0
               ? 0
               : -1;
  }

  int set_owner(const std::string& path, const struct stat& like) override {
    return benchfs_lchown(mount_, path.c_str(), like.st_uid, like.st_gid);
  }

  bool read_link(const std::string& path, std::string& target) override {
    return tools::read_link(mount_, path, target);
  }

  bool make_link(const std::string& path, const std::string& target,
                 const struct stat& like) override {
    const timespec times[2] = {like.st_atim, like.st_mtim};
    const auto make = [&] {
      return benchfs_symlink(mount_, target.c_str(), path.c_str()) == 0 &&
             benchfs_lutimens(mount_, path.c_str(), times) == 0;
    };
    if (make()) {
      return true;
    }
    struct stat there {};
    if (errno != EEXIST || benchfs_lstat(mount_, path.c_str(), &there) != 0) {
      return false;
    }
    if (S_ISDIR(there.st_mode)) {
      errno = EEXIST;
      return false;
    }
    return benchfs_unlink(mount_, path.c_str()) == 0 && make();
  }

  std::unique_ptr<ReadEnd> open(const std::string& path) override {
    benchfs_file* const file = benchfs_open(mount_, path.c_str(), O_RDONLY, 0, nullptr);
    return file != nullptr ? std::make_unique<BenchfsReadEnd>(file) : nullptr;
  }

  std::unique_ptr<WriteEnd> create(const std::string& path, const CreateOptions& options) override {
    benchfs_layout layout = options.layout;
    if (layout.chunk_size == 0) {
      layout.chunk_size = kChunkBytesDefault;
    }
    const bool stays = !options.resume_key.empty();
    std::string temporary =
        joined_path(parent_path(path), stays ? resumable_name(last_name(path) + options.resume_key)
                                             : temporary_name());
    benchfs_file* const file =
        benchfs_open(mount_, temporary.c_str(), O_WRONLY | O_CREAT | (stays ? O_NOFOLLOW : O_EXCL),
                     0600, &layout);
    return file != nullptr
               ? std::make_unique<BenchfsWriteEnd>(mount_, file, std::move(temporary), path, stays)
               : nullptr;
  }

  std::string shown(const std::string& path) const override { return "benchfs:" + path; }

 private:
  benchfs_mount* mount_;
};

}  // namespace

std::unique_ptr<FileTree> benchfs_tree(benchfs_mount* mount) {
  return std::make_unique<BenchfsTree>(mount);
}

std::string temporary_name() {
  std::random_device random;
  return fmt::format(".benchfs-cp.{:08x}{:08x}", random(), random());
}

std::string resumable_name(const std::string& key) {
  Digest digest;
  digest.add(std::as_bytes(std::span(key)));
  return fmt::format(".benchfs-cp.{:016x}.part", digest.value()[0]);
}

}  // namespace benchfs::tools
