#pragma once

// Files outside of the session, for staging: a parallel file system, or any directory.
//
// Threading: any thread; every function blocks. Errors have their errno as os_code.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <sys/types.h>

#include "base/bytes.h"
#include "base/result.h"

namespace benchfs::server {

struct OutsideStatus {
  std::uint64_t size_bytes = 0;
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint64_t inode = 0;
  std::uint32_t mode = 0;  ///< Permission bits.
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool sparse = false;  ///< It takes less space than its size.

  /// Differs when the file was changed or replaced.
  std::uint64_t stamp() const noexcept;
};

/// Owns a descriptor.
class OutsideFile {
 public:
  OutsideFile() = default;
  OutsideFile(OutsideFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OutsideFile& operator=(OutsideFile&& other) noexcept;
  ~OutsideFile();

  /// To read. kInvalid: no regular file, a symbolic link for one.
  static Result<OutsideFile> open_source(const std::string& path);
  /// To write into; it is there.
  static Result<OutsideFile> open_target(const std::string& path);
  /// An empty file, in the place of what has the name; nobody else may read it yet.
  static Result<OutsideFile> create(const std::string& path);

  int fd() const noexcept { return fd_; }
  Result<OutsideStatus> status() const;
  /// All of `into`; kStale if the file ends before.
  Status read(Bytes into, std::uint64_t offset_bytes) const;
  Status write(ConstBytes bytes, std::uint64_t offset_bytes) const;
  /// Begins to bring the range to the drive, so that a later fsync() finds little to do.
  void start_writing(std::uint64_t offset_bytes, std::uint64_t size_bytes) const noexcept;
  /// Cuts the file, or adds a hole.
  Status resize(std::uint64_t size_bytes) const;
  /// Owner and group where that is permitted, mode and times.
  Status set_attributes(const OutsideStatus& like) const;
  Status fsync() const;
  /// Lets the kernel forget what it keeps of the file, where it can: the next read asks the drive.
  void drop_cache() const noexcept;
  /// Whether syncfs(2) of this file system is known to bring data and names to the drive: it is not
  /// of every parallel file system.
  bool has_whole_sync() const noexcept;

 private:
  explicit OutsideFile(int fd) noexcept : fd_(fd) {}
  static Result<OutsideFile> open(const std::string& path, int flags, mode_t mode);
  int fd_ = -1;
};

/// "/a" for "/a/b".
std::string outside_directory(const std::string& path);
Status rename_outside(const std::string& from, const std::string& to);
void remove_outside(const std::string& path) noexcept;
Status fsync_directory(const std::string& path);
/// Which file system it is on.
Result<std::uint64_t> device_number_of(const std::string& directory);
/// Everything of the file system that holds the directory.
Status sync_file_system(const std::string& directory);

}  // namespace benchfs::server
