#pragma once

// The bytes of files on one server: which ranges of which file lie where on its drive.
//
// The store knows no chunks: a file is one space of offsets of which this server holds some ranges.
// A write goes to newly allocated blocks, whatever its alignment in the file, and becomes visible,
// all pieces of it at once, when the drive has it; what it covers of older writes is freed. Ranges
// never written read as zeros. What write(), truncate() and remove() have acknowledged is there
// again after a crash of the process, and after fsync() after a power failure: each change is a
// record of the journal, and what a read brings was checked against the checksums of what was
// written.
//
// Threading: loop thread only. Operations of different callers interleave; a read sees, for each
// piece, what was there at one moment.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/buffer_pool.h"
#include "io/disk.h"
#include "store/compaction.h"

namespace benchfs::journal {
class Journal;
}

namespace benchfs::store {

/// A contiguous range of one file.
struct Piece {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
};

/// Exact at every moment, in bytes that are multiples of kBlockBytes: what is neither used nor
/// beyond the capacity can be written.
struct Usage {
  std::uint64_t capacity_bytes = 0;  ///< The drive without the journal's part.
  /// Blocks that are allocated (also those of writes in flight), promised to small writes in the
  /// log, or taken by or reserved for snapshots.
  std::uint64_t used_bytes = 0;
  std::uint64_t reserved_bytes = 0;  ///< Of these, what is for snapshots.
  std::uint64_t file_count = 0;      ///< Files with at least one range here.
  std::uint64_t extent_count = 0;
};

/// What a read brought: the pieces' bytes one behind the other.
struct ReadData {
  io::PoolBuffer buffer;  ///< Owns the memory. Empty if `data` is.
  ConstBytes data;        ///< Inside `buffer`, at any alignment; empty if every byte is a hole.
  /// Whether some of the bytes were never written here: such bytes are zeros in `data`, and the
  /// caller may have to ask whether the file ends before them.
  bool has_hole = false;
};

/// What the journal gets together with a write, in one unit.
struct Companion {
  /// Called in the step in which the write takes effect; appends at most one record of at most
  /// `bytes`. May be empty.
  std::function<void()> append;
  std::uint64_t bytes = 0;
};

/// What the store has done by itself, or found.
struct StoreCounters {
  std::uint64_t compacted_windows = 0;  ///< Ranges of files that were rewritten,
  std::uint64_t compacted_extents = 0;  ///< of so many extents,
  std::uint64_t compacted_bytes = 0;    ///< with so many bytes.
  std::uint64_t checksum_failures = 0;  ///< Reads of the drive that brought other bytes.
};

class ChunkStore {
 public:
  /// Borrows all; they outlive the store. What `disk` has behind the journal's part is the store's.
  /// Joins `journal`, which is the same disk's, and whose create() or recover() comes next, before
  /// any operation.
  ChunkStore(loop::EventLoop& loop, io::Disk& disk, io::BufferPool& pool, journal::Journal& journal,
             const CompactionRules& compaction = {});
  /// Requires that no operation is in flight, and that stop() has ended or nothing was changed.
  ~ChunkStore();
  ChunkStore(const ChunkStore&) = delete;
  ChunkStore& operator=(const ChunkStore&) = delete;

  /// Writes `data`, the bytes of `pieces` (1 to kPiecesMax, none empty) one behind the other; it
  /// starts at the start of the buffer, and the store may overwrite what lies behind it in the
  /// buffer's capacity (padding). `pieces` is borrowed until the end. On success everything is
  /// readable and survives the process; on an error nothing has changed. kOutOfSpace, kIo (the
  /// drive failed; if it was the journal that did, nothing succeeds any more), kInvalid (sizes that
  /// do not add up, beyond kFileBytesMax), kStale (the file was removed meanwhile).
  coro::Task<Status> write(InodeId file, std::span<const Piece> pieces, io::PoolBuffer data,
                           Companion companion = {});

  /// Reads `pieces` (1 to kPiecesMax, together 1 to kTransferBytesMax bytes). What it brings would
  /// be there after a crash of the process. kIo, kInvalid, kStale (the file was removed, as long as
  /// that is remembered: removed_files.h), kCorrupt: the drive has other bytes than were written;
  /// the log says where.
  coro::Task<Result<ReadData>> read(InodeId file, std::span<const Piece> pieces);

  /// Drops all bytes at and behind `size_bytes`; they read as zeros afterwards. Ends when that
  /// survives the process. kIo.
  coro::Task<Status> truncate(InodeId file, std::uint64_t size_bytes);

  /// Drops the file; from the call on its writes, also those in flight, and its reads fail with kStale. Its
  /// blocks may be written again when the reads in flight that use them have ended; a file of very
  /// many extents gives them back little by little. Ends when it survives the process. kIo.
  coro::Task<Status> remove(InodeId file);

  /// End of the last range written and not truncated; 0 if there is none.
  /// May be ahead of what is on the drive: before it is told to anybody, committed() must end.
  std::uint64_t end_of(InodeId file) const noexcept;

  /// Equal numbers, of one process, say that nothing of `file` has changed between the two calls;
  /// different ones, that something may have. Moving data on the drive is no change.
  std::uint64_t change_stamp(InodeId file) const noexcept;

  /// What the store shows of `file` now survives the process. Ready at once if nothing of it is
  /// under way. kIo.
  coro::Task<Status> committed(InodeId file);

  /// On success everything acknowledged before the call survives power loss. Concurrent callers
  /// share one fsync of the drive where they can. After one that failed none succeeds.
  coro::Task<Status> fsync();

  /// As journal::Journal says: only what was acknowledged since then is there without an fsync().
  std::uint64_t power_era() const noexcept;

  /// Ends what the store does by itself. Nothing may be in flight, and nothing comes after it.
  coro::Task<void> stop();

  /// What the other participants of the journal would write into a snapshot now, in bytes: space is
  /// kept for it. Zero if it is never set.
  void set_metadata_bytes(std::function<std::uint64_t()> metadata_bytes);

  /// Whether a snapshot has room on the drive if the other participants' part grows by this; before
  /// metadata that a full store could not write down is accepted.
  bool has_room_for_metadata(std::uint64_t more_bytes) const noexcept;

  Usage usage() const noexcept;
  const StoreCounters& counters() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace benchfs::store
