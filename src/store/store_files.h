#pragma once

// The files of a store directory, one step each; store_directory puts them in order. Errors are
// said in the log, with the directory's name.
//
// Threading: start and stop of the server only; these calls block.

#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "store/superblock.h"

namespace benchfs::store {

inline constexpr const char* kSuperblockName = "superblock";
inline constexpr const char* kUnfinishedName =
    "superblock.new";  ///< While it is made or taken away.
inline constexpr const char* kDataName = "data";

/// A descriptor of a directory that is open, and locked against other servers.
class LockedDirectory {
 public:
  /// kNotFound, kNotDirectory, kAccess, kBusy (the message names the owner as far as it is known).
  static Result<LockedDirectory> open(const std::string& path);
  /// The same for who follows a server that is known to have ended, or to be about to: waits up to
  /// 10 s for the lock, which the kernel gives back only behind all memory of the process.
  static Result<LockedDirectory> open_after_owner(const std::string& path);

  LockedDirectory(LockedDirectory&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  LockedDirectory& operator=(LockedDirectory&&) = delete;
  ~LockedDirectory();

  const std::string& path() const noexcept { return path_; }
  std::string path_of(const char* name) const { return path_ + "/" + name; }
  /// Writes `superblock` under kUnfinishedName; it survives power loss.
  Status write_unfinished(const Superblock& superblock) const;
  /// Gives it its name: from now on this is a store.
  Status finish() const;

  /// Whose store this is; nothing if nothing with our names is there, or only what was left by a
  /// server that died while it made or removed a store, in which nothing was ever promised.
  /// kUnsupported, kCorrupt: a store that cannot be read. kNotEmpty: files that are not ours.
  Result<std::optional<Superblock>> owner() const;

  /// Says that the store of `owner` is in the way. kExists.
  Status refuse(const Superblock& owner) const;

  /// Removes a store, whole, unfinished or broken. kNotEmpty, and nothing removed, if the files
  /// with our names are not ours.
  Status remove_store() const;

 private:
  LockedDirectory(std::string path, int fd) noexcept : path_(std::move(path)), fd_(fd) {}
  static Result<LockedDirectory> open_with(const std::string& path, int pauses_max);

  std::string path_;
  int fd_;
};

}  // namespace benchfs::store
