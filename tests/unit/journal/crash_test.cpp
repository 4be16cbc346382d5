// Goal: whatever moment a crash chooses, what was committed is there after the end of the process,
// what was synced after a power cut, in order, each unit whole or not at all, and nothing else.
// Method: several coroutines change a table that lives in a journal, on a CrashDisk that stops
// after a drawn number of operations, in recovery too. Each unit of changes also sets a marker to
// its number, so what a recovery brings names the prefix of the history that it must be equal to.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "coro/scope.h"
#include "journal/journal.h"
#include "support/crash_disk.h"
#include "support/journal_fixture.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace benchfs::journal {
namespace {

using test::Crash;
using test::CrashDisk;
using test::JournalOnDisk;
using test::run_task;

constexpr std::uint64_t kMarkerKey = 0;
using Table = std::map<std::uint64_t, std::string>;

/// What happened over all seeds: the test would prove nothing if some of it never did.
struct Seen {
  std::uint64_t units = 0;
  std::uint64_t recoveries = 0;
  std::uint64_t crashed_recoveries = 0;
  std::uint64_t lost_units = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t out_of_space = 0;
  std::uint64_t waited = 0;
  std::uint64_t lost_blocks = 0;
  std::uint64_t torn_blocks = 0;
};

class CrashStory {
 public:
  CrashStory(std::uint64_t seed, Seen& seen)
      : random_(seed),
        seen_(seen),
        ring_blocks_(16 + random_() % 8 * (random_() % 8)),
        loop_(clock_, sleeper_, loop::LoopOptions{.spin_ns = 0}),
        disk_(loop_, (kAnchorBlocks + ring_blocks_ + 40 + random_() % 400) * kBlockBytes, random_(),
              {.delay_turns = static_cast<unsigned>(random_() % 5),
               .torn_sectors = random_() % 2 == 0}) {}

  void run(int rounds) {
    open();
    ASSERT_TRUE(run_task(loop_, on_disk_->journal.create()).has_value());
    for (int round = 0; round < rounds && !testing::Test::HasFatalFailure(); ++round) {
      work();
      restart();
      recover();
    }
    disk_.never_crash();
    EXPECT_TRUE(run_task(loop_, on_disk_->journal.stop()).has_value());
    seen_.lost_blocks += disk_.counters.lost_blocks;
    seen_.torn_blocks += disk_.counters.torn_blocks;
  }

 private:
  using Unit = std::vector<std::pair<std::uint64_t, std::string>>;

  void open() {
    on_disk_ = std::make_unique<JournalOnDisk>(
        loop_, disk_, JournalOptions{.store_id = 7, .ring_blocks = ring_blocks_});
    on_disk_->table.records_per_step = 1 + random_() % 10;
  }

  void work() {
    disk_.crash_after(1 + random_() % (random_() % 4 == 0 ? 2000 : 200));
    std::vector<coro::Task<void>> workers;
    const std::size_t count = 1 + random_() % 5;
    for (std::size_t i = 0; i < count; ++i) {
      workers.push_back(work_alone(random_() % 80));
    }
    run_task(loop_, coro::when_all(std::move(workers)));
    seen_.snapshots += on_disk_->journal.counters().snapshots;
    seen_.waited += on_disk_->journal.counters().admissions_waited;
    // Not every run ends in order: a journal that is destroyed without stop() has nothing to say.
    const Status stopped = run_task(loop_, on_disk_->journal.stop());
    EXPECT_EQ(stopped.has_value(), !disk_.crashed());
    if (stopped.has_value()) {
      synced_ = units_.size();
    }
    on_disk_.reset();
    if (!disk_.crashed()) {
      disk_.crash();
    }
  }

  coro::Task<void> work_alone(std::uint64_t steps) {
    for (std::uint64_t step = 0; step < steps && !disk_.crashed(); ++step) {
      switch (random_() % 12) {
        case 0: {
          const std::size_t before = units_.size();
          coro::Task<Status> syncing = on_disk_->journal.sync();
          const Status synced = co_await syncing;
          if (synced.has_value()) {
            synced_ = std::max(synced_, before);
          }
          break;
        }
        case 1:
          if (random_() % 4 == 0) {
            coro::Task<Status> checkpointing = on_disk_->journal.checkpoint();
            const Status made = co_await checkpointing;
            count(made);
          }
          break;
        case 2:
          co_await loop_.yield();
          break;
        default: {
          coro::Task<Status> changing = change();
          const Status changed = co_await changing;
          count(changed);
        }
      }
    }
  }

  void count(const Status& status) {
    if (!status.has_value()) {
      EXPECT_TRUE(status.error().code == Errc::kOutOfSpace || disk_.crashed())
          << to_string(status.error());
      seen_.out_of_space += status.error().code == Errc::kOutOfSpace ? 1 : 0;
    }
  }

  coro::Task<Status> change() {
    Unit unit;
    std::uint64_t bytes = body_bytes_of(std::string(20, '0'));
    for (std::uint64_t left = random_() % 4; left > 0; --left) {
      const std::size_t size = random_() % (random_() % 5 == 0 ? 3000 : 100);
      unit.emplace_back(1 + random_() % 20,
                        std::string(size, static_cast<char>('a' + random_() % 26)));
      bytes += body_bytes_of(unit.back().second);
    }
    Admission admission(on_disk_->journal, bytes, static_cast<std::uint32_t>(unit.size() + 1));
    BENCHFS_CO_CHECK(admission);
    unit.emplace_back(kMarkerKey, std::to_string(units_.size() + 1));
    Lsn lsn = 0;
    for (const auto& [key, text] : unit) {
      lsn = on_disk_->table.set(on_disk_->journal, key, text);
    }
    units_.push_back(std::move(unit));
    const std::size_t number = units_.size();
    ++seen_.units;
    if (random_() % 4 == 0) {
      co_return Status();  // Nobody is told.
    }
    Journal::CommitOp committing(on_disk_->journal, lsn);
    BENCHFS_CO_CHECK(committing);
    committed_ = std::max(committed_, number);
    co_return Status();
  }
  static std::uint64_t body_bytes_of(const std::string& text) {
    return test::TableParticipant::body_bytes(text);
  }

  void restart() {
    const Crash kind = random_() % 2 == 0 ? Crash::kPower : Crash::kProcess;
    committed_ = std::max(committed_, synced_);
    if (kind == Crash::kPower) {
      committed_ = synced_;
    }
    disk_.restart(kind);
  }

  /// Until one recovery ends.
  void recover() {
    for (int attempt = 0;; ++attempt) {
      open();
      if (attempt < 6 && random_() % 2 == 0) {
        disk_.crash_after(1 + random_() % 30);
      }
      const Result<Recovered> found = run_task(loop_, on_disk_->journal.recover());
      ++seen_.recoveries;
      if (found.has_value()) {
        disk_.never_crash();
        check(*found);
        return;
      }
      ASSERT_TRUE(disk_.crashed()) << to_string(found.error());
      ++seen_.crashed_recoveries;
      on_disk_.reset();
      restart();
    }
  }

  void check(const Recovered& found) {
    EXPECT_GT(found.incarnation, incarnation_);
    incarnation_ = found.incarnation;
    Table& table = on_disk_->table.table;
    const std::size_t prefix =
        table.contains(kMarkerKey) ? std::stoull(table.at(kMarkerKey)) : std::size_t{0};
    ASSERT_GE(prefix, committed_);
    ASSERT_LE(prefix, units_.size());
    Table expected;
    for (std::size_t i = 0; i < prefix; ++i) {
      for (const auto& [key, text] : units_[i]) {
        expected[key] = text;
      }
    }
    ASSERT_EQ(table, expected);
    EXPECT_EQ(on_disk_->space.used_blocks() * kBlockBytes,
              on_disk_->journal.usage().snapshot_bytes);
    seen_.lost_units += units_.size() - prefix;
    units_.resize(prefix);
    synced_ = committed_ = prefix;
  }

  std::mt19937_64 random_;
  Seen& seen_;
  const std::uint64_t ring_blocks_;
  test::ManualClock clock_;
  test::ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_;
  CrashDisk disk_;
  std::unique_ptr<JournalOnDisk> on_disk_;
  std::vector<Unit> units_;
  std::size_t committed_ = 0;  ///< Units that must be there whatever happens to the process.
  std::size_t synced_ = 0;     ///< Units that must be there after a power cut.
  std::uint64_t incarnation_ = 1;
};

TEST(JournalCrash, LeavesAPrefixThatContainsAllThatWasPromised) {
  Seen seen;
  const char* const given = std::getenv("BENCHFS_TEST_SEEDS");
  const std::uint64_t seeds = given != nullptr ? std::strtoull(given, nullptr, 10) : 150;
  configure_log(LogLevel::kError, "crash_test");
  for (std::uint64_t seed = 0; seed < seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    CrashStory story(seed, seen);
    story.run(8);
  }
  EXPECT_GT(seen.units, 1000U);
  EXPECT_GT(seen.lost_units, 100U);
  EXPECT_GT(seen.crashed_recoveries, 50U);
  EXPECT_GT(seen.snapshots, 50U);
  EXPECT_GT(seen.waited, 50U);
  EXPECT_GT(seen.out_of_space, 0U);
  EXPECT_GT(seen.lost_blocks, 100U);
  EXPECT_GT(seen.torn_blocks, 10U);
  std::printf(
      "units %lu, lost %lu, recoveries %lu (%lu crashed), snapshots %lu, waited %lu, "
      "out of space %lu, lost blocks %lu, torn %lu\n",
      seen.units, seen.lost_units, seen.recoveries, seen.crashed_recoveries, seen.snapshots,
      seen.waited, seen.out_of_space, seen.lost_blocks, seen.torn_blocks);
}

}  // namespace
}  // namespace benchfs::journal
