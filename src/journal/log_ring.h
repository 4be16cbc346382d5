#pragma once

// Where the log lies: positions of the endless log, blocks of the drive, and how much room is left.
// Counts only; touches no drive.

#include <cstdint>

#include "base/limits.h"

namespace benchfs::journal {

class LogRing {
 public:
  explicit LogRing(std::uint64_t ring_blocks) noexcept : blocks_(ring_blocks) {}

  /// The log is [begin, end) from here on, all of it written.
  void reset(std::uint64_t begin, std::uint64_t end) noexcept;

  std::uint64_t blocks() const noexcept { return blocks_; }
  std::uint64_t begin() const noexcept { return begin_; }
  std::uint64_t end() const noexcept { return end_; }
  std::uint64_t used() const noexcept { return end_ - begin_; }

  /// The largest batch, and so what all that is admitted and not yet sealed may come to.
  std::uint64_t batch_blocks_max() const noexcept { return blocks_ / 4; }
  /// Room that is left to a checkpoint for its own records.
  std::uint64_t set_aside() const noexcept { return blocks_ / 4; }
  /// A log of this length calls for a checkpoint.
  std::uint64_t checkpoint_at() const noexcept { return blocks_ / 2; }

  /// Block of the drive at which position `position` lies.
  std::uint64_t block_of(std::uint64_t position) const noexcept;
  /// Positions from `position` to the end of the ring.
  std::uint64_t to_ring_end(std::uint64_t position) const noexcept {
    return blocks_ - position % blocks_;
  }
  /// How many positions a batch of `batch_blocks` leaves empty before it.
  std::uint64_t padding_for(std::uint64_t batch_blocks) const noexcept;

  /// Whether batches of `pending_blocks` together, however they are cut, can be written and leave
  /// `spare_blocks`, whatever they have to leave empty at the ring's end.
  bool fits(std::uint64_t pending_blocks, std::uint64_t spare_blocks) const noexcept;

  /// Takes `batch_blocks` and the padding before them; returns the position of the batch.
  std::uint64_t take(std::uint64_t batch_blocks) noexcept;
  /// What lies before `position` is given up.
  void give_up(std::uint64_t position) noexcept;

 private:
  std::uint64_t blocks_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

/// The most blocks that `records` records of `bytes` body bytes together can take, each in a batch
/// of its own or not.
std::uint64_t blocks_for(std::uint64_t bytes, std::uint64_t records) noexcept;

}  // namespace benchfs::journal
