#pragma once

// An open file with its name, for the disks that stand on files.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace benchfs::io {

/// Owns a descriptor, and through it the flock() on the file.
class File {
 public:
  File(int fd, std::string path, std::uint64_t size_bytes) noexcept
      : fd_(fd), path_(std::move(path)), size_bytes_(size_bytes) {}
  File(File&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        path_(std::move(other.path_)),
        size_bytes_(other.size_bytes_) {}
  File& operator=(File&&) = delete;
  ~File();

  int fd() const noexcept { return fd_; }
  const std::string& path() const noexcept { return path_; }
  std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  /// Whether it is open with O_DIRECT.
  bool direct() const noexcept;

 private:
  int fd_;
  std::string path_;
  std::uint64_t size_bytes_;
};

}  // namespace benchfs::io
