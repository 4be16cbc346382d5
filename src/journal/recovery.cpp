// Beginning: an empty log, or what a dead server has left.

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "journal/journal_state.h"
#include "journal/log_reader.h"

namespace benchfs::journal {
namespace {

/// Positions are counted far from where sums of them could wrap.
constexpr std::uint64_t kPositionMax = UINT64_MAX / (8 * kBlockBytes);

Status check(const Anchor& anchor, std::uint64_t disk_blocks) {
  if (anchor.ring_blocks < kRingBlocksMin || disk_blocks <= kAnchorBlocks ||
      anchor.ring_blocks > disk_blocks - kAnchorBlocks || anchor.log_begin > kPositionMax ||
      anchor.incarnation == UINT64_MAX || anchor.sequence == UINT64_MAX ||
      anchor.log_incarnation > anchor.incarnation || anchor.snapshot_chunks > disk_blocks ||
      anchor.power_era == 0 || anchor.power_era > anchor.incarnation) {
    log_error("journal: the anchor names what cannot be (a ring of {} blocks on a drive of {})",
              anchor.ring_blocks, disk_blocks);
    return fail(Errc::kCorrupt, "anchor.fields");
  }
  return {};
}

}  // namespace

bool LogScan::has_dropped(std::uint64_t position, std::uint32_t number) const noexcept {
  const auto found = dropped.find(position);
  if (found == dropped.end()) {
    return false;
  }
  const auto behind = std::upper_bound(
      found->second.begin(), found->second.end(), number,
      [](std::uint32_t wanted, const DroppedRun& run) { return wanted < run.first; });
  return behind != found->second.begin() &&
         number - std::prev(behind)->first < std::prev(behind)->count;
}

coro::Task<Status> Journal::State::create() {
  BENCHFS_ASSERT(!started);
  const Anchor first = {.store_id = options.store_id,
                        .incarnation = 1,
                        .ring_blocks = ring.blocks(),
                        .log_incarnation = 1,
                        .power_era = 1,
                        .boot = options.boot};
  if (!check(first, disk.size_bytes() / kBlockBytes)) {
    co_return fail(Errc::kInvalid, "journal.ring");
  }
  coro::Task<Status> writing_first = write_anchor(first);
  BENCHFS_CO_CHECK(writing_first);
  coro::Task<Status> writing_second = write_anchor(first);
  BENCHFS_CO_CHECK(writing_second);
  start();
  co_return Status();
}

coro::Task<Result<Anchor>> Journal::State::read_anchor() {
  Result<Anchor> newest = fail(Errc::kCorrupt, "journal.anchors");
  for (std::uint64_t block = 0; block < kAnchorBlocks; ++block) {
    io::ReadOp reading(disk, block * kBlockBytes, anchor_block.bytes());
    const Status read = co_await reading;
    if (!read.has_value()) {
      log_error("journal: cannot read anchor {}: {}", block, to_string(read.error()));
      co_return fail(read.error());
    }
    const Result<Anchor> found = decode_anchor(anchor_block.bytes());
    if (!found.has_value()) {
      if (found.error().code == Errc::kUnsupported) {
        log_error(
            "journal: this store's format is another than version {}, which is all that "
            "this server knows",
            kAnchorVersion);
        co_return fail(found.error());
      }
      continue;
    }
    if (found->store_id == options.store_id && found->sequence % kAnchorBlocks == block &&
        (!newest.has_value() || found->sequence > newest->sequence)) {
      newest = *found;
    }
  }
  if (!newest.has_value()) {
    log_error("journal: no anchor of this store is left on the drive");
    co_return newest;
  }
  BENCHFS_CO_CHECK_NOW(check(*newest, disk.size_bytes() / kBlockBytes));
  co_return newest;
}

coro::Task<Result<Recovered>> Journal::State::recover() {
  BENCHFS_ASSERT(!started);
  coro::Task<Result<Anchor>> reading_anchor = read_anchor();
  BENCHFS_CO_TRY(anchor, reading_anchor);
  ring = LogRing(anchor.ring_blocks);
  Recovered found;
  coro::Task<Status> checking_snapshot = check_snapshot();
  BENCHFS_CO_CHECK(checking_snapshot);
  LogScan scan;
  coro::Task<Status> scanning = scan_log(scan);
  BENCHFS_CO_CHECK(scanning);
  coro::Task<Status> replaying_snapshot = replay_snapshot(found);
  BENCHFS_CO_CHECK(replaying_snapshot);
  std::vector<DroppedRun> dropped;
  coro::Task<Status> replaying_log = replay_log(scan, found, dropped);
  BENCHFS_CO_CHECK(replaying_log);
  for (Participant* const participant : participants) {
    BENCHFS_CO_CHECK_NOW(participant->finish_replay());
  }
  coro::Task<Status> going_on = go_on(scan, dropped);
  BENCHFS_CO_CHECK(going_on);
  found.incarnation = anchor.incarnation;
  found.power_was_lost = anchor.power_era == anchor.incarnation;
  co_return found;
}

/// Before anybody is told of anything: the whole chain, so that a broken one has changed no table.
coro::Task<Status> Journal::State::check_snapshot() {
  SnapshotReader reader(disk, anchor);
  while (!reader.at_end()) {
    coro::Task<Result<ConstBytes>> reading = reader.next();
    const Result<ConstBytes> chunk = co_await reading;
    if (!chunk.has_value()) {
      co_return fail(chunk.error());
    }
    chunks.push_back(reader.where());
    snapshot_blocks += reader.where().count;
  }
  for (const BlockRun& chunk : chunks) {
    space->mark_used(chunk.first, chunk.count);
  }
  co_return Status();
}

Result<Participant*> Journal::State::participant_of(std::uint16_t kind) const noexcept {
  if (kind >= by_kind.size() || by_kind[kind] == nullptr) {
    log_error("journal: a record of kind {}, which this server does not know", kind);
    return fail(Errc::kUnsupported, "journal.kind");
  }
  return by_kind[kind];
}

coro::Task<Status> Journal::State::replay_snapshot(Recovered& found) {
  SnapshotReader reader(disk, anchor);
  SnapshotRecords records;
  found.snapshot = !reader.at_end();
  while (!reader.at_end()) {
    coro::Task<Result<ConstBytes>> reading = reader.next();
    BENCHFS_CO_TRY(const ConstBytes of_chunk, reading);
    records.add(of_chunk);
    for (;;) {
      BENCHFS_CO_TRY_NOW(const std::optional<RecordView> record, records.next());
      if (!record.has_value()) {
        break;
      }
      BENCHFS_CO_TRY_NOW(Participant* const participant, participant_of(record->kind));
      BENCHFS_CO_CHECK_NOW(participant->replay(RecordKind{record->kind}, record->body, {}));
      ++found.snapshot_records;
    }
  }
  if (!records.at_boundary()) {
    log_error("journal: the snapshot ends inside of a record");
    co_return fail(Errc::kCorrupt, "snapshot.end");
  }
  co_return Status();
}

/// Finds the end, and what has to be known before the first record is looked at.
coro::Task<Status> Journal::State::scan_log(LogScan& scan) {
  LogReader reader(disk, anchor);
  scan.durable = anchor.durable_position;
  for (;;) {
    coro::Task<Result<std::optional<BatchView>>> reading = reader.next();
    BENCHFS_CO_TRY(const std::optional<BatchView> batch, reading);
    if (!batch.has_value()) {
      break;
    }
    scan.durable = std::max(scan.durable, batch->header.durable_position);
    RecordReader records(batch->bytes);
    for (;;) {
      const Result<std::optional<RecordView>> record = records.next();
      if (!record.has_value()) {
        log_error("journal: the batch at position {} is malformed", batch->header.position);
        co_return fail(record.error());
      }
      if (!record->has_value()) {
        break;
      }
      if ((*record)->kind != static_cast<std::uint16_t>(RecordKind::kJournalDropped)) {
        continue;
      }
      ConstBytes body = (*record)->body;
      for (; body.size() >= kDroppedRunBytes; body = body.subspan(kDroppedRunBytes)) {
        const Result<DroppedRun> run = decode_dropped_run(body.first(kDroppedRunBytes));
        if (!run.has_value()) {
          break;
        }
        scan.dropped[run->position].push_back(*run);
      }
      if (!body.empty()) {
        log_error("journal: the batch at position {} is malformed", batch->header.position);
        co_return fail(Errc::kCorrupt, "journal.dropped");
      }
    }
  }
  scan.end = reader.position();
  if (scan.end < anchor.durable_position) {
    log_error(
        "journal: the log ends at position {}, and was synced up to {}: the drive has lost it",
        scan.end, anchor.durable_position);
    co_return fail(Errc::kCorrupt, "journal.lost");
  }
  for (auto& [position, runs] : scan.dropped) {
    std::sort(runs.begin(), runs.end(),
              [](const DroppedRun& a, const DroppedRun& b) { return a.first < b.first; });
  }
  co_return Status();
}

coro::Task<Status> Journal::State::replay_log(const LogScan& scan, Recovered& found,
                                              std::vector<DroppedRun>& dropped) {
  LogReader reader(disk, anchor);
  while (reader.position() < scan.end) {
    coro::Task<Result<std::optional<BatchView>>> reading = reader.next();
    BENCHFS_CO_TRY(const std::optional<BatchView> batch, reading);
    if (!batch.has_value()) {
      log_error("journal: the log at position {} was read once and is not there any more",
                reader.position());
      co_return fail(Errc::kIo, "journal.read");
    }
    coro::Task<Status> replaying = replay_batch(*batch, scan, found, dropped);
    BENCHFS_CO_CHECK(replaying);
  }
  co_return Status();
}

coro::Task<Status> Journal::State::replay_batch(const BatchView& batch, const LogScan& scan,
                                                Recovered& found,
                                                std::vector<DroppedRun>& dropped) {
  const std::uint64_t position = batch.header.position;
  RecordReader records(batch.bytes);
  bool is_there = true;
  for (std::uint32_t number = 0;; ++number) {
    BENCHFS_CO_TRY_NOW(const std::optional<RecordView> record, records.next());
    if (!record.has_value()) {
      co_return Status();
    }
    const RecordKind kind{record->kind};
    const bool follows_dropped = !is_there;
    is_there = !scan.has_dropped(position, number);
    if (kind == RecordKind::kJournalDropped || !is_there) {
      continue;
    }
    BENCHFS_CO_TRY_NOW(Participant* const participant, participant_of(record->kind));
    const RecordPlace place = {.body_device_bytes = device_bytes_of(position) + record->body_at,
                               .follows_dropped = follows_dropped};
    if (position >= scan.durable) {
      coro::Task<Result<bool>> asking = participant->holds(kind, record->body, place);
      BENCHFS_CO_TRY(is_there, asking);
    }
    if (is_there) {
      BENCHFS_CO_CHECK_NOW(participant->replay(kind, record->body, place));
      ++found.log_records;
      continue;
    }
    ++found.dropped_records;
    if (!dropped.empty() && dropped.back().position == position &&
        dropped.back().first + dropped.back().count == number) {
      ++dropped.back().count;
    } else {
      dropped.push_back({.position = position, .first = number, .count = 1});
    }
  }
}

/// What has been read is made durable, then named by a new anchor: from here on the drive changes.
coro::Task<Status> Journal::State::go_on(const LogScan& scan,
                                         const std::vector<DroppedRun>& dropped) {
  ring.reset(anchor.log_begin, scan.end);
  committed_position = scan.end;
  coro::Task<Status> syncing = fsync();
  BENCHFS_CO_CHECK(syncing);
  // Once all of the log is said to be durable, no recovery asks for any of it: before that, what
  // was dropped has to be on record. And nothing that the store has free may be written to before
  // that: a record may still be asked for, and what it speaks of may be free in part.
  claim_end = dropped.empty() ? UINT64_MAX : scan.durable;
  Anchor next = anchor;
  ++next.incarnation;
  if (!options.boot.is_known() || options.boot != anchor.boot) {
    next.power_era = next.incarnation;
  }
  next.boot = options.boot;
  coro::Task<Status> writing_anchor = write_anchor(next);
  BENCHFS_CO_CHECK(writing_anchor);
  start();
  if (dropped.empty()) {
    co_return Status();
  }
  coro::Task<Status> recording = record_dropped(dropped);
  const Status recorded = co_await recording;
  if (!recorded.has_value()) {
    coro::Task<void> ending_committer = end_committer();
    co_await ending_committer;
  }
  co_return recorded;
}

/// In batches, none of which has to leave the end of the ring empty. README.md says why there is
/// room.
coro::Task<Status> Journal::State::record_dropped(const std::vector<DroppedRun>& dropped) {
  std::span<const DroppedRun> left(dropped);
  while (!left.empty()) {
    const std::uint64_t blocks = std::min({ring.batch_blocks_max(), ring.to_ring_end(ring.end()),
                                           ring.blocks() - ring.used(), kPieceBytes / kBlockBytes});
    if (blocks == 0) {
      log_error("journal: the ring has no room for {} dropped records", left.size());
      co_return fail(Errc::kOutOfSpace, "journal.dropped");
    }
    const std::uint64_t bytes = blocks * kBlockBytes - kHeaderBytes - kRecordHeaderBytes;
    const auto now = left.first(std::min<std::size_t>(left.size(), bytes / kDroppedRunBytes));
    left = left.subspan(now.size());
    coro::Task<Status> appending = append_dropped(now);
    BENCHFS_CO_CHECK(appending);
  }
  coro::Task<Status> syncing = sync();
  BENCHFS_CO_CHECK(syncing);
  claim_end = UINT64_MAX;
  coro::Task<Status> writing_anchor = write_anchor(anchor);
  co_return co_await writing_anchor;
}

coro::Task<Status> Journal::State::append_dropped(std::span<const DroppedRun> dropped) {
  std::vector<std::byte> body(dropped.size() * kDroppedRunBytes);
  for (std::size_t i = 0; i < dropped.size(); ++i) {
    encode(dropped[i], Bytes(body).subspan(i * kDroppedRunBytes, kDroppedRunBytes));
  }
  const std::array<ConstBytes, 1> parts = {ConstBytes(body)};
  ++end_lsn;
  open.append(RecordKind::kJournalDropped, parts, nullptr);
  wake_committer();
  CommitOp committing_it(journal, end_lsn);
  co_return co_await committing_it;
}

}  // namespace benchfs::journal
