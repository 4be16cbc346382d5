#pragma once

// The directory on a drive that belongs to one server: who it belongs to, and the data file in it.
//
//   <directory>/superblock   who owns the store; gets its name last
//   <directory>/data         the blocks: preallocated to the capacity
//
// README.md has the format and the order of steps. Whatever goes wrong is said in the log in words
// that name the directory and what to do; the Error is for the program.
//
// Threading: start and stop of the server only; these calls block.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "io/buffer_pool.h"
#include "io/data_file.h"
#include "io/disk.h"
#include "store/store_files.h"
#include "store/superblock.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::store {

/// Less than this is a mistake in a unit rather than a store.
inline constexpr std::uint64_t kCapacityBytesMin = 16 * kMiB;

/// What a store in memory has if nobody says; memory is taken as it is written.
inline constexpr std::uint64_t kMemoryCapacityBytesDefault = kGiB;

struct StoreOptions {
  std::string parent;     ///< Must exist, be a directory and be writable.
  std::string directory;  ///< Of this server alone: `parent` itself, or a directory in it, which is
                          ///< made if it does not exist and goes with the store.
  std::uint64_t capacity_bytes = 0;  ///< Rounded down to blocks; 0: see default_capacity().
  std::uint64_t session_id = 0;
  ServerId server{};
  std::uint16_t server_count = 0;
  unsigned sharers = 1;  ///< Servers whose stores are on this file system; for default_capacity().
  io::DiskBackend backend = io::DiskBackend::kAuto;  ///< kMemory: nothing of this touches a drive.
  bool discard = false;        ///< create() removes what a dead server left, instead of refusing.
  std::uint64_t store_id = 0;  ///< Drawn at random for create(); open() finds it.
};

/// What a server takes if nobody says: 80 % of what is free on the file system of `directory`,
/// shared by `sharers` servers (at least 1). Ask before one of them has taken its part.
Result<std::uint64_t> default_capacity(const std::string& directory, unsigned sharers);

/// A store that this process owns, until it ends or calls remove().
class StoreDirectory {
 public:
  /// Whose store is in `directory`; nothing if there is none. kBusy: a living server has it.
  /// kAccess, kNotDirectory. kUnsupported, kCorrupt: it holds a superblock of another version, or a
  /// broken one. kNotEmpty: files with our names that are not ours. kIo.
  static Result<std::optional<Superblock>> find(const std::string& directory);

  /// Makes a new store. `pool` is registered with the drive; both are borrowed and outlive the
  /// store.
  ///
  /// kNotFound, kNotDirectory, kAccess, kReadOnly: `parent` cannot be used. kBusy: a living server
  /// has it. kExists: it holds a store. kUnsupported, kCorrupt, kNotEmpty: as of find(). kInvalid:
  /// the capacity is too small. kOutOfSpace: it is larger than what is free. kIo.
  static Result<std::unique_ptr<StoreDirectory>> create(loop::EventLoop& loop, io::BufferPool& pool,
                                                        const StoreOptions& options);

  /// Opens the store that a dead server has left, and changes nothing of it. One that is just
  /// ending gets 10 s for it, before it is kBusy. kNotFound: there is none. kStale: it is of
  /// another session, of another server, or of another number of servers. kInvalid: it has another
  /// capacity than the one asked for (0 asks for none). kCorrupt, and as of find().
  static Result<std::unique_ptr<StoreDirectory>> open(loop::EventLoop& loop, io::BufferPool& pool,
                                                      const StoreOptions& options);

  /// Removes the store that a dead server has left in `directory`, and nothing that is not of a
  /// store. Success if there is none. kBusy if its server lives; kNotEmpty if the files are not
  /// ours; kIo.
  static Status discard(const std::string& directory);

  /// Leaves everything where it is. Requires that nothing is in flight on disk().
  ~StoreDirectory();
  StoreDirectory(const StoreDirectory&) = delete;
  StoreDirectory& operator=(const StoreDirectory&) = delete;

  /// Ends the store for good: closes disk(), on which nothing may be in flight, and removes what
  /// create() has made. Once.
  Status remove();

  /// Until remove().
  io::Disk& disk() noexcept;
  std::uint64_t store_id() const noexcept { return store_id_; }
  const std::string& path() const noexcept { return path_; }
  std::string_view backend_name() const noexcept { return traits_.backend; }
  bool direct_io() const noexcept { return traits_.direct_io; }

 private:
  StoreDirectory(const StoreOptions& options, std::optional<LockedDirectory> directory,
                 std::unique_ptr<io::Disk> disk);

  const std::string path_;
  const std::uint64_t store_id_;
  const bool goes_with_store_;                ///< The directory, not only what is in it.
  std::optional<LockedDirectory> directory_;  ///< Empty for a store in memory, and after remove().
  std::unique_ptr<io::Disk> disk_;
  const io::DiskTraits traits_;
};

}  // namespace benchfs::store
