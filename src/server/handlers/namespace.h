#pragma once

// Names and inodes: the handlers of every operation from lookup to append, and of what servers ask
// each other to keep the namespace consistent. wire/messages.h says what each operation promises;
// meta/README.md how the changes that span servers go.
//
// Locks, all with deadlines, in this order (whoever holds one may wait only for a later one):
//   moving     at the root's home: who renames a directory, one at a time
//   entries    at the entry's server, in the order of their keys when a rename takes two
//   attaching  a directory that this server is asking its home to attach it to
//   inodes     at the home: size and data of a file; who holds entries of a directory
// Then room in the ledger: whoever holds some waits for nothing until its change is done.
//
// Locks are for changes that have to ask other servers. What is done without waiting needs none: it
// waits until nobody holds the lock of its entry, and then happens at one moment.
//
// Threading: loop thread only. After every co_await the tables may have changed: handlers look
// things up again.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "coro/scope.h"
#include "coro/task.h"
#include "journal/participant.h"
#include "loop/event_loop.h"
#include "meta/namespace.h"
#include "placement/placement.h"
#include "server/append_ends.h"
#include "server/counters.h"
#include "server/exchange.h"
#include "server/handlers/namespace_debts.h"
#include "server/handlers/namespace_keeper.h"
#include "server/handlers/namespace_records.h"
#include "server/handlers/undecided.h"
#include "server/keyed_mutex.h"
#include "server/ledger.h"
#include "server/range_locks.h"
#include "store/chunk_store.h"
#include "wire/messages.h"

namespace benchfs::server {

/// Whose the root directory is.
struct RootOwner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// How long a client may be away before what it has open is closed, and what it has locked
/// unlocked.
inline constexpr std::uint64_t kOpenKeptNs = kTimeoutNsDefault;
static_assert(kOpenKeptNs < wire::kOutcomeKeptNs);

class NamespaceService {
 public:
  /// Borrows all; they outlive it. Registers its handlers. What it changes goes to the exchange's
  /// ledger.
  NamespaceService(loop::EventLoop& loop, Exchange& exchange, store::ChunkStore& store,
                   RootOwner root = {});
  /// Who hands the tables to the journal and takes them from there, before start().
  journal::Participant& participant() noexcept { return keeper_; }
  /// Where the tables outlive the process: begins the `incarnation`-th run on them, before anything
  /// is served. What is owed to others, and what they owe, is asked for from now on; a file that
  /// has no name, and whose openers do not come back, is removed after a while. kIo.
  coro::Task<Status> start(std::uint64_t incarnation);

  /// Bytes that a snapshot of all of it takes: the store keeps so much free, besides the last one.
  std::uint64_t snapshot_bytes() const noexcept { return keeper_.snapshot_bytes(); }
  /// What others are still to be told of changes that are done.
  std::size_t owed_count() const noexcept { return debts_.owed().size(); }
  /// What is locked for renames and removals until their outcome is known.
  std::size_t prepared_count() const noexcept { return prepared_.size(); }
  /// Whether it waits to ask a server again that did not answer.
  bool waits_to_ask_again() const noexcept { return retry_timer_.armed(); }

  /// Requires that no handler runs and stop() has ended.
  ~NamespaceService();
  NamespaceService(const NamespaceService&) = delete;
  NamespaceService& operator=(const NamespaceService&) = delete;

  /// The client is connected.
  void on_client_found(ClientId client);
  /// The last connection of the client is gone. If it does not come back, what it had open is
  /// closed after kOpenKeptNs, and what it was answered forgotten after wire::kOutcomeKeptNs.
  void on_client_lost(ClientId client);
  /// A connection to the server is gone: it is asked what has become of the renames for which it
  /// has locked entries here.
  void on_server_lost(ServerId server);

  // Staging (namespace_staging.cpp): a file comes into being under a temporary name, which is placed
  // on this server, and gets its own, also of this server, when it is whole.

  struct Staged {
    wire::EntryKey temporary;
    wire::EntryKey key;
    wire::SetAttrRequest attributes;  ///< The inode is filled in.
    std::uint64_t size_bytes = 0;
    wire::OpenReply opened;
  };
  /// Makes the file, open for the asker; what had the temporary name before goes. Sets `opened`.
  coro::Task<Status> begin_staged(Context context, Staged& staged, wire::OpenRequest how);
  /// Gives it size, attributes and name. On an error it is gone.
  coro::Task<Status> finish_staged(Context context, Staged& staged);
  coro::Task<void> abandon_staged(Context context, Staged& staged);
  coro::Task<Result<wire::Attributes>> attributes_of(Context context, InodeId inode);

  /// Waits for what runs in the background. No handler may be called after it; those that run must
  /// have ended before.
  coro::Task<void> stop();

  std::size_t inode_count() const noexcept { return meta_.inode_count(); }
  std::size_t open_count() const noexcept { return meta_.open_count(); }
  /// Locks that are held at this moment: none when nothing is under way.
  std::size_t lock_count() const noexcept {
    return entry_locks_.held_count() + attach_locks_.held_count() + inode_locks_.held_count() +
           move_locks_.held_count();
  }
  /// Locks of byte ranges that clients have or wait for, and counters of open files.
  std::size_t range_lock_count() const noexcept { return range_locks_.count(); }
  std::size_t counter_count() const noexcept { return counters_.count(); }
  std::size_t background_count() const noexcept { return scope_.child_count(); }
  const meta::Namespace& state() const noexcept { return meta_; }

 private:
  struct EntryKeyHash {
    std::size_t operator()(const wire::EntryKey& key) const noexcept {
      return placement::entry_hash(key.parent, key.name);
    }
  };
  using EntryLocks = KeyedMutex<wire::EntryKey, EntryKeyHash>;
  using InodeLocks = KeyedMutex<InodeId>;
  template <typename Reply>
  using Handling = coro::Task<Result<Reply>>;
  using Room = std::unique_ptr<Ledger::Room>;
  using Numbers = std::vector<std::uint64_t>;  ///< Of obligations.

  // Names (namespace_entries.cpp).
  Handling<wire::FoundEntry> lookup(Context context, wire::LookupRequest request);
  Handling<wire::OpenReply> open(Context context, wire::OpenRequest request);
  Handling<wire::FoundEntry> mkdir(Context context, wire::MkdirRequest request);
  Handling<wire::EmptyReply> unlink(Context context, wire::UnlinkRequest request);

  // Symbolic links (namespace_links.cpp). `carrier` has the target.
  Handling<wire::FoundEntry> symlink(Context context, wire::SymlinkRequest request,
                                     rpc::Request& carrier);
  Handling<wire::ReadLinkReply> read_link(Context context, wire::ReadLinkRequest request);

  // Directories (namespace_directories.cpp).
  Handling<wire::EmptyReply> rmdir(Context context, wire::RmdirRequest request);
  Handling<wire::ReadDirReply> read_dir(Context context, wire::ReadDirRequest request);
  Handling<wire::EmptyReply> attach_directory(Context context,
                                              wire::AttachDirectoryRequest request);
  Handling<wire::EmptyReply> detach_directory(Context context,
                                              wire::DetachDirectoryRequest request);
  Handling<wire::EmptyReply> remove_directory(Context context,
                                              wire::RemoveDirectoryRequest request);
  Handling<wire::DirectoryUsageReply> directory_usage(Context context,
                                                      wire::DirectoryUsageRequest request);

  // Renames (namespace_rename.cpp).
  Handling<wire::EmptyReply> rename(Context context, wire::RenameRequest request);
  Handling<wire::RenamePrepareReply> rename_prepare(Context context,
                                                    wire::RenamePrepareRequest request);
  Handling<wire::EmptyReply> rename_commit(Context context, wire::RenameCommitRequest request);
  Handling<wire::RenameOutcomeReply> rename_outcome(Context context,
                                                    wire::RenameOutcomeRequest request);

  // Moves of directories (namespace_moves.cpp).
  Handling<wire::EmptyReply> move_directory(Context context, wire::MoveDirectoryRequest request);
  Handling<wire::DirectoryParentReply> directory_parent(Context context,
                                                        wire::DirectoryParentRequest request);
  Handling<wire::EmptyReply> set_parent(Context context, wire::SetParentRequest request);
  Handling<wire::EmptyReply> tell_moves(Context context, wire::TellMovesRequest request);
  Handling<wire::MovesReply> moves(Context context, wire::MovesRequest request);

  // Inodes (namespace_inodes.cpp).
  Handling<wire::OpenReply> open_inode(Context context, wire::OpenInodeRequest request);
  Handling<wire::EmptyReply> close(Context context, wire::CloseRequest request);
  Handling<wire::EmptyReply> set_attributes(Context context, wire::SetAttrRequest request);
  Handling<wire::EmptyReply> unlink_inode(Context context, wire::UnlinkInodeRequest request);

  // Sizes (namespace_sizes.cpp).
  Handling<wire::Attributes> get_attributes(Context context, wire::GetAttrRequest request);
  Handling<wire::EmptyReply> truncate(Context context, wire::TruncateRequest request);
  Handling<wire::AppendReply> append(Context context, wire::AppendRequest request);

  // Locks of byte ranges, and counters (namespace_locks.cpp).
  Handling<wire::LockRangeReply> lock_range(Context context, wire::LockRangeRequest request);
  Handling<wire::EmptyReply> unlock_range(Context context, wire::UnlockRangeRequest request);
  Handling<wire::CounterReply> count(Context context, wire::CounterRequest request);
  coro::Task<void> release_locks_of(std::vector<ClientId> clients);

  // This server's part of a file's data (namespace_data.cpp).
  Handling<wire::DataEndReply> data_end(Context context, wire::DataEndRequest request);
  Handling<wire::EmptyReply> truncate_data(Context context, wire::TruncateDataRequest request);
  Handling<wire::EmptyReply> remove_data(Context context, wire::RemoveDataRequest request);

  // ---- What several handlers share
  // ------------------------------------------------------------------

  std::uint64_t wall_ns() noexcept { return loop_.clock().wall_ns(); }
  /// In the unit that does what the asker wants done once: what it is answered.
  template <typename Reply>
  void keep(const Context& context, const Reply& reply) {
    exchange_.outcomes().keep(context.operation, context.op, reply);
  }
  /// kProtocol for a key that is malformed or placed on another server.
  Status check_key(const wire::EntryKey& key) const;
  /// Whether the entry stands for something, as far as can be told here: an inode of ours may have
  /// gone before its name, while that is being unlinked or after a change whose outcome was
  /// unknown.
  bool stands(meta::Entry entry) const;
  /// The entry, if it stands for something.
  std::optional<meta::Entry> find_entry(const wire::EntryKey& key) const;
  /// The answer to an open that is there.
  wire::OpenReply opened(std::uint64_t open_id, bool created) const;
  /// What can be told of an inode without asking anybody.
  wire::FoundEntry describe(meta::Entry entry) const;

  /// Waits until this server is attached to the key's directory and nobody else holds the entry's
  /// lock; both are so when it returns, until the caller suspends. `guard` then holds the lock if
  /// it had to wait for it, and keeps the caller's place in the queue.
  coro::Task<Status> enter_entry(const wire::EntryKey& key, EntryLocks::Guard& guard,
                                 std::uint64_t deadline_ns);
  /// As above, and `guard` holds the lock. Both borrow `key` until they end.
  coro::Task<Status> lock_entry(const wire::EntryKey& key, EntryLocks::Guard& guard,
                                std::uint64_t deadline_ns);
  /// As enter_entry() and lock_entry(), for a change: `room` is there when they return.
  /// Room for a unit of `bytes`.
  coro::Task<Status> enter_to_change(const wire::EntryKey& key, EntryLocks::Guard& guard,
                                     Room& room, std::uint64_t deadline_ns,
                                     std::uint64_t bytes = kUnitBytesMax);
  coro::Task<Status> lock_to_change(const wire::EntryKey& key, EntryLocks::Guard& guard, Room& room,
                                    std::uint64_t deadline_ns);
  /// kOutOfSpace if the store has no room for a snapshot of more than there is. Removing always
  /// goes.
  Status may_grow() const;
  coro::Task<Status> ensure_attached(InodeId directory, std::uint64_t deadline_ns);
  /// kTimedOut once the asker has given up: asked after the last wait before a change.
  Status in_time(std::uint64_t deadline_ns) noexcept;
  /// What all holders of the directory tell, added up.
  coro::Task<Result<meta::DirectoryUsage>> collect_usage(InodeId directory,
                                                         std::uint64_t deadline_ns);
  bool rename_prepared_into(InodeId directory) const;
  /// At the home: sees that the directory is empty and that nobody is attached; `guard` keeps it
  /// so. kNotEmpty, kBusy, kStale.
  coro::Task<Status> close_directory(InodeId directory, InodeLocks::Guard& guard,
                                     std::uint64_t deadline_ns);
  coro::Task<Status> remove_here(Context context, wire::EntryKey key, InodeId directory);
  coro::Task<Status> remove_across(Context context, wire::EntryKey key, InodeId directory,
                                   EntryLocks::Guard& guard);
  /// Until those that are prepared now have ended.
  coro::Task<Status> wait_for_renames_into(InodeId directory, std::uint64_t deadline_ns);

  /// For a repeat of an open that an earlier run has answered so: opens the file again, which may
  /// have lost its name meanwhile.
  coro::Task<Result<wire::OpenReply>> open_as_before(Context context, wire::OpenReply before,
                                                     std::uint32_t flags);
  /// Opens a file of ours for the asker, truncating it first if asked.
  coro::Task<Result<wire::OpenReply>> open_file(Context context, InodeId file, std::uint32_t flags);
  /// Closes, also when it fails; then the size stays unsettled. `claim` is the closer's, or default
  /// for a client that was lost. The open is marked closing.
  coro::Task<Status> settle_and_close(std::uint64_t open_id, wire::CloseRequest claim,
                                      std::uint64_t deadline_ns, Context context = {});
  coro::Task<Status> settle(std::uint64_t open_id, wire::CloseRequest claim,
                            std::uint64_t deadline_ns);
  /// Ends the waiting for clients that have been away for too long.
  coro::Task<void> give_up_absent();
  void close_opens_of(ClientId client);
  coro::Task<void> close_opens_of_lost(std::vector<std::uint64_t> open_ids);

  // What is owed (namespace_obligations.cpp). These two change tables and return what is owed for
  // it; the caller has room.

  /// A name of the file or link is gone: here it goes too, or stays while it is open; elsewhere its
  /// home is to be told.
  Numbers drop_name(InodeId inode);
  /// Removes a file that has neither name nor opens; its data servers are to be told.
  Numbers remove_file(InodeId file);
  /// Tells now whom it concerns; who does not answer is told later.
  coro::Task<void> pay(Numbers numbers, std::uint64_t deadline_ns);
  coro::Task<Status> deliver(std::uint64_t number, std::uint64_t deadline_ns);
  coro::Task<Status> carry_out(Obligation owed, std::uint64_t deadline_ns);
  coro::Task<Status> tell_servers(std::vector<ServerId> servers, InodeId file,
                                  std::uint64_t deadline_ns);
  std::vector<ServerId> servers_of(const Obligation& owed) const;
  void ask_again_later() noexcept;
  void ask_again_soon() noexcept;
  coro::Task<void> ask_again();
  coro::Task<void> remove_orphans();
  /// Somebody may have had it open before the restart, and not have come back yet.
  bool may_be_opened_again(InodeId file) const noexcept {
    return orphan_timer_.armed() && meta_.is_of_earlier_run(file);
  }
  /// Ranges given before the restart to appenders who have not come back.
  coro::Task<void> forget_appends();

  /// How long clean-up after a success may take, so that the success is still told in time.
  std::uint64_t clean_up_deadline_ns(std::uint64_t deadline_ns) noexcept;

  /// For a truncate, or with `open_id` for an open.
  coro::Task<Status> truncate_file(Context context, InodeId file, std::uint64_t size_bytes,
                                   std::uint64_t open_id = 0);
  /// Cuts the file on all data servers, or fails; one that has not begun by the deadline will not
  /// do it later.
  coro::Task<Status> cut_data(InodeId file, std::uint64_t size_bytes, std::uint64_t deadline_ns);
  /// The largest end that a data server knows.
  coro::Task<Result<std::uint64_t>> ask_data_end(InodeId file, std::uint64_t deadline_ns);
  /// Asks, and stores what the answers say. kStale if the file goes meanwhile.
  coro::Task<Result<std::uint64_t>> learn_size(InodeId file, std::uint64_t deadline_ns);
  std::vector<ServerId> stripe_servers(InodeId file) const;
  std::vector<ServerId> stripe_servers(InodeId file, std::uint64_t chunk_bytes,
                                       std::uint32_t stripe_count) const;

  /// kStale if directories have moved since the client found the parent.
  Status check_moves(std::uint64_t moves) const;
  /// What is to be renamed. kNotFound, kAgain (a directory: that is another way).
  Result<meta::Entry> rename_source(const wire::EntryKey& from) const;
  /// Until it is done, or fails for another reason than that `from` stands for something of another
  /// kind by now.
  coro::Task<Status> rename_anything(Context context, wire::RenameRequest request);
  /// From, whose server this is, a directory: true.
  coro::Task<Result<bool>> names_directory(const wire::EntryKey& from, std::uint64_t deadline_ns);
  coro::Task<Status> rename_file(Context context, wire::RenameRequest request);
  coro::Task<Status> rename_here(Context context, wire::RenameRequest request);
  coro::Task<Status> rename_across(Context context, wire::RenameRequest request, ServerId target);
  /// Room while both directories are attached.
  coro::Task<Status> admit_attached(InodeId first, InodeId second, Room& room,
                                    std::uint64_t deadline_ns);
  coro::Task<Status> rename_with(Context context, wire::RenameRequest request, ServerId target,
                                 std::uint64_t rename_id);
  /// Both entries are locked: decides, if it may be, and returns the number of what is owed to the
  /// target then.
  coro::Task<Result<std::uint64_t>> decide(Context context, wire::RenameRequest request,
                                           ServerId target, std::uint64_t rename_id,
                                           wire::RenamePrepareReply prepared);
  struct Move;  ///< In namespace_moves.cpp.
  coro::Task<Result<Numbers>> prepare_and_decide(Move& move, std::uint64_t deadline_ns);
  coro::Task<Status> prepare_entries(Move& move, std::uint64_t deadline_ns);
  /// kInvalid if the directory is `descendant` or above it.
  coro::Task<Status> check_not_above(InodeId directory, InodeId descendant,
                                     std::uint64_t deadline_ns);
  coro::Task<Result<Numbers>> decide_move(const Move& move, std::uint64_t deadline_ns);
  coro::Task<void> tell_all_of_moves(std::uint64_t deadline_ns);

  coro::Task<void> abort_rename(ServerId target, std::uint64_t rename_id,
                                std::uint64_t deadline_ns);
  /// At the source of a directory's rename: kAgain if the operation has an outcome, kTimedOut if
  /// its client has given it up.
  Status check_not_done(OperationKey operation) const;
  /// Whether an entry is locked here for the operation.
  bool is_prepared(OperationKey operation) const;
  /// Of a directory's rename that another server has decided: its client may be long gone.
  void keep_decided(OperationKey operation);
  /// At the target: ends a rename, unless that was done.
  coro::Task<Status> finish_prepared(RenameKey rename, wire::RenameOutcomeReply outcome,
                                     std::uint64_t deadline_ns);
  /// Does this server's part in one unit, and returns what is owed for it.
  Result<Numbers> carry_out_prepared(const PreparedRow& row, wire::RenameOutcomeReply outcome);
  /// Asks the coordinator what has become of it.
  coro::Task<Status> resolve(RenameKey rename, std::uint64_t deadline_ns);
  void doubt(ServerId coordinator);

  /// Asks all `servers` the same at once.
  template <typename Body>
  coro::Task<std::vector<Result<typename Body::Reply>>> ask_all(
      std::vector<ServerId> servers, Body body, std::uint64_t deadline_ns,
      rpc::WhenLate when_late = rpc::WhenLate::kRefuse) {
    std::vector<coro::Task<Result<typename Body::Reply>>> tasks;
    tasks.reserve(servers.size());
    for (const ServerId server : servers) {
      tasks.push_back(exchange_.ask(server, body, deadline_ns, when_late));
    }
    auto all = coro::when_all(std::move(tasks));
    co_return co_await all;
  }

  /// In the frame of a handler that opens: learns whether its client is lost meanwhile, since then
  /// nobody would close.
  class Opening {
   public:
    Opening(NamespaceService& service, const Context& context) noexcept;
    ~Opening();
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;
    ClientId client() const noexcept { return client_; }
    bool client_lost() const noexcept { return lost_; }

   private:
    friend class NamespaceService;
    NamespaceService& service_;
    const ClientId client_;
    bool lost_ = false;
    Opening* previous_ = nullptr;
    Opening* next_;
  };

  struct Prepared;  ///< In namespace_prepared.h.
  /// Writes it down. `losses` of its coordinator were counted when that was heard of last.
  void hold_prepared(std::unique_ptr<Prepared> prepared, std::uint64_t losses,
                     std::uint64_t deadline_ns);
  /// Calls a method of the service.
  struct Alarm final : loop::Timer {
    Alarm(NamespaceService& owner, coro::Task<void> (NamespaceService::*then)()) noexcept
        : Timer(&Alarm::expired), service(owner), method(then) {}
    static void expired(Timer& timer) noexcept;
    NamespaceService& service;
    coro::Task<void> (NamespaceService::*const method)();
  };

  /// A client that has no connection.
  struct Absence {
    std::uint64_t since_ns = 0;
    bool closed = false;  ///< What it had open.
    std::uint64_t ends_ns() const noexcept {
      return since_ns + (closed ? wire::kOutcomeKeptNs : kOpenKeptNs);
    }
  };

  /// One question to a directory's home whether this server may hold entries of it.
  struct Attaching {
    bool revoked = false;  ///< The home took back meanwhile what its answer, still to come, grants.
  };

  loop::EventLoop& loop_;
  Exchange& exchange_;
  store::ChunkStore& store_;
  Ledger& ledger_;
  NamespaceKeeper keeper_;
  meta::Namespace meta_;
  Debts debts_;
  AppendEnds appends_;
  RangeLocks range_locks_;
  Counters counters_;
  EntryLocks entry_locks_;
  InodeLocks attach_locks_;
  InodeLocks inode_locks_;
  InodeLocks move_locks_;  ///< Of the root only.
  std::unordered_map<InodeId, Attaching> attaching_;
  std::map<RenameKey, std::unique_ptr<Prepared>> prepared_;
  std::unordered_map<ServerId, std::uint64_t> server_losses_;  ///< Connections lost.
  std::uint64_t run_ = 0;                                      ///< Which incarnation this is.
  Undecided undecided_;                                        ///< What this server coordinates.
  std::unordered_set<std::uint64_t> delivering_;
  /// What is owed for moves of directories of which not all servers know yet: for later.
  std::unordered_set<std::uint64_t> untold_moves_;
  Numbers unclosed_;  ///< Opens that are closing, and for whose end the log had no room.
  std::vector<ClientId> unreleased_;  ///< Lost clients whose locks the log had no room to end.
  Alarm retry_timer_{*this, &NamespaceService::ask_again};
  Alarm orphan_timer_{*this, &NamespaceService::remove_orphans};
  Alarm absence_timer_{*this, &NamespaceService::give_up_absent};
  std::uint64_t absence_due_ns_ = UINT64_MAX;
  std::unordered_set<ClientId> present_;
  std::unordered_map<ClientId, Absence> absent_;
  std::uint64_t retry_ns_ = 0;
  Opening* openings_ = nullptr;
  coro::Scope scope_;
};

}  // namespace benchfs::server
