#pragma once

// Inside of a ChunkStore; for its own sources only. chunk_store.cpp has the operations,
// inline_mover.cpp the moving of small writes out of the log, store_recovery.cpp what the journal
// asks of a participant.
//
// Threading: loop thread only.

#include <deque>
#include <memory>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include "coro/event.h"
#include "coro/scope.h"
#include "io/disk.h"
#include "journal/aligned_memory.h"
#include "journal/journal.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"
#include "store/block_checksums.h"
#include "store/block_space.h"
#include "store/chunk_store.h"
#include "store/compaction.h"
#include "store/extent_index.h"
#include "store/inline_data.h"
#include "store/read_plan.h"
#include "store/records.h"
#include "store/removed_files.h"
#include "store/transfer.h"

namespace benchfs::store {

/// Memory of small writes in the log, with what it takes to keep them. Behind the first half they
/// are moved into blocks, and when all of it is used, small writes go into blocks at once.
inline constexpr std::uint64_t kInlineMemoryBytesMax = 32 * kMiB;

/// The store syncs by itself when so much has been written since the last time, or so long ago:
/// what a power failure may leave to be checked is bounded, and freed blocks come back.
inline constexpr std::uint64_t kUnsyncedBytesMax = 64 * kMiB;
inline constexpr std::uint64_t kUnsyncedNsMax = kNsPerSec;

/// Extents that are given back in one turn of the loop: some 100 us.
inline constexpr std::size_t kReleasedPerTurnMax = 1000;

/// Counters of changes, which files share by a hash: many enough that a busy file seldom makes
/// another one look changed.
inline constexpr std::size_t kChangeSlots = std::size_t{1} << 16;

/// A write between its check and its end, in the list of its store.
struct WriteInFlight {
  WriteInFlight(WriteInFlight*& first, InodeId id) noexcept : list(first), file(id), next(first) {
    if (next != nullptr) {
      next->previous = this;
    }
    list = this;
  }
  ~WriteInFlight() {
    (previous != nullptr ? previous->next : list) = next;
    if (next != nullptr) {
      next->previous = previous;
    }
  }
  WriteInFlight(const WriteInFlight&) = delete;
  WriteInFlight& operator=(const WriteInFlight&) = delete;

  WriteInFlight*& list;
  const InodeId file;
  bool file_removed = false;
  WriteInFlight* next = nullptr;
  WriteInFlight* previous = nullptr;
};

using Checksums = absl::InlinedVector<std::uint32_t, 8>;

/// Of each block of `memory`.
Checksums checksums_of(ConstBytes memory);

/// Where the store's part of the drive begins: behind the journal's anchors and ring.
std::uint64_t first_block_of(const journal::Journal& journal) noexcept;

/// The writes that put `memory` into `runs`, which it fills.
Transfers transfers_to(const BlockRuns& runs, Bytes memory);

/// Whether `transfers` brought what was written; says in the log what did not.
bool are_intact(const BlockChecksums& checksums, InodeId file, const ReadPlan& plan,
                const Transfers& transfers);

/// Lays `pieces`, one behind the other, over `runs`.
ExtentList lay_out(std::span<const Piece> pieces, std::span<const BlockRun> runs);

struct ChunkStore::State final : BlockSpace::Host, journal::Participant, journal::SnapshotSpace {
  State(loop::EventLoop& event_loop, io::Disk& store_disk, io::BufferPool& buffers,
        journal::Journal& log, const CompactionRules& compaction_rules);
  ~State() override;

  // ---- Changes. Each changes the index and appends its record in one step.

  void publish_write(InodeId file, std::span<const Piece> pieces, const BlockRuns& runs,
                     std::span<const std::uint32_t> checksums, const Companion& companion);
  void publish_inline(InodeId file, std::span<const Piece> pieces, ConstBytes data,
                      const Companion& companion);
  void publish_truncate(InodeId file, std::uint64_t size_bytes);
  void publish_remove(InodeId file);

  coro::Task<Status> write_blocks(InodeId file, std::span<const Piece> pieces, io::PoolBuffer data,
                                  Companion companion);
  coro::Task<Status> write_inline(InodeId file, std::span<const Piece> pieces, io::PoolBuffer data,
                                  Companion companion);
  coro::Task<Status> commit(journal::Lsn lsn);
  /// The last record that has changed `file` and is not committed; 0 if there is none.
  journal::Lsn pending_lsn(InodeId file) noexcept;
  void forget_committed() noexcept;
  journal::Lsn append(journal::RecordKind kind, InodeId file, const BodyParts& body,
                      std::uint64_t data_bytes);
  void mark_removed(InodeId file);
  void mark_changed(InodeId file) noexcept { ++change_counts[change_slot(file)]; }
  static std::size_t change_slot(InodeId file) noexcept {
    return (to_integer(file) * 0x9E3779B97F4A7C15) >> 48;
  }
  coro::Task<void> release_taken(ExtentIndex::Taken taken, journal::Lsn lsn);

  // ---- Space for snapshots.

  struct Growth {
    std::uint64_t files = 0;
    std::uint64_t extents = 0;
    std::uint64_t blocks = 0;
    std::uint64_t metadata_bytes = 0;
  };
  /// Blocks that two snapshots, the one that counts and the next one, take.
  std::uint64_t reserve_count(const Growth& growth) const;
  /// By how much a write of so many pieces and blocks can raise it.
  std::uint64_t reserve_growth(std::size_t piece_count, std::uint64_t block_count) const;
  void index_changed() { space.set_reserve(reserve_count({})); }

  // ---- Syncing in the background.

  void start_sync();
  coro::Task<void> sync_in_background();
  void arm_timer();

  // ---- Moving small writes into blocks: inline_mover.cpp.

  /// A small write in the log, for who moves it.
  struct InlineItem {
    InodeId file{};
    BlockRun run;
    absl::InlinedVector<Piece, 1> pieces;
  };
  struct MoveBatch;
  BlockRun keep_inline(InodeId file, std::span<const Piece> pieces, ConstBytes data);
  /// Moves items, oldest first, until `stop_number` comes next or no more than `bytes_max` is kept.
  coro::Task<Status> move_inline(std::uint64_t stop_number, std::uint64_t bytes_max);
  /// Writes what `batch`, which is borrowed, has taken, and lets the index point to it.
  coro::Task<Status> write_moved(MoveBatch& batch);
  coro::Task<void> move_in_background();
  void start_move();
  void start_move_if_needed();
  std::uint64_t next_item_number() const noexcept { return first_item + items.size(); }

  // ---- Rewriting fragmented files: compactor.cpp.

  void extents_changed(InodeId file, std::size_t extent_count);
  void start_compaction();
  coro::Task<void> compact_in_background();
  coro::Task<void> compact_file(InodeId file, Bytes memory);
  coro::Task<void> give_way();
  coro::Task<Status> compact_window(InodeId file, Window window, Bytes memory);
  void publish_moved(InodeId file, const ExtentList& left, BlockRun run,
                     std::span<const std::uint32_t> block_checksums);

  // ---- BlockSpace::Host

  journal::Lsn settled_lsn() const noexcept override { return journal.settled_lsn(); }
  void want_settled() noexcept override;
  bool want_promises_kept() noexcept override;
  void released(BlockRun run) noexcept override;

  // ---- journal::Participant: store_recovery.cpp.

  coro::Task<Result<bool>> holds(journal::RecordKind kind, ConstBytes body,
                                 journal::RecordPlace place) override;
  Status replay(journal::RecordKind kind, ConstBytes body, journal::RecordPlace place) override;
  Status finish_replay() override;
  coro::Task<Status> leave_log(journal::LogPart part) override;
  void begin_snapshot() override;
  bool next_records(journal::SnapshotSink& sink) override;
  void end_snapshot() override {}

  bool is_data(BlockRun run) const noexcept;
  void begin_replay();
  Status replay_write(ConstBytes body);
  Status replay_inline(ConstBytes body);
  Status replay_extents(ConstBytes body);

  // ---- journal::SnapshotSpace

  Result<std::uint64_t> allocate_contiguous(std::uint64_t count) override;
  void free(std::uint64_t first_block, std::uint64_t count) override;
  void mark_used(std::uint64_t first_block, std::uint64_t count) override;

  struct SyncTimer final : loop::Timer {
    explicit SyncTimer(State& owner) noexcept : Timer(&SyncTimer::expired), state(owner) {}
    static void expired(loop::Timer& timer) noexcept;
    State& state;
  };
  struct CompactionTimer final : loop::Timer {
    explicit CompactionTimer(State& owner) noexcept
        : Timer(&CompactionTimer::expired), state(owner) {}
    static void expired(loop::Timer& timer) noexcept;
    State& state;
  };
  struct Pending {
    journal::Lsn lsn;
    InodeId file;
  };

  loop::EventLoop& loop;
  io::Disk& disk;
  io::BufferPool& pool;
  journal::Journal& journal;
  BlockSpace space;
  ExtentIndex index;
  BlockChecksums checksums;
  InlineData inline_data;
  RemovedFiles removed;
  std::function<std::uint64_t()> metadata_bytes;

  WriteInFlight* first_write = nullptr;
  std::uint64_t read_count = 0;
  std::deque<Pending> pending;  ///< Records that were not committed, in order.
  absl::flat_hash_map<InodeId, journal::Lsn> pending_of;  ///< The last one of each file.

  std::vector<std::uint64_t> change_counts = std::vector<std::uint64_t>(kChangeSlots);
  journal::Lsn last_lsn = 0;
  std::uint64_t unsynced_bytes = 0;
  bool syncing = false;
  bool settle_wanted = false;
  SyncTimer timer{*this};

  std::deque<InlineItem> items;
  std::uint64_t first_item = 0;  ///< Number of items.front().
  coro::Mutex moving;
  bool moves_in_background = false;
  bool move_all_wanted = false;

  const CompactionRules rules;
  CompactionQueue compaction{rules};
  bool compacting = false;
  CompactionTimer compaction_timer{*this};
  StoreCounters counters;

  bool replaying = false;
  bool snapshot_blocks_taken_twice = false;
  InodeId snapshot_file{};
  std::uint64_t snapshot_offset = 0;

  bool stopping = false;
  coro::Scope background;
};

}  // namespace benchfs::store
