#pragma once

// What the parts of Journal share: journal.cpp (append, commit, sync), admission.cpp,
// checkpoint.cpp, recovery.cpp. Nobody else includes this.

#include <array>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "coro/event.h"
#include "coro/scope.h"
#include "io/fsync_group.h"
#include "journal/aligned_memory.h"
#include "journal/batch.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "journal/log_reader.h"
#include "journal/log_ring.h"
#include "journal/snapshot.h"
#include "loop/event_loop.h"

namespace benchfs::journal {

/// After a checkpoint has failed, the next one is not tried before this time is over.
inline constexpr std::uint64_t kCheckpointPauseNs = 100 * kNsPerMs;

/// A log that is longer, and twice as long as the snapshot, is worth one.
inline constexpr std::uint64_t kLongLogBlocks = 16 * kMiB / kBlockBytes;

/// A log shorter than this is not worth a snapshot at the end.
inline constexpr std::uint64_t kShortLogBlocks = 64;

/// Waiters in order of arrival; they link themselves.
template <typename Op, Op* Op::*kNext>
struct WaitQueue {
  Op* first = nullptr;
  Op* last = nullptr;

  void push(Op& op) noexcept {
    op.*kNext = nullptr;
    (last == nullptr ? first : last->*kNext) = &op;
    last = &op;
  }
  Op& pop() noexcept {
    Op& op = *first;
    first = op.*kNext;
    if (first == nullptr) {
      last = nullptr;
    }
    return op;
  }
};

/// What the first reading of the log has found.
struct LogScan {
  std::uint64_t end = 0;      ///< Position at which there is no valid batch.
  std::uint64_t durable = 0;  ///< The highest that the anchor or a batch names.
  absl::flat_hash_map<std::uint64_t, std::vector<DroppedRun>> dropped;  ///< By earlier recoveries.

  bool has_dropped(std::uint64_t position, std::uint32_t number) const noexcept;
};

struct CheckpointRound {
  coro::Semaphore done{0};
  std::size_t follower_count = 0;
  Status status;
};

struct Journal::State {
  State(Journal& self, loop::EventLoop& event_loop, io::Disk& drive,
        JournalOptions journal_options);

  // ---- journal.cpp
  std::uint64_t device_bytes_of(std::uint64_t position) const noexcept;
  void fail_with(Error error) noexcept;
  void wake_committer() noexcept;
  void start();
  coro::Task<void> run_committer();
  coro::Task<Status> write_open_batch();
  coro::Task<Status> write_pieces(std::uint64_t device_bytes);
  coro::Task<void> write_piece(std::uint64_t device_bytes, ConstBytes piece, Status& status);
  coro::Task<Status> write_padding(std::uint64_t position, std::uint64_t blocks);
  void release_committed() noexcept;
  coro::Task<Status> fsync();
  coro::Task<Status> sync();
  coro::Task<Status> settle();
  coro::Task<void> end_committer();
  /// Of what is durable, what batches and anchors may say.
  std::uint64_t claimed_position() const noexcept {
    return durable_position < claim_end ? durable_position : claim_end;
  }
  /// The next anchor is `next`, but for its sequence and durable position. Hold `anchoring` from
  /// before `next` was copied.
  coro::Task<Status> write_anchor(Anchor next);

  // ---- admission.cpp
  bool fits(const Admission& admission) const noexcept;
  bool waits_for_ring(const Admission& admission) const noexcept;
  void serve_admissions() noexcept;
  void serve_first(Admission& admission, Status status) noexcept;

  // ---- checkpoint.cpp
  std::uint64_t checkpoint_at() const noexcept;
  bool checkpoint_may_start() noexcept;
  void start_checkpoint();
  coro::Task<Status> join_checkpoint();
  coro::Task<void> run_checkpoint(std::shared_ptr<CheckpointRound> round);
  coro::Task<Status> make_snapshot();
  coro::Task<Status> hand_over(SnapshotWriter& writer);
  coro::Task<Status> hand_over_one(Participant& participant, SnapshotWriter& writer);
  void free_chunks(const std::vector<BlockRun>& old_chunks);

  // ---- recovery.cpp
  coro::Task<Status> create();
  coro::Task<Result<Recovered>> recover();
  coro::Task<Result<Anchor>> read_anchor();
  coro::Task<Status> check_snapshot();
  coro::Task<Status> replay_snapshot(Recovered& found);
  coro::Task<Status> scan_log(LogScan& scan);
  coro::Task<Status> replay_log(const LogScan& scan, Recovered& found,
                                std::vector<DroppedRun>& dropped);
  coro::Task<Status> replay_batch(const BatchView& batch, const LogScan& scan, Recovered& found,
                                  std::vector<DroppedRun>& dropped);
  coro::Task<Status> go_on(const LogScan& scan, const std::vector<DroppedRun>& dropped);
  coro::Task<Status> record_dropped(const std::vector<DroppedRun>& dropped);
  coro::Task<Status> append_dropped(std::span<const DroppedRun> dropped);
  Result<Participant*> participant_of(std::uint16_t kind) const noexcept;

  Journal& journal;
  loop::EventLoop& loop;
  io::Disk& disk;
  const JournalOptions options;
  SnapshotSpace* space = nullptr;
  std::array<Participant*, kRecordKindLast + 1> by_kind{};
  std::vector<Participant*> participants;  ///< Each once, in the order in which they were added.

  bool started = false;   ///< create() or recover() has succeeded.
  bool stopping = false;  ///< No more checkpoints by themselves.
  bool ending = false;    ///< The committer leaves when there is nothing left.
  Status failed;          ///< The first failure of the drive.
  LogRing ring;
  Anchor anchor;                      ///< The newest on the drive.
  coro::Mutex anchoring;              ///< Who writes an anchor.
  AlignedMemory anchor_block;         ///< What of it is being written.
  std::vector<BlockRun> chunks;       ///< Of the newest snapshot.
  std::uint64_t snapshot_blocks = 0;  ///< Of all its chunks.
  io::FsyncGroup fsyncs;

  // Batches: one collects, one is written.
  Batch open;
  Batch writing;
  AlignedMemory padding_block;
  std::coroutine_handle<> idle_committer;  ///< Waits for the first record of a batch.
  Lsn end_lsn = 0;
  Lsn committed_lsn = 0;
  Lsn durable_lsn = 0;
  Lsn claimed_lsn = 0;  ///< What the last batch that was written says to be durable.
  Lsn settled_lsn = 0;
  std::uint64_t committed_position = 0;
  std::uint64_t durable_position = 0;
  /// Nothing behind it is said to be durable: recovery has not yet put down what it has dropped.
  std::uint64_t claim_end = UINT64_MAX;
  WaitQueue<CommitOp, &CommitOp::next_> committing;

  // Admissions.
  WaitQueue<Admission, &Admission::next_> changes;
  WaitQueue<Admission, &Admission::next_> leaving;
  std::uint64_t admitted_blocks = 0;

  std::shared_ptr<CheckpointRound> checkpointing;  ///< Empty if none runs.
  std::uint64_t checkpoint_after_ns = 0;           ///< No new one before.
  static constexpr Error kNoRoom{.code = Errc::kOutOfSpace, .where = "journal.full"};
  /// Why the ring is full, if it is: what the last one failed with.
  Error checkpoint_error = kNoRoom;

  JournalCounters counters;
  coro::Scope scope;
};

}  // namespace benchfs::journal
