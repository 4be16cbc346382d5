// Renames of directories. meta/README.md says why they go this way.
//
// The root's home coordinates all of them, whatever servers hold the names: so they are decided one
// after the other, and none can make a circle with another. It takes no part but that one.

#include <array>
#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {

/// The numbers under which the servers take part in one move.
struct NamespaceService::Move {
  wire::EntryKey from;
  wire::EntryKey to;
  OperationKey asker{};            ///< At the source.
  std::uint64_t asked_by_run = 0;  ///< Of the source.
  ServerId source{};
  ServerId target{};
  std::uint64_t source_id = 0;
  std::uint64_t target_id = 0;
  std::uint64_t removal_id = 0;
  InodeId moved = kNoInode;
  InodeId replaced = kNoInode;
  bool changes_parent() const noexcept { return from.parent != to.parent; }
};

NamespaceService::Handling<wire::EmptyReply> NamespaceService::move_directory(
    Context context, wire::MoveDirectoryRequest request) {
  const auto is_key = [](const wire::EntryKey& key) {
    return key.parent != kNoInode && wire::is_valid_name(key.name);
  };
  if (!meta_.is_home_of(kRootInode) || !is_key(request.from) || !is_key(request.to) ||
      request.from == request.to) {
    co_return fail(Errc::kProtocol, "move.keys");
  }
  const std::uint16_t count = exchange_.server_count();
  Move move{.from = request.from,
            .to = request.to,
            .asker = {.client = request.client, .number = request.operation},
            .asked_by_run = request.asked_by_run,
            .source = placement::entry_server(request.from.parent, request.from.name, count),
            .target = placement::entry_server(request.to.parent, request.to.name, count),
            .source_id = debts_.new_number(),
            .target_id = debts_.new_number(),
            .removal_id = debts_.new_number()};
  Numbers owed;
  {
    InodeLocks::LockOp locking(move_locks_, kRootInode, context.deadline_ns);
    BENCHFS_CO_TRY(const auto guard, locking);
    const Undecided::Entry source(undecided_, move.source_id);
    const Undecided::Entry target(undecided_, move.target_id);
    const Undecided::Entry removal(undecided_, move.removal_id);
    auto deciding = prepare_and_decide(move, context.deadline_ns);
    BENCHFS_CO_TRY(owed, deciding);
  }
  // It is done. The names that it changes stay locked until all servers know: who sees one changed
  // and goes a way that it remembers must be told that this is old, wherever that leads.
  co_await tell_all_of_moves(clean_up_deadline_ns(context.deadline_ns));
  for (const std::uint64_t number : owed) {
    untold_moves_.erase(number);
  }
  // Whoever is away now: names that they hold stay locked until they hear of it.
  co_await pay(std::move(owed), clean_up_deadline_ns(context.deadline_ns));
  co_return wire::EmptyReply{};
}

coro::Task<Result<NamespaceService::Numbers>> NamespaceService::prepare_and_decide(
    Move& move, std::uint64_t deadline_ns) {
  const auto prepared = co_await prepare_entries(move, deadline_ns);
  Status outcome = prepared;
  if (outcome.has_value() && move.replaced != kNoInode) {
    const wire::RemoveDirectoryRequest removal{.directory = move.replaced,
                                               .rename_id = move.removal_id};
    auto asking = exchange_.ask(home_of(move.replaced), removal, deadline_ns);
    const auto closed = co_await asking;
    if (!closed.has_value() && closed.error().code == Errc::kStale) {
      move.replaced = kNoInode;  // It has left its name behind.
    } else if (!closed.has_value()) {
      outcome = fail(closed.error());
    }
  }
  Numbers owed;
  if (outcome.has_value()) {
    const auto decided = co_await decide_move(move, deadline_ns);
    if (decided.has_value()) {
      owed = *decided;
    } else {
      outcome = fail(decided.error());
    }
  }
  if (!outcome.has_value()) {
    // Who was not asked, or did not prepare, knows of nothing to end.
    co_await abort_rename(move.source, move.source_id, deadline_ns);
    co_await abort_rename(move.target, move.target_id, deadline_ns);
    if (move.replaced != kNoInode) {
      co_await abort_rename(home_of(move.replaced), move.removal_id, deadline_ns);
    }
    co_return fail(outcome.error());
  }
  co_return owed;
}

coro::Task<Status> NamespaceService::prepare_entries(Move& move, std::uint64_t deadline_ns) {
  // The smaller key first, as every rename: so none waits for another that waits for it.
  const bool from_first = move.from < move.to;
  wire::RenamePrepareReply target;
  const std::array<bool, 2> order{from_first, !from_first};
  for (const bool is_source : order) {
    const wire::RenamePrepareRequest request{
        .key = is_source ? move.from : move.to,
        .rename_id = is_source ? move.source_id : move.target_id,
        .role = is_source ? wire::RenameRole::kSource : wire::RenameRole::kTarget,
        .client = is_source ? move.asker.client : ClientId{},
        .operation = is_source ? move.asker.number : 0,
        .asked_by_run = is_source ? move.asked_by_run : 0};
    auto asking = exchange_.ask(is_source ? move.source : move.target, request, deadline_ns);
    BENCHFS_CO_TRY(const auto prepared, asking);
    if (is_source) {
      move.moved = prepared.target;
    } else {
      target = prepared;
    }
  }
  if (move.changes_parent()) {
    BENCHFS_CO_CHECK(check_not_above(move.moved, move.to.parent, deadline_ns));
  }
  if (target.target_exists && target.target_type != wire::FileType::kDirectory) {
    co_return fail(Errc::kNotDirectory, "move.to");
  }
  if (target.target_exists) {
    move.replaced = target.target;
  }
  co_return Status();
}

coro::Task<Status> NamespaceService::check_not_above(InodeId directory, InodeId descendant,
                                                     std::uint64_t deadline_ns) {
  // Only moves change what is asked here, and there is no other now. The lowest of these
  // directories is held by the entry that is prepared in it, the others by those below them.
  for (InodeId at = descendant; at != kRootInode;) {
    if (at == directory) {
      if (!untold_moves_.empty()) {
        // What is told may come of those moves: then nobody may go by older ways any more.
        co_await tell_all_of_moves(clean_up_deadline_ns(deadline_ns));
      }
      co_return fail(Errc::kInvalid, "move.cycle");
    }
    if (const InodeId parent = debts_.find_parent(at); parent != kNoInode) {
      at = parent;
      continue;
    }
    const wire::DirectoryParentRequest request{.directory = at};
    auto asking = exchange_.ask(home_of(at), request, deadline_ns);
    BENCHFS_CO_TRY(const auto answer, asking);
    at = answer.parent;
  }
  co_return Status();
}

coro::Task<Result<NamespaceService::Numbers>> NamespaceService::decide_move(
    const Move& move, std::uint64_t deadline_ns) {
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  BENCHFS_CO_CHECK_NOW(in_time(deadline_ns));
  if (undecided_.is_given_up(move.source_id) || undecided_.is_given_up(move.target_id) ||
      undecided_.is_given_up(move.removal_id)) {
    co_return fail(Errc::kPeerLost, "move.given_up");  // Somebody has been told so.
  }
  const auto commit = [&](ServerId server, std::uint64_t rename_id, InodeId inode) {
    return debts_.add({.kind = ObligationKind::kCommitRename,
                       .inode = inode,
                       .type = wire::FileType::kDirectory,
                       .layout = {},
                       .target = server,
                       .rename_id = rename_id});
  };
  Numbers owed{commit(move.source, move.source_id, move.moved),
               commit(move.target, move.target_id, move.moved)};
  if (move.replaced != kNoInode) {
    owed.push_back(commit(home_of(move.replaced), move.removal_id, move.replaced));
  }
  if (move.changes_parent()) {
    // What its home was still to be told of an earlier move would be wrong now.
    debts_.forget_parent(move.moved);
    owed.push_back(debts_.add({.kind = ObligationKind::kSetParent,
                               .inode = move.moved,
                               .type = wire::FileType::kDirectory,
                               .layout = {},
                               .parent = move.to.parent}));
  }
  meta_.raise_moves(meta_.moves() + 1);
  untold_moves_.insert(owed.begin(), owed.end());
  co_return owed;
}

coro::Task<void> NamespaceService::tell_all_of_moves(std::uint64_t deadline_ns) {
  std::vector<ServerId> others;
  for (std::uint16_t i = 0; i < exchange_.server_count(); ++i) {
    if (ServerId{i} != exchange_.self()) {
      others.push_back(ServerId{i});
    }
  }
  const wire::TellMovesRequest request{.number = meta_.moves()};
  auto telling = ask_all(std::move(others), request, deadline_ns);
  // Whom it does not reach serves nobody either, or has clients whose leases end soon.
  const auto ignored = co_await telling;
  static_cast<void>(ignored);
}

// ---- At all servers

NamespaceService::Handling<wire::DirectoryParentReply> NamespaceService::directory_parent(
    Context /*context*/, wire::DirectoryParentRequest request) {
  const meta::Directory* directory = meta_.find_directory(request.directory);
  if (directory == nullptr) {
    co_return fail(Errc::kStale, "directory_parent");
  }
  co_return wire::DirectoryParentReply{.parent = directory->parent};
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::set_parent(
    Context /*context*/, wire::SetParentRequest request) {
  if (request.directory == kRootInode || request.parent == kNoInode ||
      to_integer(home_of(request.parent)) >= exchange_.server_count()) {
    co_return fail(Errc::kProtocol, "set_parent");
  }
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(auto room, admitting);
  if (meta_.find_directory(request.directory) != nullptr) {
    meta_.set_parent(request.directory, request.parent, request.number, wall_ns());
  }
  room.reset();
  BENCHFS_CO_CHECK(store_.fsync());  // Who asks forgets that this is to be told.
  co_return wire::EmptyReply{};
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::tell_moves(
    Context /*context*/, wire::TellMovesRequest request) {
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  meta_.raise_moves(request.number);
  co_return wire::EmptyReply{};
}

NamespaceService::Handling<wire::MovesReply> NamespaceService::moves(
    Context /*context*/, wire::MovesRequest /*request*/) {
  co_return wire::MovesReply{.number = meta_.moves()};
}

}  // namespace benchfs::server
