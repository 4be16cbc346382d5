// Names: lookup, open, mkdir, unlink.

#include <utility>

#include "server/handlers/namespace.h"

namespace benchfs::server {
namespace {

constexpr std::uint32_t kModeMax = 07777;

/// Whether an entry of this type may be opened with these flags.
Status check_type(wire::FileType type, std::uint32_t flags) {
  if (type == wire::FileType::kSymlink) {
    return {};  // It is told, and the asker follows it.
  }
  const bool wants_directory = (flags & wire::kOpenDirectory) != 0;
  if (type == wire::FileType::kFile) {
    return wants_directory ? fail(Errc::kNotDirectory, "open.type") : Status();
  }
  const std::uint32_t changing =
      wire::kOpenWrite | wire::kOpenTruncate | wire::kOpenAppend | wire::kOpenCreate;
  if (!wants_directory || (flags & changing) != 0) {
    return fail(Errc::kIsDirectory, "open.type");
  }
  return {};
}

Status check_open(const wire::OpenRequest& request, std::uint16_t server_count) {
  if ((request.flags & ~wire::kOpenFlagsAll) != 0 || request.mode > kModeMax) {
    return fail(Errc::kProtocol, "open.flags");
  }
  if ((request.flags & wire::kOpenCreate) == 0) {
    return {};
  }
  if ((request.flags & wire::kOpenDirectory) != 0) {
    return fail(Errc::kInvalid, "open.flags");
  }
  const wire::Layout& layout = request.layout;
  if (layout.chunk_bytes == 0 || layout.chunk_bytes > wire::kChunkBytesMax ||
      layout.stripe_count > server_count) {
    return fail(Errc::kInvalid, "open.layout");
  }
  return {};
}

}  // namespace

NamespaceService::Handling<wire::FoundEntry> NamespaceService::lookup(Context context,
                                                                      wire::LookupRequest request) {
  BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
  EntryLocks::Guard guard;
  BENCHFS_CO_CHECK(enter_entry(request.key, guard, context.deadline_ns));
  const auto entry = find_entry(request.key);
  if (!entry.has_value()) {
    co_return fail(Errc::kNotFound, "lookup");
  }
  co_return describe(*entry);
}

NamespaceService::Handling<wire::OpenReply> NamespaceService::open(Context context,
                                                                   wire::OpenRequest request) {
  if (context.from_server()) {
    co_return fail(Errc::kPermission, "open.asker");
  }
  const Opening opening(*this, context);
  BENCHFS_CO_CHECK_NOW(check_open(request, exchange_.server_count()));
  auto before = exchange_.outcomes().find_earlier<wire::OpenReply>(context.operation, context.op);
  if (before.has_value()) {
    BENCHFS_CO_TRY_NOW(wire::OpenReply reply, std::move(*before));
    auto opening_again = open_as_before(context, reply, request.flags);
    co_return co_await opening_again;
  }
  BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
  EntryLocks::Guard guard;
  Room room;
  if ((request.flags & wire::kOpenCreate) != 0) {
    BENCHFS_CO_CHECK(enter_to_change(request.key, guard, room, context.deadline_ns));
  } else {
    BENCHFS_CO_CHECK(enter_entry(request.key, guard, context.deadline_ns));
  }
  const auto named = meta_.find_entry(request.key);
  const auto entry = named.has_value() && stands(*named) ? named : std::nullopt;
  if (entry.has_value()) {
    room.reset();
    if ((request.flags & wire::kOpenCreate) != 0 && (request.flags & wire::kOpenExclusive) != 0) {
      co_return fail(Errc::kExists, "open");
    }
    BENCHFS_CO_CHECK_NOW(check_type(entry->type, request.flags));
    if (entry->type != wire::FileType::kFile || !meta_.is_home_of(entry->inode)) {
      co_return wire::OpenReply{.entry = describe(*entry)};
    }
    if (opening.client_lost()) {
      co_return fail(Errc::kPeerLost, "open.client");
    }
    guard.unlock();
    auto opening_file = open_file(context, entry->inode, request.flags);
    auto opened = co_await opening_file;
    if (!opened.has_value() && opened.error().code == Errc::kStale) {
      // Unlinked while it waited for room: then there is another file by now, or none.
      auto opening_again = this->open(context, std::move(request));
      co_return co_await opening_again;
    }
    co_return opened;
  }
  if ((request.flags & wire::kOpenCreate) == 0) {
    co_return fail(Errc::kNotFound, "open");
  }
  // Nothing may suspend from here on: a file is created for a client that is there to close it.
  if (opening.client_lost()) {
    co_return fail(Errc::kPeerLost, "open.client");
  }
  BENCHFS_CO_CHECK_NOW(may_grow());
  if (named.has_value()) {
    meta_.erase_entry(request.key, wall_ns());  // Stands for an inode that is no more.
  }
  wire::Layout layout = request.layout;
  if (layout.stripe_count == 0) {
    layout.stripe_count = exchange_.server_count();
  }
  const InodeId file =
      meta_.create_file(request.key, {.mode = request.mode, .uid = request.uid, .gid = request.gid},
                        layout, wall_ns());
  const wire::OpenReply reply =
      opened(meta_.open(file, opening.client(), request.flags), /*created=*/true);
  keep(context, reply);
  co_return reply;
}

wire::OpenReply NamespaceService::opened(std::uint64_t open_id, bool created) const {
  const InodeId file = meta_.find_open(open_id)->inode;
  return {.entry = {.local = true, .attributes = meta_.attributes_of_file(file)},
          .created = created,
          .open_id = open_id,
          .truncate_epoch = meta_.find_use(file)->truncate_epoch};
}

coro::Task<Result<wire::OpenReply>> NamespaceService::open_as_before(Context context,
                                                                     wire::OpenReply before,
                                                                     std::uint32_t flags) {
  const InodeId file = before.entry.attributes.inode;
  if (!meta_.is_home_of(file)) {
    co_return fail(Errc::kCorrupt, "open.before");
  }
  const std::uint32_t lasting =
      wire::kOpenRead | wire::kOpenWrite | wire::kOpenAppend | wire::kOpenDirectory;
  auto opening_file = open_file(context, file, flags & lasting);
  BENCHFS_CO_TRY(auto reply, opening_file);
  reply.created = before.created;
  co_return reply;
}

NamespaceService::Handling<wire::OpenReply> NamespaceService::open_inode(
    Context context, wire::OpenInodeRequest request) {
  if (context.from_server()) {
    co_return fail(Errc::kPermission, "open_inode.asker");
  }
  if ((request.flags & ~wire::kOpenFlagsAll) != 0) {
    co_return fail(Errc::kProtocol, "open_inode.flags");
  }
  auto before = exchange_.outcomes().find_earlier<wire::OpenReply>(context.operation, context.op);
  if (before.has_value()) {
    BENCHFS_CO_TRY_NOW(wire::OpenReply reply, std::move(*before));
    auto opening_again = open_as_before(context, reply, request.flags);
    co_return co_await opening_again;
  }
  if (meta_.find_directory(request.inode) != nullptr) {
    BENCHFS_CO_CHECK_NOW(check_type(wire::FileType::kDirectory, request.flags));
    const meta::Entry entry{.inode = request.inode, .type = wire::FileType::kDirectory};
    co_return wire::OpenReply{.entry = describe(entry)};
  }
  const meta::File* file = meta_.find_file(request.inode);
  const bool again = request.known_open_id != 0;
  if (file == nullptr || (!file->linked && !again) ||
      (again && (request.flags & wire::kOpenTruncate) != 0)) {
    co_return fail(Errc::kStale, "open_inode");
  }
  BENCHFS_CO_CHECK_NOW(check_type(wire::FileType::kFile, request.flags));
  const bool wants_to_write = (request.flags & wire::kOpenWrite) != 0;
  const meta::Open* const known = again ? meta_.find_open(request.known_open_id) : nullptr;
  if (known != nullptr && !known->closing && known->inode == request.inode &&
      known->client == ClientId{context.peer.id} && known->writes() == wants_to_write) {
    co_return opened(request.known_open_id, false);
  }
  auto opening_file = open_file(context, request.inode, request.flags);
  co_return co_await opening_file;
}

coro::Task<Result<wire::OpenReply>> NamespaceService::open_file(Context context, InodeId file,
                                                                std::uint32_t flags) {
  const Opening opening(*this, context);
  Room room;
  if ((flags & wire::kOpenWrite) != 0) {
    auto admitting = ledger_.admit();
    BENCHFS_CO_TRY(room, admitting);
    if (opening.client_lost()) {
      co_return fail(Errc::kPeerLost, "open.client");
    }
  }
  if (meta_.find_file(file) == nullptr) {
    co_return fail(Errc::kStale, "open");
  }
  // Opened first, so that the file stays while it is being truncated.
  const std::uint64_t open_id = meta_.open(file, opening.client(), flags);
  room.reset();
  if ((flags & wire::kOpenTruncate) != 0) {
    const auto truncated = co_await truncate_file(context, file, 0, open_id);
    const meta::Open* open = meta_.find_open(open_id);
    if (open == nullptr || open->closing) {
      co_return fail(Errc::kPeerLost, "open.client");  // Its loss has closed, or is closing.
    }
    if (!truncated.has_value()) {
      meta_.set_closing(open_id);
      // It wrote nothing, so this asks nobody about sizes.
      co_await settle_and_close(open_id, wire::CloseRequest{}, context.deadline_ns);
      co_return fail(truncated.error());
    }
  }
  co_return opened(open_id, false);
}

NamespaceService::Handling<wire::FoundEntry> NamespaceService::mkdir(Context context,
                                                                     wire::MkdirRequest request) {
  if (request.mode > kModeMax) {
    co_return fail(Errc::kProtocol, "mkdir.mode");
  }
  BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
  EntryLocks::Guard guard;
  Room room;
  BENCHFS_CO_CHECK(enter_to_change(request.key, guard, room, context.deadline_ns));
  if (find_entry(request.key).has_value()) {
    co_return fail(Errc::kExists, "mkdir");
  }
  BENCHFS_CO_CHECK_NOW(may_grow());
  if (meta_.find_entry(request.key).has_value()) {
    meta_.erase_entry(request.key, wall_ns());  // Stands for an inode that is no more.
  }
  const InodeId directory = meta_.create_directory(
      request.key, {.mode = request.mode, .uid = request.uid, .gid = request.gid}, wall_ns());
  const wire::FoundEntry made = describe({.inode = directory, .type = wire::FileType::kDirectory});
  keep(context, made);
  co_return made;
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::unlink(Context context,
                                                                      wire::UnlinkRequest request) {
  BENCHFS_CO_CHECK_NOW(check_moves(request.moves));
  EntryLocks::Guard guard;
  Room room;
  BENCHFS_CO_CHECK(lock_to_change(request.key, guard, room, context.deadline_ns));
  const auto entry = meta_.find_entry(request.key);
  if (!entry.has_value()) {
    co_return fail(Errc::kNotFound, "unlink");
  }
  if (entry->type == wire::FileType::kDirectory) {
    co_return fail(Errc::kIsDirectory, "unlink");
  }
  meta_.erase_entry(request.key, wall_ns());
  Numbers owed = drop_name(entry->inode);
  keep(context, wire::EmptyReply{});
  room.reset();
  guard.unlock();
  // It is done, whoever is away now; but who is there has heard of it when it is told.
  co_await pay(std::move(owed), clean_up_deadline_ns(context.deadline_ns));
  co_return wire::EmptyReply{};
}

}  // namespace benchfs::server
