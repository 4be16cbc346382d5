#pragma once

// Which bytes of which file lie where on the drive, and which blocks nobody uses any more.
//
// Extents have any alignment, in the file and on the drive: the pieces of a list write lie one
// behind the other and share blocks. A byte of the drive belongs to one extent at most, so only the
// first and the last block of an extent can have other users; the index counts those, and only
// where there are two or more.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include "base/ids.h"
#include "store/block_allocator.h"

namespace benchfs::store {

/// `size_bytes` bytes of a file from `offset_bytes` on, which lie on the drive from `device_bytes`
/// on.
struct Extent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t device_bytes = 0;

  friend bool operator==(const Extent&, const Extent&) = default;
};

using ExtentList = absl::InlinedVector<Extent, 8>;

class ExtentIndex {
  struct Place {
    std::uint64_t size_bytes;
    std::uint64_t device_bytes;
  };
  using Extents = absl::btree_map<std::uint64_t, Place>;  // By offset in the file.

 public:
  /// Puts the extents of one write in the place of what they cover; a later one wins over an
  /// earlier one. They lie on the drive in the order of the list, none is empty, and nobody else
  /// uses their blocks. Appends the blocks that have no user any more to `freed`, also those of
  /// earlier extents of the list. Returns how many extents the file has now.
  std::size_t insert(InodeId file, std::span<const Extent> extents, BlockRuns& freed);

  /// Drops all bytes at and behind `size_bytes`. `freed` as above.
  void truncate(InodeId file, std::uint64_t size_bytes, BlockRuns& freed);

  /// What a file had, taken out of the index whole; its blocks are in use until release_some().
  class Taken {
   public:
    bool empty() const noexcept { return extents_.empty(); }

   private:
    friend class ExtentIndex;
    Extents extents_;
  };

  /// Drops the file in one short step, however many extents it has.
  Taken take(InodeId file);

  /// Gives up the last `count` extents of `taken`, or all if it has fewer. `freed` as above.
  void release_some(Taken& taken, std::size_t count, BlockRuns& freed);

  /// One extent of one file that lies somewhere else now.
  struct Move {
    InodeId file{};
    Extent from;
    std::uint64_t to_device_bytes = 0;
  };

  /// Lets those parts of the moved extents that still lie where they lay point to where they were
  /// moved. The destinations lie on the drive in the order of the list, and nobody else uses their
  /// blocks; files may share them. `used` gets the blocks of the destination that have a user now,
  /// in order; `freed` as above.
  void move(std::span<const Move> moves, BlockRuns& used, BlockRuns& freed);

  /// Appends the extents of the first file at or behind `file` that has any at or behind
  /// `offset_bytes` (which counts for `file` alone; an extent across it is cut), up to `count`.
  /// Returns that file; nothing if there is none.
  std::optional<InodeId> list(InodeId file, std::uint64_t offset_bytes, std::size_t count,
                              ExtentList& found) const;

  /// Recovery: until finish_replay(), blocks may be named by more than one extent for a while, and
  /// nothing is ever freed. Requires an empty index.
  void begin_replay();
  /// Calls `claim` once for every run of blocks that is used; false from it (they are taken
  /// already) ends it with false.
  bool finish_replay(const std::function<bool(BlockRun)>& claim);

  /// Appends what is there of the range [offset_bytes, offset_bytes + size_bytes), cut to it, in
  /// order of offset. What is missing was never written.
  void find(InodeId file, std::uint64_t offset_bytes, std::uint64_t size_bytes,
            ExtentList& found) const;

  /// End of the last extent; 0 if there is none.
  std::uint64_t end_of(InodeId file) const noexcept;

  std::size_t extent_count_of(InodeId file) const noexcept {
    const auto it = files_.find(file);
    return it == files_.end() ? 0 : it->second.size();
  }
  /// Calls `visit` for every file, in order.
  void for_each_file(const std::function<void(InodeId, std::size_t extent_count)>& visit) const {
    for (const auto& [file, extents] : files_) {
      visit(file, extents.size());
    }
  }

  std::size_t file_count() const noexcept { return files_.size(); }
  std::size_t extent_count() const noexcept { return extent_count_; }
  std::size_t shared_block_count() const noexcept { return users_.size(); }

  /// Counts changes: two calls of find() with the same number between them see the same.
  std::uint64_t version() const noexcept { return version_; }

 private:
  void count_users(std::uint64_t& last_block, const Extent& extent, BlockRuns& freed);
  void cut(Extents& extents, std::uint64_t begin, std::uint64_t end, BlockRuns& freed);
  void place(Extents& extents, const Extent& extent, BlockRuns& freed);
  void release(std::uint64_t device_begin, std::uint64_t device_end, bool left_remains,
               bool right_remains, BlockRuns& freed);
  void change_users(std::uint64_t block, int change, BlockRuns& freed);

  absl::btree_map<InodeId, Extents> files_;  ///< None is empty. In order, for list().
  /// Extents that use a block, where they are two or more.
  absl::flat_hash_map<std::uint64_t, std::uint32_t> users_;
  std::size_t extent_count_ = 0;
  std::uint64_t version_ = 0;
  bool replaying_ = false;
};

}  // namespace benchfs::store
