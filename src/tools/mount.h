#pragma once

// The session that a file command works on, and how its errors are told.
//
// Threading: any thread, but for catch_interrupts().

#include <string>
#include <string_view>
#include <vector>

#include <benchfs/benchfs.h>

namespace benchfs::tools {

/// A joined session, left on destruction.
class Mount {
 public:
  /// Joins; complains if that fails, and then get() is null.
  explicit Mount(const std::string& session_directory);
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  benchfs_mount* get() const noexcept { return mount_; }
  bool joined() const noexcept { return mount_ != nullptr; }

 private:
  benchfs_mount* mount_;
};

/// Complains "<doing> '<path>': <text of errno>", and for trouble with servers what the library has
/// to say. `doing` is such as "cannot access". Call right after the call that failed.
void complain_failure(std::string_view doing, const std::string& path);

/// What a call that failed has left behind, to be told later, by another thread too.
struct Failure {
  int error = 0;       ///< errno; 0: none.
  std::string detail;  ///< What the library has to say about it, if errno alone tells too little.
};

/// Of this thread's last call, which failed.
Failure last_failure();

void complain_failure(std::string_view doing, const std::string& path, const Failure& failure);

/// One name of a directory.
struct Entry {
  std::string name;
  struct stat attributes {};
};

/// All names in a directory, sorted. False with errno set if the list could not be completed.
bool read_directory(benchfs_mount* mount, const std::string& path, std::vector<Entry>& out);

/// What a symbolic link says. False with errno set.
bool read_link(benchfs_mount* mount, const std::string& path, std::string& target);

// ---- Paths ----

/// Whether an argument of `cp` means a path in benchfs: "benchfs:/x".
bool is_benchfs_argument(std::string_view argument) noexcept;

/// The absolute path in the session that an argument means: with or without "benchfs:", with or
/// without the leading slash (there is no working directory but the root).
std::string benchfs_path(std::string_view argument);

std::string joined_path(std::string_view directory, std::string_view name);

/// The last name of a path; "/" for the root. Slashes at the end do not count.
std::string last_name(std::string_view path);

/// The directory that holds last_name().
std::string parent_path(std::string_view path);

// ---- Interruption ----

/// From now on SIGINT and SIGTERM only set a flag that long commands look at.
void catch_interrupts();
bool was_interrupted() noexcept;

/// The exit status of a command that has done everything, or not.
int exit_status_of(bool fine) noexcept;

/// Of this process. The main thread's only.
mode_t current_umask() noexcept;

}  // namespace benchfs::tools
