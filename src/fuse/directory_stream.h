#pragma once

// An open directory, as readdir(3), telldir(3) and seekdir(3) want it: what was listed keeps its
// position until it is closed or begun anew.
//
// Threading: any thread; one at a time does the asking. Memory: the names that were listed.

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "client/listing.h"
#include "client/mount.h"
#include "wire/attributes.h"

namespace benchfs::fuse {

class DirectoryStream {
 public:
  struct Name {
    std::string name;
    InodeId inode = kNoInode;
    wire::FileType type = wire::FileType::kFile;
  };

  /// Borrows `mount`. Asks nothing yet.
  DirectoryStream(client::Mount& mount, InodeId directory);

  /// The name at `position`, counted from 0 without "." and ".."; null at the end. Valid until
  /// restart(). An error stays. Requires that nobody else uses the stream: lock() first.
  Result<const Name*> at(std::size_t position);
  /// Forgets what was listed: it begins anew.
  void restart();

  InodeId directory() const noexcept { return directory_; }
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

 private:
  client::Mount& mount_;
  const InodeId directory_;
  std::mutex mutex_;
  std::unique_ptr<client::Listing> listing_;
  std::deque<Name> names_;  ///< A deque: what at() returned stays where it is.
  bool at_end_ = false;
};

}  // namespace benchfs::fuse
