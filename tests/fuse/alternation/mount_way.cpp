#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "way.h"

namespace alternation {
namespace {

int error_of(ssize_t result) {
  return result < 0 ? errno : 0;
}

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int get() const { return number_; }

 private:
  int number_;
};

int write_all(int fd, const std::string& bytes, off_t offset) {
  const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), offset);
  return count < 0 ? errno : static_cast<std::size_t>(count) == bytes.size() ? 0 : EIO;
}

Seen read_all(int fd) {
  Seen seen;
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return {.error = errno, .bytes = {}};
  }
  seen.told_size = static_cast<std::uint64_t>(status.st_size);
  char page[65536];
  while (true) {
    const ssize_t count = ::pread(fd, page, sizeof(page), static_cast<off_t>(seen.bytes.size()));
    if (count <= 0) {
      seen.error = error_of(count);
      return seen;
    }
    seen.bytes.append(page, static_cast<std::size_t>(count));
  }
}

class MountWay final : public Way {
 public:
  explicit MountWay(const std::string& directory) : directory_(directory) {}
  const char* name() const override { return "mount"; }

  int create(const std::string& file) override {
    const Descriptor fd = open(file, O_WRONLY | O_CREAT | O_EXCL);
    return error_of(fd.get());
  }
  int write(const std::string& file, std::uint64_t offset, const std::string& bytes) override {
    const Descriptor fd = open(file, O_WRONLY);
    return fd.get() < 0 ? errno : write_all(fd.get(), bytes, static_cast<off_t>(offset));
  }
  int append(const std::string& file, const std::string& bytes) override {
    const Descriptor fd = open(file, O_WRONLY | O_APPEND);
    if (fd.get() < 0) {
      return errno;
    }
    const ssize_t count = ::write(fd.get(), bytes.data(), bytes.size());
    return count < 0 ? errno : static_cast<std::size_t>(count) == bytes.size() ? 0 : EIO;
  }
  int truncate(const std::string& file, std::uint64_t size) override {
    return error_of(::truncate(path(file).c_str(), static_cast<off_t>(size)));
  }
  int rename(const std::string& from, const std::string& to) override {
    return error_of(::rename(path(from).c_str(), path(to).c_str()));
  }
  int remove(const std::string& file) override { return error_of(::unlink(path(file).c_str())); }
  int replace(const std::string& file, const std::string& bytes) override {
    const std::string other = file + ".new";
    {
      const Descriptor fd = open(other, O_WRONLY | O_CREAT | O_EXCL);
      const int failed = fd.get() < 0 ? errno : write_all(fd.get(), bytes, 0);
      if (failed != 0) {
        return failed;
      }
    }
    return rename(other, file);
  }

  Seen look(const std::string& file) override {
    const Descriptor fd = open(file, O_RDONLY);
    struct stat by_name {};
    if (fd.get() < 0 || ::stat(path(file).c_str(), &by_name) != 0) {
      return {.error = errno, .bytes = {}};
    }
    Seen seen = read_all(fd.get());
    seen.error =
        static_cast<std::uint64_t>(by_name.st_size) == seen.told_size ? seen.error : EILSEQ;
    return seen;
  }

  int keep(const std::string& file) override {
    kept_ = open(file, O_RDWR);
    return error_of(kept_.get());
  }
  Seen look_at_kept() override { return read_all(kept_.get()); }
  int write_kept(std::uint64_t offset, const std::string& bytes) override {
    return write_all(kept_.get(), bytes, static_cast<off_t>(offset));
  }

 private:
  std::string path(const std::string& file) const { return directory_ + "/" + file; }
  Descriptor open(const std::string& file, int flags) const {
    return Descriptor(::open(path(file).c_str(), flags | O_CLOEXEC, 0644));
  }

  const std::string directory_;
  Descriptor kept_;
};

}  // namespace

std::unique_ptr<Way> make_mount_way(const std::string& directory) {
  return std::make_unique<MountWay>(directory);
}

}  // namespace alternation
