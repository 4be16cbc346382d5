#pragma once

// Which files are rewritten because they have become many small extents: the rule, and the queue of
// those that are looked at. compactor.cpp does it; README.md says why it is so.
//
// Threading: loop thread only. Memory: some 100 bytes for each file with many extents.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"
#include "store/extent_index.h"
#include "store/inline_data.h"

namespace benchfs::store {

struct CompactionRules {
  std::size_t file_extents_min = 64;             ///< Files with fewer are left alone.
  std::size_t window_extents_min = 8;            ///< So many become one, or it is not worth it.
  std::uint64_t mean_bytes_max = 16 * kKiB;      ///< Nor if they are not smaller on average.
  std::uint64_t look_after_ns = 250 * kNsPerMs;  ///< Files are looked at so long after a change.
  /// As long as others read or write, for each window so often so long.
  std::uint64_t give_way_ns = 2 * kNsPerMs;
  unsigned give_way_max = 50;
};

/// What is rewritten at once: one buffer, and one look at the index.
inline constexpr std::uint64_t kWindowBytesMax = kTransferBytesMax;
inline constexpr std::size_t kWindowExtentsMax = 1024;
/// Extents that are left as they are.
inline constexpr std::uint64_t kLargeExtentBytes = 128 * kKiB;

/// A range of a file without holes, and of how many extents it is.
struct Window {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::size_t extent_count = 0;

  std::uint64_t end_bytes() const noexcept { return offset_bytes + size_bytes; }
};

constexpr bool is_worth(const CompactionRules& rules, const Window& window) noexcept {
  return window.extent_count >= rules.window_extents_min &&
         window.size_bytes < window.extent_count * rules.mean_bytes_max;
}

/// The first window of `file` at or behind `cursor_bytes` that is worth it, of at most `bytes_max`;
/// nullopt if what was looked at has none. The cursor moves behind it; UINT64_MAX is the end.
std::optional<Window> next_window(const ExtentIndex& index, InodeId file,
                                  const CompactionRules& rules, std::uint64_t bytes_max,
                                  std::uint64_t& cursor_bytes);

class CompactionQueue {
 public:
  explicit CompactionQueue(const CompactionRules& rules) : rules_(rules) {}

  /// `file` has `extent_count` extents now. It is looked at when it has twice as many as it was
  /// left with, and otherwise after a while.
  void changed(InodeId file, std::size_t extent_count) {
    if (extent_count < rules_.file_extents_min) {
      return;
    }
    const auto left = left_with_.find(file);
    const bool many = left == left_with_.end() || extent_count / 2 >= left->second;
    (many ? due_ : later_).insert(file);
  }
  void removed(InodeId file) {
    due_.erase(file);
    later_.erase(file);
    left_with_.erase(file);
  }
  /// The while is over.
  void look_again() {
    due_.insert(later_.begin(), later_.end());
    later_.clear();
  }

  bool has_due() const noexcept { return !due_.empty(); }
  bool has_later() const noexcept { return !later_.empty(); }
  /// Requires has_due().
  InodeId take() {
    const InodeId file = *due_.begin();
    due_.erase(due_.begin());
    later_.erase(file);
    return file;
  }
  /// It has been looked at.
  void left_with(InodeId file, std::size_t extent_count) {
    if (extent_count < rules_.file_extents_min / 2) {
      left_with_.erase(file);
    } else {
      left_with_[file] = extent_count;
    }
  }

  std::size_t size() const noexcept { return due_.size() + later_.size() + left_with_.size(); }

 private:
  const CompactionRules& rules_;
  absl::btree_set<InodeId> due_;  ///< In order: the same story makes the same choices.
  absl::btree_set<InodeId> later_;
  absl::flat_hash_map<InodeId, std::size_t> left_with_;
};

}  // namespace benchfs::store
