#pragma once

// Chunks of a snapshot on the drive: writing a chain of them, reading it back.
//
// Threading: loop thread only.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/disk.h"
#include "journal/aligned_memory.h"
#include "journal/format.h"
#include "journal/participant.h"

namespace benchfs::journal {

struct BlockRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// Takes records into memory, and writes them as chunks, of as many blocks as the space has in one
/// run: of a single one if it is fragmented. Whatever becomes of it: take_chunks() or discard(),
/// once.
class SnapshotWriter final : public SnapshotSink {
 public:
  /// Borrows both. `sequence` is that of the anchor that will name the snapshot.
  SnapshotWriter(io::Disk& disk, SnapshotSpace& space, std::uint64_t store_id,
                 std::uint64_t sequence);

  /// Takes the blocks of the first chunk. kOutOfSpace.
  Status begin();
  bool put(RecordKind kind, ConstBytes body) override;
  /// Whether put() has refused a record since the last write.
  bool full() const noexcept { return full_; }
  /// Writes what is collected, but for what does not fill a chunk. kOutOfSpace, kIo.
  coro::Task<Status> write_full();
  /// Writes all that is left. kOutOfSpace, kIo.
  coro::Task<Status> write_last();

  std::uint64_t record_count() const noexcept { return record_count_; }
  std::vector<BlockRun> take_chunks() noexcept { return std::move(chunks_); }
  void discard();

 private:
  Result<BlockRun> allocate();
  std::size_t room_of_chunk() const noexcept;
  coro::Task<Status> write(ConstBytes records, std::uint64_t next_block);

  io::Disk& disk_;
  SnapshotSpace& space_;
  const std::uint64_t store_id_;
  const std::uint64_t sequence_;
  std::vector<std::byte> records_;  ///< That are in no chunk yet.
  AlignedMemory memory_;            ///< The chunk that is being written.
  bool full_ = false;
  std::uint64_t record_count_ = 0;
  std::vector<BlockRun> chunks_;  ///< The last one comes next.
};

/// Reads the chain that an anchor names, chunk by chunk.
class SnapshotReader {
 public:
  /// Borrows `disk`.
  SnapshotReader(io::Disk& disk, const Anchor& anchor);

  bool at_end() const noexcept { return number_ == anchor_.snapshot_chunks; }
  /// Reads the next chunk and checks it. What it has of the records is valid until the next call.
  /// kCorrupt, kUnsupported, kIo.
  coro::Task<Result<ConstBytes>> next();
  /// Where the chunk lies that was read last.
  BlockRun where() const noexcept { return where_; }

 private:
  io::Disk& disk_;
  const Anchor anchor_;
  AlignedMemory memory_;
  std::uint64_t number_ = 0;
  std::uint64_t block_;
  std::uint64_t sequence_ = 0;  ///< What the first chunk says; the others must agree.
  BlockRun where_;
};

/// The records of a snapshot, put together of what its chunks have of them.
class SnapshotRecords {
 public:
  /// What next() has returned is not valid any more.
  void add(ConstBytes of_chunk);
  /// nullopt: it takes the next chunk. kCorrupt.
  Result<std::optional<RecordView>> next() noexcept;
  /// Whether no record is begun.
  bool at_boundary() const noexcept { return at_ == bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace benchfs::journal
