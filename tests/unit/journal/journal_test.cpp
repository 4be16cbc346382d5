// Goal: each promise of journal.h, one by one, on a drive that does what it is told.
// Method: a table that lives in a journal on a memory disk, slowed and failed by FaultyDisk where
// order matters. What a crash leaves is the disk's bytes: recovery is a second journal on them.

#include "journal/journal.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "coro/scope.h"
#include "journal/format.h"
#include "support/faulty_disk.h"
#include "support/journal_fixture.h"
#include "support/run_task.h"
#include "unit/journal/drive.h"

namespace benchfs::journal {
namespace {

TEST(Journal, HandsBackAfterRecoveryWhatWasCommitted) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    for (std::uint64_t key = 0; key < 100; ++key) {
      ASSERT_TRUE(run_task(drive.loop(), first.set(key % 10, std::to_string(key))).has_value());
    }
    stop(drive, first);
  }
  JournalOnDisk second(drive.loop(), drive.disk, options_of(64));
  const Result<Recovered> found = run_task(drive.loop(), second.journal.recover());
  ASSERT_TRUE(found.has_value()) << to_string(found.error());
  EXPECT_EQ(found->incarnation, 2U);
  EXPECT_EQ(second.table.table.size(), 10U);
  EXPECT_EQ(second.table.table[7], "97");
  EXPECT_EQ(second.table.finished, 1U);
  stop(drive, second);
}

TEST(Journal, GoesAroundTheRingManyTimesAndMakesSnapshotsByItself) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(16));
    create(drive, first);
    for (std::uint64_t key = 0; key < 1000; ++key) {
      ASSERT_TRUE(
          run_task(drive.loop(), first.set(key % 100, std::string(key % 7000, 'x'))).has_value());
    }
    EXPECT_GT(first.journal.counters().snapshots, 10U);
    stop(drive, first);
  }
  JournalOnDisk second(drive.loop(), drive.disk, options_of(16));
  const Result<Recovered> found = run_task(drive.loop(), second.journal.recover());
  ASSERT_TRUE(found.has_value()) << to_string(found.error());
  EXPECT_TRUE(found->snapshot);
  EXPECT_EQ(second.table.table.size(), 100U);
  EXPECT_EQ(second.table.table[99].size(), 999U);
  stop(drive, second);
}

TEST(Journal, WritesWhatOneTurnAppendedAsOneBatch) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(64));
  create(drive, on_disk);
  std::vector<coro::Task<Status>> changes;
  for (std::uint64_t key = 0; key < 10; ++key) {
    changes.push_back(on_disk.set(key, "text"));
  }
  const std::vector<Status> made = run_task(drive.loop(), coro::when_all(std::move(changes)));
  for (const Status& status : made) {
    EXPECT_TRUE(status.has_value());
  }
  EXPECT_EQ(on_disk.journal.counters().batches, 1U);
  EXPECT_EQ(on_disk.journal.counters().records, 10U);
  stop(drive, on_disk);
}

TEST(Journal, CollectsTheNextBatchWhileOneIsWritten) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(64));
  create(drive, on_disk);
  drive.disk.hold = true;
  on_disk.table.set(on_disk.journal, 1, "one");
  settle(drive);
  ASSERT_EQ(drive.disk.queued(), 1U);
  on_disk.table.set(on_disk.journal, 2, "two");
  on_disk.table.set(on_disk.journal, 3, "three");
  settle(drive);
  EXPECT_EQ(drive.disk.queued(), 1U);
  EXPECT_EQ(on_disk.journal.committed_lsn(), 0U);
  drive.disk.release();
  settle(drive);
  EXPECT_EQ(on_disk.journal.committed_lsn(), 1U);
  ASSERT_EQ(drive.disk.queued(), 1U);
  drive.disk.release();
  settle(drive);
  EXPECT_EQ(on_disk.journal.committed_lsn(), 3U);
  EXPECT_EQ(on_disk.journal.durable_lsn(), 0U);
  drive.disk.hold = false;
  stop(drive, on_disk);
  EXPECT_EQ(on_disk.journal.durable_lsn(), 3U);
}

TEST(Journal, WritesThePiecesOfALargeBatchAtOnceAndCommitsItWhenTheLastIsThere) {
  Drive drive(8192);
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(4096));
  create(drive, on_disk);
  drive.disk.hold = true;
  for (std::uint64_t key = 0; key < 50; ++key) {
    on_disk.table.set(on_disk.journal, key, std::string(50'000, static_cast<char>('a' + key % 26)));
  }
  settle(drive);
  for (std::size_t left = 3; left > 0; --left) {
    ASSERT_EQ(drive.disk.queued(), left);
    EXPECT_EQ(on_disk.journal.committed_lsn(), 0U);
    drive.disk.release(left / 2);  // The first one comes last.
    settle(drive);
  }
  EXPECT_EQ(on_disk.journal.committed_lsn(), 50U);
  drive.disk.hold = false;
  stop(drive, on_disk);
  Reopened reopened(drive, 4096);
  ASSERT_TRUE(reopened.found.has_value());
  EXPECT_EQ(reopened.on_disk.table.table, on_disk.table.table);
  stop(drive, reopened.on_disk);
}

TEST(Journal, SharesOneFsyncAmongAllWhoWait) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(64));
  create(drive, on_disk);
  const std::uint64_t before = drive.disk.counters.fsyncs;
  std::vector<coro::Task<Status>> syncs;
  for (int i = 0; i < 20; ++i) {
    syncs.push_back(on_disk.journal.sync());
  }
  run_task(drive.loop(), coro::when_all(std::move(syncs)));
  EXPECT_LE(drive.disk.counters.fsyncs - before, 2U);
  stop(drive, on_disk);
}

TEST(Journal, FailsForGoodOnceAWriteHasFailed) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(64));
  create(drive, on_disk);
  ASSERT_TRUE(run_task(drive.loop(), on_disk.set(1, "kept")).has_value());
  drive.disk.hold = true;
  const Lsn lsn = on_disk.table.set(on_disk.journal, 1, "lost");
  settle(drive);
  drive.disk.release_with_error();
  drive.disk.hold = false;
  EXPECT_EQ(run_task(drive.loop(), commit(on_disk.journal, lsn)).error().code, Errc::kIo);
  EXPECT_EQ(run_task(drive.loop(), on_disk.set(2, "x")).error().code, Errc::kIo);
  EXPECT_EQ(run_task(drive.loop(), on_disk.journal.sync()).error().code, Errc::kIo);
  EXPECT_EQ(run_task(drive.loop(), on_disk.journal.checkpoint()).error().code, Errc::kIo);
  EXPECT_EQ(on_disk.journal.health().error().code, Errc::kIo);
  EXPECT_EQ(run_task(drive.loop(), on_disk.journal.stop()).error().code, Errc::kIo);
  Reopened reopened(drive, 64);
  ASSERT_TRUE(reopened.found.has_value());
  EXPECT_EQ(reopened.on_disk.table.table[1], "kept");
  stop(drive, reopened.on_disk);
}

TEST(Journal, FailsForGoodOnceAnFsyncHasFailed) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(64));
  create(drive, on_disk);
  drive.disk.hold = true;
  coro::Task<Status> syncing = on_disk.journal.sync();
  syncing.start();
  settle(drive);
  ASSERT_EQ(drive.disk.queued_kind(0), io::DiskOpKind::kFsync);
  drive.disk.release_with_error();
  settle(drive);
  drive.disk.hold = false;
  ASSERT_TRUE(syncing.done());
  EXPECT_FALSE(syncing.take().has_value());
  EXPECT_EQ(run_task(drive.loop(), on_disk.set(2, "x")).error().code, Errc::kIo);
  EXPECT_FALSE(run_task(drive.loop(), on_disk.journal.stop()).has_value());
}

TEST(JournalAdmission, RefusesAtOnceWhatTheRingCanNeverTake) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(16));
  create(drive, on_disk);
  EXPECT_EQ(run_task(drive.loop(), on_disk.set(1, std::string(5 * kBlockBytes, 'x'))).error().code,
            Errc::kOutOfSpace);
  const std::size_t most = on_disk.journal.admission_bytes_max() - sizeof(std::uint64_t);
  EXPECT_TRUE(run_task(drive.loop(), on_disk.set(1, std::string(most, 'x'))).has_value());
  stop(drive, on_disk);
}

coro::Task<Status> admit_and_tell(Journal& journal, std::uint64_t bytes, int name,
                                  std::vector<int>& order) {
  Admission admission(journal, bytes);
  const Status admitted = co_await admission;
  order.push_back(name);
  co_return admitted;
}

TEST(JournalAdmission, IsGivenInOrderOfArrival) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(16));
  create(drive, on_disk);
  std::vector<int> order;
  std::vector<coro::Task<Status>> waiting;
  {
    Admission all(on_disk.journal, on_disk.journal.admission_bytes_max());
    ASSERT_TRUE(all.await_ready());
    for (int name = 0; name < 3; ++name) {
      waiting.push_back(admit_and_tell(on_disk.journal, name == 0 ? 8000 : 10, name, order));
      waiting.back().start();
    }
    settle(drive);
    EXPECT_TRUE(order.empty());
  }
  settle(drive);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  stop(drive, on_disk);
}

TEST(JournalAdmission, FailsInsteadOfHangingWhenTheRingIsFullAndNoSnapshotCanBeMade) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(16));
  create(drive, on_disk);
  on_disk.space.allocations_left = 0;
  std::uint64_t made = 0;
  Status status;
  while (status.has_value()) {
    status = run_task(drive.loop(), on_disk.set(made++, "x"));
    ASSERT_LT(made, 20U);
  }
  EXPECT_EQ(status.error().code, Errc::kOutOfSpace);
  EXPECT_GE(made, 8U);  // Not before the ring was really full but for what is set aside.
  EXPECT_TRUE(on_disk.journal.health().has_value());
  on_disk.space.allocations_left = UINT64_MAX;
  EXPECT_TRUE(run_task(drive.loop(), on_disk.journal.checkpoint()).has_value());
  EXPECT_TRUE(run_task(drive.loop(), on_disk.set(1, "again")).has_value());
  stop(drive, on_disk);
}

coro::Task<Status> cannot_move(journal::LogPart /*part*/) {
  co_return fail(Errc::kIo, "test.move");
}

TEST(JournalAdmission, FailsAsTheSnapshotDidThatWouldHaveEmptiedTheRing) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(16));
  create(drive, on_disk);
  on_disk.table.leaving_log = cannot_move;
  Status status;
  for (std::uint64_t made = 0; status.has_value(); ++made) {
    status = run_task(drive.loop(), on_disk.set(made, "x"));
    ASSERT_LT(made, 20U);
  }
  EXPECT_EQ(status.error().code, Errc::kIo);  // Not that there is no space: there is.
  EXPECT_TRUE(on_disk.journal.health().has_value());
  on_disk.table.leaving_log = nullptr;
  EXPECT_TRUE(run_task(drive.loop(), on_disk.journal.checkpoint()).has_value());
  on_disk.space.allocations_left = 0;
  status = Status();
  for (std::uint64_t made = 0; status.has_value(); ++made) {
    status = run_task(drive.loop(), on_disk.set(made, "x"));
    ASSERT_LT(made, 20U);
  }
  EXPECT_EQ(status.error().code, Errc::kOutOfSpace);
  stop(drive, on_disk);
}

TEST(JournalCheckpoint, LetsParticipantsAppendInAFullRing) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(16));
  create(drive, on_disk);
  on_disk.space.allocations_left = 0;
  Status status;
  while (status.has_value()) {
    status = run_task(drive.loop(), on_disk.set(1, "x"));
  }
  on_disk.space.allocations_left = UINT64_MAX;
  struct Move {
    static coro::Task<Status> all(JournalOnDisk& to) {
      for (std::uint64_t key = 100; key < 103; ++key) {
        Admission admission(to.journal, 20, 1, AdmissionFor::kLeaveLog);
        BENCHFS_CO_CHECK(admission);
        const Lsn lsn = to.table.set(to.journal, key, "moved");
        Journal::CommitOp committing(to.journal, lsn);
        BENCHFS_CO_CHECK(committing);
      }
      co_return Status();
    }
  };
  on_disk.table.leaving_log = [&on_disk](LogPart) { return Move::all(on_disk); };
  EXPECT_TRUE(run_task(drive.loop(), on_disk.journal.checkpoint()).has_value());
  ASSERT_FALSE(on_disk.table.parts.empty());
  const LogPart part = on_disk.table.parts.back();
  EXPECT_TRUE(part.contains(part.ring_begin_bytes));
  EXPECT_FALSE(part.contains(part.ring_begin_bytes + part.ring_bytes));
  on_disk.table.leaving_log = nullptr;
  stop(drive, on_disk);
  Reopened reopened(drive, 16);
  ASSERT_TRUE(reopened.found.has_value());
  EXPECT_EQ(reopened.on_disk.table.table, on_disk.table.table);
  stop(drive, reopened.on_disk);
}

TEST(JournalCheckpoint, EndsWithNothingTakenWhenSpaceRunsOutInTheMiddle) {
  Drive drive(8192);
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(4096));
  create(drive, on_disk);
  for (std::uint64_t key = 0; key < 60; ++key) {
    ASSERT_TRUE(run_task(drive.loop(), on_disk.set(key, std::string(50'000, 'x'))).has_value());
  }
  on_disk.space.allocations_left = 2;
  EXPECT_EQ(run_task(drive.loop(), on_disk.journal.checkpoint()).error().code, Errc::kOutOfSpace);
  EXPECT_EQ(on_disk.space.used_blocks(), 0U);
  EXPECT_FALSE(on_disk.table.in_snapshot);
  on_disk.space.allocations_left = UINT64_MAX;
  EXPECT_TRUE(run_task(drive.loop(), on_disk.journal.checkpoint()).has_value());
  EXPECT_TRUE(run_task(drive.loop(), on_disk.journal.checkpoint()).has_value());
  EXPECT_EQ(on_disk.space.used_blocks() * kBlockBytes, on_disk.journal.usage().snapshot_bytes);
  EXPECT_EQ(on_disk.journal.usage().ring_used_bytes, 0U);
  stop(drive, on_disk);
}

TEST(Journal, IsSettledWhenNoRecoveryWouldAskAnyMore) {
  Drive drive;
  JournalOnDisk on_disk(drive.loop(), drive.disk, options_of(64));
  create(drive, on_disk);
  const auto asked = [&drive] {
    Drive copy;
    std::copy(drive.memory->bytes().begin(), drive.memory->bytes().end(),
              copy.memory->bytes().begin());
    Reopened reopened(copy, 64);
    EXPECT_TRUE(reopened.found.has_value());
    const std::size_t count = reopened.on_disk.table.asked;
    stop(copy, reopened.on_disk);
    return count;
  };
  ASSERT_TRUE(run_task(drive.loop(), on_disk.set(1, "one")).has_value());
  ASSERT_TRUE(run_task(drive.loop(), on_disk.journal.sync()).has_value());
  EXPECT_EQ(on_disk.journal.durable_lsn(), 1U);
  EXPECT_EQ(on_disk.journal.settled_lsn(), 0U);
  EXPECT_EQ(asked(), 1U);
  // The next batch says so, and counts when it is on the drive.
  ASSERT_TRUE(run_task(drive.loop(), on_disk.set(2, "two")).has_value());
  EXPECT_EQ(on_disk.journal.settled_lsn(), 0U);
  ASSERT_TRUE(run_task(drive.loop(), on_disk.journal.sync()).has_value());
  EXPECT_EQ(on_disk.journal.settled_lsn(), 1U);
  EXPECT_EQ(asked(), 1U);
  ASSERT_TRUE(run_task(drive.loop(), on_disk.journal.settle()).has_value());
  EXPECT_EQ(on_disk.journal.settled_lsn(), 2U);
  EXPECT_EQ(asked(), 0U);
  ASSERT_TRUE(run_task(drive.loop(), on_disk.set(3, "three")).has_value());
  ASSERT_TRUE(run_task(drive.loop(), on_disk.journal.checkpoint()).has_value());
  EXPECT_EQ(on_disk.journal.settled_lsn(), 3U);
  EXPECT_EQ(asked(), 0U);
  stop(drive, on_disk);
}

TEST(JournalSnapshot, IsMadeOfSingleBlocksIfTheSpaceHasNoLongerRun) {
  constexpr std::uint64_t kRing = 256;
  Drive drive;
  std::map<std::uint64_t, std::string> expected;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(kRing));
    create(drive, first);
    for (std::uint64_t block = kAnchorBlocks + kRing; block < 2048; block += 2) {
      first.space.mark_used(block, 1);
    }
    for (std::uint64_t key = 0; key < 60; ++key) {
      ASSERT_TRUE(run_task(drive.loop(), first.set(key, std::string(key * 1000, 'x'))).has_value());
    }
    ASSERT_TRUE(run_task(drive.loop(), first.journal.checkpoint()).has_value());
    EXPECT_EQ(first.journal.usage().ring_used_bytes, 0U);
    expected = first.table.table;
    stop(drive, first);
  }
  Reopened reopened(drive, kRing);
  ASSERT_TRUE(reopened.found.has_value()) << to_string(reopened.found.error());
  EXPECT_EQ(reopened.on_disk.table.table, expected);
  EXPECT_GT(reopened.on_disk.journal.usage().snapshot_bytes, 60U * 59 / 2 * 1000);
  stop(drive, reopened.on_disk);
}

TEST(JournalSnapshot, OfAMillionRecordsIsReadBackInBoundedTime) {
  constexpr std::uint64_t kRecords = 1'000'000;
  Drive drive(40'000);
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(4096));
    create(drive, first);
    for (std::uint64_t key = 0; key < kRecords; ++key) {
      first.table.table[key] = "a small record, as of a file";
    }
    ASSERT_TRUE(run_task(drive.loop(), first.journal.checkpoint()).has_value());
    stop(drive, first);
  }
  const auto begin = std::chrono::steady_clock::now();
  Reopened reopened(drive, 4096);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(reopened.found.has_value());
  EXPECT_EQ(reopened.found->snapshot_records, kRecords);
  std::printf("a million records were replayed in %.2f s\n", took.count());
  EXPECT_LT(took.count(), 20);
  stop(drive, reopened.on_disk);
}

}  // namespace
}  // namespace benchfs::journal
