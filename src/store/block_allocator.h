#pragma once

// Which blocks of the drive are free: one bit per block, and above it, per group of blocks, the
// length of the longest free run, so that a full or fragmented drive is not searched.
//
// Threading: loop thread only. Memory: block_count / 8 bytes and 0.4 % on top (1 TiB: 32 MiB).

#include <cstddef>
#include <cstdint>
#include <vector>

#include <absl/container/inlined_vector.h>

namespace benchfs::store {

/// `count` blocks from block `first` on.
struct BlockRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  std::uint64_t end() const noexcept { return first + count; }
  friend bool operator==(const BlockRun&, const BlockRun&) = default;
};

using BlockRuns = absl::InlinedVector<BlockRun, 4>;

class BlockAllocator {
 public:
  /// Runs are found within groups of this many blocks (16 MiB); one that crosses a border counts as
  /// two.
  static constexpr std::uint64_t kGroupBlocks = 4096;

  /// All blocks are free. Requires at least one.
  explicit BlockAllocator(std::uint64_t block_count);

  /// Takes `count` blocks (at least 1). One contiguous run if some group has one, searched from
  /// behind the last one taken (next fit), so that what is written together lies together, but in
  /// groups that have been in use (in this run, or as it was read back) as long as one of them has
  /// it: the first write to blocks of a preallocated file costs the file system more than later
  /// ones. Otherwise the longest runs first, which is the fewest. Empty, and nothing taken, if
  /// fewer than `count` blocks are free.
  BlockRuns allocate(std::uint64_t count);

  /// Gives `run` back: any part of what was allocated. Requires that all of it is allocated.
  void free(BlockRun run);

  /// Takes exactly `run`, for a store that is read back; false if it is not inside of the drive or
  /// some of it is taken already (then a part of it may have been taken). finish_marking() comes
  /// before the next other call.
  bool mark_used(BlockRun run) noexcept;
  void finish_marking() noexcept;

  bool is_free(std::uint64_t block) const noexcept {
    return ((words_[block / 64] >> (block % 64)) & 1U) != 0;
  }
  /// Length of the longest run that allocate() can give in one piece.
  std::uint64_t longest_run() const noexcept { return levels_.back().front(); }

  std::uint64_t block_count() const noexcept { return block_count_; }
  std::uint64_t free_count() const noexcept { return free_count_; }

 private:
  std::uint64_t* words_of(std::size_t group) noexcept;
  BlockRun take(std::uint64_t count);
  BlockRun take_in_group(std::size_t group, unsigned from, unsigned count);
  std::size_t find_group(std::size_t from, std::uint64_t count) const noexcept;
  void set_longest(std::size_t group, std::uint16_t longest) noexcept;
  void free_in_group(std::size_t group, unsigned first, unsigned count);

  std::uint64_t block_count_;
  std::uint64_t free_count_;
  std::uint64_t cursor_ = 0;          ///< Block behind the run that was taken last.
  std::size_t new_group_ = 0;         ///< From here on no group has been in use.
  std::vector<std::uint64_t> words_;  ///< A bit is set if its block is free.
  /// levels_[0][g]: the longest free run of group g. levels_[n + 1][i]: the maximum of entries 64 i
  /// to 64 i + 63 of levels_[n]. The last level has one entry.
  std::vector<std::vector<std::uint16_t>> levels_;
};

}  // namespace benchfs::store
