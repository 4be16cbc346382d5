#pragma once

// Copies trees between two places, several files at a time.
//
// Threading: the main thread; what it starts has ended when finish() returns.

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/commands.h"
#include "tools/file_tree.h"
#include "tools/pipeline.h"
#include "tools/progress.h"
#include "tools/workers.h"

namespace benchfs::tools {

/// A path and the place that it is in.
struct Location {
  FileTree* tree = nullptr;
  std::string path;

  std::string shown() const;  ///< For a message.
  Location below(const std::string& name) const;
};

bool is_same_file(const Location& a, const struct stat& a_status, const Location& b,
                  const struct stat& b_status);

class Copier {
 public:
  /// `options` are borrowed.
  Copier(const CopyOptions& options, Progress::Style style);

  /// Begins to copy. `status` is of what `from` names in the end.
  void copy(const Location& from, const Location& to, const struct stat& status);
  /// Waits for all that was begun. False if anything could not be copied; that was complained of.
  bool finish();

 private:
  struct File;
  struct Pair {
    Location from;
    Location to;
    struct stat status;  ///< Of `from`.
  };
  /// What a directory gets when all below it is there.
  struct Directory {
    Location to;
    struct stat like;
  };

  bool failed(const char* doing, const Location& what);
  /// Whether nothing else of this command is copied to that place. Otherwise it complains: two
  /// sources of the same name would leave whichever is done last.
  bool is_first_for(const Location& from, const Location& to);
  void copy_tree(const Location& from, const Location& to, const struct stat& status);
  void copy_below(const Location& from, const Location& to);
  void copy_link(const Location& from, const Location& to, const struct stat& status);
  void run(const Pair& pair);
  bool copy_file(const Pair& pair, Pipeline& pipeline, std::uint64_t& moved);
  bool move_bytes(File& file, std::uint64_t& moved);
  bool commit(File& file);
  bool is_unchanged(File& file);
  bool matches(File& file, std::uint64_t begin);
  bool digest_of(File& file, ReadEnd& end, const Location& where, std::uint64_t size,
                 Digest& digest);
  enum class Standing { kToCopy, kLeftAlone, kRefused };
  /// What is to happen to a file, by what stands in its place.
  Standing look_at_target(const Pair& pair, Pipeline& pipeline);
  bool is_same_content(const Pair& pair, Pipeline& pipeline);
  bool keep_owner(const Location& to, const struct stat& like);

  const CopyOptions& options_;
  Progress progress_;
  std::atomic<bool> fine_{true};
  std::set<std::string> targets_;       ///< Files and links of several sources, in the one place.
  std::vector<Directory> directories_;  ///< Those made, outer ones first.
  std::mutex mutex_;
  std::vector<std::unique_ptr<Pipeline>> idle_;
  Workers workers_;  ///< Last: its threads use what is above.
};

}  // namespace benchfs::tools
