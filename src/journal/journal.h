#pragma once

// The log of one server: append() now, committed() when it has been written, sync() when it is on
// the drive. README.md has the promises and the format.
//
//   journal::Admission admission(journal, bytes);
//   BENCHFS_CO_CHECK(admission);                    // may wait; before anything is changed
//   ... change the tables, journal.append(kind, body) for each record, without suspension ...
//   Journal::CommitOp committing(journal, journal.end());
//   BENCHFS_CO_CHECK(committing);                   // then tell the world
//
// Threading: loop thread only.

#include <coroutine>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/disk.h"
#include "journal/format.h"
#include "journal/participant.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::journal {

struct JournalOptions {
  std::uint64_t store_id = 0;  ///< Of the superblock; what the drive holds of another store is not
                               ///< ours.
  /// 0: see ring_blocks_of(). Otherwise at least kRingBlocksMin; recover() takes what the store was
  /// made with.
  std::uint64_t ring_blocks = 0;
  /// Of the kernel that this process runs on, or not known.
  BootId boot = {};
};

/// The part of a drive of `block_count` blocks that is the ring.
std::uint64_t ring_blocks_of(std::uint64_t block_count) noexcept;

/// Blocks at the start of the drive that are the journal's: anchors and ring. The store's begin
/// behind them.
inline constexpr std::uint64_t kAnchorBlocks = 2;

/// The smallest ring. A drive that has no room for it and something behind it is refused.
inline constexpr std::uint64_t kRingBlocksMin = 16;

/// What recovery found, for the log and `status`.
struct Recovered {
  bool snapshot = false;
  std::uint64_t snapshot_records = 0;
  std::uint64_t log_records = 0;
  std::uint64_t dropped_records = 0;  ///< Of the tail: their data was not on the drive.
  std::uint64_t incarnation = 0;
  bool power_was_lost = false;  ///< Or may have been: a new power era has begun.
};

struct JournalCounters {
  std::uint64_t batches = 0;
  std::uint64_t records = 0;
  std::uint64_t record_bytes = 0;
  std::uint64_t syncs = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t admissions_waited = 0;
};

struct JournalUsage {
  std::uint64_t ring_bytes = 0;
  std::uint64_t ring_used_bytes = 0;
  std::uint64_t snapshot_bytes = 0;
};

class Journal {
 public:
  /// Borrows both; they outlive it. Space and participants are added before create() or recover().
  Journal(loop::EventLoop& loop, io::Disk& disk, JournalOptions options);
  /// Requires that stop() has ended or nothing was ever started.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Where snapshots go; borrowed.
  void set_space(SnapshotSpace& space) noexcept;

  /// The records of kinds `first` to `last` are `participant`'s, which is borrowed.
  void add_participant(RecordKind first, RecordKind last, Participant& participant);

  /// Begins an empty log on a new store: writes both anchors and syncs them. kIo.
  coro::Task<Status> create();

  /// The incarnation in which recover() will go on, once it has succeeded. Changes nothing.
  /// kCorrupt, kUnsupported, kIo, as of recover().
  coro::Task<Result<std::uint64_t>> next_incarnation();

  /// Reads what a dead server left, hands it to the participants, and goes on behind it. kCorrupt
  /// (no valid anchor, a broken snapshot), kUnsupported (another version), kIo, and what a
  /// participant says; the log says what and where. Nothing on the drive has been changed if it
  /// fails.
  coro::Task<Result<Recovered>> recover();

  /// Ends: commits what is left, makes a snapshot if the log is not short, syncs. No append after
  /// it. The first failure.
  coro::Task<Status> stop();

  /// Appends one record and returns its number. Requires an Admission that covers it.
  /// The bytes are copied. Never waits, never fails: a journal that has failed takes nothing, and
  /// committed() tells.
  Lsn append(RecordKind kind, ConstBytes body);
  /// The same for a body in parts. `place`, if not null, gets where the body lies on the drive, for
  /// records that carry data, by the time the record is committed; it stays where it is until then.
  Lsn append(RecordKind kind, std::span<const ConstBytes> parts, RecordPlace* place = nullptr);

  /// The number of the last record appended; 0 if none was in this run.
  Lsn end() const noexcept;
  /// Records up to this have been written.
  Lsn committed_lsn() const noexcept;
  /// Records up to this survive power loss.
  Lsn durable_lsn() const noexcept;
  /// Records up to this survive power loss, and so does the knowledge that they do: no recovery
  /// asks whether what they speak of is there. What they have replaced may be written over.
  Lsn settled_lsn() const noexcept;

  /// Awaitable, allocates nothing: `CommitOp op(journal, lsn); Status s = co_await op;` Written are
  /// then all records up to `lsn`.
  /// Ready at once if it is so already. kIo if the journal has failed before.
  class CommitOp {
   public:
    CommitOp(Journal& journal, Lsn lsn) noexcept : journal_(journal), lsn_(lsn) {}
    CommitOp(const CommitOp&) = delete;
    CommitOp& operator=(const CommitOp&) = delete;
    bool await_ready() noexcept;
    void await_suspend(std::coroutine_handle<> waiter) noexcept;
    Status await_resume() const noexcept { return status_; }

   private:
    friend class Journal;
    Journal& journal_;
    const Lsn lsn_;
    Status status_;
    std::coroutine_handle<> waiter_;
    CommitOp* next_ = nullptr;
  };

  /// Everything appended before the call, and every write of the disk that completed before it,
  /// survives power loss. Concurrent callers share one fsync of the drive.
  coro::Task<Status> sync();

  /// The same, and settles all of it (see settled_lsn()). Otherwise that happens on the way, a sync
  /// later: this is for who cannot wait.
  coro::Task<Status> settle();

  /// The first incarnation of the power era: what it and all later ones have committed has not been
  /// through a power failure. What earlier ones have committed and not synced may be gone. Requires
  /// that create() or recover() has succeeded.
  std::uint64_t power_era() const noexcept;

  /// Makes a snapshot now and gives up the log before it. Runs by itself when the ring is half
  /// full. At most one runs; a second caller waits for it. kOutOfSpace, kIo.
  coro::Task<Status> checkpoint();

  /// The first failure of the drive; success while the journal works.
  Status health() const noexcept;

  /// The largest Admission for one record that can ever be given.
  std::uint64_t admission_bytes_max() const noexcept;

  JournalUsage usage() const noexcept;
  const JournalCounters& counters() const noexcept;
  io::Disk& disk() noexcept;

  struct State;  ///< Of the implementation.

 private:
  friend class Admission;
  std::unique_ptr<State> state_;
};

/// For what somebody is going to append.
enum class AdmissionFor : std::uint8_t {
  kChange,    ///< What a request changes.
  kLeaveLog,  ///< Participant::leave_log(): part of the ring is kept for it, and it goes first.
};

/// Room in the ring for the records that its holder is going to append: `bytes` of bodies, with
/// `records` headers. Await it once, before anything is changed, and keep it until the last append.
/// In order of arrival. kIo when the journal has failed; kOutOfSpace if the ring is too small for
/// it ever (see admission_bytes_max()), or is full and there is no space for a snapshot; what else
/// has ended the last snapshot, such as kIo, if the ring is full for that.
///
/// Who holds one must end by itself: never wait for another Admission or a checkpoint meanwhile.
class Admission {
 public:
  Admission(Journal& journal, std::uint64_t bytes, std::uint32_t records = 1,
            AdmissionFor what = AdmissionFor::kChange) noexcept;
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  bool await_ready() noexcept;
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  Status await_resume() const noexcept { return status_; }

 private:
  friend class Journal;
  Journal& journal_;
  const std::uint64_t blocks_;
  const AdmissionFor what_;
  bool holds_ = false;
  Status status_;
  std::coroutine_handle<> waiter_;
  Admission* next_ = nullptr;
};

}  // namespace benchfs::journal
