#pragma once

// Where the bytes go: one interface for every way to files that is measured. Errors are Failures
// that name the file. Main thread only, but for the calls on names, which any number of threads may
// make at once.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "failure.h"

namespace benchfs::bench {

enum class Access : std::uint8_t {
  kCreate,  ///< Made new, or emptied.
  kUpdate,  ///< Is there; written, and read.
  kRead,
};

enum class Sharing : std::uint8_t {
  kOwn,     ///< One rank has it open.
  kShared,  ///< All ranks open it, together.
};

struct FileSpec {
  std::string path;
  Access access;
  Sharing sharing;
  std::uint64_t size_bytes;  ///< That it has, or will have: HDF5 has to know.
};

/// One open file. Up to so many transfers as the back end was made for are under way at once; each
/// has a slot.
class DataFile {
 public:
  virtual ~DataFile() = default;
  /// Starts or does the transfer. The bytes are borrowed until finish(slot).
  virtual void begin_write(unsigned slot, std::span<const std::byte> bytes,
                           std::uint64_t offset) = 0;
  virtual void begin_read(unsigned slot, std::span<std::byte> bytes, std::uint64_t offset) = 0;
  /// Waits for the end; how many bytes it were.
  virtual std::uint64_t finish(unsigned slot) = 0;
  /// What was written is on the drive then.
  virtual void sync() = 0;
  virtual std::uint64_t size_bytes() = 0;
  virtual void close() = 0;
};

struct Name {
  std::string name;
  bool is_directory = false;
  std::uint64_t size_bytes = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// All ranks, if it is shared.
  virtual std::unique_ptr<DataFile> open(const FileSpec& spec) = 0;

  /// Whether the calls on names below are this way's own, so that it makes sense to time them.
  /// Others borrow them from whoever has the files.
  virtual bool has_names() const { return true; }

  /// There already: no error.
  virtual void make_directory(const std::string& path) = 0;
  virtual void remove_directory(const std::string& path) = 0;
  /// A new file with these bytes, closed again. Fails if there is one.
  virtual void create(const std::string& path, std::span<const std::byte> bytes) = 0;
  /// Its size in bytes.
  virtual std::uint64_t stat(const std::string& path) = 0;
  /// Up to so many bytes from its beginning; how many it were.
  virtual std::size_t read(const std::string& path, std::span<std::byte> bytes) = 0;
  virtual void remove(const std::string& path) = 0;
  virtual void list(const std::string& path, const std::function<void(const Name&)>& visit) = 0;

  /// One empty request and its reply.
  virtual void ping() { throw Failure("this back end has no empty request"); }
  /// Joins the session `count` times more, says something to every server, runs `meanwhile` and
  /// leaves.
  virtual void crowd(unsigned /*count*/, const std::function<void()>& /*meanwhile*/) {
    throw Failure("this back end has no clients of its own");
  }
};

/// How a back end is to work.
struct BackendOptions {
  unsigned depth = 1;   ///< Transfers under way at once of each rank.
  bool direct = false;  ///< posix: O_DIRECT.
};

std::unique_ptr<Backend> make_benchfs_backend(const BackendOptions& options);
std::unique_ptr<Backend> make_posix_backend(const BackendOptions& options);
std::unique_ptr<Backend> make_chfs_backend(const BackendOptions& options);
/// These two take the names' calls from `names`, which has the same files.
std::unique_ptr<Backend> make_mpiio_backend(const BackendOptions& options,
                                            std::unique_ptr<Backend> names);
std::unique_ptr<Backend> make_hdf5_backend(const BackendOptions& options,
                                           std::unique_ptr<Backend> names);

/// "benchfs", "posix", "chfs", "mpiio" or "hdf5"; `path` says whose files the latter two work on.
std::unique_ptr<Backend> make_backend(const std::string& name, const std::string& path,
                                      const BackendOptions& options);

}  // namespace benchfs::bench
