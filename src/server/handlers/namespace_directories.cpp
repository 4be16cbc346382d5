// Directories: listing, and which servers may hold entries.

#include <algorithm>
#include <utility>

#include "server/handlers/namespace_prepared.h"

namespace benchfs::server {
NamespaceService::Handling<wire::ReadDirReply> NamespaceService::read_dir(
    Context context, wire::ReadDirRequest request) {
  if (request.entries_max == 0 || request.entries_max > wire::kReadDirEntriesMax) {
    co_return fail(Errc::kProtocol, "readdir.entries_max");
  }
  if (meta_.is_home_of(request.directory) && meta_.find_directory(request.directory) == nullptr) {
    const bool is_other = meta_.find_file(request.directory) != nullptr ||
                          meta_.find_link(request.directory) != nullptr;
    co_return fail(is_other ? Errc::kNotDirectory : Errc::kStale, "readdir");
  }
  BENCHFS_CO_CHECK(wait_for_renames_into(request.directory, context.deadline_ns));
  meta::Page page = meta_.list(request.directory, request.cookie, request.entries_max);
  wire::ReadDirReply reply{.entries = {}, .next_cookie = page.next_cookie, .at_end = page.at_end};
  reply.entries.reserve(page.items.size());
  for (meta::Page::Item& item : page.items) {
    if (!stands(item.entry)) {
      continue;  // On its way out.
    }
    reply.entries.push_back({.name = std::move(item.name), .entry = describe(item.entry)});
  }
  co_return reply;
}

coro::Task<Status> NamespaceService::ensure_attached(InodeId directory, std::uint64_t deadline_ns) {
  while (!meta_.attached(directory)) {
    if (loop_.now_ns() >= deadline_ns) {
      co_return fail(Errc::kTimedOut, "namespace.attach");
    }
    InodeLocks::LockOp locking(attach_locks_, directory, deadline_ns);
    BENCHFS_CO_TRY(const auto guard, locking);
    if (meta_.attached(directory)) {
      break;  // Whom we waited for has attached us.
    }
    const bool is_new = attaching_.try_emplace(directory).second;
    BENCHFS_ASSERT(is_new);
    const wire::AttachDirectoryRequest request{.directory = directory};
    auto asking = exchange_.ask(home_of(directory), request, deadline_ns);
    const auto answer = co_await asking;
    auto admitting = ledger_.admit();
    const auto room = co_await admitting;
    const bool revoked = attaching_.at(directory).revoked;
    attaching_.erase(directory);
    if (!answer.has_value()) {
      co_return fail(answer.error());
    }
    if (!room.has_value()) {
      co_return fail(room.error());
    }
    if (!revoked) {
      meta_.attach(directory);
    }
  }
  co_return Status();
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::attach_directory(
    Context context, wire::AttachDirectoryRequest request) {
  if (context.peer.id >= exchange_.server_count()) {
    co_return fail(Errc::kProtocol, "attach.server");
  }
  // Whoever removes the directory holds the lock until that is decided.
  InodeLocks::LockOp locking(inode_locks_, request.directory, context.deadline_ns);
  BENCHFS_CO_TRY(const auto guard, locking);
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  if (meta_.find_directory(request.directory) == nullptr) {
    co_return fail(Errc::kStale, "attach");
  }
  meta_.add_holder(request.directory, ServerId{static_cast<std::uint16_t>(context.peer.id)});
  co_return wire::EmptyReply{};
}

/// A rename may have been answered whose commit has not come yet.
coro::Task<Status> NamespaceService::wait_for_renames_into(InodeId directory,
                                                           std::uint64_t deadline_ns) {
  std::vector<wire::EntryKey> keys;
  for (const auto& [rename, prepared] : prepared_) {
    if (prepared->row.key.parent == directory) {
      keys.push_back(prepared->row.key);
    }
  }
  for (const wire::EntryKey& key : keys) {
    EntryLocks::LockOp locking(entry_locks_, key, deadline_ns);
    BENCHFS_CO_TRY(const auto guard, locking);
  }
  co_return Status();
}

bool NamespaceService::rename_prepared_into(InodeId directory) const {
  return std::any_of(prepared_.begin(), prepared_.end(), [directory](const auto& item) {
    return item.second->row.key.parent == directory;
  });
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::detach_directory(
    Context /*context*/, wire::DetachDirectoryRequest request) {
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  // The answer to our own question may have been overtaken by this: it grants nothing any more.
  if (const auto found = attaching_.find(request.directory); found != attaching_.end()) {
    found->second.revoked = true;
  }
  if (!meta_.attached(request.directory)) {
    co_return wire::EmptyReply{};
  }
  if (meta_.usage(request.directory).entry_count > 0) {
    co_return fail(Errc::kNotEmpty, "detach");
  }
  if (rename_prepared_into(request.directory)) {
    co_return fail(Errc::kBusy, "detach.rename");
  }
  meta_.detach(request.directory);
  co_return wire::EmptyReply{};
}

NamespaceService::Handling<wire::DirectoryUsageReply> NamespaceService::directory_usage(
    Context /*context*/, wire::DirectoryUsageRequest request) {
  const meta::DirectoryUsage usage = meta_.usage(request.directory);
  co_return wire::DirectoryUsageReply{.entry_count = usage.entry_count,
                                      .directory_count = usage.directory_count,
                                      .mtime_ns = usage.mtime_ns};
}

coro::Task<Result<meta::DirectoryUsage>> NamespaceService::collect_usage(
    InodeId directory, std::uint64_t deadline_ns) {
  const std::vector<ServerId> holders = meta_.holders(directory);
  const wire::DirectoryUsageRequest request{.directory = directory};
  auto asking = ask_all(holders, request, deadline_ns);
  const auto answers = co_await asking;
  meta::DirectoryUsage sum;
  for (const auto& answer : answers) {
    if (!answer.has_value()) {
      co_return fail(answer.error());
    }
    sum.entry_count += answer->entry_count;
    sum.directory_count += answer->directory_count;
    sum.mtime_ns = std::max(sum.mtime_ns, answer->mtime_ns);
  }
  co_return sum;
}

}  // namespace benchfs::server
