#pragma once

// Advisory locks of the mount's users, kept at the servers, so that mounts, and programs that use
// benchfs_lock_range(), exclude each other.
//
// Each range that an owner holds is one lock at the file's home, with a number that names the owner
// (wire::LockRangeRequest): locks of one owner do not exclude each other there. So a lock is
// replaced without a gap: first the new one is taken, and what is to stay of the old ones, then the
// old ones are let go.
//
// Threading: loop thread only, except any(). Coroutines borrow this object until they end.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>

#include <sys/types.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "client/servers.h"
#include "coro/event.h"
#include "coro/task.h"
#include "fuse/owner_locks.h"

namespace benchfs::fuse {

/// flock(2) excludes on this byte, which no fcntl lock reaches: as on a local file system the two
/// do not see each other.
inline constexpr LockRange kFlockRange{.begin = kFileBytesMax - 1, .end = kFileBytesMax};
inline constexpr std::uint64_t kFcntlEnd = kFlockRange.begin;

/// Whose lock: the kernel's number for a process's files, or for an open file.
struct LockOwner {
  enum class Kind { kFcntl, kFlock };
  Kind kind = Kind::kFcntl;
  std::uint64_t number = 0;
  friend auto operator<=>(const LockOwner&, const LockOwner&) = default;
};

/// What an owner wants to have on a range.
enum class LockMode { kNone, kShared, kExclusive };

/// Who is in the way of a lock.
struct LockConflict {
  LockRange range;
  bool shared = false;
  pid_t pid = 0;  ///< 0: not of this mount.
};

class Locks {
 public:
  /// Borrows `servers`.
  explicit Locks(client::Servers& servers) noexcept : servers_(servers) {}
  ~Locks();
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  struct Wish {
    InodeId file = kNoInode;
    LockOwner owner;
    LockRange range;
    LockMode mode = LockMode::kNone;
    pid_t pid = 0;
  };

  /// Does it, or kAgain: somebody else's lock is in the way. On a failure nothing has changed.
  /// kNoLock (too many; or for kNone: it had been lost), kStale.
  coro::Task<Status> set(client::Context& context, Wish wish);

  /// As set(), but waits. kCancelled once `cancelled` is true, within about a second.
  coro::Task<Status> wait(client::Context& context, Wish wish,
                          std::shared_ptr<const std::atomic<bool>> cancelled);

  /// Whether the lock could be had now; if not, what is in the way. Of another mount's lock only
  /// that there is one is known: it is told as exclusive, on the range that was asked for.
  coro::Task<Result<std::unique_ptr<LockConflict>>> test(client::Context& context, Wish wish);

  /// All of the owner's locks on the file end.
  coro::Task<Status> end_all(client::Context& context, InodeId file, LockOwner owner);

  /// Any thread. Whether anybody has any lock, or asks for one.
  bool any() const noexcept { return owner_count_.load(std::memory_order_acquire) != 0; }

 private:
  struct Owner {
    std::uint64_t slot = 0;  ///< Names the owner in the numbers of its locks.
    pid_t pid = 0;
    OwnerLocks locks;
    std::uint32_t users = 0;  ///< Calls that go on.
    coro::Mutex changing;     ///< Held while locks are replaced.
  };
  using Owners = std::map<LockOwner, std::unique_ptr<Owner>>;

  /// Keeps an owner's entry while a call uses it; drops it with the last, if it holds nothing.
  class Use;

  Owner& owner_of(InodeId file, LockOwner owner);
  void drop_if_unused(InodeId file, LockOwner owner);
  std::uint64_t new_number(const Owner& owner) noexcept;

  struct Ask {
    InodeId file = kNoInode;
    LockRange range;
    bool shared = false;
    std::uint64_t number = 0;
    bool wait = false;
  };
  /// True: granted. False: not, and nothing of it is left (without `wait`), or ask again (with it).
  coro::Task<Result<bool>> ask(client::Context& context, Ask ask);
  coro::Task<Status> release(client::Context& context, InodeId file, std::uint64_t number);
  /// Puts `added`, or nothing, in the place of what the owner has on the range.
  coro::Task<Status> install(client::Context& context, Owner& owner, InodeId file, LockRange range,
                             const HeldLock* added);

  client::Servers& servers_;
  std::map<InodeId, Owners> files_;
  std::set<std::uint64_t> slots_in_use_;
  std::uint64_t last_slot_ = 0;
  std::atomic<std::uint64_t> owner_count_ = 0;
};

}  // namespace benchfs::fuse
