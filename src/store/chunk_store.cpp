#include "store/chunk_store.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"
#include "journal/checksum.h"
#include "store/read_plan.h"
#include "store/store_state.h"
#include "store/transfer.h"

namespace benchfs::store {
namespace {

struct ReadInFlight {
  explicit ReadInFlight(std::uint64_t& count) noexcept : counter(count) { ++counter; }
  ~ReadInFlight() { --counter; }
  ReadInFlight(const ReadInFlight&) = delete;
  ReadInFlight& operator=(const ReadInFlight&) = delete;

  std::uint64_t& counter;
};

/// Records of a write: more than there are would take room in the ring from others.
std::uint32_t records_of(const Companion& companion) noexcept {
  return companion.append ? 2 : 1;
}

enum class EmptyPieces { kRefused, kAllowed };

/// Bytes of all pieces together, at most `bytes_max`. The pieces come from a client's message.
Result<std::uint64_t> size_of(std::span<const Piece> pieces, std::uint64_t bytes_max,
                              EmptyPieces empty_pieces, const char* where) {
  if (pieces.empty() || pieces.size() > kPiecesMax) {
    return fail(Errc::kInvalid, where);
  }
  std::uint64_t size_bytes = 0;
  for (const Piece& piece : pieces) {
    const bool refused = piece.size_bytes == 0 && empty_pieces == EmptyPieces::kRefused;
    if (refused || piece.size_bytes > bytes_max - size_bytes ||
        piece.offset_bytes > kFileBytesMax ||
        piece.size_bytes > kFileBytesMax - piece.offset_bytes) {
      return fail(Errc::kInvalid, where);
    }
    size_bytes += piece.size_bytes;
  }
  if (size_bytes == 0) {
    return fail(Errc::kInvalid, where);
  }
  return size_bytes;
}

}  // namespace

bool are_intact(const BlockChecksums& checksums, InodeId file, const ReadPlan& plan,
                const Transfers& transfers) {
  bool intact = true;
  for (const Transfer& transfer : transfers) {
    const std::uint64_t wrong =
        checksums.first_wrong(transfer.device_bytes / kBlockBytes, transfer.memory);
    if (wrong != UINT64_MAX) {
      log_error("file {:#x}: the data at offset {} are not what was written: block {} of the drive",
                to_integer(file), plan.file_offset_of(wrong), wrong);
      intact = false;
    }
  }
  return intact;
}

/// Lays `pieces`, one behind the other, over `runs`.
ExtentList lay_out(std::span<const Piece> pieces, std::span<const BlockRun> runs) {
  ExtentList extents;
  auto run = runs.begin();
  std::uint64_t used_bytes = 0;  // Of *run.
  for (const Piece& piece : pieces) {
    std::uint64_t done_bytes = 0;
    while (done_bytes < piece.size_bytes) {
      if (used_bytes == run->count * kBlockBytes) {
        ++run;
        used_bytes = 0;
      }
      BENCHFS_ASSERT(run != runs.end());
      const std::uint64_t count =
          std::min(piece.size_bytes - done_bytes, run->count * kBlockBytes - used_bytes);
      extents.push_back({.offset_bytes = piece.offset_bytes + done_bytes,
                         .size_bytes = count,
                         .device_bytes = run->first * kBlockBytes + used_bytes});
      done_bytes += count;
      used_bytes += count;
    }
  }
  return extents;
}

std::uint64_t first_block_of(const journal::Journal& journal) noexcept {
  return journal::kAnchorBlocks + journal.usage().ring_bytes / kBlockBytes;
}

Transfers transfers_to(const BlockRuns& runs, Bytes memory) {
  Transfers transfers;
  for (const BlockRun& run : runs) {
    const std::size_t size_bytes = run.count * kBlockBytes;
    transfers.push_back(
        {.device_bytes = run.first * kBlockBytes, .memory = memory.first(size_bytes)});
    memory = memory.subspan(size_bytes);
  }
  return transfers;
}

Checksums checksums_of(ConstBytes memory) {
  Checksums checksums;
  checksums.reserve(memory.size() / kBlockBytes);
  for (; !memory.empty(); memory = memory.subspan(kBlockBytes)) {
    checksums.push_back(journal::crc32c(memory.first(kBlockBytes)));
  }
  return checksums;
}

ChunkStore::State::State(loop::EventLoop& event_loop, io::Disk& store_disk, io::BufferPool& buffers,
                         journal::Journal& log, const CompactionRules& compaction_rules)
    : loop(event_loop),
      disk(store_disk),
      pool(buffers),
      journal(log),
      space(event_loop, *this, first_block_of(log), store_disk.size_bytes() / kBlockBytes),
      checksums(store_disk.size_bytes() / kBlockBytes),
      rules(compaction_rules) {
  BENCHFS_ASSERT(kBlockBytes % disk.alignment_bytes() == 0);
  journal.set_space(*this);
  journal.add_participant(journal::RecordKind::kStoreFirst, journal::RecordKind::kStoreLast, *this);
  index_changed();
}

ChunkStore::State::~State() {
  BENCHFS_ASSERT(first_write == nullptr && read_count == 0);
}

// ---- Changes

journal::Lsn ChunkStore::State::append(journal::RecordKind kind, InodeId file,
                                       const BodyParts& body, std::uint64_t data_bytes) {
  last_lsn = journal.append(kind, body.parts);
  forget_committed();
  pending.push_back({.lsn = last_lsn, .file = file});
  pending_of[file] = last_lsn;
  unsynced_bytes += data_bytes;
  if (unsynced_bytes >= kUnsyncedBytesMax) {
    start_sync();
  } else {
    arm_timer();
  }
  return last_lsn;
}

void ChunkStore::State::forget_committed() noexcept {
  const journal::Lsn committed = journal.committed_lsn();
  while (!pending.empty() && pending.front().lsn <= committed) {
    const auto of_file = pending_of.find(pending.front().file);
    if (of_file->second == pending.front().lsn) {
      pending_of.erase(of_file);
    }
    pending.pop_front();
  }
}

journal::Lsn ChunkStore::State::pending_lsn(InodeId file) noexcept {
  forget_committed();
  const auto last = pending_of.find(file);
  return last == pending_of.end() ? 0 : last->second;
}

coro::Task<Status> ChunkStore::State::commit(journal::Lsn lsn) {
  journal::Journal::CommitOp committing(journal, lsn);
  const Status status = co_await committing;
  co_return status;
}

void ChunkStore::State::publish_write(InodeId file, std::span<const Piece> pieces,
                                      const BlockRuns& runs,
                                      std::span<const std::uint32_t> block_checksums,
                                      const Companion& companion) {
  BodyParts body;
  encode_write(file, pieces, runs, block_checksums, body);
  mark_changed(file);
  const journal::Lsn lsn = append(kWriteRecord, file, body, block_checksums.size() * kBlockBytes);
  if (companion.append) {
    companion.append();
  }
  const std::uint32_t* checksum = block_checksums.data();
  for (const BlockRun& run : runs) {
    for (std::uint64_t block = run.first; block < run.end(); ++block) {
      checksums.set(block, *checksum++);
    }
  }
  BlockRuns freed;
  const std::size_t extent_count = index.insert(file, lay_out(pieces, runs), freed);
  index_changed();
  space.free_seen(freed, lsn);
  extents_changed(file, extent_count);
}

void ChunkStore::State::publish_inline(InodeId file, std::span<const Piece> pieces, ConstBytes data,
                                       const Companion& companion) {
  BodyParts body;
  encode_inline(file, pieces, data, body);
  mark_changed(file);
  const journal::Lsn lsn = append(kInlineRecord, file, body, data.size());
  if (companion.append) {
    companion.append();
  }
  const BlockRun run = keep_inline(file, pieces, data);
  BlockRuns freed;
  index.insert(file, lay_out(pieces, std::span(&run, 1)), freed);
  index_changed();
  space.free_seen(freed, lsn);
  start_move_if_needed();
}

void ChunkStore::State::publish_truncate(InodeId file, std::uint64_t size_bytes) {
  BodyParts body;
  encode_truncate(file, size_bytes, body);
  mark_changed(file);
  const journal::Lsn lsn = append(kTruncateRecord, file, body, 0);
  BlockRuns freed;
  index.truncate(file, size_bytes, freed);
  index_changed();
  space.free_seen(freed, lsn);
  if (index.extent_count_of(file) == 0) {
    compaction.removed(file);
  }
}

void ChunkStore::State::publish_remove(InodeId file) {
  BodyParts body;
  encode_remove(file, body);
  mark_changed(file);
  const journal::Lsn lsn = append(kRemoveRecord, file, body, 0);
  ExtentIndex::Taken taken = index.take(file);
  compaction.removed(file);
  BlockRuns freed;
  index.release_some(taken, kReleasedPerTurnMax, freed);
  index_changed();
  space.free_seen(freed, lsn);
  if (!taken.empty()) {
    background.spawn(release_taken(std::move(taken), lsn));
  }
}

coro::Task<void> ChunkStore::State::release_taken(ExtentIndex::Taken taken, journal::Lsn lsn) {
  while (!taken.empty()) {
    co_await loop.yield();
    BlockRuns freed;
    index.release_some(taken, kReleasedPerTurnMax, freed);
    index_changed();
    space.free_seen(freed, lsn);
  }
}

void ChunkStore::State::mark_removed(InodeId file) {
  removed.add(file);
  for (WriteInFlight* write = first_write; write != nullptr; write = write->next) {
    if (write->file == file) {
      write->file_removed = true;
    }
  }
}

void ChunkStore::State::released(BlockRun run) noexcept {
  if (run.first >= kInlineBlockFirst) {
    inline_data.remove(run);
  } else {
    checksums.clear(run);
  }
}

// ---- Space for snapshots

std::uint64_t ChunkStore::State::reserve_count(const Growth& growth) const {
  // README.md has the sizes; what is lost at the ends of chunks and by long extents, which take
  // several records, is in the eighth.
  constexpr std::uint64_t kFileBytes = 40;
  constexpr std::uint64_t kExtentBytes = 32;
  constexpr std::uint64_t kUnitBytes = BlockSpace::kRegionBlocks * kBlockBytes;
  const std::uint64_t blocks = checksums.count() + inline_data.block_count() + growth.blocks;
  std::uint64_t size_bytes = (index.file_count() + growth.files) * kFileBytes +
                             (index.extent_count() + growth.extents) * kExtentBytes +
                             blocks * sizeof(std::uint32_t) + growth.metadata_bytes +
                             (metadata_bytes ? metadata_bytes() : 0);
  size_bytes += size_bytes / 8 + 1;
  return 2 * round_up(size_bytes, kUnitBytes) / kBlockBytes;
}

std::uint64_t ChunkStore::State::reserve_growth(std::size_t piece_count,
                                                std::uint64_t block_count) const {
  // A piece may split an extent in two, and a run of blocks may end inside of it.
  const std::uint64_t now = reserve_count({});
  const std::uint64_t then = reserve_count(
      {.files = 1, .extents = 2 * piece_count + 4, .blocks = block_count, .metadata_bytes = 0});
  return then - now;
}

// ---- Syncing in the background

void ChunkStore::State::SyncTimer::expired(loop::Timer& timer) noexcept {
  State& state = static_cast<SyncTimer&>(timer).state;
  if (state.last_lsn > state.journal.durable_lsn()) {
    state.start_sync();
  }
}

void ChunkStore::State::arm_timer() {
  if (!timer.armed() && !syncing && !stopping) {
    loop.timers().arm(timer, loop.now_ns() + kUnsyncedNsMax);
  }
}

void ChunkStore::State::want_settled() noexcept {
  settle_wanted = true;
  start_sync();
}

void ChunkStore::State::start_sync() {
  if (!syncing) {
    syncing = true;
    timer.cancel();
    background.spawn(sync_in_background());
  }
}

coro::Task<void> ChunkStore::State::sync_in_background() {
  // Who waits for blocks may not have begun to wait yet.
  co_await loop.yield();
  Status status;
  do {
    unsynced_bytes = 0;
    auto syncing_all = std::exchange(settle_wanted, false) ? journal.settle() : journal.sync();
    status = co_await syncing_all;
    if (status.has_value()) {
      space.collect();
    } else {
      space.fail_waiters(status.error());
    }
  } while (status.has_value() && (settle_wanted || unsynced_bytes >= kUnsyncedBytesMax));
  syncing = false;
  if (status.has_value() && last_lsn > journal.durable_lsn()) {
    arm_timer();
  }
}

// ---- Operations

ChunkStore::ChunkStore(loop::EventLoop& loop, io::Disk& disk, io::BufferPool& pool,
                       journal::Journal& journal, const CompactionRules& compaction)
    : state_(std::make_unique<State>(loop, disk, pool, journal, compaction)) {}

ChunkStore::~ChunkStore() = default;

coro::Task<Status> ChunkStore::write(InodeId file, std::span<const Piece> pieces,
                                     io::PoolBuffer data, Companion companion) {
  State& state = *state_;
  const std::size_t size_bytes = data.bytes().size();
  const auto pieces_bytes =
      size_of(pieces, io::kBufferBytesMax, EmptyPieces::kRefused, "store.write.pieces");
  if (!pieces_bytes.has_value()) {
    co_return fail(pieces_bytes.error());
  }
  if (*pieces_bytes != size_bytes) {
    co_return fail(Errc::kInvalid, "store.write.size");
  }
  if (state.removed.contains(file)) {
    co_return fail(Errc::kStale, "store.write.removed");
  }
  const bool goes_inline = size_bytes <= kInlineBytesMax &&
                           state.inline_data.memory_bytes() + size_bytes <= kInlineMemoryBytesMax;
  auto writing = goes_inline
                     ? state.write_inline(file, pieces, std::move(data), std::move(companion))
                     : state.write_blocks(file, pieces, std::move(data), std::move(companion));
  const Status status = co_await writing;
  co_return status;
}

/// First the room in the log, then the blocks: who waits for blocks waits for syncs and reads,
/// which need no room; who waits for room waits for a snapshot, which needs no blocks of a write.
coro::Task<Status> ChunkStore::State::write_blocks(InodeId file, std::span<const Piece> pieces,
                                                   io::PoolBuffer data, Companion companion) {
  WriteInFlight in_flight(first_write, file);
  const std::size_t size_bytes = data.bytes().size();
  const std::size_t padded_bytes = round_up(size_bytes, kBlockBytes);
  const std::uint64_t block_count = padded_bytes / kBlockBytes;
  std::optional<journal::Admission> admission;
  admission.emplace(journal, write_body_bytes_max(pieces.size(), block_count) + companion.bytes,
                    records_of(companion));
  journal::Admission& room = *admission;
  const Status admitted = co_await room;
  if (!admitted.has_value()) {
    co_return admitted;
  }
  BlockSpace::AllocateOp allocate(space, block_count, reserve_growth(pieces.size(), block_count));
  const Result<BlockRuns> allocated = co_await allocate;
  if (!allocated.has_value()) {
    co_return fail(allocated.error());
  }
  const BlockRuns& runs = *allocated;
  const Bytes memory = data.capacity().first(padded_bytes);
  std::memset(memory.data() + size_bytes, 0, padded_bytes - size_bytes);
  const Checksums block_checksums = checksums_of(memory);
  const Transfers transfers = transfers_to(runs, memory);
  Status status = co_await write_all(disk, transfers);
  if (status.has_value() && in_flight.file_removed) {
    status = fail(Errc::kStale, "store.write.removed");
  }
  if (!status.has_value()) {
    space.free_unseen(runs);
    co_return status;
  }
  publish_write(file, pieces, runs, block_checksums, companion);
  admission.reset();
  journal::Journal::CommitOp committing(journal, last_lsn);
  status = co_await committing;
  co_return status;
}

coro::Task<Status> ChunkStore::State::write_inline(InodeId file, std::span<const Piece> pieces,
                                                   io::PoolBuffer data, Companion companion) {
  WriteInFlight in_flight(first_write, file);
  const std::uint64_t block_count = round_up(data.bytes().size(), kBlockBytes) / kBlockBytes;
  std::optional<journal::Admission> admission;
  admission.emplace(journal,
                    inline_body_bytes(pieces.size(), data.bytes().size()) + companion.bytes,
                    records_of(companion));
  journal::Admission& room = *admission;
  const Status admitted = co_await room;
  if (!admitted.has_value()) {
    co_return admitted;
  }
  BlockSpace::PromiseOp promise(space, block_count, reserve_growth(pieces.size(), block_count));
  const Result<BlockRuns> promised = co_await promise;
  if (!promised.has_value()) {
    co_return fail(promised.error());
  }
  if (in_flight.file_removed) {
    space.break_promise(block_count);
    co_return fail(Errc::kStale, "store.write.removed");
  }
  publish_inline(file, pieces, data.bytes(), companion);
  admission.reset();
  journal::Journal::CommitOp committing(journal, last_lsn);
  const Status status = co_await committing;
  co_return status;
}

coro::Task<Result<ReadData>> ChunkStore::read(InodeId file, std::span<const Piece> pieces) {
  State& state = *state_;
  const auto pieces_bytes =
      size_of(pieces, kTransferBytesMax, EmptyPieces::kAllowed, "store.read.pieces");
  if (!pieces_bytes.has_value()) {
    co_return fail(pieces_bytes.error());
  }
  const ReadInFlight in_flight(state.read_count);
  std::optional<ReadPlan> plan(std::in_place, state.index, file, pieces);
  io::PoolBuffer buffer;
  // The only buffer of this read, and its blocks are not held back while it waits for it: a write
  // that waits for blocks has a buffer too. So what was looked up may be old when the buffer has
  // come.
  std::size_t wanted_bytes = plan->buffer_bytes();
  while (!plan->is_all_hole()) {
    const std::uint64_t version = state.index.version();
    io::BufferPool::AcquireOp acquire(state.pool, wanted_bytes);
    io::PoolBuffer acquired = co_await acquire;
    if (state.index.version() != version) {
      plan.emplace(state.index, file, pieces);
    }
    if (plan->buffer_bytes_min() <= acquired.capacity().size()) {
      buffer = std::move(acquired);
      break;
    }
    wanted_bytes = io::kBufferBytesMax;  // Enough for every plan.
  }
  // Not zeros: it may have a name again, where a power failure has undone that it lost it.
  if (state.removed.contains(file)) {
    co_return fail(Errc::kStale, "store.read.removed");
  }
  // What was looked up may be ahead of the log; nobody is told before it is there.
  const journal::Lsn seen = state.pending_lsn(file);
  ReadData got = {.buffer = {}, .data = {}, .has_hole = plan->has_hole()};
  if (!plan->is_all_hole()) {
    const BlockSpace::Reading reading(state.space);
    const Bytes memory = buffer.capacity();
    Transfers transfers;
    while (plan->begin_step(memory, transfers)) {
      const Status status = co_await read_all(state.disk, transfers);
      if (!status.has_value()) {
        co_return fail(status.error());
      }
      if (!are_intact(state.checksums, file, *plan, transfers)) {
        ++state.counters.checksum_failures;
        co_return fail(Errc::kCorrupt, "store.read.checksum");
      }
      plan->end_step(memory, state.inline_data);
    }
    got.data = plan->view_in(memory);
    got.buffer = std::move(buffer);
  }
  journal::Journal::CommitOp committing(state.journal, seen);
  const Status committed = co_await committing;
  if (!committed.has_value()) {
    co_return fail(committed.error());
  }
  co_return std::move(got);
}

coro::Task<Status> ChunkStore::truncate(InodeId file, std::uint64_t size_bytes) {
  State& state = *state_;
  if (state.index.end_of(file) > size_bytes) {
    journal::Admission admission(state.journal, kTruncateBodyBytes);
    BENCHFS_CO_CHECK(admission);
    state.publish_truncate(file, size_bytes);
  }
  journal::Journal::CommitOp committing(state.journal, state.pending_lsn(file));
  const Status status = co_await committing;
  co_return status;
}

coro::Task<Status> ChunkStore::remove(InodeId file) {
  State& state = *state_;
  state.mark_removed(file);
  if (state.index.end_of(file) > 0) {
    journal::Admission admission(state.journal, kRemoveBodyBytes);
    BENCHFS_CO_CHECK(admission);
    state.publish_remove(file);
  }
  journal::Journal::CommitOp committing(state.journal, state.pending_lsn(file));
  const Status status = co_await committing;
  co_return status;
}

std::uint64_t ChunkStore::end_of(InodeId file) const noexcept {
  return state_->index.end_of(file);
}

std::uint64_t ChunkStore::change_stamp(InodeId file) const noexcept {
  return state_->change_counts[State::change_slot(file)];
}

coro::Task<Status> ChunkStore::committed(InodeId file) {
  return state_->commit(state_->pending_lsn(file));
}

coro::Task<Status> ChunkStore::fsync() {
  auto syncing = state_->journal.sync();
  const Status status = co_await syncing;
  if (status.has_value()) {
    state_->space.collect();
  }
  co_return status;
}

std::uint64_t ChunkStore::power_era() const noexcept {
  return state_->journal.power_era();
}

coro::Task<void> ChunkStore::stop() {
  state_->stopping = true;
  state_->timer.cancel();
  state_->compaction_timer.cancel();
  co_await state_->background.join();
  state_->timer.cancel();
}

void ChunkStore::set_metadata_bytes(std::function<std::uint64_t()> metadata_bytes) {
  state_->metadata_bytes = std::move(metadata_bytes);
  state_->index_changed();
}

bool ChunkStore::has_room_for_metadata(std::uint64_t more_bytes) const noexcept {
  const State& state = *state_;
  const std::uint64_t growth =
      state.reserve_count({.files = 0, .extents = 0, .blocks = 0, .metadata_bytes = more_bytes}) -
      state.reserve_count({});
  return state.space.used_count() + growth <= state.space.block_count();
}

Usage ChunkStore::usage() const noexcept {
  return {.capacity_bytes = state_->space.block_count() * kBlockBytes,
          .used_bytes = state_->space.used_count() * kBlockBytes,
          .reserved_bytes = state_->space.reserve_count() * kBlockBytes,
          .file_count = state_->index.file_count(),
          .extent_count = state_->index.extent_count()};
}

const StoreCounters& ChunkStore::counters() const noexcept {
  return state_->counters;
}

}  // namespace benchfs::store
