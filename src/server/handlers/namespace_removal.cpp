// rmdir. The entry's server and the directory's home are one server mostly: then name and directory
// go in one unit. Otherwise the entry's server coordinates, as for a rename between two servers:
// the home writes down that the directory is closed, the entry's server that the name is gone and
// the directory to go (the decision), then the home removes it.

#include <utility>

#include "server/handlers/namespace_prepared.h"

namespace benchfs::server {
namespace {

constexpr std::size_t kHoldersPerUnit = 8;
static_assert(kHoldersPerUnit <= kUnitRecordsMax);

}  // namespace

NamespaceService::Handling<wire::EmptyReply> NamespaceService::rmdir(Context context,
                                                                     wire::RmdirRequest request) {
  BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
  EntryLocks::Guard guard;
  BENCHFS_CO_CHECK(lock_entry(request.key, guard, context.deadline_ns));
  const auto entry = meta_.find_entry(request.key);
  if (!entry.has_value()) {
    co_return fail(Errc::kNotFound, "rmdir");
  }
  if (entry->type != wire::FileType::kDirectory) {
    co_return fail(Errc::kNotDirectory, "rmdir");
  }
  auto removing = meta_.is_home_of(entry->inode)
                      ? remove_here(context, request.key, entry->inode)
                      : remove_across(context, request.key, entry->inode, guard);
  BENCHFS_CO_CHECK(removing);
  co_return wire::EmptyReply{};
}

coro::Task<Status> NamespaceService::remove_here(Context context, wire::EntryKey key,
                                                 InodeId directory) {
  const std::uint64_t deadline_ns = context.deadline_ns;
  InodeLocks::Guard guard;
  const auto closed = co_await close_directory(directory, guard, deadline_ns);
  // One that is no more has left its name behind, which goes now.
  if (!closed.has_value() && closed.error().code != Errc::kStale) {
    co_return closed;
  }
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  BENCHFS_CO_CHECK_NOW(in_time(deadline_ns));
  meta_.erase_entry(key, wall_ns());  // Locked: it is what it was.
  if (closed.has_value()) {
    meta_.remove_directory(directory);
  }
  keep(context, wire::EmptyReply{});
  co_return Status();
}

coro::Task<Status> NamespaceService::remove_across(Context context, wire::EntryKey key,
                                                   InodeId directory, EntryLocks::Guard& guard) {
  const std::uint64_t deadline_ns = context.deadline_ns;
  const ServerId home = home_of(directory);
  const std::uint64_t rename_id = debts_.new_number();
  const Undecided::Entry undecided(undecided_, rename_id);
  const wire::RemoveDirectoryRequest prepare{.directory = directory, .rename_id = rename_id};
  auto preparing = exchange_.ask(home, prepare, deadline_ns);
  const auto prepared = co_await preparing;
  if (!prepared.has_value() && prepared.error().code != Errc::kStale) {
    co_return fail(prepared.error());  // If it was prepared all the same, the home asks.
  }
  auto admitting = ledger_.admit();
  auto room = co_await admitting;
  Status outcome = room.has_value() ? in_time(deadline_ns) : fail(room.error());
  if (outcome.has_value() && undecided_.is_given_up(rename_id)) {
    outcome = fail(Errc::kPeerLost, "rmdir.given_up");  // The home has been told so.
  }
  if (!outcome.has_value()) {
    if (room.has_value()) {
      room->reset();
    }
    co_await abort_rename(home, rename_id, deadline_ns);
    co_return outcome;
  }
  meta_.erase_entry(key, wall_ns());
  Numbers owed;
  if (prepared.has_value()) {
    owed.push_back(debts_.add({.kind = ObligationKind::kCommitRename,
                               .inode = directory,
                               .type = wire::FileType::kDirectory,
                               .layout = {},
                               .target = home,
                               .rename_id = rename_id}));
  }
  keep(context, wire::EmptyReply{});
  room->reset();
  guard.unlock();
  co_await pay(std::move(owed), clean_up_deadline_ns(deadline_ns));
  co_return Status();
}

// ---- At the home

coro::Task<Status> NamespaceService::close_directory(InodeId directory, InodeLocks::Guard& guard,
                                                     std::uint64_t deadline_ns) {
  if (directory == kRootInode) {
    co_return fail(Errc::kBusy, "remove_directory.root");
  }
  InodeLocks::LockOp locking(inode_locks_, directory, deadline_ns);
  BENCHFS_CO_TRY(guard, locking);
  if (meta_.find_directory(directory) == nullptr) {
    co_return fail(Errc::kStale, "remove_directory");
  }
  // Asked first, so that a directory that is not empty stays attached everywhere, and for the times
  // that holders forget when they detach.
  BENCHFS_CO_TRY(const auto usage, collect_usage(directory, deadline_ns));
  if (usage.entry_count > 0) {
    co_return fail(Errc::kNotEmpty, "remove_directory");
  }
  // While the lock is held nobody attaches, so the holders can only become fewer, and only here.
  const std::vector<ServerId> holders = meta_.holders(directory);
  const wire::DetachDirectoryRequest detach{.directory = directory};
  auto detaching = ask_all(holders, detach, deadline_ns);
  const auto answers = co_await detaching;
  Room room;
  Status outcome;
  for (std::size_t i = 0; i < holders.size(); ++i) {
    // There may be more holders than fit a unit; that there are fewer and fewer is no harm.
    if (i % kHoldersPerUnit == 0) {
      room.reset();
      auto admitting = ledger_.admit();
      BENCHFS_CO_TRY(room, admitting);
    }
    if (answers[i].has_value()) {
      meta_.remove_holder(directory, holders[i]);
    } else {
      outcome = fail(answers[i].error());
    }
  }
  room.reset();
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(room, admitting);
  // If it stays, whoever has detached attaches again when it needs to.
  meta_.raise_directory_mtime(directory, usage.mtime_ns);
  co_return outcome;
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::remove_directory(
    Context context, wire::RemoveDirectoryRequest request) {
  const RenameKey rename{.coordinator = ServerId{static_cast<std::uint16_t>(context.peer.id)},
                         .rename_id = request.rename_id};
  const std::uint64_t losses = server_losses_[rename.coordinator];
  InodeLocks::Guard guard;
  BENCHFS_CO_CHECK(close_directory(request.directory, guard, context.deadline_ns));
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(auto room, admitting);
  BENCHFS_CO_CHECK_NOW(in_time(context.deadline_ns));
  if (prepared_.contains(rename)) {
    co_return fail(Errc::kProtocol, "remove_directory.id");
  }
  const PreparedRow row{.rename = rename,
                        .role = wire::RenameRole::kRemoval,
                        .key = {},
                        .directory = request.directory};
  auto prepared = std::make_unique<Prepared>(*this, row);
  prepared->directory_guard = std::move(guard);
  hold_prepared(std::move(prepared), losses, context.deadline_ns);
  room.reset();
  BENCHFS_CO_CHECK(store_.fsync());  // The decision rests on it.
  co_return wire::EmptyReply{};
}

}  // namespace benchfs::server
