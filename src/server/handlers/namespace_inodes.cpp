// Inodes at their home: close, set attributes, unlink, and the clients that were lost.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/units.h"
#include "server/handlers/namespace.h"

namespace benchfs::server {
namespace {

constexpr std::uint32_t kModeMax = 07777;
constexpr std::uint32_t kSetAll =
    wire::kSetMode | wire::kSetUid | wire::kSetGid | wire::kSetAtime | wire::kSetMtime;

/// Opens of a lost client that are closed at once.
constexpr std::size_t kClosesAtOnceMax = 64;

}  // namespace

NamespaceService::Handling<wire::EmptyReply> NamespaceService::close(Context context,
                                                                     wire::CloseRequest request) {
  const meta::Open* open = meta_.find_open(request.open_id);
  if (open == nullptr || open->closing || open->inode != request.inode || context.from_server() ||
      open->client != ClientId{context.peer.id}) {
    co_return fail(Errc::kBadHandle, "close");
  }
  if (request.end_bytes > kFileBytesMax || (request.wrote && !open->writes())) {
    co_return fail(Errc::kProtocol, "close.end");
  }
  meta_.set_closing(request.open_id);
  auto closing = settle_and_close(request.open_id, request, context.deadline_ns, context);
  const Status closed = co_await closing;
  if (!closed.has_value()) {
    // It is closed all the same, and a repeat would find no open.
    exchange_.outcomes().keep_failure(context.operation, context.op, closed.error());
    co_return fail(closed.error());
  }
  co_return wire::EmptyReply{};
}

coro::Task<Status> NamespaceService::settle_and_close(std::uint64_t open_id,
                                                      wire::CloseRequest claim,
                                                      std::uint64_t deadline_ns, Context context) {
  const meta::Open open = *meta_.find_open(open_id);
  BENCHFS_ASSERT(open.closing);
  Status outcome;
  if (open.writes() && (claim.wrote || !claim.complete)) {
    outcome = co_await settle(open_id, claim, deadline_ns);
  }
  auto admitting = ledger_.admit();
  auto room = co_await admitting;
  if (!room.has_value()) {
    unclosed_.push_back(open_id);  // It stays, and is not used, until the log has room again.
    ask_again_later();
    co_return fail(room.error());
  }
  if (!outcome.has_value()) {
    meta_.mark_unsettled(open.inode);  // Whoever asks for the size asks the data servers again.
  }
  if (claim.counter != 0) {
    counters_.drop(open.inode, {.opener = open.client, .number = claim.counter});
  }
  Numbers owed;
  if (meta_.close(open_id)) {
    owed = remove_file(open.inode);
  } else if (meta_.find_use(open.inode) == nullptr && !may_be_opened_again(open.inode)) {
    appends_.drop(open.inode);
  }
  if (claim.wrote && outcome.has_value()) {
    keep(context, wire::EmptyReply{});
  }
  room->reset();
  co_await pay(std::move(owed), clean_up_deadline_ns(deadline_ns));
  co_return outcome;
}

coro::Task<Status> NamespaceService::settle(std::uint64_t open_id, wire::CloseRequest claim,
                                            std::uint64_t deadline_ns) {
  const InodeId file = meta_.find_open(open_id)->inode;
  InodeLocks::LockOp locking(inode_locks_, file, deadline_ns);
  BENCHFS_CO_TRY(const auto guard, locking);
  // The open keeps the file, and what counts its use.
  Room room;
  const bool no_truncate_since = meta_.find_use(file)->truncate_epoch == claim.truncate_epoch;
  if (claim.complete && no_truncate_since) {
    auto admitting = ledger_.admit();
    BENCHFS_CO_TRY(room, admitting);
    meta_.raise_size(file, claim.end_bytes);
    meta_.touch_written(file, open_id, wall_ns());
    co_return Status();
  }
  BENCHFS_CO_TRY(const auto end_bytes, ask_data_end(file, deadline_ns));
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(room, admitting);
  if (!claim.complete) {
    // A write that nobody waits for any more may still end. What it leaves goes with the file.
    meta_.expect_data(file);
  }
  const bool wrote = claim.wrote || end_bytes > meta_.find_file(file)->size_bytes;
  meta_.raise_size(file, end_bytes);
  if (wrote) {
    meta_.touch_written(file, open_id, wall_ns());
  }
  co_return Status();
}

coro::Task<void> NamespaceService::give_up_absent() {
  const std::uint64_t now_ns = loop_.now_ns();
  absence_due_ns_ = UINT64_MAX;
  std::vector<ClientId> given_up;
  for (auto next = absent_.begin(); next != absent_.end();) {
    auto& [client, absence] = *next;
    if (absence.ends_ns() <= now_ns && !absence.closed) {
      absence.closed = true;
      close_opens_of(client);
      given_up.push_back(client);
    }
    if (absence.ends_ns() <= now_ns) {
      exchange_.outcomes().forget(client);
      next = absent_.erase(next);
    } else {
      absence_due_ns_ = std::min(absence_due_ns_, absence.ends_ns());
      ++next;
    }
  }
  if (!absent_.empty()) {
    loop_.timers().arm(absence_timer_, absence_due_ns_);
  }
  auto releasing = release_locks_of(std::move(given_up));
  co_await releasing;
}

void NamespaceService::close_opens_of(ClientId client) {
  for (Opening* opening = openings_; opening != nullptr; opening = opening->next_) {
    opening->lost_ = opening->lost_ || opening->client_ == client;
  }
  std::vector<std::uint64_t> open_ids = meta_.opens_of(client);
  if (open_ids.empty()) {
    return;
  }
  for (const std::uint64_t open_id : open_ids) {
    meta_.set_closing(open_id);
  }
  scope_.spawn(close_opens_of_lost(std::move(open_ids)));
}

coro::Task<void> NamespaceService::close_opens_of_lost(std::vector<std::uint64_t> open_ids) {
  for (std::size_t begin = 0; begin < open_ids.size(); begin += kClosesAtOnceMax) {
    const std::size_t end = std::min(open_ids.size(), begin + kClosesAtOnceMax);
    const std::uint64_t deadline_ns = loop_.now_ns() + kTimeoutNsDefault;
    std::vector<coro::Task<Status>> closes;
    for (std::size_t i = begin; i < end; ++i) {
      const meta::Open open = *meta_.find_open(open_ids[i]);
      if (open.writes()) {
        auto admitting = ledger_.admit();
        const auto room = co_await admitting;
        if (room.has_value()) {
          meta_.note_lost_writer(open.inode);
        }
      }
      // Nobody knows what it wrote.
      const wire::CloseRequest claim{.complete = false};
      closes.push_back(settle_and_close(open_ids[i], claim, deadline_ns));
    }
    auto closing = coro::when_all(std::move(closes));
    const auto outcomes = co_await closing;
    for (const Status& outcome : outcomes) {
      if (!outcome.has_value()) {
        log_warning("a file of a lost client has no settled size yet: {}",
                    to_string(outcome.error()));
      }
    }
  }
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::set_attributes(
    Context context, wire::SetAttrRequest request) {
  if ((request.mask & ~kSetAll) != 0 ||
      ((request.mask & wire::kSetMode) != 0 && request.mode > kModeMax)) {
    co_return fail(Errc::kProtocol, "setattr.mask");
  }
  auto admitting = ledger_.admit_bytes(kUnitBytesMax + meta::kLinkRowBytesMax);
  BENCHFS_CO_TRY(const auto room, admitting);
  if (meta_.find_link(request.inode) != nullptr) {
    if ((request.mask & wire::kSetMode) != 0) {
      co_return fail(Errc::kUnsupported, "setattr.link");
    }
  } else if (meta_.find_file(request.inode) == nullptr &&
             meta_.find_directory(request.inode) == nullptr) {
    co_return fail(Errc::kStale, "setattr");
  }
  meta_.set_attributes(request.inode, request, wall_ns());
  keep(context, wire::EmptyReply{});
  co_return wire::EmptyReply{};
}

NamespaceService::Handling<wire::EmptyReply> NamespaceService::unlink_inode(
    Context context, wire::UnlinkInodeRequest request) {
  auto admitting = ledger_.admit();
  BENCHFS_CO_TRY(auto room, admitting);
  // Told twice, it is done once.
  Numbers owed = drop_name(request.inode);
  room.reset();
  BENCHFS_CO_CHECK(store_.fsync());  // Who asks forgets that the name is to go.
  co_await pay(std::move(owed), clean_up_deadline_ns(context.deadline_ns));
  co_return wire::EmptyReply{};
}

}  // namespace benchfs::server
