#pragma once

// Locks of byte ranges of files, at the home of each: who holds which, and who waits, in the order
// of asking. wire/messages.h says what is promised (LockRangeRequest).
//
// A lock is granted when nothing that was asked for before it and is still there excludes it. Locks
// of one owner do not, and neither does one that waits for the owner of the new one. It is
// held once that is written down, and only then told: a lock that a client knows of outlives the
// process. What waits does not; its client asks again.
//
// Changes are appended to the ledger: the caller has room there. Threading: loop thread only.

#include <compare>
#include <coroutine>
#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "journal/participant.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"
#include "server/ledger.h"
#include "wire/messages.h"

namespace benchfs::server {

/// A lock, as its client names it.
struct RangeLockKey {
  ClientId client{};
  std::uint64_t number = 0;
  friend auto operator<=>(const RangeLockKey&, const RangeLockKey&) = default;

  bool has_owner() const noexcept { return wire::lock_owner_of(number) != 0; }
  bool has_owner_of(const RangeLockKey& other) const noexcept {
    return has_owner() && client == other.client &&
           wire::lock_owner_of(number) == wire::lock_owner_of(other.number);
  }
};

/// The bytes from begin_bytes up to end_bytes of a file.
struct LockedRange {
  InodeId inode = kNoInode;
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
  bool shared = false;
  friend bool operator==(const LockedRange&, const LockedRange&) = default;

  /// Whether the two cannot be held at once.
  bool excludes(const LockedRange& other) const noexcept {
    return inode == other.inode && begin_bytes < other.end_bytes && other.begin_bytes < end_bytes &&
           !(shared && other.shared);
  }
};

/// What one client may hold and wait for.
inline constexpr std::uint32_t kRangeLocksPerClientMax = 65536;

class RangeLocks {
 public:
  enum class State {
    kNone,
    kWaiting,
    kGranted,  ///< And not written down.
    kHeld,
  };

  class WaitOp;

  /// Borrows both.
  RangeLocks(loop::EventLoop& loop, Ledger& ledger, ServerId self)
      : loop_(loop), ledger_(ledger), self_(self) {}
  /// Requires that nobody waits in a WaitOp.
  ~RangeLocks() = default;
  RangeLocks(const RangeLocks&) = delete;
  RangeLocks& operator=(const RangeLocks&) = delete;

  /// The lock, which is put behind all others of the file unless it is there. kProtocol: it is
  /// there, and another; kNoLock: the client has too many.
  Status ask(RangeLockKey key, const LockedRange& range);
  State state(RangeLockKey key) const;
  /// Requires kGranted, and room.
  void hold(RangeLockKey key);
  /// Whether it was there. Lets go on who waited for it. Requires room if it is held.
  bool release(RangeLockKey key);

  /// What the client only waits for is gone.
  void stop_waiting(ClientId client);
  std::vector<RangeLockKey> locks_of(ClientId client) const;
  /// Who holds any.
  std::vector<ClientId> clients() const;
  std::size_t count() const noexcept { return locks_.size(); }

  /// kCorrupt.
  Status replay(ConstBytes body);
  struct Cursor {
    RangeLockKey next{};
    bool at_end = false;
  };
  void hand_over(Cursor& cursor, journal::SnapshotSink& sink, std::size_t records_max) const;
  std::uint64_t record_bytes() const noexcept;

 private:
  struct Lock {
    RangeLockKey key;
    LockedRange range;
    State state = State::kWaiting;
    WaitOp* waiters = nullptr;
  };
  using Queue = std::list<Lock*>;  ///< Oldest first.

  Lock& insert(RangeLockKey key, const LockedRange& range);
  void erase(std::map<RangeLockKey, Lock>::iterator lock);
  void write(const Lock& lock, bool held);
  /// Grants what nothing before it excludes any more, of what `gone` excluded.
  void grant_after(Queue& queue, const LockedRange& gone);
  static bool may_be_granted(const Queue& queue, const Lock& lock);
  /// Whether a lock waits for one that `key`'s owner has.
  static bool waits_for_owner(const Queue& queue, const Lock& lock, RangeLockKey key);
  void resume_waiters(Lock& lock);

  loop::EventLoop& loop_;
  Ledger& ledger_;
  const ServerId self_;
  std::map<RangeLockKey, Lock> locks_;
  std::unordered_map<InodeId, Queue> queues_;
  std::unordered_map<ClientId, std::uint32_t> counts_;
  std::uint64_t held_count_ = 0;
};

/// Awaitable that lives in its awaiter's frame: until the lock is not waiting any more, or gone, or
/// `until_ns` of the loop's clock. Then ask state().
class RangeLocks::WaitOp : private loop::Timer {
 public:
  WaitOp(RangeLocks& locks, RangeLockKey key, std::uint64_t until_ns) noexcept
      : Timer(&WaitOp::expired), locks_(locks), key_(key), until_ns_(until_ns) {}

  bool await_ready() const { return locks_.state(key_) != State::kWaiting; }
  void await_suspend(std::coroutine_handle<> waiter);
  void await_resume() const noexcept {}

 private:
  friend class RangeLocks;
  static void expired(Timer& timer) noexcept;

  RangeLocks& locks_;
  const RangeLockKey key_;
  const std::uint64_t until_ns_;
  Lock* lock_ = nullptr;
  WaitOp* next_ = nullptr;
  std::coroutine_handle<> waiter_;
};

}  // namespace benchfs::server
