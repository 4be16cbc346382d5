#pragma once

// An open directory, as readdir(3), telldir(3) and seekdir(3) want it.
//
// A name's position is how many were listed before it. The last kKeptNamesMax names are kept, so
// that their positions hold whatever comes and goes; for what was listed before them only where
// each page began is known, and going back there asks the servers again.
//
// Threading: any thread; one at a time does the asking. Memory: kKeptNamesMax names, or two pages,
// and some bytes for each page.

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client/listing.h"
#include "client/mount.h"
#include "wire/attributes.h"

namespace benchfs::fuse {

inline constexpr std::size_t kKeptNamesMax = 4096;

class DirectoryStream {
 public:
  struct Name {
    std::string name;
    wire::Attributes attributes;
  };

  /// Borrows `mount`. Asks nothing yet.
  DirectoryStream(client::Mount& mount, InodeId directory);

  /// The name at `position`, counted from 0 without "." and ".."; null at the end. Valid until
  /// the next call. An error stays. Requires that nobody else uses the stream: lock() first.
  Result<const Name*> at(std::size_t position);
  /// Forgets what was listed: it begins anew.
  void restart();

  InodeId directory() const noexcept { return directory_; }
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

 private:
  struct Page {
    std::size_t begin = 0;  ///< Position of its first name.
    std::vector<Name> names;
    std::size_t end() const noexcept { return begin + names.size(); }
  };
  struct PageStart {
    std::size_t begin = 0;
    client::Listing::Mark mark;
  };

  std::size_t end() const noexcept { return pages_.empty() ? begin_ : pages_.back().end(); }
  Status read_page();
  void go_back(std::size_t position);
  void drop_oldest();

  client::Mount& mount_;
  const InodeId directory_;
  std::mutex mutex_;
  std::unique_ptr<client::Listing> listing_;
  std::vector<PageStart> starts_;  ///< Of all pages that were read, in order.
  std::deque<Page> pages_;         ///< The last ones of them, without a gap.
  std::size_t begin_ = 0;          ///< Position of the next page, if none is kept.
  bool at_end_ = false;
};

}  // namespace benchfs::fuse
