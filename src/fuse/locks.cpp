#include "fuse/locks.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "wire/messages.h"

namespace benchfs::fuse {
namespace {

using client::Context;

bool is_refused(Errc code) noexcept {
  return code == Errc::kNoLock || code == Errc::kStale || code == Errc::kProtocol;
}

}  // namespace

// ---- Owners
// --------------------------------------------------------------------------------------------

class Locks::Use {
 public:
  Use(Locks& locks, InodeId file, LockOwner owner)
      : locks_(locks), file_(file), key_(owner), owner_(locks.owner_of(file, owner)) {
    ++owner_.users;
  }
  ~Use() {
    --owner_.users;
    locks_.drop_if_unused(file_, key_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Owner& operator*() const noexcept { return owner_; }
  Owner* operator->() const noexcept { return &owner_; }

 private:
  Locks& locks_;
  const InodeId file_;
  const LockOwner key_;
  Owner& owner_;
};

Locks::~Locks() = default;

Locks::Owner& Locks::owner_of(InodeId file, LockOwner owner) {
  auto& found = files_[file][owner];
  if (found == nullptr) {
    found = std::make_unique<Owner>();
    do {
      last_slot_ = last_slot_ % wire::kLockOwnerMax + 1;
    } while (!slots_in_use_.insert(last_slot_).second);
    found->slot = last_slot_;
    owner_count_.fetch_add(1, std::memory_order_acq_rel);
  }
  return *found;
}

void Locks::drop_if_unused(InodeId file, LockOwner owner) {
  const auto owners = files_.find(file);
  const auto found = owners->second.find(owner);
  if (found->second->users != 0 || !found->second->locks.empty()) {
    return;
  }
  slots_in_use_.erase(found->second->slot);
  owners->second.erase(found);
  if (owners->second.empty()) {
    files_.erase(owners);
  }
  owner_count_.fetch_sub(1, std::memory_order_acq_rel);
}

std::uint64_t Locks::new_number(const Owner& owner) noexcept {
  return wire::make_lock_number(owner.slot, servers_.next_number());
}

// ---- At the server
// -------------------------------------------------------------------------------------

coro::Task<Result<bool>> Locks::ask(Context& context, Ask ask) {
  const wire::LockRangeRequest request{.inode = ask.file,
                                       .number = ask.number,
                                       .begin_bytes = ask.range.begin,
                                       .end_bytes = ask.range.end,
                                       .shared = ask.shared,
                                       .wait = ask.wait};
  auto calling = servers_.call(context, home_of(ask.file), request);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    if (!is_refused(answer.error().code)) {
      // It may have been granted, or may still be.
      servers_.disown(home_of(ask.file), {.inode = ask.file, .number = ask.number});
    }
    co_return fail(answer.error());
  }
  co_return answer->reply.granted;
}

coro::Task<Status> Locks::release(Context& context, InodeId file, std::uint64_t number) {
  const wire::UnlockRangeRequest request{.inode = file, .number = number};
  auto calling = servers_.call(context, home_of(file), request);
  const auto answer = co_await calling;
  if (answer.has_value()) {
    co_return Status();
  }
  if (!is_refused(answer.error().code)) {
    servers_.disown(home_of(file), request);
  }
  co_return fail(answer.error());
}

coro::Task<Status> Locks::install(Context& context, Owner& owner, InodeId file, LockRange range,
                                  const HeldLock* added) {
  auto locking = owner.changing.lock();
  co_await locking;
  OwnerLocks::Cut cut = owner.locks.cut(range);
  Status status;
  std::size_t taken = 0;
  for (; taken < cut.kept.size(); ++taken) {
    HeldLock& part = cut.kept[taken];
    part.number = new_number(owner);
    // Granted at once: the owner holds it already, as part of a larger one.
    auto asking = ask(context, {.file = file,
                                .range = part.range,
                                .shared = part.shared,
                                .number = part.number,
                                .wait = false});
    const auto granted = co_await asking;
    if (!granted.has_value() || !*granted) {
      status = granted.has_value() ? fail(Errc::kNoLock, "fuse.locks.lost") : fail(granted.error());
      break;
    }
  }
  std::vector<std::uint64_t> unwanted;
  if (status.has_value()) {
    owner.locks.replace(cut, added == nullptr ? std::nullopt : std::optional<HeldLock>(*added));
    for (const HeldLock& lock : cut.replaced) {
      unwanted.push_back(lock.number);
    }
  } else {
    for (std::size_t i = 0; i < taken; ++i) {
      unwanted.push_back(cut.kept[i].number);
    }
    if (added != nullptr) {
      unwanted.push_back(added->number);
    }
  }
  const bool is_unlock = added == nullptr && status.has_value();
  for (const std::uint64_t number : unwanted) {
    Context own;
    auto releasing = release(own, file, number);
    const Status released = co_await releasing;
    if (!released.has_value() && is_unlock) {
      status = released;  // The lock is gone all the same; its owner hears that it had been lost.
    }
  }
  owner.changing.unlock();
  co_return status;
}

// ---- Calls
// ---------------------------------------------------------------------------------------------

coro::Task<Status> Locks::set(Context& context, Wish wish) {
  const Use owner(*this, wish.file, wish.owner);
  owner->pid = wish.pid;
  const bool shared = wish.mode == LockMode::kShared;
  if (wish.mode == LockMode::kNone) {
    auto removing = install(context, *owner, wish.file, wish.range, nullptr);
    co_return co_await removing;
  }
  const HeldLock lock{.range = wish.range, .shared = shared, .number = new_number(*owner)};
  auto asking = ask(context, {.file = wish.file,
                              .range = wish.range,
                              .shared = shared,
                              .number = lock.number,
                              .wait = false});
  BENCHFS_CO_TRY(const bool granted, asking);
  if (!granted) {
    co_return fail(Errc::kAgain, "fuse.locks");
  }
  auto installing = install(context, *owner, wish.file, wish.range, &lock);
  co_return co_await installing;
}

coro::Task<Status> Locks::wait(Context& context, Wish wish,
                               std::shared_ptr<const std::atomic<bool>> cancelled) {
  const Use owner(*this, wish.file, wish.owner);
  owner->pid = wish.pid;
  const HeldLock lock{
      .range = wish.range, .shared = wish.mode == LockMode::kShared, .number = new_number(*owner)};
  for (;;) {
    auto asking = ask(context, {.file = wish.file,
                                .range = wish.range,
                                .shared = lock.shared,
                                .number = lock.number,
                                .wait = true});
    BENCHFS_CO_TRY(const bool granted, asking);
    if (granted) {
      break;
    }
    if (cancelled->load(std::memory_order_acquire)) {
      auto releasing = release(context, wish.file, lock.number);
      const Status released = co_await releasing;
      static_cast<void>(released);  // Nobody has been told that it was held.
      co_return fail(Errc::kCancelled, "fuse.locks");
    }
  }
  auto installing = install(context, *owner, wish.file, wish.range, &lock);
  co_return co_await installing;
}

coro::Task<Result<std::unique_ptr<LockConflict>>> Locks::test(Context& context, Wish wish) {
  const bool shared = wish.mode == LockMode::kShared;
  for (const auto& [key, other] : files_[wish.file]) {
    const HeldLock* const held = other->locks.conflict(wish.range, shared);
    if (key != wish.owner && held != nullptr) {
      co_return std::make_unique<LockConflict>(
          LockConflict{.range = held->range, .shared = held->shared, .pid = other->pid});
    }
  }
  const Use owner(*this, wish.file, wish.owner);
  const std::uint64_t number = new_number(*owner);
  auto asking = ask(
      context,
      {.file = wish.file, .range = wish.range, .shared = shared, .number = number, .wait = false});
  BENCHFS_CO_TRY(const bool granted, asking);
  if (!granted) {
    co_return std::make_unique<LockConflict>(LockConflict{.range = wish.range});
  }
  auto releasing = release(context, wish.file, number);
  BENCHFS_CO_CHECK(releasing);
  co_return std::unique_ptr<LockConflict>();
}

coro::Task<Status> Locks::end_all(Context& context, InodeId file, LockOwner owner) {
  const auto owners = files_.find(file);
  if (owners == files_.end() || !owners->second.contains(owner)) {
    co_return Status();
  }
  const Use user(*this, file, owner);
  const LockRange all{.begin = 0, .end = kFileBytesMax};
  auto removing = install(context, *user, file, all, nullptr);
  co_return co_await removing;
}

}  // namespace benchfs::fuse
