// Locks of byte ranges, and counters, at the home of the file.

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"
#include "server/handlers/namespace.h"

namespace benchfs::server {
namespace {

/// How long a request for a lock is kept waiting: then its client asks again, so that it knows that
/// the server is there, and a server that stops waits for no lock.
constexpr std::uint64_t kLockAnswerNs = kNsPerSec;

}  // namespace

NamespaceService::Handling<wire::LockRangeReply> NamespaceService::lock_range(
    Context context, wire::LockRangeRequest request) {
  if (context.from_server()) {
    co_return fail(Errc::kPermission, "lock_range");
  }
  if (request.number == 0 || request.begin_bytes >= request.end_bytes ||
      request.end_bytes > kFileBytesMax) {
    co_return fail(Errc::kProtocol, "lock_range.range");
  }
  if (meta_.find_file(request.inode) == nullptr) {
    co_return fail(Errc::kStale, "lock_range");
  }
  const RangeLockKey key{.client = ClientId{context.peer.id}, .number = request.number};
  BENCHFS_CO_CHECK_NOW(range_locks_.ask(key, {.inode = request.inode,
                                              .begin_bytes = request.begin_bytes,
                                              .end_bytes = request.end_bytes,
                                              .shared = request.shared}));
  if (!request.wait && range_locks_.state(key) == RangeLocks::State::kWaiting) {
    range_locks_.release(key);
    co_return wire::LockRangeReply{.granted = false};
  }
  RangeLocks::WaitOp waiting(
      range_locks_, key,
      std::min(clean_up_deadline_ns(context.deadline_ns), loop_.now_ns() + kLockAnswerNs));
  co_await waiting;
  if (range_locks_.state(key) == RangeLocks::State::kGranted) {
    auto admitting = ledger_.admit();
    BENCHFS_CO_TRY(const auto room, admitting);
    // Unless a repeat of this request has done it meanwhile, or the client does not want it any
    // more.
    if (range_locks_.state(key) == RangeLocks::State::kGranted) {
      range_locks_.hold(key);
    }
  }
  co_return wire::LockRangeReply{.granted = range_locks_.state(key) == RangeLocks::State::kHeld};
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::unlock_range(
    Context context, wire::UnlockRangeRequest request) {
  if (context.from_server()) {
    co_return fail(Errc::kPermission, "unlock_range");
  }
  const RangeLockKey key{.client = ClientId{context.peer.id}, .number = request.number};
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  if (!range_locks_.release(key)) {
    co_return fail(Errc::kNoLock, "unlock_range");
  }
  keep(context, wire::EmptyReply{});
  co_return wire::EmptyReply{};
}

NamespaceService::Handling<wire::CounterReply> NamespaceService::count(
    Context context, wire::CounterRequest request) {
  if (request.key.number == 0 || request.value > wire::kCounterMax) {
    co_return fail(Errc::kProtocol, "counter");
  }
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  BENCHFS_CO_CHECK_NOW(in_time(context.deadline_ns));
  if (meta_.find_file(request.inode) == nullptr) {
    co_return fail(Errc::kStale, "counter");
  }
  const wire::CounterReply reply{.before = counters_.find(request.inode, request.key)};
  if (!request.set && request.value > wire::kCounterMax - reply.before) {
    co_return fail(Errc::kTooLarge, "counter");
  }
  if (request.set || request.value > 0) {
    BENCHFS_CO_CHECK_NOW(may_grow());
    counters_.set(request.inode, request.key,
                  request.set ? request.value : reply.before + request.value);
  }
  keep(context, reply);
  co_return reply;
}

coro::Task<void> NamespaceService::release_locks_of(std::vector<ClientId> clients) {
  for (const ClientId client : clients) {
    for (const RangeLockKey key : range_locks_.locks_of(client)) {
      auto admitting = ledger_.admit();
      const auto room = co_await admitting;
      if (!room.has_value()) {
        // They stay, and keep others waiting, until the log has room again.
        if (!ledger_.has_failed()) {  // That is in the log.
          log_warning("locks of a lost client stay: {}", to_string(room.error()));
        }
        unreleased_.push_back(client);
        ask_again_later();
        break;
      }
      range_locks_.release(key);
    }
  }
}

}  // namespace benchfs::server
