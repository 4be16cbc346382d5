#pragma once

// What one owner (a process, for fcntl; an open file, for flock) holds on one file: ranges that do
// not overlap, each a lock of its own at the file's server. POSIX says that a new lock takes the
// place of what the owner held on its range, so locks are cut and merged here.
//
// Pure. Offsets are bytes; a range ends before `end`.

#include <cstdint>
#include <optional>
#include <vector>

namespace benchfs::fuse {

struct LockRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  friend bool operator==(const LockRange&, const LockRange&) = default;

  bool overlaps(const LockRange& other) const noexcept {
    return begin < other.end && other.begin < end;
  }
};

struct HeldLock {
  LockRange range;
  bool shared = false;
  std::uint64_t number = 0;  ///< At the server.
  friend bool operator==(const HeldLock&, const HeldLock&) = default;
};

class OwnerLocks {
 public:
  /// What has to go so that `range` is free, and what of it has to stay: the parts outside of
  /// `range`, with number 0.
  struct Cut {
    std::vector<HeldLock> replaced;
    std::vector<HeldLock> kept;
  };
  Cut cut(const LockRange& range) const;

  /// Puts `kept`, now with numbers, and `added` in the place of `replaced`, which cut() told since
  /// the last change.
  void replace(const Cut& cut, const std::optional<HeldLock>& added);

  /// The first lock that keeps another owner from a lock.
  const HeldLock* conflict(const LockRange& range, bool shared) const noexcept;

  bool empty() const noexcept { return held_.empty(); }
  const std::vector<HeldLock>& held() const noexcept { return held_; }

 private:
  std::vector<HeldLock> held_;  ///< In the order of their ranges.
};

}  // namespace benchfs::fuse
