// Snapshots: when, in which steps, and what becomes of the log before.

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "journal/journal_state.h"

namespace benchfs::journal {

/// The log is replayed after a crash, so it follows what is alive, whatever the ring has room for;
/// and a snapshot writes no more than half of what the log has taken since the last one.
std::uint64_t Journal::State::checkpoint_at() const noexcept {
  return std::min(ring.checkpoint_at(), std::max(kLongLogBlocks, 2 * snapshot_blocks));
}

bool Journal::State::checkpoint_may_start() noexcept {
  return checkpointing == nullptr && !stopping && started && space != nullptr &&
         failed.has_value() && claim_end == UINT64_MAX && loop.now_ns() >= checkpoint_after_ns;
}

/// Does not run any of it inside of the caller: that may be in the middle of anything.
void Journal::State::start_checkpoint() {
  BENCHFS_ASSERT(checkpointing == nullptr);
  checkpointing = std::make_shared<CheckpointRound>();
  scope.spawn(run_checkpoint(checkpointing));
}

coro::Task<Status> Journal::State::join_checkpoint() {
  if (!failed.has_value()) {
    co_return failed;
  }
  if (checkpointing == nullptr) {
    start_checkpoint();
  }
  const std::shared_ptr<CheckpointRound> round = checkpointing;
  ++round->follower_count;
  coro::Semaphore::AcquireOp done = round->done.acquire(1);
  co_await done;
  co_return round->status;
}

coro::Task<void> Journal::State::run_checkpoint(std::shared_ptr<CheckpointRound> round) {
  co_await loop.yield();
  coro::Task<Status> making = make_snapshot();
  const Status made = co_await making;
  round->status = made;
  if (round->status.has_value()) {
    ++counters.snapshots;
    checkpoint_error = kNoRoom;
  } else {
    checkpoint_after_ns = loop.now_ns() + kCheckpointPauseNs;
    checkpoint_error = round->status.error();
    if (failed.has_value()) {
      log_warning("journal: no snapshot could be made ({}); the log takes {} of {} blocks",
                  to_string(round->status.error()), ring.used(), ring.blocks());
    }
  }
  checkpointing = nullptr;
  serve_admissions();
  round->done.release(round->follower_count);
}

coro::Task<Status> Journal::State::make_snapshot() {
  BENCHFS_ASSERT(space != nullptr);
  // Batches end here, and the tables hold what is in them.
  const std::uint64_t log_begin = ring.end();
  const LogPart part = {.ring_begin_bytes = kAnchorBlocks * kBlockBytes,
                        .ring_bytes = ring.blocks() * kBlockBytes,
                        .begin_bytes = ring.begin() * kBlockBytes,
                        .end_bytes = log_begin * kBlockBytes};
  for (Participant* const participant : participants) {
    coro::Task<Status> leaving_log = participant->leave_log(part);
    BENCHFS_CO_CHECK(leaving_log);
  }
  SnapshotWriter writer(disk, *space, options.store_id, anchor.sequence + 1);
  coro::Task<Status> handing_over = hand_over(writer);
  const Status handed_over = co_await handing_over;
  if (!handed_over.has_value()) {
    writer.discard();
    co_return handed_over;
  }
  // What was handed over may contain changes whose records are still on their way; none of it may
  // come back without all that was changed before it.
  coro::Task<Status> syncing = sync();
  const Status synced = co_await syncing;
  if (!synced.has_value()) {
    writer.discard();
    co_return synced;
  }
  std::vector<BlockRun> new_chunks = writer.take_chunks();
  coro::Semaphore::AcquireOp turn = anchoring.lock();
  co_await turn;
  Anchor next = anchor;
  next.log_begin = log_begin;
  next.log_incarnation = anchor.incarnation;
  next.snapshot_block = new_chunks.front().first;
  next.snapshot_chunks = new_chunks.size();
  coro::Task<Status> writing_anchor = write_anchor(next);
  const Status anchored = co_await writing_anchor;
  anchoring.unlock();
  if (!anchored.has_value()) {
    co_return anchored;
  }
  std::swap(chunks, new_chunks);
  free_chunks(new_chunks);
  snapshot_blocks = 0;
  for (const BlockRun& chunk : chunks) {
    snapshot_blocks += chunk.count;
  }
  ring.give_up(log_begin);
  co_return Status();
}

coro::Task<Status> Journal::State::hand_over(SnapshotWriter& writer) {
  BENCHFS_CO_CHECK_NOW(writer.begin());
  for (Participant* const participant : participants) {
    participant->begin_snapshot();
    coro::Task<Status> handing_over = hand_over_one(*participant, writer);
    const Status status = co_await handing_over;
    participant->end_snapshot();
    if (!status.has_value()) {
      co_return status;
    }
  }
  coro::Task<Status> writing_last = writer.write_last();
  const Status written = co_await writing_last;
  if (!written.has_value() && written.error().code != Errc::kOutOfSpace) {
    fail_with(written.error());
  }
  co_return written;
}

coro::Task<Status> Journal::State::hand_over_one(Participant& participant, SnapshotWriter& writer) {
  for (bool done = false; !done;) {
    done = participant.next_records(writer);
    if (writer.full()) {
      BENCHFS_ASSERT(!done);
      coro::Task<Status> writing_chunk = writer.write_full();
      const Status written = co_await writing_chunk;
      if (!written.has_value()) {
        if (written.error().code != Errc::kOutOfSpace) {
          fail_with(written.error());
        }
        co_return written;
      }
    }
    co_await loop.yield();
    BENCHFS_CO_CHECK_NOW(failed);
  }
  co_return Status();
}

void Journal::State::free_chunks(const std::vector<BlockRun>& old_chunks) {
  for (const BlockRun& chunk : old_chunks) {
    space->free(chunk.first, chunk.count);
  }
}

}  // namespace benchfs::journal
