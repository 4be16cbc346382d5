#pragma once

// Which files are gone, so that a write that comes late does not bring one back, and that nobody
// reads zeros where a power failure at the file's home has undone its removal.
//
// Threading: loop thread only.

#include <cstddef>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "base/ids.h"

namespace benchfs::store {

/// Removed files that a store remembers: those of the last few seconds of the fastest removal,
/// which is as long as a write may be under way. At most 4 MiB of memory.
inline constexpr std::size_t kRemovedFilesMax = 131'072;

class RemovedFiles {
 public:
  explicit RemovedFiles(std::size_t limit = kRemovedFilesMax) noexcept : limit_(limit) {}

  /// Remembers `file` and, if the limit is reached, forgets the one that has been remembered
  /// longest.
  void add(InodeId file) {
    if (!ids_.insert(file).second) {
      return;
    }
    if (ring_.size() < limit_) {
      ring_.push_back(file);
      return;
    }
    ids_.erase(ring_[oldest_]);
    ring_[oldest_] = file;
    oldest_ = (oldest_ + 1) % limit_;
  }

  bool contains(InodeId file) const noexcept { return ids_.contains(file); }

 private:
  const std::size_t limit_;
  std::vector<InodeId> ring_;
  std::size_t oldest_ = 0;
  absl::flat_hash_set<InodeId> ids_;
};

}  // namespace benchfs::store
