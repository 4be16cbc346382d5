#pragma once

// A walk over a tree of the session: in order, in one thread, while others read directories ahead
// of it.
//
// Symbolic links are not followed, so no walk goes in circles. Threading: the main thread.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tools/mount.h"

namespace benchfs::tools {

/// What a directory holds, or why that could not be read.
struct Listing {
  std::vector<Entry> entries;  ///< Sorted by their bytes. Incomplete after a failure.
  Failure failure;
};

/// Reads directories in the order in which they will be needed, some time before.
class DirectoryReader {
 public:
  /// What was wished for. Not used any more by the time the reader is destroyed.
  struct Wish;
  using Ticket = std::shared_ptr<Wish>;

  /// `mount` is borrowed.
  DirectoryReader(benchfs_mount* mount, unsigned thread_count);
  ~DirectoryReader();
  DirectoryReader(const DirectoryReader&) = delete;
  DirectoryReader& operator=(const DirectoryReader&) = delete;

  /// The directories of `paths` will be needed, the first one first, and before those of earlier
  /// calls. One ticket for each.
  std::vector<Ticket> expect(std::vector<std::string> paths);
  /// Waits for the listing, or reads it if nobody has begun to. Once for each ticket.
  Listing take(const Ticket& ticket);
  /// It is not needed after all.
  void forget(const Ticket& ticket);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One file or directory that a walk has come to. Borrowed for the length of the call.
class Visited {
 public:
  Visited(DirectoryReader& reader, std::string its_path, Entry its_entry, unsigned its_depth,
          DirectoryReader::Ticket ticket)
      : path(std::move(its_path)),
        entry(std::move(its_entry)),
        depth(its_depth),
        ticket_(std::move(ticket)),
        reader_(reader) {}

  const std::string path;  ///< In the session.
  const Entry entry;
  const unsigned depth;  ///< 0: where the walk began.

  bool is_directory() const noexcept { return S_ISDIR(entry.attributes.st_mode); }
  /// Of a directory. The names of its entries may have been moved from by the time of leave().
  Listing& listing();
  /// The listing is not needed any more.
  void skip();

 private:
  DirectoryReader::Ticket ticket_;
  DirectoryReader& reader_;
  std::unique_ptr<Listing> listing_;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  /// Before what is below. False: what is below is left out.
  virtual bool enter(Visited& at) = 0;
  /// After what is below, of files right after enter().
  virtual void leave(Visited& at) = 0;
  /// The walk is to end.
  virtual bool finished() const { return false; }
};

class Walk {
 public:
  /// All are borrowed. Directories deeper than `depth_max` are not read.
  Walk(benchfs_mount* mount, Visitor& visitor, unsigned depth_max = UINT32_MAX,
       unsigned thread_count = 0);

  /// Walks from `path`, which is visited as `name`, attributes and all. False, with a complaint, if
  /// it is not there.
  bool run(const std::string& path, const std::string& name);
  /// False if any directory could not be read; that was complained of.
  bool fine() const noexcept { return fine_; }

 private:
  void visit(Visited& at);
  bool stops() const { return was_interrupted() || visitor_.finished(); }

  benchfs_mount* mount_;
  Visitor& visitor_;
  const unsigned depth_max_;
  DirectoryReader reader_;
  bool fine_ = true;
};

}  // namespace benchfs::tools
