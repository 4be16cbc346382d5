#include "journal/snapshot.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"
#include "journal/checksum.h"
#include "journal/journal.h"

namespace benchfs::journal {
namespace {

/// Records that are collected before they are written.
constexpr std::size_t kCollectedBytes = kMiB + 128 * kKiB;
static_assert(kCollectedBytes - kRecordHeaderBytes - kSnapshotRecordBytesMax >
                  kChunkBlocksMax * kBlockBytes,
              "when no record fits any more, a chunk can be written");

}  // namespace

SnapshotWriter::SnapshotWriter(io::Disk& disk, SnapshotSpace& space, std::uint64_t store_id,
                               std::uint64_t sequence)
    : disk_(disk),
      space_(space),
      store_id_(store_id),
      sequence_(sequence),
      memory_(kChunkBlocksMax * kBlockBytes) {
  records_.reserve(kCollectedBytes);
}

Result<BlockRun> SnapshotWriter::allocate() {
  for (std::uint64_t count = kChunkBlocksMax;; count /= 2) {
    const Result<std::uint64_t> first = space_.allocate_contiguous(count);
    if (first.has_value()) {
      return BlockRun{.first = *first, .count = count};
    }
    if (first.error().code != Errc::kOutOfSpace || count == 1) {
      return fail(first.error());
    }
  }
}

Status SnapshotWriter::begin() {
  BENCHFS_TRY(const BlockRun chunk, allocate());
  chunks_.push_back(chunk);
  return {};
}

bool SnapshotWriter::put(RecordKind kind, ConstBytes body) {
  BENCHFS_ASSERT(body.size() <= kSnapshotRecordBytesMax);
  if (full_ || kCollectedBytes - records_.size() < kRecordHeaderBytes + body.size()) {
    full_ = true;
    return false;
  }
  const RecordHeaderBytes header = encode_record_header(static_cast<std::uint16_t>(kind),
                                                        static_cast<std::uint32_t>(body.size()));
  records_.insert(records_.end(), header.begin(), header.end());
  records_.insert(records_.end(), body.begin(), body.end());
  ++record_count_;
  return true;
}

std::size_t SnapshotWriter::room_of_chunk() const noexcept {
  return chunks_.back().count * kBlockBytes - kHeaderBytes;
}

/// A chunk names the next one, so that one's blocks are taken before it is written.
coro::Task<Status> SnapshotWriter::write_full() {
  std::size_t done = 0;
  Status status;
  while (status.has_value() && records_.size() - done > room_of_chunk()) {
    const ConstBytes of_chunk = ConstBytes(records_).subspan(done, room_of_chunk());
    const Result<BlockRun> next = allocate();
    if (!next.has_value()) {
      co_return fail(next.error());
    }
    coro::Task<Status> writing = write(of_chunk, next->first);
    status = co_await writing;
    chunks_.push_back(*next);
    done += of_chunk.size();
  }
  records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(done));
  full_ = false;
  co_return status;
}

coro::Task<Status> SnapshotWriter::write_last() {
  coro::Task<Status> writing_full = write_full();
  BENCHFS_CO_CHECK(writing_full);
  coro::Task<Status> writing = write(records_, 0);
  co_return co_await writing;
}

coro::Task<Status> SnapshotWriter::write(ConstBytes records, std::uint64_t next_block) {
  BlockRun& chunk = chunks_.back();
  const std::size_t size = kHeaderBytes + records.size();
  const std::size_t blocks = (size + kBlockBytes - 1) / kBlockBytes;
  const Bytes bytes = memory_.bytes().first(blocks * kBlockBytes);
  std::memcpy(bytes.data() + kHeaderBytes, records.data(), records.size());
  std::memset(bytes.data() + size, 0, bytes.size() - size);
  encode(ChunkHeader{.bytes = static_cast<std::uint32_t>(size),
                     .blocks = static_cast<std::uint32_t>(blocks),
                     .store_id = store_id_,
                     .sequence = sequence_,
                     .number = chunks_.size() - 1,
                     .next_block = next_block},
         bytes);
  put_checksum(bytes, crc32c(bytes.first(size).subspan(kChecksummedFrom)));
  if (chunk.count > blocks) {
    space_.free(chunk.first + blocks, chunk.count - blocks);
    chunk.count = blocks;
  }
  io::WriteOp writing(disk_, chunk.first * kBlockBytes, bytes);
  co_return co_await writing;
}

void SnapshotWriter::discard() {
  for (const BlockRun& chunk : chunks_) {
    space_.free(chunk.first, chunk.count);
  }
  chunks_.clear();
}

SnapshotReader::SnapshotReader(io::Disk& disk, const Anchor& anchor)
    : disk_(disk),
      anchor_(anchor),
      memory_(kChunkBlocksMax * kBlockBytes),
      block_(anchor.snapshot_block) {}

coro::Task<Result<ConstBytes>> SnapshotReader::next() {
  BENCHFS_ASSERT(!at_end());
  const std::uint64_t disk_blocks = disk_.size_bytes() / kBlockBytes;
  if (block_ < kAnchorBlocks + anchor_.ring_blocks || block_ >= disk_blocks) {
    log_error("journal: chunk {} of the snapshot cannot be in block {}", number_, block_);
    co_return fail(Errc::kCorrupt, "snapshot.block");
  }
  const std::uint64_t blocks = std::min(kChunkBlocksMax, disk_blocks - block_);
  const Bytes bytes = memory_.bytes().first(blocks * kBlockBytes);
  io::ReadOp reading(disk_, block_ * kBlockBytes, bytes);
  BENCHFS_CO_CHECK(reading);
  const std::optional<ChunkHeader> header = decode_chunk_header(bytes);
  const bool last = number_ + 1 == anchor_.snapshot_chunks;
  if (!header.has_value() || header->store_id != anchor_.store_id || header->number != number_ ||
      header->blocks > blocks || (header->next_block == 0) != last ||
      !checksum_fits(bytes, header->checksum, header->bytes)) {
    log_error("journal: chunk {} of the snapshot, in block {}, is broken", number_, block_);
    co_return fail(Errc::kCorrupt, "snapshot.chunk");
  }
  if (!is_canonical(*header, bytes)) {
    log_error("journal: chunk {} of the snapshot, in block {}, has what this version does not know",
              number_, block_);
    co_return fail(Errc::kUnsupported, "snapshot.reserved");
  }
  if (number_ == 0) {
    sequence_ = header->sequence;
  }
  if (header->sequence != sequence_ || header->sequence > anchor_.sequence) {
    log_error("journal: chunk {} in block {} is of another snapshot", number_, block_);
    co_return fail(Errc::kCorrupt, "snapshot.sequence");
  }
  where_ = {.first = block_, .count = header->blocks};
  block_ = header->next_block;
  ++number_;
  co_return ConstBytes(bytes.first(header->bytes).subspan(kHeaderBytes));
}

void SnapshotRecords::add(ConstBytes of_chunk) {
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
  bytes_.insert(bytes_.end(), of_chunk.begin(), of_chunk.end());
}

Result<std::optional<RecordView>> SnapshotRecords::next() noexcept {
  BENCHFS_TRY(const std::optional<RecordView> record, record_at(bytes_, at_));
  if (record.has_value()) {
    at_ = record->body_at + record->body.size();
  } else if (bytes_.size() - at_ > kRecordHeaderBytes + kSnapshotRecordBytesMax) {
    return fail(Errc::kCorrupt, "snapshot.record");  // No record is as long as it says.
  }
  return record;
}

}  // namespace benchfs::journal
