#pragma once

// What a staging has done, in lines that are only ever added: STAGING.md has the format.
//
// Pure; reading and writing the file is the caller's.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace benchfs::tools {

/// A file that is complete and durable at its destination; numbers are of the source as it was
/// copied.
struct StagedFile {
  std::uint64_t size = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint64_t sum = 0;

  friend bool operator==(const StagedFile&, const StagedFile&) = default;
};

class StageManifest {
 public:
  enum class Direction { kIn, kOut };

  /// Reads what earlier runs have left. A line that is torn or damaged counts as not written: what
  /// it told of is copied again. False if `text` begins with none of our lines, or with one of the
  /// other direction: somebody else's file.
  bool read(std::string_view text, Direction direction);

  const std::map<std::string, StagedFile>& files() const noexcept { return files_; }
  /// By the path below the destination; null: not known to be there.
  const StagedFile* find(const std::string& relative) const;
  /// Of the runs that wrote it: their temporary files have these numbers in their names.
  const std::set<std::uint64_t>& runs() const noexcept { return runs_; }

  // Lines to be added, each with its newline.
  static std::string line_of_run(Direction direction, std::uint64_t run);
  static std::string line_of_file(const std::string& relative, const StagedFile& file);
  /// It is not there as it was told.
  static std::string line_of_loss(const std::string& relative);

 private:
  bool take(std::string_view line, Direction direction);

  std::map<std::string, StagedFile> files_;
  std::set<std::uint64_t> runs_;
};

}  // namespace benchfs::tools
