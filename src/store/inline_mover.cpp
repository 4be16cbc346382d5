// Moving small writes out of the log into blocks of the store, many of them into one block.

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"
#include "store/store_state.h"
#include "store/transfer.h"

namespace benchfs::store {
namespace {

/// Data that are moved by one write of the drive.
constexpr std::size_t kMoveBytesMax = 256 * kKiB;

/// Items that are looked at in one turn of the loop.
constexpr std::size_t kItemsPerTurnMax = 512;

}  // namespace

/// Keeps `data` that a record has, and where it is in the file, for who moves it.
BlockRun ChunkStore::State::keep_inline(InodeId file, std::span<const Piece> pieces,
                                        ConstBytes data) {
  const BlockRun run = inline_data.add(data);
  InlineItem item = {.file = file, .run = run, .pieces = {}};
  // Pieces may overlap; nothing is to be found, and moved, twice.
  std::vector<Piece> sorted(pieces.begin(), pieces.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const Piece& a, const Piece& b) { return a.offset_bytes < b.offset_bytes; });
  for (const Piece& piece : sorted) {
    if (!item.pieces.empty()) {
      Piece& last = item.pieces.back();
      if (piece.offset_bytes <= last.offset_bytes + last.size_bytes) {
        const std::uint64_t end =
            std::max(last.offset_bytes + last.size_bytes, piece.offset_bytes + piece.size_bytes);
        last.size_bytes = end - last.offset_bytes;
        continue;
      }
    }
    item.pieces.push_back(piece);
  }
  items.push_back(std::move(item));
  return run;
}

/// What one write moves, taken from the oldest items.
struct ChunkStore::State::MoveBatch {
  explicit MoveBatch(const State& store) : state(store), memory(kMoveBytesMax) {}

  /// False, and nothing taken, if the item does not fit any more.
  bool add(const InlineItem& item) {
    ExtentList parts;
    ExtentList found;
    std::uint64_t part_bytes = 0;
    for (const Piece& piece : item.pieces) {
      found.clear();
      state.index.find(item.file, piece.offset_bytes, piece.size_bytes, found);
      for (const Extent& extent : found) {
        const std::uint64_t block = extent.device_bytes / kBlockBytes;
        if (block >= item.run.first && block < item.run.end()) {
          parts.push_back(extent);
          part_bytes += extent.size_bytes;
        }
      }
    }
    if (part_bytes > kMoveBytesMax - size_bytes) {
      return false;
    }
    for (const Extent& part : parts) {
      state.inline_data.copy(part.device_bytes,
                             memory.bytes().subspan(size_bytes, part.size_bytes));
      moves.push_back({.file = item.file, .from = part, .to_device_bytes = size_bytes});
      size_bytes += part.size_bytes;
    }
    return true;
  }

  /// Lays what was added over `runs`; until then destinations count from the start of the memory.
  void lay_over(const BlockRuns& runs) {
    std::vector<ExtentIndex::Move> laid;
    auto run = runs.begin();
    std::uint64_t run_begin = 0;  // Where in the memory it begins.
    for (const ExtentIndex::Move& move : moves) {
      std::uint64_t done = 0;
      while (done < move.from.size_bytes) {
        const std::uint64_t at = move.to_device_bytes + done;
        if (at == run_begin + run->count * kBlockBytes) {
          run_begin = at;
          ++run;
        }
        const std::uint64_t count =
            std::min(move.from.size_bytes - done, run_begin + run->count * kBlockBytes - at);
        laid.push_back({.file = move.file,
                        .from = {.offset_bytes = move.from.offset_bytes + done,
                                 .size_bytes = count,
                                 .device_bytes = move.from.device_bytes + done},
                        .to_device_bytes = run->first * kBlockBytes + (at - run_begin)});
        done += count;
      }
    }
    moves = std::move(laid);
  }

  const State& state;
  const journal::AlignedMemory memory;
  std::size_t size_bytes = 0;
  std::vector<ExtentIndex::Move> moves;
};

coro::Task<Status> ChunkStore::State::move_inline(std::uint64_t stop_number,
                                                  std::uint64_t bytes_max) {
  coro::Semaphore::AcquireOp turn = moving.lock();
  co_await turn;
  Status status;
  while (status.has_value() && first_item < stop_number && !items.empty() &&
         (bytes_max == 0 || inline_data.memory_bytes() > bytes_max)) {
    MoveBatch batch(*this);
    std::size_t count = 0;
    while (count < kItemsPerTurnMax && count < items.size() && first_item + count < stop_number &&
           batch.add(items[count])) {
      ++count;
    }
    if (!batch.moves.empty()) {
      auto writing = write_moved(batch);
      status = co_await writing;
    } else {
      co_await loop.yield();
    }
    if (status.has_value()) {
      items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count));
      first_item += count;
    }
  }
  moving.unlock();
  co_return status;
}

coro::Task<Status> ChunkStore::State::write_moved(MoveBatch& batch) {
  const std::size_t padded_bytes = round_up(batch.size_bytes, kBlockBytes);
  const BlockRuns runs = space.take_promised(padded_bytes / kBlockBytes);
  const Bytes memory = batch.memory.bytes().first(padded_bytes);
  std::memset(memory.data() + batch.size_bytes, 0, padded_bytes - batch.size_bytes);
  const Checksums block_checksums = checksums_of(memory);
  const Transfers transfers = transfers_to(runs, memory);
  const Status status = co_await write_all(disk, transfers);
  if (!status.has_value()) {
    space.free_unseen(runs);
    co_return status;
  }
  batch.lay_over(runs);
  BlockRuns used;
  BlockRuns freed;
  index.move(batch.moves, used, freed);
  // Some may have been overwritten meanwhile; blocks that are left without any data are free.
  BlockRuns unused;
  const std::uint32_t* checksum = block_checksums.data();
  for (const BlockRun& run : runs) {
    for (std::uint64_t block = run.first; block < run.end(); ++block, ++checksum) {
      const bool has_user = std::any_of(used.begin(), used.end(), [block](const BlockRun& part) {
        return block >= part.first && block < part.end();
      });
      if (has_user) {
        checksums.set(block, *checksum);
      } else {
        unused.push_back({.first = block, .count = 1});
      }
    }
  }
  index_changed();
  for (const ExtentIndex::Move& moved : batch.moves) {
    extents_changed(moved.file, index.extent_count_of(moved.file));
  }
  space.free_seen(freed, 0);
  space.free_unseen(unused);
  co_return Status();
}

void ChunkStore::State::start_move() {
  if (!moves_in_background) {
    moves_in_background = true;
    background.spawn(move_in_background());
  }
}

void ChunkStore::State::start_move_if_needed() {
  if (!stopping && inline_data.memory_bytes() > kInlineMemoryBytesMax / 2) {
    start_move();
  }
}

/// A small write is promised blocks of its own, and moves together with others: two are enough to
/// make room.
bool ChunkStore::State::want_promises_kept() noexcept {
  if (stopping || (items.size() < 2 && !move_all_wanted)) {
    return false;
  }
  move_all_wanted = true;
  start_move();
  return true;
}

coro::Task<void> ChunkStore::State::move_in_background() {
  co_await loop.yield();
  Status status;
  do {
    const bool all = move_all_wanted;
    auto moving_some = all ? move_inline(next_item_number(), 0)
                           : move_inline(UINT64_MAX, kInlineMemoryBytesMax / 4);
    status = co_await moving_some;
    if (!status.has_value()) {
      log_error("small writes cannot be moved out of the log: {}", to_string(status.error()));
    }
    if (all) {
      move_all_wanted = false;
      space.promises_kept();
    }
  } while (move_all_wanted && status.has_value());
  moves_in_background = false;
  if (move_all_wanted) {
    move_all_wanted = false;
    space.promises_kept();
  }
}

}  // namespace benchfs::store
