#include "server/range_locks.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/handlers/namespace_records.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

constexpr std::size_t kRowBytes = 42;
constexpr std::uint64_t kRecordHeaderBytes = 8;

std::array<std::byte, kRowBytes> encode(const RangeLockRow& row) {
  std::array<std::byte, kRowBytes> body{};
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  BENCHFS_ASSERT(encoder.ok() && encoder.size() == kRowBytes);
  return body;
}

RangeLockRow row_of(RangeLockKey key, const LockedRange& range, bool held) {
  return {.client = key.client,
          .number = key.number,
          .held = held,
          .inode = range.inode,
          .begin_bytes = range.begin_bytes,
          .end_bytes = range.end_bytes,
          .shared = range.shared};
}

}  // namespace

Status RangeLocks::ask(RangeLockKey key, const LockedRange& range) {
  const auto found = locks_.find(key);
  if (found != locks_.end()) {
    return found->second.range == range ? Status() : fail(Errc::kProtocol, "range_locks.number");
  }
  const auto count = counts_.find(key.client);
  if (count != counts_.end() && count->second >= kRangeLocksPerClientMax) {
    return fail(Errc::kNoLock, "range_locks.count");
  }
  Lock& lock = insert(key, range);
  if (may_be_granted(queues_[range.inode], lock)) {
    lock.state = State::kGranted;
  }
  return {};
}

RangeLocks::State RangeLocks::state(RangeLockKey key) const {
  const auto found = locks_.find(key);
  return found == locks_.end() ? State::kNone : found->second.state;
}

void RangeLocks::hold(RangeLockKey key) {
  Lock& lock = locks_.at(key);
  BENCHFS_ASSERT(lock.state == State::kGranted);
  lock.state = State::kHeld;
  ++held_count_;
  write(lock, true);
}

bool RangeLocks::release(RangeLockKey key) {
  const auto found = locks_.find(key);
  if (found == locks_.end()) {
    return false;
  }
  if (found->second.state == State::kHeld) {
    write(found->second, false);
  }
  erase(found);
  return true;
}

void RangeLocks::stop_waiting(ClientId client) {
  std::vector<RangeLockKey> waiting = locks_of(client);
  std::erase_if(waiting, [this](RangeLockKey key) { return state(key) != State::kWaiting; });
  for (const RangeLockKey key : waiting) {
    erase(locks_.find(key));
  }
}

std::vector<RangeLockKey> RangeLocks::locks_of(ClientId client) const {
  std::vector<RangeLockKey> keys;
  for (auto next = locks_.lower_bound({.client = client, .number = 0});
       next != locks_.end() && next->first.client == client; ++next) {
    keys.push_back(next->first);
  }
  return keys;
}

std::vector<ClientId> RangeLocks::clients() const {
  std::vector<ClientId> clients;
  for (const auto& [client, count] : counts_) {
    clients.push_back(client);
  }
  return clients;
}

RangeLocks::Lock& RangeLocks::insert(RangeLockKey key, const LockedRange& range) {
  Lock& lock = locks_[key];
  lock.key = key;
  lock.range = range;
  queues_[range.inode].push_back(&lock);
  ++counts_[key.client];
  return lock;
}

void RangeLocks::erase(std::map<RangeLockKey, Lock>::iterator lock) {
  const auto queue = queues_.find(lock->second.range.inode);
  const auto count = counts_.find(lock->first.client);
  BENCHFS_ASSERT(queue != queues_.end() && count != counts_.end());
  resume_waiters(lock->second);
  queue->second.remove(&lock->second);
  held_count_ -= lock->second.state == State::kHeld ? 1 : 0;
  if (--count->second == 0) {
    counts_.erase(count);
  }
  const LockedRange gone = lock->second.range;
  locks_.erase(lock);
  if (queue->second.empty()) {
    queues_.erase(queue);
  } else {
    grant_after(queue->second, gone);
  }
}

void RangeLocks::grant_after(Queue& queue, const LockedRange& gone) {
  // What is granted to an owner may let on what else the owner asks for.
  for (bool again = true; std::exchange(again, false);) {
    for (Lock* lock : queue) {
      if (lock->state == State::kWaiting && (gone.excludes(lock->range) || lock->key.has_owner()) &&
          may_be_granted(queue, *lock)) {
        lock->state = State::kGranted;
        resume_waiters(*lock);
        again = again || lock->key.has_owner();
      }
    }
  }
}

bool RangeLocks::may_be_granted(const Queue& queue, const Lock& lock) {
  bool is_before = true;
  for (const Lock* other : queue) {
    if (other == &lock) {
      is_before = false;
      continue;
    }
    if (!other->range.excludes(lock.range) || other->key.has_owner_of(lock.key)) {
      continue;
    }
    // What is behind and has been granted has passed this one, since its owner held it already.
    const bool counts =
        is_before ? !waits_for_owner(queue, *other, lock.key) : other->state != State::kWaiting;
    if (counts) {
      return false;
    }
  }
  BENCHFS_ASSERT(!is_before);
  return true;
}

bool RangeLocks::waits_for_owner(const Queue& queue, const Lock& lock, RangeLockKey key) {
  return lock.state == State::kWaiting && key.has_owner() &&
         std::any_of(queue.begin(), queue.end(), [&](const Lock* other) {
           return other->state != State::kWaiting && other->key.has_owner_of(key) &&
                  other->range.excludes(lock.range);
         });
}

void RangeLocks::resume_waiters(Lock& lock) {
  for (WaitOp* waiter = std::exchange(lock.waiters, nullptr); waiter != nullptr;) {
    WaitOp& op = *waiter;
    waiter = op.next_;
    op.cancel();
    loop_.post(op.waiter_);
  }
}

void RangeLocks::WaitOp::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  lock_ = &locks_.locks_.at(key_);
  next_ = std::exchange(lock_->waiters, this);
  locks_.loop_.timers().arm(*this, until_ns_);
}

void RangeLocks::WaitOp::expired(Timer& timer) noexcept {
  auto& op = static_cast<WaitOp&>(timer);
  WaitOp** link = &op.lock_->waiters;
  while (*link != &op) {
    link = &(*link)->next_;
  }
  *link = op.next_;
  op.locks_.loop_.post(op.waiter_);
}

// ---- What outlives the process
// -----------------------------------------------------------------------------

void RangeLocks::write(const Lock& lock, bool held) {
  ledger_.append(kRangeLockKind, encode(row_of(lock.key, lock.range, held)));
}

Status RangeLocks::replay(ConstBytes body) {
  RangeLockRow row;
  wire::Decoder decoder(body);
  decoder& row;
  if (!decoder.finished() || row.number == 0 || row.inode == kNoInode ||
      home_of(row.inode) != self_ || row.begin_bytes >= row.end_bytes ||
      row.end_bytes > kFileBytesMax) {
    log_error("the journal has a lock of a range that cannot be");
    return fail(Errc::kCorrupt, "range_locks.replay");
  }
  const RangeLockKey key{.client = row.client, .number = row.number};
  const auto found = locks_.find(key);
  if (found != locks_.end()) {
    erase(found);
  }
  if (row.held) {
    Lock& lock = insert(key, {.inode = row.inode,
                              .begin_bytes = row.begin_bytes,
                              .end_bytes = row.end_bytes,
                              .shared = row.shared});
    lock.state = State::kHeld;
    ++held_count_;
  }
  return {};
}

void RangeLocks::hand_over(Cursor& cursor, journal::SnapshotSink& sink,
                           std::size_t records_max) const {
  std::size_t left = records_max;
  for (auto next = locks_.lower_bound(cursor.next); next != locks_.end(); ++next) {
    const auto& [key, lock] = *next;
    cursor.next = key;
    if (left-- == 0 || (lock.state == State::kHeld &&
                        !sink.put(kRangeLockKind, encode(row_of(key, lock.range, true))))) {
      return;
    }
  }
  cursor.at_end = true;
}

std::uint64_t RangeLocks::record_bytes() const noexcept {
  return held_count_ * (kRecordHeaderBytes + kRowBytes);
}

}  // namespace benchfs::server
