#include "journal/log_ring.h"

#include <algorithm>

#include "base/assert.h"
#include "journal/format.h"
#include "journal/journal.h"

namespace benchfs::journal {

void LogRing::reset(std::uint64_t begin, std::uint64_t end) noexcept {
  BENCHFS_ASSERT(begin <= end && end - begin <= blocks_);
  begin_ = begin;
  end_ = end;
}

std::uint64_t LogRing::block_of(std::uint64_t position) const noexcept {
  return kAnchorBlocks + position % blocks_;
}

std::uint64_t LogRing::padding_for(std::uint64_t batch_blocks) const noexcept {
  const std::uint64_t left = to_ring_end(end_);
  return batch_blocks > left ? left : 0;
}

bool LogRing::fits(std::uint64_t pending_blocks, std::uint64_t spare_blocks) const noexcept {
  if (pending_blocks > batch_blocks_max()) {
    return false;
  }
  // The end of the ring is passed at most once by what is pending, and then by a batch that is no
  // larger than all of it. Holds on as batches are sealed: what one takes is not pending any more.
  const std::uint64_t left = to_ring_end(end_);
  const std::uint64_t padding = pending_blocks > left ? left : 0;
  return used() + pending_blocks + padding + spare_blocks <= blocks_;
}

std::uint64_t LogRing::take(std::uint64_t batch_blocks) noexcept {
  const std::uint64_t padding = padding_for(batch_blocks);
  BENCHFS_ASSERT(batch_blocks <= batch_blocks_max());
  BENCHFS_ASSERT(used() + padding + batch_blocks <= blocks_);
  const std::uint64_t position = end_ + padding;
  end_ = position + batch_blocks;
  return position;
}

void LogRing::give_up(std::uint64_t position) noexcept {
  BENCHFS_ASSERT(begin_ <= position && position <= end_);
  begin_ = position;
}

std::uint64_t blocks_for(std::uint64_t bytes, std::uint64_t records) noexcept {
  // A batch of x bytes takes at most x / kBlockBytes blocks and one more.
  constexpr std::uint64_t kOverhead = kHeaderBytes + kRecordHeaderBytes;
  if (bytes > UINT64_MAX / 4 || records > UINT32_MAX) {
    return UINT64_MAX / 4;
  }
  return records + (bytes + records * kOverhead) / kBlockBytes;
}

}  // namespace benchfs::journal
