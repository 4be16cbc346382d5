#pragma once

// The conformance table: what a row is, and what its check works with.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>

#include "conformance/file_system.h"

namespace benchfs::test {

/// Where a row runs, and what it says when it does not hold. A row has a directory of its own,
/// which all clients have entered.
class Stage {
 public:
  /// `mounts`: 4 mounts of one file system.
  explicit Stage(std::vector<FileSystem*> mounts)
      : fs(*mounts[0]), other(*mounts[1]), clients(std::move(mounts)) {}

  FileSystem& fs;
  FileSystem& other;  ///< Another client of the same file system.
  const std::vector<FileSystem*> clients;

  /// The result of a call: a negative errno, or a number.
  void is(long got, long want, int line = __builtin_LINE());
  void is(const std::string& got, const std::string& want, int line = __builtin_LINE());
  void is(const std::vector<std::string>& got, const std::vector<std::string>& want,
          int line = __builtin_LINE());
  void holds(bool condition, const char* what, int line = __builtin_LINE());

  // Shorthand; what fails here fails the row.
  void make(const std::string& path, const std::string& text = "", int line = __builtin_LINE());
  int must_open(const std::string& path, int flags, int line = __builtin_LINE());
  std::string text(const std::string& path, int line = __builtin_LINE());
  static std::string text_of(FileSystem& file_system, int file, std::size_t bytes, off_t offset);
  struct stat stat(const std::string& path, int line = __builtin_LINE());
  long size(const std::string& path, int line = __builtin_LINE());
  /// The names of a directory, sorted.
  std::vector<std::string> names(const std::string& path, int line = __builtin_LINE());

  /// Sets atime and mtime to kOld.
  void age(const std::string& path, int line = __builtin_LINE());
  bool is_aged(const std::string& path) { return stat(path).st_mtim.tv_sec == kOld; }
  /// Waits until the clock that stamps files has gone past the ctime of `path`, then returns the
  /// ctime, for ctime_moved().
  timespec pass_ctime(const std::string& path);
  bool ctime_moved(const std::string& path, const timespec& since);

  /// Runs `race(client, index)` for every client in a thread of its own; returns the results.
  std::vector<long> race(const std::function<long(FileSystem&, unsigned)>& work);

  const std::string& failures() const noexcept { return failures_; }

  static constexpr time_t kOld = 1'000'000;

 private:
  void fail(int line, const std::string& text);

  int failure_count_ = 0;
  std::string failures_;
};

enum class Kind {
  kPosix,    ///< As POSIX says, and as the kernel does: the row holds on both.
  kOwn,      ///< A promise about what the kernel has not: benchfs only.
  kDiffers,  ///< On purpose not as the kernel does: the row does not hold there.
  kMissing,  ///< Not supported yet, and refused: the row does not hold at the kernel.
};

struct Row {
  const char* call;
  const char* sentence;
  void (*run)(Stage&);
  Kind kind = Kind::kPosix;
  const char* why = "";     ///< Of a difference.
  const char* defect = "";  ///< Not empty: known not to hold yet, and why. It fails all the same.
};

// The table, by subject.
std::span<const Row> open_rows();
std::span<const Row> data_rows();
std::span<const Row> size_rows();
std::span<const Row> name_rows();
std::span<const Row> path_rows();
std::span<const Row> rename_rows();
std::span<const Row> link_rows();
std::span<const Row> attribute_rows();
std::span<const Row> directory_rows();
std::span<const Row> client_rows();
std::span<const Row> own_rows();
/// Only for a session of little space, which they fill.
std::span<const Row> full_store_rows();

}  // namespace benchfs::test
