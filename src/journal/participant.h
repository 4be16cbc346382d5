#pragma once

// Who keeps state that the journal makes durable.
//
// Threading: loop thread only.

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "coro/task.h"

namespace benchfs::journal {

/// What a record is. The numbers are on drives: append only, never reuse one.
enum class RecordKind : std::uint16_t {
  // Store: src/store/README.md.
  kStoreFirst = 1,
  kStoreLast = 31,
  // Namespace: src/server/README of records.
  kNamespaceFirst = 32,
  kNamespaceLast = 95,
  // Outcomes of requests and obligations towards other servers.
  kServerFirst = 96,
  kServerLast = 127,
  // The journal itself: README.md.
  kJournalDropped = 128,
};

/// The last that a participant can have; behind it are the journal's own.
inline constexpr std::uint16_t kRecordKindLast = 127;

/// How many records had been appended: records are numbered from 1 by every run of a server anew,
/// and "before lsn" means numbers up to it.
using Lsn = std::uint64_t;

/// A part of the log as it lies on the drive.
struct LogPart {
  std::uint64_t ring_begin_bytes = 0;  ///< Device offset of the ring.
  std::uint64_t ring_bytes = 0;
  std::uint64_t begin_bytes = 0;  ///< In the endless log; the part is [begin_bytes, end_bytes).
  std::uint64_t end_bytes = 0;

  /// Whether the byte of the drive is in it.
  bool contains(std::uint64_t device_bytes) const noexcept {
    if (device_bytes < ring_begin_bytes || device_bytes - ring_begin_bytes >= ring_bytes) {
      return false;
    }
    const std::uint64_t slot = device_bytes - ring_begin_bytes;
    const std::uint64_t begin_slot = begin_bytes % ring_bytes;
    const std::uint64_t distance =
        slot >= begin_slot ? slot - begin_slot : slot + ring_bytes - begin_slot;
    return distance < end_bytes - begin_bytes;
  }
};

struct RecordPlace {
  /// Where bytes of a record's body lie on the drive, for records that carry data: device offset of
  /// the body's first byte. 0 in a snapshot, where no record carries data.
  std::uint64_t body_device_bytes = 0;
  /// In recovery: the record before it, appended in the same turn, has been dropped.
  bool follows_dropped = false;
};

/// Takes records of a snapshot until its chunk is full.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  /// False, and nothing taken, if the chunk has no room left: next_records() returns then, and is
  /// called again with a new chunk. A body has at most kSnapshotRecordBytesMax bytes.
  virtual bool put(RecordKind kind, ConstBytes body) = 0;
};

inline constexpr std::size_t kSnapshotRecordBytesMax = 64 * 1024;

class Participant {
 public:
  virtual ~Participant() = default;

  // ---- Recovery: for each record of its kinds, in order.

  /// Whether what the record speaks of is on the drive: asked only for records of the tail that a
  /// power failure may have cut off. `body` is valid until the task ends. An error ends the
  /// recovery.
  virtual coro::Task<Result<bool>> holds(RecordKind kind, ConstBytes body, RecordPlace place) = 0;

  /// Takes the record into its tables. An error (kCorrupt, kUnsupported) ends the recovery: the
  /// store is refused, never half-read.
  virtual Status replay(RecordKind kind, ConstBytes body, RecordPlace place) = 0;

  /// All records have been replayed; the tables are complete before anybody is served.
  virtual Status finish_replay() = 0;

  // ---- Snapshots.

  /// `part` of the log is going to be given up: data of records that lies there must have been
  /// moved to blocks of the store, and the records of that committed, when the task ends. Called
  /// before begin_snapshot(). Asks for Admissions with AdmissionFor::kLeaveLog, one after the other
  /// and small: it is for these that the ring keeps room. An error (kOutOfSpace) ends the snapshot.
  virtual coro::Task<Status> leave_log(LogPart part) = 0;

  /// What is handed over from here on contains every record appended so far: tables change in the
  /// same step, without suspension, in which the record is appended.
  virtual void begin_snapshot() = 0;
  /// Hands over some more; what has changed since begin_snapshot() may be handed over in its new
  /// state, old state or both. Returns whether all has been handed over. Called again in a later
  /// turn otherwise: does a bounded amount of work (some 100 us).
  virtual bool next_records(SnapshotSink& sink) = 0;
  /// Once for each begin_snapshot(), whether the snapshot has been completed or not.
  virtual void end_snapshot() = 0;
};

/// Blocks of the store in which snapshots lie.
class SnapshotSpace {
 public:
  virtual ~SnapshotSpace() = default;
  /// `count` contiguous blocks that belong to nobody else; kOutOfSpace. Never waits for the
  /// journal.
  virtual Result<std::uint64_t> allocate_contiguous(std::uint64_t count) = 0;
  virtual void free(std::uint64_t first_block, std::uint64_t count) = 0;
  /// At recovery, before the first record: these blocks hold the snapshot.
  virtual void mark_used(std::uint64_t first_block, std::uint64_t count) = 0;
};

}  // namespace benchfs::journal
