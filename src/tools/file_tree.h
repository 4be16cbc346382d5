#pragma once

// The two places that `cp` copies between, behind one interface: the files of this machine and
// those of the session. Transfers are begun and finished apart, so that several can be in flight.
//
// Errors: -1, false or null with errno set, like the calls underneath; complaints are up to the
// caller. Threading: a tree may be used by any thread at any time; an end by one at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchfs/benchfs.h>
#include <sys/stat.h>

namespace benchfs::tools {

/// One piece of a transfer, whose memory belongs to the caller.
struct Piece {
  std::byte* data = nullptr;
  std::size_t length = 0;  ///< Wanted; after finish_read() what there was.
  off_t offset = 0;
  benchfs_request* request = nullptr;  ///< In flight; null if the place has no such thing.
};

class ReadEnd {
 public:
  virtual ~ReadEnd() = default;
  virtual int status(struct stat& out) = 0;
  /// May do nothing yet. Pieces are begun and finished in the order of their offsets.
  virtual bool begin_read(Piece& piece) = 0;
  /// Sets piece.length to what was read: less than wanted only at the end of the file.
  virtual bool finish_read(Piece& piece) = 0;
};

/// A file that comes into being under its name by commit(), whole; if that is not called, or fails,
/// nothing is there that was not before, but for what a copy that may be resumed has left.
class WriteEnd {
 public:
  virtual ~WriteEnd() = default;
  virtual int status(struct stat& out) = 0;
  /// Pieces are begun and finished in the order of their offsets, as those of a ReadEnd.
  virtual bool begin_write(Piece& piece) = 0;
  virtual bool finish_write(Piece& piece) = 0;
  /// How much an earlier run has written that was not committed; 0 unless CreateOptions asks for
  /// it.
  virtual std::uint64_t resumable() { return 0; }
  /// Reads what was written from where it is kept. Null with errno ESPIPE: a device or pipe.
  virtual std::unique_ptr<ReadEnd> read_back() = 0;
  /// It is not worth going on with.
  virtual void discard() = 0;
  /// Gives it mode and times of `like`, closes it and puts it in place.
  virtual bool commit(const struct stat& like) = 0;
};

struct CreateOptions {
  benchfs_layout layout{};  ///< Chunk size 0: the session's default.
  /// What an unfinished file of this source is known by; empty: it is removed, not resumed.
  std::string resume_key{};
};

class FileTree {
 public:
  virtual ~FileTree() = default;
  /// Follows symbolic links, as does everything but list().
  virtual int status(const std::string& path, struct stat& out) = 0;
  virtual int link_status(const std::string& path, struct stat& out) = 0;
  virtual bool list(const std::string& path, std::vector<std::string>& names) = 0;
  virtual int make_directory(const std::string& path) = 0;
  virtual int set_attributes(const std::string& path, const struct stat& like) = 0;
  /// The owner and group of `like`; of a link itself.
  virtual int set_owner(const std::string& path, const struct stat& like) = 0;
  virtual bool read_link(const std::string& path, std::string& target) = 0;
  /// With the times of `like`. Replaces a link or file that is there; EEXIST: a directory.
  virtual bool make_link(const std::string& path, const std::string& target,
                         const struct stat& like) = 0;
  virtual std::unique_ptr<ReadEnd> open(const std::string& path) = 0;
  /// `path` may exist: a regular file is replaced; on this machine a device or pipe is written to.
  virtual std::unique_ptr<WriteEnd> create(const std::string& path,
                                           const CreateOptions& options) = 0;
  /// As messages show it: "benchfs:/x" for the session's.
  virtual std::string shown(const std::string& path) const = 0;
};

std::unique_ptr<FileTree> local_tree();
/// `mount` is borrowed.
std::unique_ptr<FileTree> benchfs_tree(benchfs_mount* mount);

/// A name for an unfinished file beside the one that it will be; no two calls give the same.
std::string temporary_name();
/// Likewise, but the same for the same key.
std::string resumable_name(const std::string& key);

}  // namespace benchfs::tools
