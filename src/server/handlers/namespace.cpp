#include "server/handlers/namespace.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "server/handlers/namespace_prepared.h"

namespace benchfs::server {

NamespaceService::NamespaceService(loop::EventLoop& loop, Exchange& exchange,
                                   store::ChunkStore& store, RootOwner root)
    : loop_(loop),
      exchange_(exchange),
      store_(store),
      ledger_(exchange.ledger()),
      keeper_(ledger_, {.names = meta_,
                        .debts = debts_,
                        .appends = appends_,
                        .range_locks = range_locks_,
                        .counters = counters_,
                        .outcomes = exchange.outcomes()}),
      meta_({.self = exchange.self(),
             .server_count = exchange.server_count(),
             .root_uid = root.uid,
             .root_gid = root.gid,
             .now_ns = loop.clock().wall_ns()},
            &keeper_),
      debts_(ledger_, exchange.self(), exchange.server_count()),
      appends_(ledger_, exchange.self()),
      range_locks_(loop, ledger_, exchange.self()),
      counters_(ledger_, exchange.self()),
      entry_locks_(loop),
      attach_locks_(loop),
      inode_locks_(loop),
      move_locks_(loop) {
  constexpr auto kServersOnly = Exchange::Askers::kServersOnly;
  using Self = NamespaceService;
  exchange.on<wire::LookupRequest>(*this, &Self::lookup);
  exchange.on<wire::OpenRequest>(*this, &Self::open);
  exchange.on<wire::MkdirRequest>(*this, &Self::mkdir);
  exchange.on_with_payload<wire::SymlinkRequest>(*this, &Self::symlink);
  exchange.on<wire::ReadLinkRequest>(*this, &Self::read_link);
  exchange.on<wire::UnlinkRequest>(*this, &Self::unlink);
  exchange.on<wire::RmdirRequest>(*this, &Self::rmdir);
  exchange.on<wire::RenameRequest>(*this, &Self::rename);
  exchange.on<wire::ReadDirRequest>(*this, &Self::read_dir);
  exchange.on<wire::OpenInodeRequest>(*this, &Self::open_inode);
  exchange.on<wire::CloseRequest>(*this, &Self::close);
  exchange.on<wire::GetAttrRequest>(*this, &Self::get_attributes);
  exchange.on<wire::SetAttrRequest>(*this, &Self::set_attributes);
  exchange.on<wire::TruncateRequest>(*this, &Self::truncate);
  exchange.on<wire::AppendRequest>(*this, &Self::append);
  exchange.on<wire::LockRangeRequest>(*this, &Self::lock_range);
  exchange.on<wire::UnlockRangeRequest>(*this, &Self::unlock_range);
  exchange.on<wire::CounterRequest>(*this, &Self::count);
  exchange.on<wire::AttachDirectoryRequest>(*this, &Self::attach_directory, kServersOnly);
  exchange.on<wire::DetachDirectoryRequest>(*this, &Self::detach_directory, kServersOnly);
  exchange.on<wire::RemoveDirectoryRequest>(*this, &Self::remove_directory, kServersOnly);
  exchange.on<wire::DirectoryUsageRequest>(*this, &Self::directory_usage, kServersOnly);
  exchange.on<wire::UnlinkInodeRequest>(*this, &Self::unlink_inode, kServersOnly);
  exchange.on<wire::RenamePrepareRequest>(*this, &Self::rename_prepare, kServersOnly);
  exchange.on<wire::RenameCommitRequest>(*this, &Self::rename_commit, kServersOnly);
  exchange.on<wire::RenameOutcomeRequest>(*this, &Self::rename_outcome, kServersOnly);
  exchange.on<wire::MovesRequest>(*this, &Self::moves);
  exchange.on<wire::TellMovesRequest>(*this, &Self::tell_moves, kServersOnly);
  exchange.on<wire::MoveDirectoryRequest>(*this, &Self::move_directory, kServersOnly);
  exchange.on<wire::DirectoryParentRequest>(*this, &Self::directory_parent, kServersOnly);
  exchange.on<wire::SetParentRequest>(*this, &Self::set_parent, kServersOnly);
  exchange.on<wire::DataEndRequest>(*this, &Self::data_end, kServersOnly);
  exchange.on<wire::TruncateDataRequest>(*this, &Self::truncate_data, kServersOnly);
  exchange.on<wire::RemoveDataRequest>(*this, &Self::remove_data, kServersOnly);
}

NamespaceService::~NamespaceService() {
  BENCHFS_ASSERT(openings_ == nullptr);
  BENCHFS_ASSERT(attaching_.empty());
}

coro::Task<void> NamespaceService::stop() {
  retry_timer_.cancel();
  orphan_timer_.cancel();
  absence_timer_.cancel();
  prepared_.clear();  // They are written down, where anything is.
  scope_.close();
  co_await scope_.join();
}

void NamespaceService::on_client_found(ClientId client) {
  present_.insert(client);
  absent_.erase(client);
}

void NamespaceService::on_client_lost(ClientId client) {
  present_.erase(client);
  range_locks_.stop_waiting(client);  // If it comes back it asks again.
  const Absence absence{.since_ns = loop_.now_ns()};
  absent_[client] = absence;
  if (!scope_.closed() && (!absence_timer_.armed() || absence.ends_ns() < absence_due_ns_)) {
    absence_due_ns_ = absence.ends_ns();
    loop_.timers().arm(absence_timer_, absence_due_ns_);
  }
}

void NamespaceService::on_server_lost(ServerId server) {
  ++server_losses_[server];
  doubt(server);
}

NamespaceService::Opening::Opening(NamespaceService& service, const Context& context) noexcept
    : service_(service), client_{context.peer.id}, next_(service.openings_) {
  const auto absent = service.absent_.find(client_);
  lost_ = absent != service.absent_.end() && absent->second.closed;
  if (next_ != nullptr) {
    next_->previous_ = this;
  }
  service.openings_ = this;
}

NamespaceService::Opening::~Opening() {
  (previous_ == nullptr ? service_.openings_ : previous_->next_) = next_;
  if (next_ != nullptr) {
    next_->previous_ = previous_;
  }
}

Status NamespaceService::check_key(const wire::EntryKey& key) const {
  if (key.parent == kNoInode || !wire::is_valid_name(key.name)) {
    return fail(Errc::kProtocol, "namespace.name");
  }
  const ServerId server = placement::entry_server(key.parent, key.name, exchange_.server_count());
  if (server != exchange_.self()) {
    return fail(Errc::kProtocol, "namespace.placement");
  }
  return {};
}

Status NamespaceService::check_moves(std::uint64_t moves) const {
  return moves >= meta_.moves() ? Status() : fail(Errc::kStale, "namespace.moves");
}

std::optional<meta::Entry> NamespaceService::find_entry(const wire::EntryKey& key) const {
  const std::optional<meta::Entry> entry = meta_.find_entry(key);
  return entry.has_value() && stands(*entry) ? entry : std::nullopt;
}

bool NamespaceService::stands(meta::Entry entry) const {
  if (!meta_.is_home_of(entry.inode)) {
    return true;
  }
  if (entry.type == wire::FileType::kDirectory) {
    return meta_.find_directory(entry.inode) != nullptr;
  }
  if (entry.type == wire::FileType::kSymlink) {
    return meta_.find_link(entry.inode) != nullptr;
  }
  const meta::File* file = meta_.find_file(entry.inode);
  return file != nullptr && file->linked;
}

wire::FoundEntry NamespaceService::describe(meta::Entry entry) const {
  wire::FoundEntry found{.local = false, .attributes = {}};
  found.attributes.inode = entry.inode;
  found.attributes.type = entry.type;
  if (!meta_.is_home_of(entry.inode)) {
    return found;
  }
  if (entry.type == wire::FileType::kFile) {
    if (meta_.find_file(entry.inode) != nullptr && !meta_.size_may_be_larger(entry.inode)) {
      found = {.local = true, .attributes = meta_.attributes_of_file(entry.inode)};
    }
    return found;
  }
  if (entry.type == wire::FileType::kSymlink) {
    if (meta_.find_link(entry.inode) != nullptr) {
      found = {.local = true, .attributes = meta_.attributes_of_link(entry.inode)};
    }
    return found;
  }
  if (meta_.find_directory(entry.inode) == nullptr) {
    return found;
  }
  const std::vector<ServerId> holders = meta_.holders(entry.inode);
  if (std::all_of(holders.begin(), holders.end(),
                  [this](ServerId holder) { return holder == exchange_.self(); })) {
    found = {.local = true,
             .attributes = meta_.attributes_of_directory(entry.inode, meta_.usage(entry.inode))};
  }
  return found;
}

coro::Task<Status> NamespaceService::enter_entry(const wire::EntryKey& key,
                                                 EntryLocks::Guard& guard,
                                                 std::uint64_t deadline_ns) {
  BENCHFS_CO_CHECK_NOW(check_key(key));
  for (;;) {
    if (!guard && entry_locks_.held(key)) {
      EntryLocks::LockOp locking(entry_locks_, key, deadline_ns);
      BENCHFS_CO_TRY(guard, locking);
    }
    BENCHFS_CO_CHECK(ensure_attached(key.parent, deadline_ns));
    if (guard || !entry_locks_.held(key)) {
      co_return in_time(deadline_ns);
    }
  }
}

coro::Task<Status> NamespaceService::lock_entry(const wire::EntryKey& key, EntryLocks::Guard& guard,
                                                std::uint64_t deadline_ns) {
  BENCHFS_CO_CHECK_NOW(check_key(key));
  EntryLocks::LockOp locking(entry_locks_, key, deadline_ns);
  BENCHFS_CO_TRY(guard, locking);
  BENCHFS_CO_CHECK(ensure_attached(key.parent, deadline_ns));
  co_return in_time(deadline_ns);
}

coro::Task<Status> NamespaceService::enter_to_change(const wire::EntryKey& key,
                                                     EntryLocks::Guard& guard, Room& room,
                                                     std::uint64_t deadline_ns,
                                                     std::uint64_t bytes) {
  for (;;) {
    BENCHFS_CO_CHECK(enter_entry(key, guard, deadline_ns));
    auto admitting = ledger_.admit_bytes(bytes);
    BENCHFS_CO_TRY(room, admitting);
    if ((guard || !entry_locks_.held(key)) && meta_.attached(key.parent)) {
      co_return in_time(deadline_ns);
    }
    room.reset();
  }
}

coro::Task<Status> NamespaceService::lock_to_change(const wire::EntryKey& key,
                                                    EntryLocks::Guard& guard, Room& room,
                                                    std::uint64_t deadline_ns) {
  BENCHFS_CO_CHECK(lock_entry(key, guard, deadline_ns));
  for (;;) {
    auto admitting = ledger_.admit();
    BENCHFS_CO_TRY(room, admitting);
    if (meta_.attached(key.parent)) {
      co_return in_time(deadline_ns);
    }
    room.reset();
    BENCHFS_CO_CHECK(ensure_attached(key.parent, deadline_ns));
  }
}

Status NamespaceService::may_grow() const {
  if (!ledger_.keeps()) {
    return {};
  }
  const store::Usage usage = store_.usage();
  const std::uint64_t free_bytes = usage.capacity_bytes - usage.used_bytes;
  return snapshot_bytes() <= free_bytes ? Status() : fail(Errc::kOutOfSpace, "namespace.space");
}

Status NamespaceService::in_time(std::uint64_t deadline_ns) noexcept {
  return loop_.clock().now_ns() < deadline_ns ? Status() : fail(Errc::kTimedOut, "namespace.late");
}

std::uint64_t NamespaceService::clean_up_deadline_ns(std::uint64_t deadline_ns) noexcept {
  const std::uint64_t now_ns = loop_.now_ns();
  return deadline_ns <= now_ns ? now_ns : now_ns + (deadline_ns - now_ns) / 2;
}

}  // namespace benchfs::server
