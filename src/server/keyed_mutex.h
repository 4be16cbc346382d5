#pragma once

// Locks for things that have a key: a name, an inode. A lock exists only while somebody holds it.
//
// Who waits is served in order of arrival, and gives up at its deadline, so that a holder that is
// stuck with a lost peer does not make its waiters hang. A waiter is posted to the loop, never
// resumed from inside of an unlock.
//
// Threading: loop thread only.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "base/result.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"

namespace benchfs::server {

template <typename Key, typename Hash = std::hash<Key>>
class KeyedMutex {
 private:
  struct Queue;
  using Table = std::unordered_map<Key, Queue, Hash>;
  using Node = typename Table::value_type;

 public:
  explicit KeyedMutex(loop::EventLoop& loop) : loop_(loop) {}
  /// Requires that nothing is held.
  ~KeyedMutex() { BENCHFS_ASSERT(table_.empty()); }
  KeyedMutex(const KeyedMutex&) = delete;
  KeyedMutex& operator=(const KeyedMutex&) = delete;

  bool held(const Key& key) const { return table_.contains(key); }
  std::size_t held_count() const noexcept { return table_.size(); }

  /// A held lock; unlocked by the destructor. Move-only; may be empty.
  class Guard {
   public:
    Guard() = default;
    Guard(Guard&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          node_(std::exchange(other.node_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      if (this != &other) {
        unlock();
        owner_ = std::exchange(other.owner_, nullptr);
        node_ = std::exchange(other.node_, nullptr);
      }
      return *this;
    }
    ~Guard() { unlock(); }

    explicit operator bool() const noexcept { return owner_ != nullptr; }
    void unlock() noexcept {
      if (owner_ != nullptr) {
        std::exchange(owner_, nullptr)->unlock(*std::exchange(node_, nullptr));
      }
    }

   private:
    friend class KeyedMutex;
    Guard(KeyedMutex& owner, Node& node) noexcept : owner_(&owner), node_(&node) {}
    KeyedMutex* owner_ = nullptr;
    Node* node_ = nullptr;
  };

  /// Awaitable that lives in its awaiter's frame: `LockOp locking(mutex, key, deadline_ns);` gives
  /// a Result<Guard>; kTimedOut from `deadline_ns` of the loop's clock on, also for a lock that
  /// became free in time if its waiter runs only later: what it wanted to do is given up by then.
  class LockOp : private loop::Timer {
   public:
    LockOp(KeyedMutex& mutex, Key key, std::uint64_t deadline_ns)
        : Timer(&LockOp::expired), mutex_(mutex), key_(std::move(key)), deadline_(deadline_ns) {}

    bool await_ready() {
      const auto [found, is_new] = mutex_.table_.try_emplace(key_);
      node_ = &*found;
      granted_ = is_new;
      return is_new;
    }
    void await_suspend(std::coroutine_handle<> waiter) {
      waiter_ = waiter;
      node_->second.push(*this);
      mutex_.loop_.timers().arm(*this, deadline_);
    }
    Result<Guard> await_resume() noexcept {
      if (!granted_) {
        return fail(Errc::kTimedOut, "keyed_mutex.lock");
      }
      Guard guard(mutex_, *node_);
      if (mutex_.loop_.clock().now_ns() >= deadline_) {
        return fail(Errc::kTimedOut, "keyed_mutex.late");
      }
      return guard;
    }

   private:
    friend class KeyedMutex;

    static void expired(Timer& timer) noexcept {
      LockOp& op = static_cast<LockOp&>(timer);
      op.node_->second.remove(op);
      op.mutex_.loop_.post(op.waiter_);
    }

    KeyedMutex& mutex_;
    const Key key_;
    const std::uint64_t deadline_;
    Node* node_ = nullptr;
    bool granted_ = false;
    std::coroutine_handle<> waiter_;
    LockOp* previous_ = nullptr;
    LockOp* next_ = nullptr;
  };

 private:
  /// Who waits for one key, oldest first.
  struct Queue {
    LockOp* first = nullptr;
    LockOp* last = nullptr;

    void push(LockOp& op) noexcept {
      op.previous_ = last;
      (last == nullptr ? first : last->next_) = &op;
      last = &op;
    }
    void remove(LockOp& op) noexcept {
      (op.previous_ == nullptr ? first : op.previous_->next_) = op.next_;
      (op.next_ == nullptr ? last : op.next_->previous_) = op.previous_;
      op.previous_ = op.next_ = nullptr;
    }
  };

  void unlock(Node& node) noexcept {
    LockOp* next = node.second.first;
    if (next == nullptr) {
      const auto found = table_.find(node.first);
      BENCHFS_ASSERT(found != table_.end() && &*found == &node);
      table_.erase(found);
      return;
    }
    node.second.remove(*next);
    next->cancel();
    next->granted_ = true;
    loop_.post(next->waiter_);
  }

  loop::EventLoop& loop_;
  Table table_;
};

}  // namespace benchfs::server
