// What this server owes others since a change that is done. It is written down together with the
// change, told at once, and again until it has been heard; who is told twice does it once.

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/units.h"
#include "server/handlers/namespace_prepared.h"

namespace benchfs::server {
namespace {

constexpr std::uint64_t kRetryNsFirst = 100 * kNsPerMs;
constexpr std::uint64_t kRetryNsMax = 5 * kNsPerSec;

/// Inodes that a power failure can have taken, with whatever tells that they were there: all that
/// the largest log has room for, at 64 bytes each. Their data may lie on other servers.
constexpr std::uint64_t kInodesLostMax = 256 * kMiB / 64;

/// How long clients have to open again what they had open when the server went down.
constexpr std::uint64_t kOrphanNs = 3 * kTimeoutNsDefault;

}  // namespace

void NamespaceService::Alarm::expired(Timer& timer) noexcept {
  auto& self = static_cast<Alarm&>(timer);
  if (!self.service.scope_.closed()) {
    self.service.scope_.spawn((self.service.*self.method)());
  }
}

NamespaceService::Numbers NamespaceService::drop_name(InodeId inode) {
  if (!meta_.is_home_of(inode)) {
    return {debts_.add({.kind = ObligationKind::kUnlinkInode, .inode = inode, .layout = {}})};
  }
  if (meta_.find_link(inode) != nullptr) {
    meta_.remove_link(inode);
    return {};
  }
  const meta::File* found = meta_.find_file(inode);
  if (found == nullptr || !found->linked) {
    return {};
  }
  meta_.unlink_file(inode, wall_ns());
  if (meta_.find_use(inode) != nullptr || may_be_opened_again(inode)) {
    return {};
  }
  return remove_file(inode);
}

NamespaceService::Numbers NamespaceService::remove_file(InodeId file) {
  const meta::File removed = *meta_.find_file(file);
  // Nobody can reach the data any more, and the id is never used again.
  meta_.remove_file(file);
  appends_.drop(file);
  counters_.drop_all(file);
  if (!removed.has_data) {
    return {};
  }
  return {debts_.add(
      {.kind = ObligationKind::kRemoveData,
       .inode = file,
       .layout = {.chunk_bytes = removed.chunk_bytes, .stripe_count = removed.stripe_count}})};
}

coro::Task<void> NamespaceService::pay(Numbers numbers, std::uint64_t deadline_ns) {
  // At once, so that one who does not answer keeps nobody else waiting.
  std::vector<coro::Task<Status>> tasks;
  tasks.reserve(numbers.size());
  for (const std::uint64_t number : numbers) {
    tasks.push_back(deliver(number, deadline_ns));
  }
  auto delivering = coro::when_all(std::move(tasks));
  const auto outcomes = co_await delivering;
  for (const Status& outcome : outcomes) {
    if (!outcome.has_value()) {
      ask_again_later();
    }
  }
}

coro::Task<Status> NamespaceService::deliver(std::uint64_t number, std::uint64_t deadline_ns) {
  const Obligation* found = debts_.find(number);
  if (found == nullptr || untold_moves_.contains(number) || !delivering_.insert(number).second) {
    co_return Status();  // Met, or about to be.
  }
  const Obligation owed = *found;
  const auto told = co_await carry_out(owed, deadline_ns);
  Status outcome = told;
  if (outcome.has_value()) {
    auto admitting = ledger_.admit();
    const auto room = co_await admitting;
    if (room.has_value()) {
      if (debts_.find(number) != nullptr) {  // Else a later move has made it idle.
        debts_.settle(number);
      }
    } else {
      outcome = fail(room.error());
    }
  }
  delivering_.erase(number);
  co_return outcome;
}

coro::Task<Status> NamespaceService::carry_out(Obligation owed, std::uint64_t deadline_ns) {
  if (owed.kind == ObligationKind::kRemoveData) {
    auto telling = tell_servers(servers_of(owed), owed.inode, deadline_ns);
    co_return co_await telling;
  }
  // What it rests on must not be undone by a power failure when the other one has done its part.
  BENCHFS_CO_CHECK(store_.fsync());
  if (owed.kind == ObligationKind::kUnlinkInode) {
    const wire::UnlinkInodeRequest request{.inode = owed.inode};
    auto asking =
        exchange_.ask(home_of(owed.inode), request, deadline_ns, rpc::WhenLate::kCarryOut);
    BENCHFS_CO_CHECK(asking);
    co_return Status();
  }
  if (owed.kind == ObligationKind::kSetParent) {
    const wire::SetParentRequest request{
        .directory = owed.inode, .parent = owed.parent, .number = owed.number};
    auto asking =
        exchange_.ask(home_of(owed.inode), request, deadline_ns, rpc::WhenLate::kCarryOut);
    BENCHFS_CO_CHECK(asking);
    co_return Status();
  }
  const wire::RenameCommitRequest request{
      .rename_id = owed.rename_id, .inode = owed.inode, .type = owed.type};
  auto asking = exchange_.ask(owed.target, request, deadline_ns, rpc::WhenLate::kCarryOut);
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Status> NamespaceService::tell_servers(std::vector<ServerId> servers, InodeId file,
                                                  std::uint64_t deadline_ns) {
  const wire::RemoveDataRequest request{.inode = file};
  auto asking = ask_all(std::move(servers), request, deadline_ns, rpc::WhenLate::kCarryOut);
  const auto answers = co_await asking;
  for (const auto& answer : answers) {
    if (!answer.has_value()) {
      co_return fail(answer.error());
    }
  }
  co_return Status();
}

std::vector<ServerId> NamespaceService::servers_of(const Obligation& owed) const {
  switch (owed.kind) {
    case ObligationKind::kUnlinkInode:
    case ObligationKind::kSetParent:
      return {home_of(owed.inode)};
    case ObligationKind::kRemoveData:
      return stripe_servers(owed.inode, owed.layout.chunk_bytes, owed.layout.stripe_count);
    case ObligationKind::kCommitRename:
      return {owed.target};
  }
  BENCHFS_ASSERT(false);
  return {};
}

void NamespaceService::ask_again_soon() noexcept {
  retry_ns_ = 0;
  retry_timer_.cancel();
  ask_again_later();
}

void NamespaceService::ask_again_later() noexcept {
  if (!retry_timer_.armed() && !scope_.closed()) {
    retry_ns_ = std::clamp(2 * retry_ns_, kRetryNsFirst, kRetryNsMax);
    loop_.timers().arm(retry_timer_, loop_.now_ns() + retry_ns_);
  }
}

coro::Task<void> NamespaceService::ask_again() {
  auto closing = close_opens_of_lost(std::exchange(unclosed_, {}));
  co_await closing;
  auto releasing = release_locks_of(std::exchange(unreleased_, {}));
  co_await releasing;
  // Who does not answer once is not asked again in this round.
  std::set<ServerId> away;
  const auto is_away = [&away](ServerId server) { return away.contains(server); };
  bool all_met = unclosed_.empty() && unreleased_.empty();
  std::vector<RenameKey> doubtful;
  for (const auto& [rename, prepared] : prepared_) {
    if (prepared->in_doubt) {
      doubtful.push_back(rename);
    }
  }
  for (const RenameKey& rename : doubtful) {
    if (!is_away(rename.coordinator)) {
      const auto status = co_await resolve(rename, loop_.now_ns() + kTimeoutNsDefault);
      if (!status.has_value()) {
        away.insert(rename.coordinator);
      }
    }
    all_met = all_met && !is_away(rename.coordinator);
  }
  Numbers numbers;
  for (const auto& [number, owed] : debts_.owed()) {
    numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) {
    const Obligation* owed = debts_.find(number);
    if (owed == nullptr || scope_.closed()) {
      continue;
    }
    const std::vector<ServerId> servers = servers_of(*owed);
    if (std::any_of(servers.begin(), servers.end(), is_away)) {
      all_met = false;
      continue;
    }
    const auto status = co_await deliver(number, loop_.now_ns() + kTimeoutNsDefault);
    if (!status.has_value()) {
      all_met = false;
      away.insert(servers.begin(), servers.end());
    }
  }
  if (all_met) {
    retry_ns_ = 0;
  } else {
    ask_again_later();
  }
}

coro::Task<Status> NamespaceService::start(std::uint64_t incarnation) {
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(auto room, admitting);
  run_ = incarnation;
  if (incarnation > 1 && store_.power_era() == incarnation) {
    meta_.skip_ids(kInodesLostMax);
  }
  if (store_.power_era() > 1) {
    meta_.doubt_holders();
  }
  meta_.begin_run(incarnation);
  debts_.begin_run(incarnation);
  room.reset();
  if (incarnation > 1 && store_.power_era() == incarnation) {
    BENCHFS_CO_CHECK(store_.fsync());  // What was skipped stays skipped if power fails again.
    // Which of them were ended since, nobody knows; who has one is told when he ends it.
    auto releasing = release_locks_of(range_locks_.clients());
    co_await releasing;
  }
  for (const auto& [rename, row] : debts_.prepared()) {
    auto prepared = std::make_unique<Prepared>(*this, row);
    // Nothing is served yet: they are free.
    if (row.role == wire::RenameRole::kRemoval) {
      InodeLocks::LockOp locking(inode_locks_, row.directory, UINT64_MAX);
      BENCHFS_CO_TRY(prepared->directory_guard, locking);
    } else {
      EntryLocks::LockOp locking(entry_locks_, row.key, UINT64_MAX);
      BENCHFS_CO_TRY(prepared->entry_guard, locking);
    }
    prepared->in_doubt = true;
    prepared_.emplace(rename, std::move(prepared));
  }
  if (!prepared_.empty() || !debts_.owed().empty()) {
    ask_again_soon();
  }
  if (incarnation > 1) {
    loop_.timers().arm(orphan_timer_, loop_.now_ns() + kOrphanNs);
  }
  std::vector<ClientId> known = exchange_.outcomes().clients();
  for (const ClientId client : range_locks_.clients()) {
    known.push_back(client);
  }
  for (const ClientId client : known) {
    if (!present_.contains(client)) {
      on_client_lost(client);
    }
  }
  if (!ledger_.committed()) {
    BENCHFS_CO_CHECK(ledger_.commit());
  }
  co_return Status();
}

coro::Task<void> NamespaceService::forget_appends() {
  for (const InodeId file : appends_.files()) {
    auto admitting = ledger_.admit();
    const auto room = co_await admitting;
    if (room.has_value() && meta_.find_use(file) == nullptr) {
      appends_.drop(file);
    }
  }
}

coro::Task<void> NamespaceService::remove_orphans() {
  auto forgetting = forget_appends();
  co_await forgetting;
  for (const InodeId orphan : meta_.orphans()) {
    auto admitting = ledger_.admit();
    auto room = co_await admitting;
    if (!room.has_value()) {
      log_warning("files that nobody has open any more keep their space: {}",
                  to_string(room.error()));
      co_return;
    }
    const meta::File* file = meta_.find_file(orphan);
    if (file == nullptr || file->linked || meta_.find_use(orphan) != nullptr) {
      continue;
    }
    Numbers owed = remove_file(orphan);
    room->reset();
    co_await pay(std::move(owed), loop_.now_ns() + kTimeoutNsDefault);
  }
}

}  // namespace benchfs::server
