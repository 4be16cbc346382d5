#pragma once

// The CRC-32C of every block of the drive that holds data, so that no read hands out other bytes
// than were written.
//
// Memory: 4 bytes and a bit for each block of the neighbourhoods (4 MiB of the drive) in which a
// block is used: 0.1 % of the data.
//
// Threading: loop thread only.

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "store/block_allocator.h"

namespace benchfs::store {

class BlockChecksums {
 public:
  explicit BlockChecksums(std::uint64_t block_count);

  /// What of() answers for `block` from now on.
  void set(std::uint64_t block, std::uint32_t checksum);

  /// Forgets `run`; blocks of it that have none are fine.
  void clear(BlockRun run) noexcept;

  /// Forgets every block for which `is_wanted` says no.
  template <typename Predicate>
  void retain(const Predicate& is_wanted) {
    for (std::size_t index = 0; index < pages_.size(); ++index) {
      for (std::uint64_t slot = 0; slot < kPageBlocks && pages_[index] != nullptr; ++slot) {
        const std::uint64_t block = index * kPageBlocks + slot;
        if (pages_[index]->known[slot] && !is_wanted(block)) {
          clear({.first = block, .count = 1});
        }
      }
    }
  }

  bool has(std::uint64_t block) const noexcept;

  /// Requires has(block).
  std::uint32_t of(std::uint64_t block) const noexcept;

  /// The first block of `memory`, read from block `first` on, whose bytes are not those that were
  /// written; UINT64_MAX if all are. A block without a checksum counts as wrong.
  std::uint64_t first_wrong(std::uint64_t first, ConstBytes memory) const noexcept;

  /// Blocks that have a checksum.
  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t memory_bytes() const noexcept { return page_count_ * sizeof(Page); }

 private:
  static constexpr std::uint64_t kPageBlocks = 1024;
  struct Page {
    std::array<std::uint32_t, kPageBlocks> checksums{};
    std::bitset<kPageBlocks> known;
    std::uint32_t count = 0;
  };

  std::vector<std::unique_ptr<Page>> pages_;
  std::uint64_t page_count_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace benchfs::store
