// How large a file is: get attributes, truncate, append. See meta/README.md.

#include <algorithm>
#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {

NamespaceService::Handling<wire::Attributes> NamespaceService::get_attributes(
    Context context, wire::GetAttrRequest request) {
  const InodeId inode = request.inode;
  if (meta_.find_directory(inode) != nullptr) {
    BENCHFS_CO_TRY(const auto usage, collect_usage(inode, context.deadline_ns));
    if (meta_.find_directory(inode) == nullptr) {
      co_return fail(Errc::kStale, "getattr");
    }
    co_return meta_.attributes_of_directory(inode, usage);
  }
  if (meta_.find_link(inode) != nullptr) {
    co_return meta_.attributes_of_link(inode);
  }
  if (meta_.find_file(inode) == nullptr) {
    co_return fail(Errc::kStale, "getattr");
  }
  if (!meta_.size_may_be_larger(inode)) {
    co_return meta_.attributes_of_file(inode);
  }
  BENCHFS_CO_TRY(const auto size_bytes, learn_size(inode, context.deadline_ns));
  wire::Attributes attributes = meta_.attributes_of_file(inode);
  attributes.size_bytes = size_bytes;
  co_return attributes;
}

coro::Task<Result<std::uint64_t>> NamespaceService::learn_size(InodeId file,
                                                               std::uint64_t deadline_ns) {
  // Without the lock at first: many may ask at once. Only a truncate that comes between spoils the
  // answer, and then the lock keeps the next one away.
  InodeLocks::Guard guard;
  for (bool disturbed = false;;) {
    if (disturbed || inode_locks_.held(file)) {
      InodeLocks::LockOp locking(inode_locks_, file, deadline_ns);
      BENCHFS_CO_TRY(guard, locking);
    }
    if (meta_.find_file(file) == nullptr) {
      co_return fail(Errc::kStale, "getattr");
    }
    const std::uint64_t marks = meta_.unsettled_marks();
    const std::uint64_t truncations = meta_.truncation_count();
    BENCHFS_CO_TRY(const auto end_bytes, ask_data_end(file, deadline_ns));
    auto admitting = ledger_.admit();
    const auto room = co_await admitting;
    if (meta_.find_file(file) == nullptr) {
      co_return fail(Errc::kStale, "getattr");
    }
    disturbed = !guard && (meta_.truncation_count() != truncations || inode_locks_.held(file));
    if (disturbed) {
      continue;
    }
    // Where nothing can be written down any more, the next one asks again.
    if (room.has_value()) {
      meta_.settle(file, end_bytes, marks);
    }
    co_return std::max(meta_.find_file(file)->size_bytes, end_bytes);
  }
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::truncate(
    Context context, wire::TruncateRequest request) {
  if (request.size_bytes > kFileBytesMax) {
    co_return fail(Errc::kTooLarge, "truncate");
  }
  if (meta_.find_directory(request.inode) != nullptr) {
    co_return fail(Errc::kIsDirectory, "truncate");
  }
  BENCHFS_CO_CHECK(truncate_file(context, request.inode, request.size_bytes));
  co_return wire::EmptyReply{};
}

coro::Task<Status> NamespaceService::truncate_file(Context context, InodeId file,
                                                   std::uint64_t size_bytes,
                                                   std::uint64_t open_id) {
  const std::uint64_t deadline_ns = context.deadline_ns;
  InodeLocks::LockOp locking(inode_locks_, file, deadline_ns);
  BENCHFS_CO_TRY(const auto guard, locking);
  const meta::File* found = meta_.find_file(file);
  if (found == nullptr) {
    co_return fail(Errc::kStale, "truncate");
  }
  // How long the file is may be known by its data servers alone, whom the cut makes forget it: if
  // that fails half way, the size has to be what it was.
  if (meta_.size_may_be_larger(file)) {
    const std::uint64_t marks = meta_.unsettled_marks();
    BENCHFS_CO_TRY(const auto end_bytes, ask_data_end(file, deadline_ns));
    auto admitting_size = ledger_.admit();
    BENCHFS_CO_TRY(const auto size_room, admitting_size);
    if (meta_.find_file(file) == nullptr) {
      co_return fail(Errc::kStale, "truncate");
    }
    meta_.settle(file, end_bytes, marks);
  }
  found = meta_.find_file(file);
  // The data first. If a server fails, the size is still what it was: what has been cut reads as
  // zeros. The other way round the size would be right and old bytes could come back when the file
  // grows.
  if (found->has_data || meta_.size_may_be_larger(file)) {
    const auto cut = co_await cut_data(file, size_bytes, deadline_ns);
    if (meta_.find_file(file) == nullptr) {
      co_return fail(Errc::kStale, "truncate");
    }
    if (!cut.has_value()) {
      meta_.truncate_failed(file);
      co_return fail(cut.error());
    }
  }
  auto admitting = ledger_.admit();
  const auto room = co_await admitting;
  if (meta_.find_file(file) == nullptr) {
    co_return fail(Errc::kStale, "truncate");
  }
  if (!room.has_value()) {
    meta_.truncate_failed(file);
    co_return fail(room.error());
  }
  meta_.truncate(file, size_bytes, wall_ns());
  appends_.drop(file);
  if (open_id == 0) {
    keep(context, wire::EmptyReply{});
  } else if (meta_.find_open(open_id) != nullptr) {
    keep(context, opened(open_id, false));
  }
  co_return Status();
}

NamespaceService::Handling<wire::AppendReply> NamespaceService::append(
    Context context, wire::AppendRequest request) {
  if (request.length_bytes > kFileBytesMax) {
    co_return fail(Errc::kTooLarge, "append");
  }
  const auto may_append = [this, &request] {
    const meta::Open* open = meta_.find_open(request.open_id);
    return open != nullptr && !open->closing && open->inode == request.inode && open->appends();
  };
  if (!may_append()) {
    co_return fail(Errc::kBadHandle, "append");
  }
  InodeLocks::LockOp locking(inode_locks_, request.inode, context.deadline_ns);
  BENCHFS_CO_TRY(const auto guard, locking);
  if (!may_append()) {
    co_return fail(Errc::kBadHandle, "append");
  }
  std::uint64_t data_end_bytes = 0;
  // What appenders write lies in ranges that were given to them; only others may have written
  // behind.
  if (meta_.find_use(request.inode)->plain_writer_count > 0 ||
      meta_.find_file(request.inode)->unsettled || meta_.find_file(request.inode)->writer_lost) {
    BENCHFS_CO_TRY(data_end_bytes, ask_data_end(request.inode, context.deadline_ns));
    if (!may_append()) {
      co_return fail(Errc::kBadHandle, "append");
    }
  }
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(const auto room, admitting);
  if (!may_append()) {
    co_return fail(Errc::kBadHandle, "append");
  }
  BENCHFS_CO_CHECK_NOW(in_time(context.deadline_ns));
  const std::uint64_t begin_bytes = std::max({meta_.find_file(request.inode)->size_bytes,
                                              meta_.find_use(request.inode)->append_end_bytes,
                                              appends_.find(request.inode), data_end_bytes});
  if (request.length_bytes > kFileBytesMax - begin_bytes) {
    co_return fail(Errc::kTooLarge, "append");
  }
  meta_.reserve_append(request.inode, begin_bytes + request.length_bytes);
  appends_.set(request.inode, begin_bytes + request.length_bytes);
  const wire::AppendReply reply{.offset_bytes = begin_bytes};
  keep(context, reply);
  co_return reply;
}

}  // namespace benchfs::server
