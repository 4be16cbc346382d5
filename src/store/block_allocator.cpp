#include "store/block_allocator.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace benchfs::store {
namespace {

constexpr unsigned kWordBits = 64;
constexpr unsigned kGroupBits = static_cast<unsigned>(BlockAllocator::kGroupBlocks);
constexpr std::size_t kGroupWords = kGroupBits / kWordBits;
constexpr std::size_t kFanout = 64;
constexpr std::size_t kNone = SIZE_MAX;
static_assert(kGroupBits <= UINT16_MAX, "the length of a run fits an entry of a level");

enum class Bit { kFree, kUsed };

/// First bit of the wanted kind at or behind `position`; kGroupBits if there is none.
template <Bit kind>
unsigned next(const std::uint64_t* words, unsigned position) noexcept {
  if (position >= kGroupBits) {
    return kGroupBits;
  }
  const std::uint64_t invert = kind == Bit::kFree ? 0 : ~std::uint64_t{0};
  std::size_t index = position / kWordBits;
  std::uint64_t word = (words[index] ^ invert) & (~std::uint64_t{0} << (position % kWordBits));
  while (word == 0) {
    if (++index == kGroupWords) {
      return kGroupBits;
    }
    word = words[index] ^ invert;
  }
  return static_cast<unsigned>(index) * kWordBits + static_cast<unsigned>(std::countr_zero(word));
}

/// The start of the free run that ends before `position`; `position` itself if the bit before is
/// used.
unsigned run_start(const std::uint64_t* words, unsigned position) noexcept {
  while (position > 0) {
    const unsigned last = position - 1;
    const unsigned bits_below = last % kWordBits + 1;
    const std::uint64_t used = ~words[last / kWordBits] << (kWordBits - bits_below);
    const auto free_bits = std::min(static_cast<unsigned>(std::countl_zero(used)), bits_below);
    position -= free_bits;
    if (free_bits < bits_below) {
      break;
    }
  }
  return position;
}

/// The longest free run, or `enough` as soon as one of that length is seen.
unsigned longest_run_in(const std::uint64_t* words, unsigned enough) noexcept {
  unsigned longest = 0;
  unsigned position = next<Bit::kFree>(words, 0);
  while (position < kGroupBits && longest < enough) {
    const unsigned end = next<Bit::kUsed>(words, position);
    longest = std::max(longest, end - position);
    position = next<Bit::kFree>(words, end);
  }
  return longest;
}

/// Flips `count` bits from `first` on, all of which must be `before`.
void flip(std::uint64_t* words, unsigned first, unsigned count, Bit before) noexcept {
  while (count > 0) {
    const unsigned shift = first % kWordBits;
    const unsigned bits = std::min(count, kWordBits - shift);
    const std::uint64_t mask = (~std::uint64_t{0} >> (kWordBits - bits)) << shift;
    std::uint64_t& word = words[first / kWordBits];
    BENCHFS_ASSERT((word & mask) == (before == Bit::kFree ? mask : 0));
    word ^= mask;
    first += bits;
    count -= bits;
  }
}

}  // namespace

BlockAllocator::BlockAllocator(std::uint64_t block_count)
    : block_count_(block_count), free_count_(block_count) {
  BENCHFS_ASSERT(block_count > 0);
  const std::size_t group_count = (block_count + kGroupBlocks - 1) / kGroupBlocks;
  words_.assign(group_count * kGroupWords, ~std::uint64_t{0});
  std::size_t size = group_count;
  levels_.emplace_back(size, std::uint16_t{kGroupBits});
  const auto tail = static_cast<unsigned>(group_count * kGroupBlocks - block_count);
  while (size > 1) {
    size = (size + kFanout - 1) / kFanout;
    levels_.emplace_back(size, std::uint16_t{kGroupBits});
  }
  if (tail > 0) {
    // What lies behind the end of the drive is never free.
    flip(words_of(group_count - 1), kGroupBits - tail, tail, Bit::kFree);
    set_longest(group_count - 1, static_cast<std::uint16_t>(kGroupBits - tail));
  }
}

BlockRuns BlockAllocator::allocate(std::uint64_t count) {
  BENCHFS_ASSERT(count > 0);
  BlockRuns runs;
  if (count > free_count_) {
    return runs;
  }
  while (count > 0) {
    const std::uint64_t longest = levels_.back().front();
    BENCHFS_ASSERT(longest > 0);
    const BlockRun run = take(std::min(count, longest));
    count -= run.count;
    if (!runs.empty() && runs.back().end() == run.first) {
      runs.back().count += run.count;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

void BlockAllocator::free(BlockRun run) {
  BENCHFS_ASSERT(run.count > 0);
  BENCHFS_ASSERT(run.first < block_count_ && run.count <= block_count_ - run.first);
  free_count_ += run.count;
  while (run.count > 0) {
    const auto first = static_cast<unsigned>(run.first % kGroupBlocks);
    const std::uint64_t count = std::min(run.count, kGroupBlocks - first);
    free_in_group(run.first / kGroupBlocks, first, static_cast<unsigned>(count));
    run.first += count;
    run.count -= count;
  }
}

bool BlockAllocator::mark_used(BlockRun run) noexcept {
  if (run.first >= block_count_ || run.count > block_count_ - run.first) {
    return false;
  }
  while (run.count > 0) {
    std::uint64_t& word = words_[run.first / kWordBits];
    const auto shift = static_cast<unsigned>(run.first % kWordBits);
    const auto bits = static_cast<unsigned>(std::min<std::uint64_t>(run.count, kWordBits - shift));
    const std::uint64_t mask = (~std::uint64_t{0} >> (kWordBits - bits)) << shift;
    if ((word & mask) != mask) {
      return false;
    }
    word &= ~mask;
    free_count_ -= bits;
    run.first += bits;
    run.count -= bits;
  }
  return true;
}

void BlockAllocator::finish_marking() noexcept {
  for (std::size_t group = 0; group < levels_[0].size(); ++group) {
    const unsigned longest = longest_run_in(words_of(group), kGroupBits);
    set_longest(group, static_cast<std::uint16_t>(longest));
    if (longest < std::min(kGroupBlocks, block_count_ - group * kGroupBlocks)) {
      new_group_ = std::max(new_group_, group + 1);
    }
  }
}

std::uint64_t* BlockAllocator::words_of(std::size_t group) noexcept {
  return words_.data() + group * kGroupWords;
}

/// Requires that some group has a free run of `count`.
BlockRun BlockAllocator::take(std::uint64_t count) {
  const auto wanted = static_cast<unsigned>(count);
  std::size_t from = cursor_ / kGroupBlocks;
  if (from < new_group_) {
    if (cursor_ < block_count_ && levels_[0][from] >= wanted) {
      const BlockRun run =
          take_in_group(from, static_cast<unsigned>(cursor_ % kGroupBlocks), wanted);
      if (run.count > 0) {
        return run;
      }
    }
    ++from;
  }
  std::size_t group = find_group(from, count);
  if (group >= new_group_) {
    // New ground, or none at all: the search goes around first.
    const std::size_t reused = find_group(0, count);
    group = reused < new_group_ ? reused : group;
  }
  BENCHFS_ASSERT(group != kNone);
  const BlockRun run = take_in_group(group, 0, wanted);
  BENCHFS_ASSERT(run.count == count);
  return run;
}

/// Takes the first run of `count` at or behind bit `from`; an empty run if there is none.
BlockRun BlockAllocator::take_in_group(std::size_t group, unsigned from, unsigned count) {
  std::uint64_t* const words = words_of(group);
  unsigned first = next<Bit::kFree>(words, from);
  unsigned end = next<Bit::kUsed>(words, first);
  while (first < kGroupBits && end - first < count) {
    first = next<Bit::kFree>(words, end);
    end = next<Bit::kUsed>(words, first);
  }
  if (first >= kGroupBits) {
    return {};
  }
  const unsigned whole = end - run_start(words, first);
  flip(words, first, count, Bit::kFree);
  if (whole == levels_[0][group]) {
    set_longest(group, static_cast<std::uint16_t>(longest_run_in(words, whole)));
  }
  free_count_ -= count;
  new_group_ = std::max(new_group_, group + 1);
  const BlockRun run{.first = group * kGroupBlocks + first, .count = count};
  cursor_ = run.end();
  return run;
}

/// First group at or behind `from` with a free run of `count`; kNone if there is none.
std::size_t BlockAllocator::find_group(std::size_t from, std::uint64_t count) const noexcept {
  // Climb until an entry to the right has it, then go down to the first one below that has it.
  std::size_t level = 0;
  std::size_t index = from;
  while (true) {
    const std::vector<std::uint16_t>& entries = levels_[level];
    if (index >= entries.size()) {
      return kNone;
    }
    const std::size_t end = std::min((index / kFanout + 1) * kFanout, entries.size());
    const std::size_t parent_behind = index / kFanout + 1;
    while (index < end && entries[index] < count) {
      ++index;
    }
    if (index < end) {
      break;
    }
    if (level + 1 == levels_.size()) {
      return kNone;
    }
    ++level;
    index = parent_behind;
  }
  while (level > 0) {
    --level;
    index *= kFanout;
    while (levels_[level][index] < count) {
      ++index;
    }
  }
  return index;
}

void BlockAllocator::set_longest(std::size_t group, std::uint16_t longest) noexcept {
  std::size_t index = group;
  std::uint16_t value = longest;
  for (std::size_t level = 0;; ++level) {
    std::uint16_t& entry = levels_[level][index];
    const std::uint16_t before = entry;
    if (before == value) {
      return;
    }
    entry = value;
    if (level + 1 == levels_.size()) {
      return;
    }
    const std::size_t parent = index / kFanout;
    const std::uint16_t parent_value = levels_[level + 1][parent];
    if (value < before && before < parent_value) {
      return;  // Another entry is the parent's maximum.
    }
    const auto begin = levels_[level].begin() + static_cast<std::ptrdiff_t>(parent * kFanout);
    const auto end = parent * kFanout + kFanout < levels_[level].size()
                         ? begin + static_cast<std::ptrdiff_t>(kFanout)
                         : levels_[level].end();
    value = value > before ? std::max(value, parent_value) : *std::max_element(begin, end);
    index = parent;
  }
}

void BlockAllocator::free_in_group(std::size_t group, unsigned first, unsigned count) {
  std::uint64_t* const words = words_of(group);
  flip(words, first, count, Bit::kUsed);
  const unsigned whole = next<Bit::kUsed>(words, first) - run_start(words, first);
  if (whole > levels_[0][group]) {
    set_longest(group, static_cast<std::uint16_t>(whole));
  }
}

}  // namespace benchfs::store
