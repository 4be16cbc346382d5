// The part of who has an entry locked for a rename, or a directory for its removal: prepared when
// the coordinator asks, ended when it tells the outcome, or when it is asked for that.

#include "server/handlers/namespace_prepared.h"

#include <algorithm>
#include <utility>

namespace benchfs::server {

NamespaceService::Prepared::Prepared(NamespaceService& owner, PreparedRow what) noexcept
    : Timer(&Prepared::expired), service(owner), row(std::move(what)) {}

void NamespaceService::Prepared::expired(Timer& timer) noexcept {
  auto& prepared = static_cast<Prepared&>(timer);
  prepared.in_doubt = true;
  prepared.service.ask_again_soon();
}

void NamespaceService::doubt(ServerId coordinator) {
  for (const auto& [rename, prepared] : prepared_) {
    if (rename.coordinator == coordinator) {
      prepared->cancel();
      prepared->in_doubt = true;
      ask_again_soon();
    }
  }
}

void NamespaceService::hold_prepared(std::unique_ptr<Prepared> prepared, std::uint64_t losses,
                                     std::uint64_t deadline_ns) {
  const RenameKey rename = prepared->row.rename;
  if (server_losses_[rename.coordinator] == losses) {
    loop_.timers().arm(*prepared, deadline_ns);
  } else {
    prepared->in_doubt = true;  // It may not hear that this is locked.
    ask_again_soon();
  }
  debts_.add_prepared(prepared->row);
  prepared_.emplace(rename, std::move(prepared));
}

Status NamespaceService::check_not_done(OperationKey operation) const {
  const Outcomes& outcomes = exchange_.outcomes();
  if (!operation) {
    return {};
  }
  if (outcomes.is_given_up(operation)) {
    return fail(Errc::kTimedOut, "rename.given_up");
  }
  return outcomes.contains(operation) ? fail(Errc::kAgain, "rename.done") : Status();
}

bool NamespaceService::is_prepared(OperationKey operation) const {
  return operation && std::any_of(prepared_.begin(), prepared_.end(), [&](const auto& item) {
           const PreparedRow& row = item.second->row;
           return row.client == operation.client && row.operation == operation.number;
         });
}

void NamespaceService::keep_decided(OperationKey operation) {
  exchange_.outcomes().keep(operation, wire::Op::kRename, wire::EmptyReply{});
  if (operation && !present_.contains(operation.client) && !absent_.contains(operation.client)) {
    on_client_lost(operation.client);  // So that it is forgotten if the client does not come back.
  }
}

NamespaceService::Handling<wire::RenamePrepareReply> NamespaceService::rename_prepare(
    Context context, wire::RenamePrepareRequest request) {
  const bool is_target = request.role == wire::RenameRole::kTarget;
  if ((!is_target && request.role != wire::RenameRole::kSource) ||
      request.operation == UINT64_MAX) {
    co_return fail(Errc::kProtocol, "rename.role");
  }
  const RenameKey rename{.coordinator = ServerId{static_cast<std::uint16_t>(context.peer.id)},
                         .rename_id = request.rename_id};
  const OperationKey operation{.client = request.client, .number = request.operation};
  const std::uint64_t losses = server_losses_[rename.coordinator];
  EntryLocks::Guard guard;
  Room room;
  BENCHFS_CO_CHECK(lock_to_change(request.key, guard, room, context.deadline_ns));
  if (prepared_.contains(rename)) {
    co_return fail(Errc::kProtocol, "rename.id");
  }
  if (is_target) {
    BENCHFS_CO_CHECK_NOW(may_grow());
  }
  const std::optional<meta::Entry> entry = find_entry(request.key);
  if (!is_target) {
    if (request.asked_by_run != run_) {
      co_return fail(Errc::kStale, "rename.run");  // Its asker is no more.
    }
    BENCHFS_CO_CHECK_NOW(check_not_done(operation));
  }
  if (!is_target && !entry.has_value()) {
    co_return fail(Errc::kNotFound, "rename.from");
  }
  if (!is_target && entry->type != wire::FileType::kDirectory) {
    co_return fail(Errc::kAgain, "rename.from");
  }
  const PreparedRow row{.rename = rename,
                        .role = request.role,
                        .key = request.key,
                        .directory = kNoInode,
                        .client = is_target ? ClientId{} : operation.client,
                        .operation = is_target ? 0 : operation.number};
  auto prepared = std::make_unique<Prepared>(*this, row);
  prepared->entry_guard = std::move(guard);
  hold_prepared(std::move(prepared), losses, context.deadline_ns);
  wire::RenamePrepareReply reply{.target_exists = entry.has_value()};
  if (entry.has_value()) {
    reply.target = entry->inode;
    reply.target_type = entry->type;
  }
  room.reset();
  BENCHFS_CO_CHECK(store_.fsync());  // The decision rests on it.
  co_return reply;
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::rename_commit(
    Context context, wire::RenameCommitRequest request) {
  const RenameKey rename{.coordinator = ServerId{static_cast<std::uint16_t>(context.peer.id)},
                         .rename_id = request.rename_id};
  const wire::RenameOutcomeReply outcome{.inode = request.inode, .type = request.type};
  auto finishing = finish_prepared(rename, outcome, context.deadline_ns);
  BENCHFS_CO_CHECK(finishing);
  if (request.inode != kNoInode) {
    BENCHFS_CO_CHECK(store_.fsync());  // The coordinator forgets the rename.
  }
  co_return wire::EmptyReply{};
}

coro::Task<Status> NamespaceService::finish_prepared(RenameKey rename,
                                                     wire::RenameOutcomeReply outcome,
                                                     std::uint64_t deadline_ns) {
  if (outcome.inode != kNoInode &&
      (!wire::is_file_type(outcome.type) ||
       to_integer(home_of(outcome.inode)) >= exchange_.server_count())) {
    co_return fail(Errc::kProtocol, "rename.inode");
  }
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(auto room, admitting);
  const auto found = prepared_.find(rename);
  if (found == prepared_.end()) {
    co_return Status();  // That was done before.
  }
  Numbers owed;
  if (outcome.inode != kNoInode) {
    BENCHFS_CO_TRY_NOW(owed, carry_out_prepared(found->second->row, outcome));
  }
  debts_.remove_prepared(rename);
  prepared_.erase(found);
  room.reset();
  co_await pay(std::move(owed), clean_up_deadline_ns(deadline_ns));
  co_return Status();
}

Result<NamespaceService::Numbers> NamespaceService::carry_out_prepared(
    const PreparedRow& row, wire::RenameOutcomeReply outcome) {
  if (row.role == wire::RenameRole::kRemoval) {
    if (meta_.find_directory(row.directory) != nullptr) {
      meta_.remove_directory(row.directory);
    }
    return Numbers();
  }
  // Locked and pinned since it was prepared: the entry is what it was.
  const std::optional<meta::Entry> there = meta_.find_entry(row.key);
  if (row.role == wire::RenameRole::kSource) {
    if (there.has_value()) {
      meta_.erase_entry(row.key, wall_ns());
    }
    keep_decided({.client = row.client, .number = row.operation});
    return Numbers();
  }
  const bool replaces_directory =
      there.has_value() && there->type == wire::FileType::kDirectory && stands(*there);
  if (replaces_directory && outcome.type != wire::FileType::kDirectory) {
    return fail(Errc::kIsDirectory, "rename.to");
  }
  meta_.set_entry(row.key, {.inode = outcome.inode, .type = outcome.type}, wall_ns());
  // A directory that is replaced has its own part in the rename.
  const bool replaces_file = there.has_value() && there->type != wire::FileType::kDirectory &&
                             there->inode != outcome.inode;
  return replaces_file ? drop_name(there->inode) : Numbers();
}

coro::Task<Status> NamespaceService::resolve(RenameKey rename, std::uint64_t deadline_ns) {
  wire::RenameOutcomeReply outcome;  // Who is no server of the session decides nothing.
  if (to_integer(rename.coordinator) < exchange_.server_count()) {
    const wire::RenameOutcomeRequest question{.rename_id = rename.rename_id};
    auto asking = exchange_.ask(rename.coordinator, question, deadline_ns);
    BENCHFS_CO_TRY(outcome, asking);
  }
  auto finishing = finish_prepared(rename, outcome, deadline_ns);
  co_return co_await finishing;
}

}  // namespace benchfs::server
