#include "journal/journal.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/units.h"
#include "journal/checksum.h"
#include "journal/journal_state.h"

namespace benchfs::journal {

std::uint64_t ring_blocks_of(std::uint64_t block_count) noexcept {
  constexpr std::uint64_t kSmallest = kMiB / kBlockBytes;
  constexpr std::uint64_t kLargest = 256 * kMiB / kBlockBytes;
  return std::clamp(block_count / 16, kSmallest, kLargest);
}

Journal::State::State(Journal& self, loop::EventLoop& event_loop, io::Disk& drive,
                      JournalOptions journal_options)
    : journal(self),
      loop(event_loop),
      disk(drive),
      options(journal_options),
      ring(journal_options.ring_blocks != 0 ? journal_options.ring_blocks
                                            : ring_blocks_of(drive.size_bytes() / kBlockBytes)),
      anchor_block(kBlockBytes),
      fsyncs(drive),
      padding_block(kBlockBytes) {
  std::memset(padding_block.bytes().data(), 0, kBlockBytes);
}

std::uint64_t Journal::State::device_bytes_of(std::uint64_t position) const noexcept {
  return ring.block_of(position) * kBlockBytes;
}

void Journal::State::fail_with(Error error) noexcept {
  if (!failed.has_value()) {
    return;
  }
  log_error(
      "journal: the drive has failed ({}); changes are refused until the drive is well and this "
      "server, process {}, has been killed and started again (benchfs restart)",
      to_string(error), ::getpid());
  failed = fail(Errc::kIo, error.where, error.os_code);
  open.clear();
  release_committed();
  serve_admissions();
  wake_committer();
}

/// Awaited by the committer: until the open batch has a record, or it is to end.
struct BatchOpenedOp {
  bool ready;
  std::coroutine_handle<>& idle_committer;
  bool await_ready() const noexcept { return ready; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { idle_committer = waiter; }
  void await_resume() const noexcept {}
};

void Journal::State::wake_committer() noexcept {
  if (idle_committer) {
    loop.post(std::exchange(idle_committer, {}));
  }
}

void Journal::State::start() {
  BENCHFS_ASSERT(!started);
  started = true;
  scope.spawn(run_committer());
}

coro::Task<void> Journal::State::run_committer() {
  for (;;) {
    BatchOpenedOp opened{.ready = !open.empty() || ending, .idle_committer = idle_committer};
    co_await opened;
    if (open.empty()) {
      if (ending) {
        co_return;
      }
      continue;  // It was thrown away: the journal has failed.
    }
    coro::Task<Status> writing_batch = write_open_batch();
    const Status status = co_await writing_batch;
    if (!status.has_value()) {
      fail_with(status.error());
    }
  }
}

/// Runs between the steps of those who append, so the batch holds only complete units.
coro::Task<Status> Journal::State::write_open_batch() {
  std::swap(open, writing);
  const Lsn last_lsn = end_lsn;
  const std::uint64_t padding_at = ring.end();
  const std::uint64_t position = ring.take(writing.blocks());
  const std::uint64_t end_position = ring.end();
  const Lsn claimed = durable_lsn;
  writing.seal(BatchHeader{.store_id = options.store_id,
                           .incarnation = anchor.incarnation,
                           .position = position,
                           .durable_position = claimed_position()},
               device_bytes_of(position));
  counters.batches += 1;
  counters.records += writing.record_count();
  counters.record_bytes += writing.bytes() - kHeaderBytes;
  if (position != padding_at) {
    coro::Task<Status> padding = write_padding(padding_at, position - padding_at);
    BENCHFS_CO_CHECK(padding);
  }
  coro::Task<Status> writing_pieces = write_pieces(device_bytes_of(position));
  BENCHFS_CO_CHECK(writing_pieces);
  writing.clear();
  if (!failed.has_value()) {
    co_return failed;
  }
  committed_lsn = last_lsn;
  claimed_lsn = claimed;
  committed_position = end_position;
  release_committed();
  serve_admissions();
  if (ring.used() >= checkpoint_at() && checkpoint_may_start()) {
    start_checkpoint();
  }
  co_return Status();
}

coro::Task<void> Journal::State::write_piece(std::uint64_t device_bytes, ConstBytes piece,
                                             Status& status) {
  io::WriteOp op(disk, device_bytes, piece);
  const Status written = co_await op;
  status = written;
}

/// In any order: the checksum of the batch is that of all pieces, and nobody is told of any of it
/// before the last one is there.
coro::Task<Status> Journal::State::write_pieces(std::uint64_t device_bytes) {
  std::array<Status, kPiecesInFlightMax> statuses;
  for (std::size_t next = 0; next < writing.piece_count();) {
    coro::Scope pieces;
    for (Status& status : statuses) {
      if (next < writing.piece_count()) {
        pieces.spawn(write_piece(device_bytes + next * kPieceBytes, writing.piece(next), status));
        ++next;
      }
    }
    co_await pieces.join();
    for (const Status& status : statuses) {
      if (!status.has_value()) {
        co_return status;
      }
    }
  }
  co_return Status();
}

coro::Task<Status> Journal::State::write_padding(std::uint64_t position, std::uint64_t blocks) {
  const Bytes block = padding_block.bytes();
  encode(BatchHeader{.bytes = kHeaderBytes,
                     .blocks = static_cast<std::uint32_t>(blocks),
                     .store_id = options.store_id,
                     .incarnation = anchor.incarnation,
                     .position = position,
                     .durable_position = claimed_position()},
         block);
  put_checksum(block, crc32c(block.first(kHeaderBytes).subspan(kChecksummedFrom)));
  io::WriteOp op(disk, device_bytes_of(position), block);
  co_return co_await op;
}

void Journal::State::release_committed() noexcept {
  while (committing.first != nullptr &&
         (!failed.has_value() || committing.first->lsn_ <= committed_lsn)) {
    CommitOp& op = committing.pop();
    op.status_ = failed;
    loop.post(op.waiter_);
  }
}

coro::Task<Status> Journal::State::fsync() {
  const Lsn lsn = committed_lsn;
  const Lsn claimed = claimed_lsn;
  const std::uint64_t position = committed_position;
  coro::Task<Status> syncing = fsyncs.fsync();
  const Status status = co_await syncing;
  if (!status.has_value()) {
    fail_with(status.error());
    co_return failed;
  }
  if (!failed.has_value()) {
    co_return failed;
  }
  durable_lsn = std::max(durable_lsn, lsn);
  settled_lsn = std::max(settled_lsn, claimed);
  durable_position = std::max(durable_position, position);
  co_return Status();
}

coro::Task<Status> Journal::State::write_anchor(Anchor next) {
  const Lsn claimed = durable_lsn;
  next.sequence = anchor.sequence + 1;
  // It is behind the beginning of the log, which was synced before anybody gave up what is before.
  next.durable_position = std::max(claimed_position(), next.log_begin);
  encode(next, anchor_block.bytes());
  io::WriteOp writing_anchor(disk, next.sequence % kAnchorBlocks * kBlockBytes,
                             anchor_block.bytes());
  const Status written = co_await writing_anchor;
  if (!written.has_value()) {
    fail_with(written.error());
    co_return failed;
  }
  coro::Task<Status> syncing = fsync();
  BENCHFS_CO_CHECK(syncing);
  anchor = next;
  settled_lsn = std::max(settled_lsn, claimed);
  co_return Status();
}

coro::Task<Status> Journal::State::sync() {
  ++counters.syncs;
  CommitOp committing_all(journal, end_lsn);
  BENCHFS_CO_CHECK(committing_all);
  coro::Task<Status> syncing = fsync();
  co_return co_await syncing;
}

coro::Task<Status> Journal::State::settle() {
  const Lsn lsn = end_lsn;
  coro::Task<Status> syncing = sync();
  BENCHFS_CO_CHECK(syncing);
  coro::Semaphore::AcquireOp turn = anchoring.lock();
  co_await turn;
  Status status = failed;
  if (status.has_value() && settled_lsn < lsn) {
    coro::Task<Status> writing_anchor = write_anchor(anchor);
    status = co_await writing_anchor;
  }
  anchoring.unlock();
  co_return status;
}

coro::Task<void> Journal::State::end_committer() {
  ending = true;
  scope.close();
  wake_committer();
  co_await scope.join();
  started = false;
}

Journal::Journal(loop::EventLoop& loop, io::Disk& disk, JournalOptions options)
    : state_(std::make_unique<State>(*this, loop, disk, options)) {}

Journal::~Journal() {
  BENCHFS_ASSERT(state_->committing.first == nullptr);
  BENCHFS_ASSERT(state_->changes.first == nullptr && state_->leaving.first == nullptr);
}

void Journal::set_space(SnapshotSpace& space) noexcept {
  state_->space = &space;
}

void Journal::add_participant(RecordKind first, RecordKind last, Participant& participant) {
  const auto first_kind = static_cast<std::uint16_t>(first);
  const auto last_kind = static_cast<std::uint16_t>(last);
  BENCHFS_ASSERT(!state_->started && first_kind <= last_kind && last_kind <= kRecordKindLast);
  for (std::uint16_t kind = first_kind; kind <= last_kind; ++kind) {
    BENCHFS_ASSERT(state_->by_kind[kind] == nullptr);
    state_->by_kind[kind] = &participant;
  }
  std::vector<Participant*>& all = state_->participants;
  if (std::find(all.begin(), all.end(), &participant) == all.end()) {
    all.push_back(&participant);
  }
}

coro::Task<Status> Journal::create() {
  return state_->create();
}

coro::Task<Result<std::uint64_t>> Journal::next_incarnation() {
  auto reading = state_->read_anchor();
  BENCHFS_CO_TRY(const Anchor anchor, reading);
  co_return anchor.incarnation + 1;
}

coro::Task<Result<Recovered>> Journal::recover() {
  return state_->recover();
}

coro::Task<Status> Journal::stop() {
  State& state = *state_;
  if (!state.started) {
    co_return Status();
  }
  state.stopping = true;
  CommitOp committing(*this, state.end_lsn);
  const Status committed = co_await committing;
  if (state.checkpointing != nullptr ||
      (committed.has_value() && state.ring.used() > kShortLogBlocks)) {
    coro::Task<Status> snapshot = state.join_checkpoint();
    const Status made = co_await snapshot;
    if (!made.has_value() && state.failed.has_value()) {
      log_warning("journal: no snapshot at the end ({}); the next start reads the log",
                  to_string(made.error()));
    }
  }
  coro::Task<Status> syncing = state.sync();
  const Status synced = co_await syncing;
  coro::Task<void> ending = state.end_committer();
  co_await ending;
  co_return synced;
}

Lsn Journal::append(RecordKind kind, ConstBytes body) {
  return append(kind, std::span<const ConstBytes>(&body, 1), nullptr);
}

Lsn Journal::append(RecordKind kind, std::span<const ConstBytes> parts, RecordPlace* place) {
  State& state = *state_;
  BENCHFS_ASSERT(state.started && !state.ending);
  ++state.end_lsn;
  if (state.failed.has_value()) {
    state.open.append(kind, parts, place);
    state.wake_committer();
  }
  return state.end_lsn;
}

Lsn Journal::end() const noexcept {
  return state_->end_lsn;
}

Lsn Journal::committed_lsn() const noexcept {
  return state_->committed_lsn;
}

Lsn Journal::durable_lsn() const noexcept {
  return state_->durable_lsn;
}

Lsn Journal::settled_lsn() const noexcept {
  return state_->settled_lsn;
}

bool Journal::CommitOp::await_ready() noexcept {
  const State& state = *journal_.state_;
  BENCHFS_ASSERT(lsn_ <= state.end_lsn);
  if (lsn_ <= state.committed_lsn) {
    return true;  // It is there, whatever has failed since.
  }
  if (!state.failed.has_value()) {
    status_ = state.failed;
    return true;
  }
  return false;
}

void Journal::CommitOp::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  // In the order of the numbers: a commit takes from the front. Nearly all come in that order.
  WaitQueue<CommitOp, &CommitOp::next_>& queue = journal_.state_->committing;
  if (queue.last == nullptr || queue.last->lsn_ <= lsn_) {
    queue.push(*this);
    return;
  }
  CommitOp** at = &queue.first;
  while ((*at)->lsn_ <= lsn_) {
    at = &(*at)->next_;
  }
  next_ = *at;
  *at = this;
}

coro::Task<Status> Journal::sync() {
  return state_->sync();
}

coro::Task<Status> Journal::settle() {
  return state_->settle();
}

coro::Task<Status> Journal::checkpoint() {
  return state_->join_checkpoint();
}

std::uint64_t Journal::power_era() const noexcept {
  return state_->anchor.power_era;
}

Status Journal::health() const noexcept {
  return state_->failed;
}

std::uint64_t Journal::admission_bytes_max() const noexcept {
  return state_->ring.batch_blocks_max() * kBlockBytes - kHeaderBytes - kRecordHeaderBytes -
         kBlockBytes;
}

JournalUsage Journal::usage() const noexcept {
  return {.ring_bytes = state_->ring.blocks() * kBlockBytes,
          .ring_used_bytes = state_->ring.used() * kBlockBytes,
          .snapshot_bytes = state_->snapshot_blocks * kBlockBytes};
}

const JournalCounters& Journal::counters() const noexcept {
  return state_->counters;
}

io::Disk& Journal::disk() noexcept {
  return state_->disk;
}

}  // namespace benchfs::journal
