#pragma once

// One of the ways to the files of a session: the mount, MPI-IO, the library, the commands. Names
// are those of files in the session's root, without a slash. Each way can keep one file open, under
// whatever name or none it goes on.
//
// Threading: one thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace alternation {

/// What somebody who looks at a file finds. errno 0: the bytes, and the size that was told.
struct Seen {
  int error = 0;
  std::string bytes;
  std::uint64_t told_size = 0;
};

class Way {
 public:
  virtual ~Way() = default;
  virtual const char* name() const = 0;

  // Each is 0, an errno, or kNotOffered. Of files that are there, but for create() and replace().
  static constexpr int kNotOffered = -1;
  virtual int create(const std::string& file) = 0;
  virtual int write(const std::string& file, std::uint64_t offset, const std::string& bytes) = 0;
  virtual int append(const std::string& file, const std::string& bytes) = 0;
  virtual int truncate(const std::string& file, std::uint64_t size) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int remove(const std::string& file) = 0;
  /// Puts another file in the place of what is there, if anything is.
  virtual int replace(const std::string& file, const std::string& bytes) = 0;

  virtual Seen look(const std::string& file) = 0;

  /// Keeps the file open, instead of the one before; kNotOffered: this way has no open files.
  virtual int keep(const std::string& file) = 0;
  virtual Seen look_at_kept() = 0;
  virtual int write_kept(std::uint64_t offset, const std::string& bytes) = 0;
};

/// Over a mount on `directory`.
std::unique_ptr<Way> make_mount_way(const std::string& directory);
/// By plain paths below `directory`, which $BENCHFS_MOUNT names.
std::unique_ptr<Way> make_mpi_way(const std::string& directory);
/// Joins $BENCHFS_SESSION.
std::unique_ptr<Way> make_library_way();
/// `tool` is the program `benchfs`; `scratch` a file that may be overwritten.
std::unique_ptr<Way> make_command_way(const std::string& tool, const std::string& scratch);

}  // namespace alternation
