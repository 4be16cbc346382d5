#include "fuse/owner_locks.h"

#include <algorithm>

#include "base/assert.h"

namespace benchfs::fuse {

OwnerLocks::Cut OwnerLocks::cut(const LockRange& range) const {
  Cut cut;
  for (const HeldLock& lock : held_) {
    if (!lock.range.overlaps(range)) {
      continue;
    }
    cut.replaced.push_back(lock);
    if (lock.range.begin < range.begin) {
      cut.kept.push_back(
          {.range = {.begin = lock.range.begin, .end = range.begin}, .shared = lock.shared});
    }
    if (range.end < lock.range.end) {
      cut.kept.push_back(
          {.range = {.begin = range.end, .end = lock.range.end}, .shared = lock.shared});
    }
  }
  return cut;
}

void OwnerLocks::replace(const Cut& cut, const std::optional<HeldLock>& added) {
  std::erase_if(held_, [&cut](const HeldLock& lock) {
    return std::find(cut.replaced.begin(), cut.replaced.end(), lock) != cut.replaced.end();
  });
  held_.insert(held_.end(), cut.kept.begin(), cut.kept.end());
  if (added.has_value()) {
    held_.push_back(*added);
  }
  std::sort(held_.begin(), held_.end(), [](const HeldLock& left, const HeldLock& right) {
    return left.range.begin < right.range.begin;
  });
  for (std::size_t i = 1; i < held_.size(); ++i) {
    BENCHFS_ASSERT(held_[i - 1].range.end <= held_[i].range.begin);
  }
}

const HeldLock* OwnerLocks::conflict(const LockRange& range, bool shared) const noexcept {
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const HeldLock& lock) {
    return lock.range.overlaps(range) && !(shared && lock.shared);
  });
  return found == held_.end() ? nullptr : &*found;
}

}  // namespace benchfs::fuse
