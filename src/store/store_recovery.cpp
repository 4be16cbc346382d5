// What the journal asks of the store: reading records back, and handing over what a snapshot holds.

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"
#include "store/store_state.h"

namespace benchfs::store {
namespace {

/// Extents that one call of next_records() hands over: some 100 us.
constexpr std::size_t kExtentsPerCallMax = 1024;

/// What holds() reads at once.
constexpr std::uint64_t kCheckedBlocksMax = 64;

/// Blocks of which a record says what is in them.
struct NamedBlocks {
  BlockRuns runs;
  std::vector<std::uint32_t> checksums;  ///< Of one run after the other.
};

Result<NamedBlocks> blocks_named_by(journal::RecordKind kind, ConstBytes body) {
  NamedBlocks named;
  if (kind == kWriteRecord) {
    BENCHFS_TRY(WriteBody write, decode_write(body));
    named = {.runs = std::move(write.runs), .checksums = std::move(write.checksums)};
  } else if (kind == kMovedRecord) {
    BENCHFS_TRY(ExtentsBody moved, decode_extents(body));
    for (const Extent& extent : moved.extents) {
      named.runs.push_back(blocks_of(extent));
    }
    named.checksums = std::move(moved.checksums);
  }
  return named;
}

/// The front of `extents`, as much as fits one record of a snapshot: returns how many, of which the
/// last may have been cut.
std::size_t fit_into_record(ExtentList& extents) {
  std::uint64_t block_count = 0;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const std::uint64_t left = kExtentsRecordBlocksMax - block_count;
    if (left == 0 || i == kExtentsRecordExtentsMax) {
      return i;
    }
    BlockRun blocks = blocks_of(extents[i]);
    if (blocks.count > left) {
      extents[i].size_bytes = (blocks.first + left) * kBlockBytes - extents[i].device_bytes;
      return i + 1;
    }
    block_count += blocks.count;
  }
  return extents.size();
}

}  // namespace

bool ChunkStore::State::is_data(BlockRun run) const noexcept {
  return run.first >= space.first_block() && run.first < space.end_block() &&
         run.count <= space.end_block() - run.first;
}

void ChunkStore::State::begin_replay() {
  if (!replaying) {
    replaying = true;
    index.begin_replay();
    space.begin_marking();
  }
}

coro::Task<Result<bool>> ChunkStore::State::holds(journal::RecordKind kind, ConstBytes body,
                                                  journal::RecordPlace /*place*/) {
  BENCHFS_CO_TRY_NOW(const NamedBlocks named, blocks_named_by(kind, body));
  if (named.runs.empty()) {
    co_return true;  // It speaks of nothing outside of itself.
  }
  const journal::AlignedMemory memory(kCheckedBlocksMax * kBlockBytes);
  const std::uint32_t* checksum = named.checksums.data();
  for (BlockRun left : named.runs) {
    if (!is_data(left)) {
      co_return fail(Errc::kCorrupt, "store.holds.block");
    }
    while (left.count > 0) {
      const std::uint64_t count = std::min(left.count, kCheckedBlocksMax);
      const Bytes bytes = memory.bytes().first(count * kBlockBytes);
      io::ReadOp reading(disk, left.first * kBlockBytes, bytes);
      BENCHFS_CO_CHECK(reading);
      const Checksums found = checksums_of(bytes);
      if (!std::equal(found.begin(), found.end(), checksum)) {
        co_return false;
      }
      checksum += count;
      left.first += count;
      left.count -= count;
    }
  }
  co_return true;
}

Status ChunkStore::State::replay(journal::RecordKind kind, ConstBytes body,
                                 journal::RecordPlace /*place*/) {
  begin_replay();
  BlockRuns freed;  // Stays empty: who uses which block is counted when all has been read.
  if (kind == kWriteRecord) {
    return replay_write(body);
  }
  if (kind == kInlineRecord) {
    return replay_inline(body);
  }
  if (kind == kExtentsRecord || kind == kMovedRecord) {
    return replay_extents(body);
  }
  if (kind == kTruncateRecord) {
    BENCHFS_TRY(const TruncateBody truncate, decode_truncate(body));
    index.truncate(truncate.file, truncate.size_bytes, freed);
    return {};
  }
  if (kind == kRemoveRecord) {
    BENCHFS_TRY(const RemoveBody remove, decode_remove(body));
    removed.add(remove.file);
    index.take(remove.file);
    return {};
  }
  log_error("the store's journal has a record of kind {}, which this version does not know",
            static_cast<unsigned>(kind));
  return fail(Errc::kUnsupported, "store.replay.kind");
}

Status ChunkStore::State::replay_write(ConstBytes body) {
  BENCHFS_TRY(const WriteBody write, decode_write(body));
  const std::uint32_t* checksum = write.checksums.data();
  for (const BlockRun& run : write.runs) {
    if (!is_data(run)) {
      return fail(Errc::kCorrupt, "store.replay.block");
    }
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      checksums.set(block, *checksum++);
    }
  }
  BlockRuns freed;
  index.insert(write.file, lay_out(write.pieces, write.runs), freed);
  return {};
}

Status ChunkStore::State::replay_inline(ConstBytes body) {
  BENCHFS_TRY(const InlineBody write, decode_inline(body));
  const BlockRun run = keep_inline(write.file, write.pieces, write.data);
  BlockRuns freed;
  index.insert(write.file, lay_out(write.pieces, std::span(&run, 1)), freed);
  return {};
}

Status ChunkStore::State::replay_extents(ConstBytes body) {
  BENCHFS_TRY(const ExtentsBody part, decode_extents(body));
  const std::uint32_t* checksum = part.checksums.data();
  for (const Extent& extent : part.extents) {
    const BlockRun run = blocks_of(extent);
    if (!is_data(run)) {
      return fail(Errc::kCorrupt, "store.replay.block");
    }
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      checksums.set(block, *checksum++);
    }
  }
  BlockRuns freed;
  index.insert(part.file, part.extents, freed);
  return {};
}

Status ChunkStore::State::finish_replay() {
  begin_replay();
  replaying = false;
  if (first_block_of(journal) != space.first_block()) {
    log_error("the store's journal has a ring of another size than its drive asks for");
    return fail(Errc::kCorrupt, "store.replay.ring");
  }
  absl::flat_hash_set<std::uint64_t> used_inline;
  std::uint64_t wrong = snapshot_blocks_taken_twice ? 0 : UINT64_MAX;
  const bool counted = index.finish_replay([&](BlockRun run) {
    if (run.first >= kInlineBlockFirst) {
      for (std::uint64_t block = run.first; block < run.end(); ++block) {
        used_inline.insert(block);
      }
      return true;
    }
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      if (!checksums.has(block)) {
        wrong = block;
        return false;
      }
    }
    if (!space.mark_used(run)) {
      wrong = run.first;
      return false;
    }
    return true;
  });
  if (!counted || wrong != UINT64_MAX) {
    log_error("the store's journal gives block {} of the drive to two owners, or none", wrong);
    return fail(Errc::kCorrupt, "store.replay.blocks");
  }
  space.mark_promised(used_inline.size());
  checksums.retain([this](std::uint64_t block) { return !space.is_free(block); });
  inline_data.retain([&](std::uint64_t block) { return used_inline.contains(block); });
  space.finish_marking();
  index_changed();
  // They wait for the first change: recovery has not ended yet.
  index.for_each_file(
      [this](InodeId file, std::size_t extent_count) { compaction.changed(file, extent_count); });
  return {};
}

/// Everything that is in the log alone when this begins, and so all that `part` has: it moves into
/// blocks. No record says so: until the snapshot that is made next counts, the log has the data,
/// and from then on the snapshot has their new place.
coro::Task<Status> ChunkStore::State::leave_log(journal::LogPart /*part*/) {
  return move_inline(next_item_number(), 0);
}

void ChunkStore::State::begin_snapshot() {
  snapshot_file = InodeId{0};
  snapshot_offset = 0;
}

/// Extents in the log are left out: their records are behind the position at which the snapshot
/// begins, since leave_log() has moved those before it, and are replayed over it.
bool ChunkStore::State::next_records(journal::SnapshotSink& sink) {
  ExtentList extents;
  Checksums of_blocks;
  std::vector<std::byte> body;
  for (std::size_t done = 0; done < kExtentsPerCallMax;) {
    extents.clear();
    const std::optional<InodeId> file =
        index.list(snapshot_file, snapshot_offset, kExtentsRecordExtentsMax, extents);
    if (!file.has_value()) {
      return true;
    }
    if (*file != snapshot_file) {
      snapshot_file = *file;
      snapshot_offset = 0;
    }
    const std::uint64_t listed_end = extents.back().offset_bytes + extents.back().size_bytes;
    const std::size_t listed = extents.size();
    const auto in_log = [](const Extent& extent) { return is_inline(extent.device_bytes); };
    extents.erase(std::remove_if(extents.begin(), extents.end(), in_log), extents.end());
    const std::size_t on_drive = extents.size();
    const std::size_t count = fit_into_record(extents);
    const std::uint64_t cut_end =
        count == 0 ? listed_end : extents[count - 1].offset_bytes + extents[count - 1].size_bytes;
    of_blocks.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const BlockRun run = blocks_of(extents[i]);
      for (std::uint64_t block = run.first; block < run.end(); ++block) {
        of_blocks.push_back(checksums.of(block));
      }
    }
    if (count > 0) {
      encode_extents(snapshot_file, std::span(extents).first(count), of_blocks, body);
      if (!sink.put(kExtentsRecord, body)) {
        return false;
      }
    }
    done += listed;
    // All that was listed, unless some of it did not fit.
    snapshot_offset =
        count == on_drive && of_blocks.size() < kExtentsRecordBlocksMax ? listed_end : cut_end;
  }
  return false;
}

Result<std::uint64_t> ChunkStore::State::allocate_contiguous(std::uint64_t count) {
  return space.take_for_snapshot(count);
}

void ChunkStore::State::free(std::uint64_t first_block, std::uint64_t count) {
  space.free_of_snapshot({.first = first_block, .count = count});
}

void ChunkStore::State::mark_used(std::uint64_t first_block, std::uint64_t count) {
  begin_replay();
  if (!space.mark_snapshot_used({.first = first_block, .count = count})) {
    snapshot_blocks_taken_twice = true;
  }
}

}  // namespace benchfs::store
