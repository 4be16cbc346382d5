// Renames of files and links between any two entries. (Of directories: namespace_moves.cpp.)
//
// Both entries are locked, the smaller key first, so that two renames never wait for each other. At
// one server both change in one unit. Between two, the source's server is the coordinator: the
// target writes down that its entry is locked, the coordinator that the source's entry is gone and
// the target's to be set (the decision), then the target sets it (namespace_prepared.cpp). What is
// not decided is given up (presumed abort): a target that hears nothing asks, and the coordinator
// knows of nothing. Each step is on the drive before the next one: a power failure at one server
// leaves no file with two names, or with none.

#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {
namespace {

/// Whether the client may ask again under the same number when it is told so.
bool may_be_tried_again(Errc code) {
  return code == Errc::kAgain || code == Errc::kBusy || code == Errc::kPeerLost ||
         code == Errc::kTimedOut;
}

}  // namespace

NamespaceService::Handling<wire::EmptyReply> NamespaceService::rename(Context context,
                                                                      wire::RenameRequest request) {
  if (request.to.parent == kNoInode || !wire::is_valid_name(request.to.name)) {
    co_return fail(Errc::kProtocol, "rename.to");
  }
  BENCHFS_CO_CHECK_NOW(check_key(request.from));
  auto renaming = rename_anything(context, std::move(request));
  const auto outcome = co_await renaming;
  // A repeat of a directory's rename may have met the first, or have been overtaken by it.
  auto known = exchange_.outcomes().find<wire::EmptyReply>(context.operation, context.op);
  if (known.has_value()) {
    co_return std::move(*known);
  }
  if (outcome.has_value()) {
    co_return wire::EmptyReply{};
  }
  if (!may_be_tried_again(outcome.error().code)) {
    // What was asked of the coordinator before a loss of its connection may still be on its way.
    exchange_.outcomes().keep_failure(context.operation, context.op, outcome.error());
  }
  co_return fail(outcome.error());
}

coro::Task<Status> NamespaceService::rename_anything(Context context, wire::RenameRequest request) {
  for (bool first = true;; first = false) {
    auto asking = names_directory(request.from, context.deadline_ns);
    BENCHFS_CO_TRY(const bool is_directory, asking);
    if (exchange_.outcomes().contains(context.operation)) {
      co_return Status();  // It was decided, and this server has heard so while this waited.
    }
    if (first) {
      BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
    }
    Status outcome;
    if (is_directory && request.from != request.to) {
      const wire::MoveDirectoryRequest move{.from = request.from,
                                            .to = request.to,
                                            .client = context.operation.client,
                                            .operation = context.operation.number,
                                            .asked_by_run = run_};
      auto moving = exchange_.ask(home_of(kRootInode), move, context.deadline_ns);
      const auto moved = co_await moving;
      outcome = moved.has_value() ? Status() : fail(moved.error());
    } else {
      auto renaming = rename_file(context, request);
      outcome = co_await renaming;
    }
    // Again: the name stands for something of another kind by now; or what was asked of the
    // coordinator before, over a connection that is lost, is done or will be.
    if (outcome.has_value() ||
        (outcome.error().code != Errc::kAgain && !is_prepared(context.operation))) {
      co_return outcome;
    }
    BENCHFS_CO_CHECK_NOW(in_time(context.deadline_ns));
  }
}

coro::Task<Result<bool>> NamespaceService::names_directory(const wire::EntryKey& from,
                                                           std::uint64_t deadline_ns) {
  EntryLocks::Guard guard;
  BENCHFS_CO_CHECK(enter_entry(from, guard, deadline_ns));
  const std::optional<meta::Entry> entry = find_entry(from);
  co_return entry.has_value() && entry->type == wire::FileType::kDirectory;
}

coro::Task<Status> NamespaceService::rename_file(Context context, wire::RenameRequest request) {
  const ServerId target =
      placement::entry_server(request.to.parent, request.to.name, exchange_.server_count());
  auto renaming = target == exchange_.self() ? rename_here(context, std::move(request))
                                             : rename_across(context, std::move(request), target);
  co_return co_await renaming;
}

Result<meta::Entry> NamespaceService::rename_source(const wire::EntryKey& from) const {
  const std::optional<meta::Entry> entry = find_entry(from);
  if (!entry.has_value()) {
    return fail(Errc::kNotFound, "rename.from");
  }
  if (entry->type == wire::FileType::kDirectory) {
    return fail(Errc::kAgain, "rename.directory");
  }
  return *entry;
}

coro::Task<Status> NamespaceService::rename_here(Context context, wire::RenameRequest request) {
  const std::uint64_t deadline_ns = context.deadline_ns;
  EntryLocks::Guard first;
  EntryLocks::Guard second;
  if (request.from == request.to) {
    BENCHFS_CO_CHECK(enter_entry(request.from, first, deadline_ns));
    co_return find_entry(request.from).has_value() ? Status() : fail(Errc::kNotFound, "rename");
  }
  const bool from_first = request.from < request.to;
  const wire::EntryKey& smaller = from_first ? request.from : request.to;
  const wire::EntryKey& larger = from_first ? request.to : request.from;
  BENCHFS_CO_CHECK(lock_entry(smaller, first, deadline_ns));
  BENCHFS_CO_CHECK(lock_entry(larger, second, deadline_ns));
  Room room;
  BENCHFS_CO_CHECK(admit_attached(smaller.parent, larger.parent, room, deadline_ns));
  BENCHFS_CO_TRY_NOW(const meta::Entry moved, rename_source(request.from));
  const std::optional<meta::Entry> replaced = find_entry(request.to);
  if (replaced.has_value() && replaced->type == wire::FileType::kDirectory) {
    co_return fail(Errc::kIsDirectory, "rename.to");
  }
  meta_.rename_entry(request.from, request.to, wall_ns());
  Numbers owed;
  if (replaced.has_value() && replaced->inode != moved.inode) {
    owed = drop_name(replaced->inode);
  }
  keep(context, wire::EmptyReply{});
  room.reset();
  first.unlock();
  second.unlock();
  co_await pay(std::move(owed), clean_up_deadline_ns(deadline_ns));
  co_return Status();
}

coro::Task<Status> NamespaceService::admit_attached(InodeId first, InodeId second, Room& room,
                                                    std::uint64_t deadline_ns) {
  for (;;) {
    // While locks were waited for, a directory may have been detached.
    BENCHFS_CO_CHECK(ensure_attached(first, deadline_ns));
    BENCHFS_CO_CHECK(ensure_attached(second, deadline_ns));
    auto admitting = ledger_.admit();
    BENCHFS_CO_TRY(room, admitting);
    if (meta_.attached(first) && meta_.attached(second)) {
      co_return in_time(deadline_ns);
    }
    room.reset();
  }
}

coro::Task<Status> NamespaceService::rename_across(Context context, wire::RenameRequest request,
                                                   ServerId target) {
  const std::uint64_t rename_id = debts_.new_number();
  const Undecided::Entry undecided(undecided_, rename_id);
  auto renaming = rename_with(context, std::move(request), target, rename_id);
  co_return co_await renaming;
}

coro::Task<Status> NamespaceService::rename_with(Context context, wire::RenameRequest request,
                                                 ServerId target, std::uint64_t rename_id) {
  const std::uint64_t deadline_ns = context.deadline_ns;
  EntryLocks::Guard guard;
  const bool from_first = request.from < request.to;
  if (from_first) {
    BENCHFS_CO_CHECK(lock_entry(request.from, guard, deadline_ns));
    // Also saves the question when there is nothing to rename.
    BENCHFS_CO_CHECK_NOW(rename_source(request.from));
  }
  const wire::RenamePrepareRequest prepare{.key = request.to, .rename_id = rename_id};
  auto preparing = exchange_.ask(target, prepare, deadline_ns);
  const auto prepared = co_await preparing;
  if (!prepared.has_value()) {
    co_return fail(prepared.error());
  }
  Status outcome;
  if (!from_first) {
    outcome = co_await lock_entry(request.from, guard, deadline_ns);
  }
  std::uint64_t number = 0;
  if (outcome.has_value()) {
    const auto decided = co_await decide(context, request, target, rename_id, *prepared);
    if (decided.has_value()) {
      number = *decided;
    } else {
      outcome = fail(decided.error());
    }
  }
  if (!outcome.has_value()) {
    co_await abort_rename(target, rename_id, deadline_ns);
    co_return outcome;
  }
  guard.unlock();
  // It is done, also if the target does not hear of it now. Until it does, nobody looks up the new
  // name there.
  Numbers owed{number};
  co_await pay(std::move(owed), clean_up_deadline_ns(deadline_ns));
  co_return Status();
}

coro::Task<Result<std::uint64_t>> NamespaceService::decide(Context context,
                                                           wire::RenameRequest request,
                                                           ServerId target, std::uint64_t rename_id,
                                                           wire::RenamePrepareReply prepared) {
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  BENCHFS_CO_CHECK_NOW(in_time(context.deadline_ns));
  BENCHFS_CO_TRY_NOW(const meta::Entry moved, rename_source(request.from));
  if (prepared.target_exists && prepared.target_type == wire::FileType::kDirectory) {
    co_return fail(Errc::kIsDirectory, "rename.to");
  }
  if (undecided_.is_given_up(rename_id)) {
    co_return fail(Errc::kPeerLost, "rename.given_up");  // The target has been told so.
  }
  // The entry's lock is held, so it is there, and its shard cannot have been detached.
  meta_.erase_entry(request.from, wall_ns());
  keep(context, wire::EmptyReply{});
  co_return debts_.add({.kind = ObligationKind::kCommitRename,
                        .inode = moved.inode,
                        .type = moved.type,
                        .layout = {},
                        .target = target,
                        .rename_id = rename_id});
}

coro::Task<void> NamespaceService::abort_rename(ServerId target, std::uint64_t rename_id,
                                                std::uint64_t deadline_ns) {
  const wire::RenameCommitRequest nothing{.rename_id = rename_id, .inode = kNoInode};
  auto asking = exchange_.ask(target, nothing, deadline_ns);
  // If it cannot be told, the target asks: at the lock's deadline, or when it loses us.
  const auto ignored = co_await asking;
  static_cast<void>(ignored);
}

NamespaceService::Handling<wire::RenameOutcomeReply> NamespaceService::rename_outcome(
    Context context, wire::RenameOutcomeRequest request) {
  const ServerId target{static_cast<std::uint16_t>(context.peer.id)};
  if (const Obligation* owed = debts_.find_rename(request.rename_id, target); owed != nullptr) {
    if (untold_moves_.contains(owed->number)) {
      co_return fail(Errc::kBusy, "rename.untold");  // It will be told soon, or asks again.
    }
    const wire::RenameOutcomeReply decided{.inode = owed->inode, .type = owed->type};
    BENCHFS_CO_CHECK(store_.fsync());
    co_return decided;
  }
  // What is said here holds: it is not decided any more.
  undecided_.give_up(request.rename_id);
  co_return wire::RenameOutcomeReply{};
}

}  // namespace benchfs::server
