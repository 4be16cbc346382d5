// Goal: a recovery brings back what was committed, drops for ever what the drive has lost, and
// refuses what it cannot believe before any table has changed. Method: as in journal_test.cpp; the
// bytes of the drive are changed by hand in between.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "coro/scope.h"
#include "journal/checksum.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "support/faulty_disk.h"
#include "support/journal_fixture.h"
#include "support/run_task.h"
#include "unit/journal/drive.h"

namespace benchfs::journal {
namespace {

TEST(JournalRecovery, ForgetsForEverWhatItHasDropped) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    ASSERT_TRUE(run_task(drive.loop(), first.set(1, "synced")).has_value());
    ASSERT_TRUE(run_task(drive.loop(), first.journal.sync()).has_value());
    ASSERT_TRUE(run_task(drive.loop(), first.set(2, "names what is durable")).has_value());
    for (std::uint64_t key = 3; key < 9; ++key) {
      first.table.set(first.journal, key, "tail");
    }
    ASSERT_TRUE(run_task(drive.loop(), commit(first.journal, first.journal.end())).has_value());
    stop(drive, first);
  }
  std::map<std::uint64_t, std::string> expected;
  {
    JournalOnDisk second(drive.loop(), drive.disk, options_of(64));
    std::vector<std::uint64_t> behind_dropped;
    second.table.holds_record = [&](std::uint64_t key, RecordPlace place) {
      if (place.follows_dropped) {
        behind_dropped.push_back(key);
      }
      return key < 4 || key == 7;
    };
    const Result<Recovered> found = run_task(drive.loop(), second.journal.recover());
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(second.table.asked, 7U);  // Not for the first, which had been synced.
    EXPECT_EQ(found->dropped_records, 4U);
    EXPECT_EQ(behind_dropped, (std::vector<std::uint64_t>{5, 6, 7}));
    expected = second.table.table;
    EXPECT_EQ(expected.size(), 4U);
    ASSERT_TRUE(run_task(drive.loop(), second.set(20, "after")).has_value());
    expected[20] = "after";
    stop(drive, second);
  }
  Reopened third(drive, 64);  // Would hold everything.
  ASSERT_TRUE(third.found.has_value());
  EXPECT_EQ(third.on_disk.table.table, expected);
  EXPECT_EQ(third.found->dropped_records, 0U);
  stop(drive, third.on_disk);
}

TEST(JournalRecovery, NeverTakesAnOlderBatchBehindATornOneForAContinuation) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    for (std::uint64_t key = 1; key <= 10; ++key) {
      ASSERT_TRUE(run_task(drive.loop(), first.set(key, "first")).has_value());
    }
    stop(drive, first);
  }
  // The fifth is torn; those behind it are whole.
  drive.memory->bytes()[(kAnchorBlocks + 4) * kBlockBytes + 70] ^= std::byte{1};
  for (std::uint64_t life = 2; life < 6; ++life) {
    Reopened next(drive, 64);
    ASSERT_TRUE(next.found.has_value());
    EXPECT_EQ(next.on_disk.table.table.size(), 4U + (life - 2));
    // Exactly where the torn one was: now what lies behind would continue it by its position.
    ASSERT_TRUE(run_task(drive.loop(), next.on_disk.set(100 + life, "next")).has_value());
    stop(drive, next.on_disk);
  }
}

TEST(JournalRecovery, NeverTakesAnOlderBatchForTheBeginningOfALogThatASnapshotHasEmptied) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    for (std::uint64_t key = 1; key <= 10; ++key) {
      ASSERT_TRUE(run_task(drive.loop(), first.set(key, "first")).has_value());
    }
    stop(drive, first);
  }
  drive.memory->bytes()[(kAnchorBlocks + 4) * kBlockBytes + 70] ^= std::byte{1};
  {
    Reopened second(drive, 64);
    ASSERT_TRUE(second.found.has_value());
    ASSERT_TRUE(run_task(drive.loop(), second.on_disk.set(100, "second")).has_value());
    ASSERT_TRUE(run_task(drive.loop(), second.on_disk.journal.checkpoint()).has_value());
    stop(drive, second.on_disk);
  }
  Reopened third(drive, 64);
  ASSERT_TRUE(third.found.has_value());
  EXPECT_EQ(third.found->log_records, 0U);
  EXPECT_EQ(third.on_disk.table.table.size(), 5U);
  stop(drive, third.on_disk);
}

TEST(JournalRecovery, RefusesADriveThatIsNotThisStores) {
  Drive drive;
  JournalOnDisk nothing(drive.loop(), drive.disk, options_of(64));
  EXPECT_EQ(run_task(drive.loop(), nothing.journal.recover()).error().code, Errc::kCorrupt);
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    stop(drive, first);
  }
  JournalOnDisk other(drive.loop(), drive.disk, {.store_id = kStoreId + 1, .ring_blocks = 64});
  EXPECT_EQ(run_task(drive.loop(), other.journal.recover()).error().code, Errc::kCorrupt);
  drive.memory->bytes()[8] = std::byte{kAnchorVersion + 1};
  JournalOnDisk newer(drive.loop(), drive.disk, options_of(64));
  EXPECT_EQ(run_task(drive.loop(), newer.journal.recover()).error().code, Errc::kUnsupported);
}

/// The `number`-th start of a kernel; 0: it has no boot id.
BootId boot(unsigned number) {
  BootId id;
  id.bytes[15] = static_cast<std::byte>(number);
  return id;
}

/// Recovers the drive on such a kernel, and returns the power era.
std::uint64_t era_on(Drive& drive, unsigned boot_number) {
  JournalOptions options = options_of(64);
  options.boot = boot(boot_number);
  JournalOnDisk run(drive.loop(), drive.disk, options);
  const Result<Recovered> found = run_task(drive.loop(), run.journal.recover());
  EXPECT_TRUE(found.has_value());
  const std::uint64_t era = run.journal.power_era();
  EXPECT_EQ(found->power_was_lost, era == found->incarnation);
  // Snapshots and syncs write anchors of their own: they say the same.
  EXPECT_TRUE(run_task(drive.loop(), run.journal.checkpoint()).has_value());
  EXPECT_EQ(run.journal.power_era(), era);
  stop(drive, run);
  return era;
}

TEST(JournalRecovery, BeginsAPowerEraUnlessTheKernelIsTheSame) {
  Drive drive;
  JournalOptions options = options_of(64);
  options.boot = boot(1);
  {
    JournalOnDisk first(drive.loop(), drive.disk, options);
    create(drive, first);
    EXPECT_EQ(first.journal.power_era(), 1U);
    stop(drive, first);
  }
  EXPECT_EQ(era_on(drive, 1), 1U);  // Incarnation 2.
  EXPECT_EQ(era_on(drive, 1), 1U);
  EXPECT_EQ(era_on(drive, 2), 4U);
  EXPECT_EQ(era_on(drive, 2), 4U);
  EXPECT_EQ(era_on(drive, 0), 6U);
  EXPECT_EQ(era_on(drive, 0), 7U);  // Nobody knows whether it is the same.
  EXPECT_EQ(era_on(drive, 2), 8U);
  EXPECT_EQ(era_on(drive, 2), 8U);
}

TEST(JournalRecovery, BeginsAPowerEraAlsoWhenTheFirstRecoveryAfterThePowerFailureFailed) {
  Drive drive;
  JournalOptions options = options_of(64);
  options.boot = boot(1);
  {
    JournalOnDisk first(drive.loop(), drive.disk, options);
    create(drive, first);
    stop(drive, first);
  }
  {
    options.boot = boot(2);
    JournalOnDisk second(drive.loop(), drive.disk, options);
    drive.disk.hold = true;
    coro::Task<Result<Recovered>> recovering = second.journal.recover();
    recovering.start();
    // What names the era has been written; then the fsync fails.
    const std::uint64_t writes = drive.disk.counters.writes;
    for (settle(drive); !recovering.done(); settle(drive)) {
      if (drive.disk.queued_kind(0) == io::DiskOpKind::kFsync &&
          drive.disk.counters.writes > writes) {
        drive.disk.release_with_error();
      } else {
        drive.disk.release();
      }
    }
    drive.disk.hold = false;
    EXPECT_EQ(recovering.take().error().code, Errc::kIo);
  }
  EXPECT_EQ(era_on(drive, 2), 2U);
}

TEST(JournalRecovery, UsesTheOtherAnchorWhenTheNewerIsTorn) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    ASSERT_TRUE(run_task(drive.loop(), first.set(1, "x")).has_value());
    stop(drive, first);
  }
  drive.memory->bytes()[100] ^= std::byte{1};  // Sequence 2, in block 0.
  Reopened reopened(drive, 64);
  ASSERT_TRUE(reopened.found.has_value());
  EXPECT_EQ(reopened.on_disk.table.table.size(), 1U);
  stop(drive, reopened.on_disk);
}

TEST(JournalRecovery, RefusesABrokenSnapshotBeforeAnyTableHasChanged) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    ASSERT_TRUE(run_task(drive.loop(), first.set(1, "x")).has_value());
    ASSERT_TRUE(run_task(drive.loop(), first.journal.checkpoint()).has_value());
    stop(drive, first);
  }
  drive.memory->bytes()[(kAnchorBlocks + 64) * kBlockBytes + 66] ^= std::byte{1};
  const std::vector<std::byte> before(drive.memory->bytes().begin(), drive.memory->bytes().end());
  Reopened reopened(drive, 64);
  EXPECT_EQ(reopened.found.error().code, Errc::kCorrupt);
  EXPECT_TRUE(reopened.on_disk.table.replayed.empty());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), drive.memory->bytes().begin()));
}

/// Changes the batch at `position` as somebody would who writes what this version does not.
void change_batch(Drive& drive, std::uint64_t position, std::size_t at, std::uint64_t value) {
  const Bytes bytes = drive.memory->bytes().subspan((kAnchorBlocks + position) * kBlockBytes);
  const std::optional<BatchHeader> header = decode_batch_header(bytes);
  ASSERT_TRUE(header.has_value());
  std::memcpy(bytes.data() + at, &value, at < 16 ? 4 : 8);
  put_checksum(bytes, crc32c(bytes.first(header->bytes).subspan(kChecksummedFrom)));
}

TEST(JournalRecovery, RefusesAWholeBatchThatItCannotBelieveInsteadOfEndingTheLogThere) {
  struct Case {
    std::size_t at;
    std::uint64_t value;
    Errc expected;
  };
  for (const Case& wanted : {Case{12, 2, Errc::kUnsupported}, Case{48, 1, Errc::kUnsupported},
                             Case{56, 1, Errc::kUnsupported}, Case{24, 2, Errc::kCorrupt},
                             Case{40, 3, Errc::kCorrupt}}) {
    SCOPED_TRACE(testing::Message() << "byte " << wanted.at);
    Drive drive;
    {
      JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
      create(drive, first);
      for (std::uint64_t key = 1; key <= 5; ++key) {
        ASSERT_TRUE(run_task(drive.loop(), first.set(key, "text")).has_value());
      }
      stop(drive, first);
    }
    change_batch(drive, 2, wanted.at, wanted.value);
    const std::vector<std::byte> before(drive.memory->bytes().begin(), drive.memory->bytes().end());
    Reopened reopened(drive, 64);
    ASSERT_FALSE(reopened.found.has_value());
    EXPECT_EQ(reopened.found.error().code, wanted.expected);
    EXPECT_TRUE(reopened.on_disk.table.replayed.empty());
    EXPECT_TRUE(std::equal(before.begin(), before.end(), drive.memory->bytes().begin()));
  }
}

TEST(JournalRecovery, RefusesASnapshotThatHasWhatThisVersionDoesNotKnow) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    ASSERT_TRUE(run_task(drive.loop(), first.set(1, "x")).has_value());
    ASSERT_TRUE(run_task(drive.loop(), first.journal.checkpoint()).has_value());
    stop(drive, first);
  }
  const Bytes chunk = drive.memory->bytes().subspan((kAnchorBlocks + 64) * kBlockBytes);
  const std::optional<ChunkHeader> header = decode_chunk_header(chunk);
  ASSERT_TRUE(header.has_value());
  chunk[50] = std::byte{1};
  put_checksum(chunk, crc32c(chunk.first(header->bytes).subspan(kChecksummedFrom)));
  Reopened reopened(drive, 64);
  EXPECT_EQ(reopened.found.error().code, Errc::kUnsupported);
}

TEST(JournalRecovery, RefusesALogThatEndsBeforeWhatIsKnownToBeOnTheDrive) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    for (std::uint64_t key = 1; key <= 5; ++key) {
      ASSERT_TRUE(run_task(drive.loop(), first.set(key, "text")).has_value());
    }
    ASSERT_TRUE(run_task(drive.loop(), first.journal.settle()).has_value());
    ASSERT_TRUE(run_task(drive.loop(), first.set(6, "torn")).has_value());
    stop(drive, first);
  }
  const Bytes ring = drive.memory->bytes().subspan(kAnchorBlocks * kBlockBytes);
  ring[5 * kBlockBytes + 70] ^= std::byte{1};
  {
    Reopened reopened(drive, 64);
    ASSERT_TRUE(reopened.found.has_value());
    EXPECT_EQ(reopened.on_disk.table.table.size(), 5U);
    stop(drive, reopened.on_disk);
  }
  ring[4 * kBlockBytes + 70] ^= std::byte{1};
  Reopened reopened(drive, 64);
  EXPECT_EQ(reopened.found.error().code, Errc::kCorrupt);
}

/// Records of which every second one will be dropped, as many as one batch takes.
coro::Task<Status> append_doubtful(JournalOnDisk& on_disk, std::uint64_t& key) {
  std::uint64_t bytes = on_disk.journal.admission_bytes_max();
  Admission admission(on_disk.journal, bytes);
  BENCHFS_CO_CHECK(admission);
  for (; bytes >= 100; ++key) {
    const std::string text(key % 2 == 0 ? 60 : 0, 'x');
    on_disk.table.set(on_disk.journal, key, text);
    bytes -= kRecordHeaderBytes + test::TableParticipant::body_bytes(text);
  }
  Journal::CommitOp committing(on_disk.journal, on_disk.journal.end());
  co_return co_await committing;
}

/// Fills the ring with them as far as changes may.
void fill_with_doubtful(Drive& drive, JournalOnDisk& on_disk) {
  on_disk.space.allocations_left = 0;
  std::uint64_t key = 0;
  Status made;
  while (made.has_value()) {
    made = run_task(drive.loop(), append_doubtful(on_disk, key));
  }
  ASSERT_EQ(made.error().code, Errc::kOutOfSpace);
}

bool is_there(std::uint64_t key, RecordPlace) {
  return key % 2 != 0;
}

TEST(JournalRecovery, PutsDownThousandsOfDroppedRecordsWhereverTheRingEndsAndWhenItCrashes) {
  struct Case {
    std::uint64_t ring_blocks;
    std::uint64_t begin;
  };
  for (const Case& wanted : {Case{16, 0}, Case{16, 1}, Case{16, 2}, Case{16, 3}, Case{16, 6},
                             Case{64, 0}, Case{64, 9}, Case{64, 23}}) {
    SCOPED_TRACE(testing::Message() << wanted.ring_blocks << " blocks, from " << wanted.begin);
    Drive drive(512);
    {
      JournalOnDisk first(drive.loop(), drive.disk, options_of(wanted.ring_blocks));
      create(drive, first);
      for (std::uint64_t i = 0; i < wanted.begin; ++i) {
        ASSERT_TRUE(run_task(drive.loop(), first.set(1, "moves the log on")).has_value());
      }
      ASSERT_TRUE(run_task(drive.loop(), first.journal.checkpoint()).has_value());
      fill_with_doubtful(drive, first);
      stop(drive, first);
    }
    JournalOnDisk second(drive.loop(), drive.disk, options_of(wanted.ring_blocks));
    second.table.holds_record = is_there;
    coro::Task<Result<Recovered>> recovering = second.journal.recover();
    drive.disk.hold = true;
    recovering.start();
    std::map<std::uint64_t, std::string> seen;
    std::uint64_t writes = 0;
    for (settle(drive); !recovering.done(); settle(drive)) {
      const bool changes = drive.disk.queued_kind(0) == io::DiskOpKind::kWrite;
      drive.disk.release();
      if (!changes) {
        continue;
      }
      ++writes;
      Drive copy(512);
      std::copy(drive.memory->bytes().begin(), drive.memory->bytes().end(),
                copy.memory->bytes().begin());
      JournalOnDisk third(copy.loop(), copy.disk, options_of(wanted.ring_blocks));
      third.table.holds_record = is_there;
      const Result<Recovered> found = run_task(copy.loop(), third.journal.recover());
      ASSERT_TRUE(found.has_value()) << to_string(found.error());
      seen = third.table.table;
      stop(copy, third);
      Reopened fourth(copy, wanted.ring_blocks);  // Would hold everything.
      ASSERT_TRUE(fourth.found.has_value());
      EXPECT_EQ(fourth.on_disk.table.table, seen);
      stop(copy, fourth.on_disk);
    }
    drive.disk.hold = false;
    const Result<Recovered> found = recovering.take();
    ASSERT_TRUE(found.has_value()) << to_string(found.error());
    EXPECT_GE(writes, 3U);
    EXPECT_GT(found->dropped_records, wanted.ring_blocks * 20);
    EXPECT_EQ(second.table.table, seen);
    EXPECT_EQ(
        std::count_if(seen.begin(), seen.end(), [](const auto& row) { return row.first % 2 == 0; }),
        0);
    stop(drive, second);
  }
}

TEST(JournalRecovery, EndsWithWhatAParticipantSays) {
  Drive drive;
  {
    JournalOnDisk first(drive.loop(), drive.disk, options_of(64));
    create(drive, first);
    ASSERT_TRUE(run_task(drive.loop(), first.set(1, "x")).has_value());
    stop(drive, first);
  }
  JournalOnDisk second(drive.loop(), drive.disk, options_of(64));
  second.table.replay_status = fail(Errc::kUnsupported, "test");
  EXPECT_EQ(run_task(drive.loop(), second.journal.recover()).error().code, Errc::kUnsupported);
}

TEST(JournalRecovery, ReadsWhatIsAliveAndABoundedLogHoweverLongTheHistoryIs) {
  constexpr std::uint64_t kRing = 16'384;  // 64 MiB: the history would fit.
  constexpr std::uint64_t kKeys = 100;
  const std::string text(2000, 'x');
  Drive drive(kRing + 1000);
  JournalOnDisk first(drive.loop(), drive.disk, options_of(kRing));
  create(drive, first);
  constexpr std::uint64_t kRounds = 130;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    std::vector<coro::Task<Status>> changes;
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      changes.push_back(first.set(key, text));
    }
    run_task(drive.loop(), coro::when_all(std::move(changes)));
  }
  settle(drive);
  EXPECT_GT(first.journal.counters().snapshots, 0U);
  Drive copy(kRing + 1000);
  std::copy(drive.memory->bytes().begin(), drive.memory->bytes().end(),
            copy.memory->bytes().begin());
  stop(drive, first);
  Reopened reopened(copy, kRing);
  ASSERT_TRUE(reopened.found.has_value());
  EXPECT_EQ(reopened.found->snapshot_records, kKeys);
  EXPECT_LT(reopened.found->log_records, (16 * kMiB + 2 * kMiB) / text.size());
  EXPECT_GT(kRounds * kKeys, 3 * 16 * kMiB / 2 / text.size()) << "the history is longer";
  EXPECT_EQ(reopened.on_disk.table.table, first.table.table);
  stop(copy, reopened.on_disk);
}

}  // namespace
}  // namespace benchfs::journal
