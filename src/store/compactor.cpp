// Rewriting files that have become many small extents into contiguous blocks, in the background.

#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"
#include "loop/timer_queue.h"
#include "store/compaction.h"
#include "store/read_plan.h"
#include "store/store_state.h"
#include "store/transfer.h"

namespace benchfs::store {
namespace {

/// Parts of a window that may be left when writes have come between: one small record.
constexpr std::size_t kMovedExtentsMax = 64;

/// What must be free besides: a store that is nearly full has no blocks to spare.
constexpr std::uint64_t kSpareFraction = 16;

/// Those parts of `from` that still lie where they lay, as they will lie from `device_bytes` on,
/// where the window begins.
ExtentList left_of(const ExtentIndex& index, InodeId file, const Window& window,
                   const ExtentList& from, std::uint64_t device_bytes) {
  ExtentList left;
  ExtentList found;
  for (const Extent& extent : from) {
    found.clear();
    index.find(file, extent.offset_bytes, extent.size_bytes, found);
    for (const Extent& now : found) {
      if (now.device_bytes != extent.device_bytes + (now.offset_bytes - extent.offset_bytes)) {
        continue;
      }
      if (!left.empty() && left.back().offset_bytes + left.back().size_bytes == now.offset_bytes) {
        left.back().size_bytes += now.size_bytes;
      } else {
        left.push_back({.offset_bytes = now.offset_bytes,
                        .size_bytes = now.size_bytes,
                        .device_bytes = device_bytes + (now.offset_bytes - window.offset_bytes)});
      }
    }
  }
  return left;
}

}  // namespace

std::optional<Window> next_window(const ExtentIndex& index, InodeId file,
                                  const CompactionRules& rules, std::uint64_t bytes_max,
                                  std::uint64_t& cursor_bytes) {
  const std::uint64_t begin = cursor_bytes;
  ExtentList found;
  const std::optional<InodeId> of = index.list(file, begin, kWindowExtentsMax, found);
  if (of != file) {
    cursor_bytes = UINT64_MAX;
    return std::nullopt;
  }
  Window run;
  for (const Extent& extent : found) {
    const bool movable = !is_inline(extent.device_bytes) &&
                         extent.size_bytes <= std::min(kLargeExtentBytes, bytes_max);
    if (movable && run.extent_count > 0 && run.end_bytes() == extent.offset_bytes &&
        run.size_bytes + extent.size_bytes <= bytes_max) {
      run.size_bytes += extent.size_bytes;
      ++run.extent_count;
      continue;
    }
    if (is_worth(rules, run)) {
      cursor_bytes = run.end_bytes();
      return run;
    }
    run = movable ? Window{.offset_bytes = extent.offset_bytes,
                           .size_bytes = extent.size_bytes,
                           .extent_count = 1}
                  : Window{};
  }
  if (found.size() == kWindowExtentsMax && run.extent_count > 0 && run.offset_bytes > begin) {
    cursor_bytes = run.offset_bytes;  // It may go on behind what was listed.
    return std::nullopt;
  }
  cursor_bytes = found.back().offset_bytes + found.back().size_bytes;
  return is_worth(rules, run) ? std::optional<Window>(run) : std::nullopt;
}

void ChunkStore::State::CompactionTimer::expired(loop::Timer& timer) noexcept {
  State& state = static_cast<CompactionTimer&>(timer).state;
  state.compaction.look_again();
  state.start_compaction();
}

void ChunkStore::State::extents_changed(InodeId file, std::size_t extent_count) {
  compaction.changed(file, extent_count);
  start_compaction();
}

void ChunkStore::State::start_compaction() {
  if (stopping || compacting) {
    return;
  }
  if (compaction.has_due()) {
    compacting = true;
    background.spawn(compact_in_background());
  } else if (compaction.has_later() && !compaction_timer.armed()) {
    loop.timers().arm(compaction_timer, loop.now_ns() + rules.look_after_ns);
  }
}

coro::Task<void> ChunkStore::State::compact_in_background() {
  co_await loop.yield();
  {
    const journal::AlignedMemory memory(io::kBufferBytesMax);
    while (compaction.has_due() && !stopping) {
      auto compacting_one = compact_file(compaction.take(), memory.bytes());
      co_await compacting_one;
    }
  }
  compacting = false;
  start_compaction();
}

/// Once through the file, with a bounded piece of work in each turn. Whatever keeps a window from
/// being rewritten, the next one comes next, and the file not before it has changed again.
coro::Task<void> ChunkStore::State::compact_file(InodeId file, Bytes memory) {
  std::uint64_t cursor = 0;
  while (cursor != UINT64_MAX && !stopping && journal.health().has_value()) {
    co_await loop.yield();
    const std::uint64_t bytes_max = std::min(kWindowBytesMax, space.longest_run() * kBlockBytes);
    const std::optional<Window> window = next_window(index, file, rules, bytes_max, cursor);
    if (!window.has_value()) {
      continue;
    }
    auto giving_way = give_way();
    co_await giving_way;
    auto compacting_window = compact_window(file, *window, memory);
    const Status status = co_await compacting_window;
    if (!status.has_value() && status.error().code == Errc::kOutOfSpace) {
      break;
    }
  }
  compaction.left_with(file, index.extent_count_of(file));
}

coro::Task<void> ChunkStore::State::give_way() {
  for (unsigned turn = 0; turn < rules.give_way_max && !stopping; ++turn) {
    if (first_write == nullptr && read_count == 0 && space.waiter_count() == 0) {
      co_return;
    }
    loop::SleepOp pause(loop, loop.now_ns() + rules.give_way_ns);
    co_await pause;
  }
}

/// As a write: room in the log, blocks, data, and then the record and the index in one step. It
/// never waits for blocks, since it holds back those that it reads.
coro::Task<Status> ChunkStore::State::compact_window(InodeId file, Window window, Bytes memory) {
  const std::uint64_t block_count = round_up(window.size_bytes, kBlockBytes) / kBlockBytes;
  journal::Admission admission(journal, moved_body_bytes_max(kMovedExtentsMax, block_count));
  BENCHFS_CO_CHECK(admission);
  const BlockSpace::Reading reading(space);
  const Piece piece = {.offset_bytes = window.offset_bytes, .size_bytes = window.size_bytes};
  ExtentList from;
  index.find(file, piece.offset_bytes, piece.size_bytes, from);
  ReadPlan plan(index, file, std::span(&piece, 1));
  if (plan.has_hole() || plan.has_inline()) {
    co_return Status();  // It has changed meanwhile.
  }
  const std::optional<BlockRun> run =
      space.take_spare(block_count, space.block_count() / kSpareFraction);
  if (!run.has_value()) {
    co_return fail(Errc::kOutOfSpace, "store.compact");
  }
  Transfers transfers;
  Status status;
  while (status.has_value() && plan.begin_step(memory, transfers)) {
    status = co_await read_all(disk, transfers);
    if (status.has_value() && !are_intact(checksums, file, plan, transfers)) {
      ++counters.checksum_failures;
      status = fail(Errc::kCorrupt, "store.compact.checksum");
    }
    if (status.has_value()) {
      plan.end_step(memory, inline_data);
    }
  }
  const Bytes data = memory.first(block_count * kBlockBytes);
  Checksums of_blocks;
  if (status.has_value()) {
    const ConstBytes view = plan.view_in(memory);
    std::memmove(data.data(), view.data(), view.size());
    std::memset(data.data() + view.size(), 0, data.size() - view.size());
    of_blocks = checksums_of(data);
    const Transfer writing = {.device_bytes = run->first * kBlockBytes, .memory = data};
    status = co_await write_all(disk, std::span(&writing, 1));
  }
  const ExtentList left = left_of(index, file, window, from, run->first * kBlockBytes);
  if (!status.has_value() || left.empty() || left.size() > kMovedExtentsMax) {
    space.free_unseen({*run});
    space.end_spare(block_count);
    co_return status;
  }
  publish_moved(file, left, *run, of_blocks);
  space.end_spare(block_count);
  ++counters.compacted_windows;
  counters.compacted_extents += from.size();
  counters.compacted_bytes += window.size_bytes;
  auto committing = commit(last_lsn);
  co_return co_await committing;
}

void ChunkStore::State::publish_moved(InodeId file, const ExtentList& left, BlockRun run,
                                      std::span<const std::uint32_t> block_checksums) {
  std::vector<bool> is_used(run.count);
  Checksums of_extents;
  for (const Extent& extent : left) {
    const BlockRun blocks = blocks_of(extent);
    for (std::uint64_t block = blocks.first; block < blocks.end(); ++block) {
      const std::uint32_t checksum = block_checksums[block - run.first];
      is_used[block - run.first] = true;
      checksums.set(block, checksum);
      of_extents.push_back(checksum);
    }
  }
  std::vector<std::byte> bytes;
  encode_extents(file, left, of_extents, bytes);
  BodyParts body;
  body.parts[0] = bytes;
  const journal::Lsn lsn = append(kMovedRecord, file, body, block_checksums.size() * kBlockBytes);
  BlockRuns freed;
  index.insert(file, left, freed);
  index_changed();
  space.free_seen(freed, lsn);
  BlockRuns unused;
  for (std::uint64_t i = 0; i < run.count; ++i) {
    if (!is_used[i]) {
      unused.push_back({.first = run.first + i, .count = 1});
    }
  }
  space.free_unseen(unused);
}

}  // namespace benchfs::store
