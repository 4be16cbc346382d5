#include "store/extent_index.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"

namespace benchfs::store {
namespace {

void append(BlockRuns& runs, BlockRun run) {
  if (!runs.empty() && runs.back().end() == run.first) {
    runs.back().count += run.count;
  } else {
    runs.push_back(run);
  }
}

/// The first extent that ends behind `offset`.
template <typename Extents>
auto first_behind(Extents& extents, std::uint64_t offset) {
  auto it = extents.upper_bound(offset);
  if (it != extents.begin()) {
    const auto before = std::prev(it);
    if (before->first + before->second.size_bytes > offset) {
      return before;
    }
  }
  return it;
}

}  // namespace

std::size_t ExtentIndex::insert(InodeId file, std::span<const Extent> extents, BlockRuns& freed) {
  BENCHFS_ASSERT(!extents.empty());
  ++version_;
  // First everybody becomes a user of his blocks, so that none is freed while another of the list
  // that shares it still waits for its turn.
  std::uint64_t last_block = UINT64_MAX;
  for (const Extent& extent : extents) {
    count_users(last_block, extent, freed);
  }
  Extents& existing = files_[file];
  const std::size_t count_before = existing.size();
  for (const Extent& extent : extents) {
    place(existing, extent, freed);
  }
  extent_count_ = extent_count_ - count_before + existing.size();
  return existing.size();
}

void ExtentIndex::truncate(InodeId file, std::uint64_t size_bytes, BlockRuns& freed) {
  const auto it = files_.find(file);
  if (it == files_.end()) {
    return;
  }
  ++version_;
  Extents& extents = it->second;
  const std::size_t count_before = extents.size();
  cut(extents, size_bytes, UINT64_MAX, freed);
  extent_count_ = extent_count_ - count_before + extents.size();
  if (extents.empty()) {
    files_.erase(it);
  }
}

ExtentIndex::Taken ExtentIndex::take(InodeId file) {
  Taken taken;
  const auto it = files_.find(file);
  if (it != files_.end()) {
    ++version_;
    extent_count_ -= it->second.size();
    taken.extents_ = std::move(it->second);
    files_.erase(it);
  }
  return taken;
}

void ExtentIndex::release_some(Taken& taken, std::size_t count, BlockRuns& freed) {
  for (; count > 0 && !taken.extents_.empty(); --count) {
    const auto last = std::prev(taken.extents_.end());
    release(last->second.device_bytes, last->second.device_bytes + last->second.size_bytes, false,
            false, freed);
    taken.extents_.erase(last);
  }
}

void ExtentIndex::move(std::span<const Move> moves, BlockRuns& used, BlockRuns& freed) {
  ++version_;
  struct Left {
    InodeId file;
    Extent extent;
  };
  std::vector<Left> left;
  ExtentList found;
  for (const Move& moved : moves) {
    found.clear();
    find(moved.file, moved.from.offset_bytes, moved.from.size_bytes, found);
    for (const Extent& extent : found) {
      const std::uint64_t distance = extent.offset_bytes - moved.from.offset_bytes;
      if (extent.device_bytes == moved.from.device_bytes + distance) {
        left.push_back({moved.file,
                        {.offset_bytes = extent.offset_bytes,
                         .size_bytes = extent.size_bytes,
                         .device_bytes = moved.to_device_bytes + distance}});
      }
    }
  }
  std::uint64_t last_block = UINT64_MAX;
  for (const Left& part : left) {
    const std::uint64_t first = part.extent.device_bytes / kBlockBytes;
    const std::uint64_t begin = first == last_block ? first + 1 : first;
    count_users(last_block, part.extent, freed);
    if (last_block >= begin) {
      append(used, {.first = begin, .count = last_block - begin + 1});
    }
  }
  for (const Left& part : left) {
    Extents& extents = files_[part.file];
    const std::size_t count_before = extents.size();
    place(extents, part.extent, freed);
    extent_count_ = extent_count_ - count_before + extents.size();
  }
}

std::optional<InodeId> ExtentIndex::list(InodeId file, std::uint64_t offset_bytes,
                                         std::size_t count, ExtentList& found) const {
  for (auto it = files_.lower_bound(file); it != files_.end(); ++it) {
    const std::uint64_t begin = it->first == file ? offset_bytes : 0;
    auto extent = first_behind(it->second, begin);
    if (extent == it->second.end()) {
      continue;
    }
    for (; extent != it->second.end() && count > 0; ++extent, --count) {
      const std::uint64_t skipped = extent->first < begin ? begin - extent->first : 0;
      found.push_back({.offset_bytes = extent->first + skipped,
                       .size_bytes = extent->second.size_bytes - skipped,
                       .device_bytes = extent->second.device_bytes + skipped});
    }
    return it->first;
  }
  return std::nullopt;
}

void ExtentIndex::begin_replay() {
  BENCHFS_ASSERT(files_.empty() && users_.empty());
  replaying_ = true;
}

bool ExtentIndex::finish_replay(const std::function<bool(BlockRun)>& claim) {
  replaying_ = false;
  const auto use_part_of = [this, &claim](std::uint64_t block) {
    return ++users_[block] > 1 || claim({.first = block, .count = 1});
  };
  for (const auto& [file, extents] : files_) {
    for (const auto& [offset, place] : extents) {
      // Only a block of which an extent uses a part can have another user.
      const std::uint64_t end = place.device_bytes + place.size_bytes;
      std::uint64_t first = place.device_bytes / kBlockBytes;
      std::uint64_t behind = end / kBlockBytes;
      if (place.device_bytes % kBlockBytes != 0 || behind == first) {
        if (!use_part_of(first)) {
          return false;
        }
        ++first;
      }
      if (end % kBlockBytes != 0 && behind >= first && !use_part_of(behind)) {
        return false;
      }
      if (behind > first && !claim({.first = first, .count = behind - first})) {
        return false;
      }
    }
  }
  absl::erase_if(users_, [](const auto& entry) { return entry.second < 2; });
  return true;
}

void ExtentIndex::find(InodeId file, std::uint64_t offset_bytes, std::uint64_t size_bytes,
                       ExtentList& found) const {
  const auto file_it = files_.find(file);
  if (file_it == files_.end()) {
    return;
  }
  const Extents& extents = file_it->second;
  const std::uint64_t range_end = offset_bytes + size_bytes;
  for (auto it = first_behind(extents, offset_bytes); it != extents.end() && it->first < range_end;
       ++it) {
    const std::uint64_t begin = std::max(it->first, offset_bytes);
    const std::uint64_t end = std::min(it->first + it->second.size_bytes, range_end);
    found.push_back({.offset_bytes = begin,
                     .size_bytes = end - begin,
                     .device_bytes = it->second.device_bytes + (begin - it->first)});
  }
}

std::uint64_t ExtentIndex::end_of(InodeId file) const noexcept {
  const auto it = files_.find(file);
  if (it == files_.end()) {
    return 0;
  }
  const auto last = it->second.rbegin();
  return last->first + last->second.size_bytes;
}

/// `extent`, the next one of a list that lies on the drive in order, becomes a user of its blocks,
/// which have none outside of the list. `last_block`: the last block of the one before.
void ExtentIndex::count_users(std::uint64_t& last_block, const Extent& extent, BlockRuns& freed) {
  BENCHFS_ASSERT(extent.size_bytes > 0);
  const std::uint64_t first_block = extent.device_bytes / kBlockBytes;
  if (first_block == last_block) {
    change_users(first_block, 1, freed);
  }
  last_block = (extent.device_bytes + extent.size_bytes - 1) / kBlockBytes;
}

/// Takes [begin, end) of the file away from the extents that have it.
void ExtentIndex::cut(Extents& extents, std::uint64_t begin, std::uint64_t end, BlockRuns& freed) {
  auto it = first_behind(extents, begin);
  while (it != extents.end() && it->first < end) {
    const std::uint64_t old_begin = it->first;
    const Place old = it->second;
    const std::uint64_t old_end = old_begin + old.size_bytes;
    const std::uint64_t cut_begin = std::max(old_begin, begin);
    const std::uint64_t cut_end = std::min(old_end, end);
    const bool left_remains = cut_begin > old_begin;
    const bool right_remains = cut_end < old_end;
    release(old.device_bytes + (cut_begin - old_begin), old.device_bytes + (cut_end - old_begin),
            left_remains, right_remains, freed);
    if (left_remains) {
      it->second.size_bytes = cut_begin - old_begin;
      ++it;
    } else {
      it = extents.erase(it);
    }
    if (right_remains) {
      extents.insert(it,
                     {cut_end, Place{.size_bytes = old_end - cut_end,
                                     .device_bytes = old.device_bytes + (cut_end - old_begin)}});
      return;
    }
  }
}

/// Requires that the users of the blocks of `extent` are counted already.
void ExtentIndex::place(Extents& extents, const Extent& extent, BlockRuns& freed) {
  std::uint64_t begin = extent.offset_bytes;
  const std::uint64_t end = begin + extent.size_bytes;
  Place merged{.size_bytes = extent.size_bytes, .device_bytes = extent.device_bytes};
  cut(extents, begin, end, freed);
  auto behind = extents.lower_bound(begin);
  // Two that become one use the block in which they meet once instead of twice.
  if (behind != extents.end() && behind->first == end &&
      behind->second.device_bytes == merged.device_bytes + merged.size_bytes) {
    if (behind->second.device_bytes % kBlockBytes != 0) {
      change_users(behind->second.device_bytes / kBlockBytes, -1, freed);
    }
    merged.size_bytes += behind->second.size_bytes;
    behind = extents.erase(behind);
  }
  if (behind != extents.begin()) {
    const auto before = std::prev(behind);
    if (before->first + before->second.size_bytes == begin &&
        before->second.device_bytes + before->second.size_bytes == merged.device_bytes) {
      if (merged.device_bytes % kBlockBytes != 0) {
        change_users(merged.device_bytes / kBlockBytes, -1, freed);
      }
      before->second.size_bytes += merged.size_bytes;
      return;
    }
  }
  extents.insert(behind, {begin, merged});
}

/// An extent gives up the bytes [device_begin, device_end) of the drive. `left_remains`: it keeps
/// the byte before them; `right_remains`: it keeps the byte behind them.
void ExtentIndex::release(std::uint64_t device_begin, std::uint64_t device_end, bool left_remains,
                          bool right_remains, BlockRuns& freed) {
  if (replaying_) {
    return;
  }
  const std::uint64_t first = device_begin / kBlockBytes;
  const std::uint64_t last = (device_end - 1) / kBlockBytes;
  const int keeps_first = left_remains && device_begin % kBlockBytes != 0 ? 1 : 0;
  const int keeps_last = right_remains && device_end % kBlockBytes != 0 ? 1 : 0;
  if (first == last) {
    change_users(first, keeps_first + keeps_last - 1, freed);
    return;
  }
  change_users(first, keeps_first - 1, freed);
  if (last - first > 1) {
    append(freed, {.first = first + 1, .count = last - first - 1});
  }
  change_users(last, keeps_last - 1, freed);
}

void ExtentIndex::change_users(std::uint64_t block, int change, BlockRuns& freed) {
  if (change == 0 || replaying_) {
    return;
  }
  const auto it = users_.find(block);
  const std::int64_t before = it == users_.end() ? 1 : it->second;
  const std::int64_t after = before + change;
  BENCHFS_ASSERT(after >= 0);
  if (after >= 2) {
    users_.insert_or_assign(block, static_cast<std::uint32_t>(after));
    return;
  }
  if (it != users_.end()) {
    users_.erase(it);
  }
  if (after == 0) {
    append(freed, {.first = block, .count = 1});
  }
}

}  // namespace benchfs::store
