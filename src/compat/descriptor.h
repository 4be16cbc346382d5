#pragma once

// What a descriptor stands for, and the table that numbers them.
//
// Threading: any thread.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <benchfs/benchfs.h>

#include "compat/gate.h"

namespace benchfs::compat {

/// An open directory, which benchfs knows by its path only.
struct Directory {
  std::string path;
  ino_t inode;

  std::mutex mutex;                ///< Of what follows: one call lists at a time.
  benchfs_dir* listing = nullptr;  ///< Opened by the first call that lists.
  benchfs_dirent next{};           ///< A name that did not fit any more.
  bool has_next = false;
  off_t position = 0;  ///< How many names have been told.
  bool is_at_end = false;
};

/// An open file or directory. Exactly one of the two is set.
struct Descriptor {
  Gate gate;  ///< Entered by every call on it; who closes it waits.
  benchfs_file* file = nullptr;
  std::unique_ptr<Directory> directory;
};

/// Closes what has left the table, when nobody uses it any more. What benchfs_close() returns.
int close_descriptor(Descriptor& descriptor);

/// Numbers from 3 on, so that none is taken for one of the three streams, or for "none".
class Descriptors {
 public:
  /// The lowest free number, from now on `descriptor`'s; -1 with EMFILE.
  int add(std::shared_ptr<Descriptor> descriptor);

  /// Null if there is no such number.
  std::shared_ptr<Descriptor> find(int number) const;

  /// Takes it out of the table: of several that try one has it, the others null.
  std::shared_ptr<Descriptor> take(int number);

  /// Takes all out.
  std::vector<std::shared_ptr<Descriptor>> take_all();

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Descriptor>> table_;
  std::size_t lowest_free_ = 0;  ///< None below it is free.
};

}  // namespace benchfs::compat
