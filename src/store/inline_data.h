#pragma once

// The bytes of small writes that lie in the log and in no block of the store yet.
//
// They are kept in memory until they are moved into blocks (see README.md), so that the ring is
// read by recovery alone. To the index they lie on blocks like all others, with numbers behind
// every drive's end: it tells when such a block has no user any more.
//
// Threading: loop thread only.

#include <cstdint>
#include <cstring>
#include <memory>

#include <absl/container/flat_hash_map.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "store/block_allocator.h"

namespace benchfs::store {

/// Blocks from here on are no blocks of a drive: 2^50 of them are more than any has.
inline constexpr std::uint64_t kInlineBlockFirst = std::uint64_t{1} << 50U;
inline constexpr std::uint64_t kInlineDeviceBytesFirst = kInlineBlockFirst * kBlockBytes;

constexpr bool is_inline(std::uint64_t device_bytes) noexcept {
  return device_bytes >= kInlineDeviceBytesFirst;
}

class InlineData {
 public:
  static constexpr std::uint64_t kMemoryOfBlockBytes = 256;

  /// Keeps a copy of `data` (not empty) on a run of blocks of its own. No number is used twice.
  BlockRun add(ConstBytes data) {
    const BlockRun run{.first = next_block_,
                       .count = (data.size() + kBlockBytes - 1) / kBlockBytes};
    // One between two runs stays unused, so that no two extents become one across them: what one
    // write has left and what another has are moved on their own.
    next_block_ += run.count + 1;
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      const std::size_t size = data.size() < kBlockBytes ? data.size() : kBlockBytes;
      auto bytes = std::make_unique<std::byte[]>(size);
      std::memcpy(bytes.get(), data.data(), size);
      data = data.subspan(size);
      size_bytes_ += size;
      blocks_.emplace(block, Block{.bytes = std::move(bytes), .size_bytes = size});
    }
    return run;
  }

  /// Forgets `run`; blocks of it that are not there are fine.
  void remove(BlockRun run) noexcept {
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      const auto it = blocks_.find(block);
      if (it != blocks_.end()) {
        size_bytes_ -= it->second.size_bytes;
        blocks_.erase(it);
      }
    }
  }

  /// Copies what lies at `device_bytes`, all of which is there.
  void copy(std::uint64_t device_bytes, Bytes out) const noexcept {
    while (!out.empty()) {
      const auto it = blocks_.find(device_bytes / kBlockBytes);
      BENCHFS_ASSERT(it != blocks_.end());
      const std::size_t from = device_bytes % kBlockBytes;
      const std::size_t count = out.size() < kBlockBytes - from ? out.size() : kBlockBytes - from;
      BENCHFS_ASSERT(from + count <= it->second.size_bytes);
      std::memcpy(out.data(), it->second.bytes.get() + from, count);
      out = out.subspan(count);
      device_bytes += count;
    }
  }

  bool has(std::uint64_t block) const noexcept { return blocks_.contains(block); }

  /// Forgets every block for which `is_wanted` says no.
  template <typename Predicate>
  void retain(const Predicate& is_wanted) {
    for (auto it = blocks_.begin(); it != blocks_.end();) {
      const auto here = it++;
      if (!is_wanted(here->first)) {
        size_bytes_ -= here->second.size_bytes;
        blocks_.erase(here);
      }
    }
  }

  /// Memory of all that is kept, with what each block takes besides its bytes: here, in the list of
  /// who moves it, and in the index.
  std::uint64_t memory_bytes() const noexcept {
    return size_bytes_ + blocks_.size() * kMemoryOfBlockBytes;
  }
  std::uint64_t block_count() const noexcept { return blocks_.size(); }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size_bytes;
  };

  absl::flat_hash_map<std::uint64_t, Block> blocks_;
  std::uint64_t next_block_ = kInlineBlockFirst;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace benchfs::store
