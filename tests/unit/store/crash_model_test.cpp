// Goal: what the store has acknowledged is there after the process has crashed, what it has synced
// after power has failed, every other write is there or not but never in part, and no block is lost
// or has two owners. Method: several coroutines write, truncate, remove and sync a few files on a
// drive that forgets (crash_disk.h) and is stopped at any operation, also while the store recovers;
// the model knows for each byte which values it may have.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "coro/scope.h"
#include "support/crash_disk.h"
#include "support/journaled_store.h"
#include "support/run_task.h"
#include "support/store_fixture.h"

namespace benchfs::store {
namespace {

using test::ByteVector;
using test::Crash;
using test::CrashDisk;
using test::JournaledStore;
using test::pattern;

constexpr std::uint64_t kFileCount = 4;
constexpr std::uint64_t kFileBytes = 80'000;
constexpr std::uint64_t kRingBlocks = 64;

/// What kind of story it is.
struct Conditions {
  bool torn_sectors = false;
  std::uint64_t blocks = 600;
  CompactionRules compaction = {};
};

/// One change that was begun. The file's content is that of the changes that are there, in order.
struct Change {
  std::uint64_t file = 0;
  bool is_write = false;
  std::vector<Piece> pieces;
  ByteVector data;
  std::uint64_t size = 0;  ///< Of a truncate; 0 of a remove.
  bool acknowledged = false;
  bool synced = false;
  bool failed = false;  ///< Refused without a crash: it is not there.
};

class Story {
 public:
  Story(std::uint64_t seed, const Conditions& conditions)
      : conditions_(conditions),
        random_(seed),
        disk_(real_.loop, conditions.blocks * kBlockBytes, seed,
              {.delay_turns = 2, .torn_sectors = conditions.torn_sectors}),
        pool_(std::move(*io::BufferPool::create(real_.loop, 8 * kMiB))) {
    open(JournaledStore::Start::kCreate);
  }
  ~Story() {
    disk_.never_crash();
    store_.reset();
  }

  void run(int lives) {
    for (int life = 0; life < lives && !testing::Test::HasFailure(); ++life) {
      live();
      store_.reset();
      const Crash kind = draw(2) == 0 ? Crash::kProcess : Crash::kPower;
      disk_.restart(kind);
      recover(kind);
      check(kind);
    }
  }

  std::uint64_t recoveries = 0;
  std::uint64_t dropped_records = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t compacted = 0;

 private:
  std::uint64_t draw(std::uint64_t limit) { return random_() % limit; }

  void open(JournaledStore::Start start) {
    store_ = std::make_unique<JournaledStore>(real_.loop, disk_, *pool_, kRingBlocks, start,
                                              conditions_.compaction);
  }

  void live() {
    disk_.crash_after(1 + draw(400));
    std::vector<coro::Task<void>> tasks;
    for (int worker = 0; worker < 6; ++worker) {
      tasks.push_back(work());
    }
    coro::Task<void> all = coro::when_all(std::move(tasks));
    test::run_task(real_.loop, std::move(all));
    snapshots += store_->journal.counters().snapshots;
    compacted += store_->store.counters().compacted_windows;
  }

  coro::Task<void> work() {
    while (!disk_.crashed() && !testing::Test::HasFailure()) {
      const std::uint64_t dice = draw(20);
      if (dice < 13) {
        co_await write_some();
      } else if (dice < 15) {
        co_await shorten();
      } else if (dice < 16) {
        co_await checkpoint();
      } else {
        co_await sync();
      }
    }
  }

  std::size_t begin(Change change) {
    changes_.push_back(std::make_unique<Change>(std::move(change)));
    return changes_.size() - 1;
  }

  /// Changes of one file are made one after the other, so that the model knows their order.
  bool take_file(std::uint64_t& file) {
    file = 1 + draw(kFileCount);
    return busy_.insert(file).second;
  }

  coro::Task<void> write_some() {
    Change change;
    change.is_write = true;
    if (!take_file(change.file)) {
      co_await real_.loop.yield();
      co_return;
    }
    std::size_t size = 0;
    const std::uint64_t count = draw(4) == 0 ? 1 + draw(6) : 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t offset = draw(kFileBytes - 1);
      const std::uint64_t limit = draw(2) == 0 ? 3000 : 40'000 / count;
      change.pieces.push_back({offset, std::min(kFileBytes - offset, 1 + draw(limit))});
      size += change.pieces.back().size_bytes;
    }
    change.data = pattern(random_(), size);
    const std::uint64_t file = change.file;
    Change& made = *changes_[begin(std::move(change))];
    io::BufferPool::AcquireOp acquire(*pool_, size);
    io::PoolBuffer buffer = co_await acquire;
    std::copy(made.data.begin(), made.data.end(), buffer.bytes().begin());
    coro::Task<Status> writing = store_->store.write(InodeId{file}, made.pieces, std::move(buffer));
    const Status status = co_await writing;
    end(made, status);
  }

  coro::Task<void> shorten() {
    Change change;
    if (!take_file(change.file)) {
      co_await real_.loop.yield();
      co_return;
    }
    change.size = draw(3) == 0 ? 0 : draw(kFileBytes);
    const InodeId file{change.file};
    Change& made = *changes_[begin(std::move(change))];
    coro::Task<Status> shortening = store_->store.truncate(file, made.size);
    const Status status = co_await shortening;
    end(made, status);
  }

  void end(Change& change, const Status& status) {
    busy_.erase(change.file);
    change.acknowledged = status.has_value();
    if (!status.has_value() && !disk_.crashed()) {
      EXPECT_EQ(status.error().code, Errc::kOutOfSpace) << to_string(status.error());
      change.failed = true;
    }
  }

  coro::Task<void> sync() {
    std::vector<Change*> before;
    for (const auto& change : changes_) {
      if (change->acknowledged) {
        before.push_back(change.get());
      }
    }
    coro::Task<Status> syncing = store_->store.fsync();
    const Status status = co_await syncing;
    EXPECT_TRUE(status.has_value() || disk_.crashed());
    if (status.has_value()) {
      for (Change* const change : before) {
        change->synced = true;
      }
    }
  }

  coro::Task<void> checkpoint() {
    coro::Task<Status> making = store_->journal.checkpoint();
    const Status status = co_await making;
    EXPECT_TRUE(status.has_value() || disk_.crashed()) << to_string(status.error());
  }

  void recover(Crash kind) {
    busy_.clear();
    for (;;) {
      open(JournaledStore::Start::kLater);
      if (draw(3) == 0) {
        disk_.crash_after(1 + draw(30));
      }
      const Result<journal::Recovered> recovered =
          test::run_task(real_.loop, store_->journal.recover());
      if (recovered.has_value()) {
        disk_.never_crash();
        if (!disk_.crashed()) {
          ++recoveries;
          dropped_records += recovered->dropped_records;
          EXPECT_TRUE(kind == Crash::kPower || recovered->dropped_records == 0);
          return;
        }
      }
      ASSERT_TRUE(disk_.crashed()) << to_string(recovered.error());
      store_.reset();
      disk_.restart(kind);
    }
  }

  ByteVector read(std::uint64_t file) {
    const std::vector<Piece> all = {{0, kFileBytes}};
    coro::Task<Result<ReadData>> reading = store_->store.read(InodeId{file}, all);
    const Result<ReadData> got = test::run_task(real_.loop, std::move(reading));
    EXPECT_TRUE(got.has_value()) << to_string(got.error());
    ByteVector bytes(kFileBytes);
    if (got.has_value() && !got->data.empty()) {
      std::copy(got->data.begin(), got->data.end(), bytes.begin());
    }
    return bytes;
  }

  static void apply(const Change& change, ByteVector& bytes) {
    if (!change.is_write) {
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(change.size), bytes.end(),
                std::byte{0});
      return;
    }
    auto from = change.data.begin();
    for (const Piece& piece : change.pieces) {
      const auto size = static_cast<std::ptrdiff_t>(piece.size_bytes);
      std::copy(from, from + size, bytes.begin() + static_cast<std::ptrdiff_t>(piece.offset_bytes));
      from += size;
    }
  }

  /// Changes that are certain come first; of the others, which are few, any subset is allowed, in
  /// order: found by trying.
  void check_file(std::uint64_t file, Crash kind) {
    ByteVector bytes = contents_.contains(file) ? contents_.at(file) : ByteVector(kFileBytes);
    std::vector<const Change*> open;
    const ByteVector found = read(file);
    for (const auto& change : changes_) {
      if (change->file != file || change->failed) {
        continue;
      }
      const bool certain = kind == Crash::kProcess ? change->acknowledged : change->synced;
      if (certain && open.empty()) {
        apply(*change, bytes);
      } else {
        open.push_back(change.get());
      }
    }
    std::vector<ByteVector> candidates = {bytes};
    for (const Change* const change : open) {
      const bool certain = kind == Crash::kProcess ? change->acknowledged : change->synced;
      std::vector<ByteVector> next;
      for (ByteVector& candidate : candidates) {
        ByteVector with = candidate;
        apply(*change, with);
        if (!certain) {
          next.push_back(std::move(candidate));
        }
        next.push_back(std::move(with));
      }
      std::sort(next.begin(), next.end());
      next.erase(std::unique(next.begin(), next.end()), next.end());
      if (next.size() > 256) {
        // Those that cannot become what was found: a byte that no later change touches differs.
        prune(next, found, open, change);
      }
      candidates = std::move(next);
    }
    EXPECT_TRUE(std::find(candidates.begin(), candidates.end(), found) != candidates.end())
        << "file " << file << " after "
        << (kind == Crash::kProcess ? "a process crash" : "a power cut") << ": none of "
        << candidates.size() << " contents; " << open.size() << " changes were open";
    contents_[file] = found;
  }

  static void prune(std::vector<ByteVector>& candidates, const ByteVector& found,
                    const std::vector<const Change*>& open, const Change* done) {
    std::vector<char> settled(kFileBytes, 1);
    for (auto it = std::next(std::find(open.begin(), open.end(), done)); it != open.end(); ++it) {
      ByteVector touched(kFileBytes, std::byte{2});
      Change marks = **it;
      std::fill(marks.data.begin(), marks.data.end(), std::byte{0});
      apply(marks, touched);
      for (std::size_t i = 0; i < kFileBytes; ++i) {
        settled[i] = touched[i] == std::byte{2} ? settled[i] : 0;
      }
    }
    candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                    [&](const ByteVector& candidate) {
                                      for (std::size_t i = 0; i < kFileBytes; ++i) {
                                        if (settled[i] != 0 && candidate[i] != found[i]) {
                                          return true;
                                        }
                                      }
                                      return false;
                                    }),
                     candidates.end());
  }

  void check(Crash kind) {
    for (std::uint64_t file = 1; file <= kFileCount; ++file) {
      check_file(file, kind);
    }
    changes_.clear();
    // Recovery has checked that no block has two owners; that none is lost shows when all files go.
    if (draw(4) != 0) {
      return;
    }
    for (std::uint64_t file = 1; file <= kFileCount; ++file) {
      EXPECT_TRUE(test::run_task(real_.loop, store_->store.truncate(InodeId{file}, 0)).has_value());
      contents_.erase(file);
    }
    EXPECT_TRUE(test::run_task(real_.loop, store_->store.fsync()).has_value());
    const Usage usage = store_->store.usage();
    EXPECT_EQ(usage.used_bytes, usage.reserved_bytes);
    EXPECT_EQ(usage.extent_count, 0U);
  }

  const Conditions conditions_;
  std::mt19937_64 random_;
  test::RealLoop real_;
  CrashDisk disk_;
  std::unique_ptr<io::BufferPool> pool_;
  std::unique_ptr<JournaledStore> store_;
  std::vector<std::unique_ptr<Change>> changes_;  ///< Of this life.
  std::map<std::uint64_t, ByteVector> contents_;  ///< At its begin.
  std::set<std::uint64_t> busy_;
};

struct Seen {
  std::uint64_t dropped = 0;
  std::uint64_t compacted = 0;
};

Seen run_seeds(std::uint64_t first, std::uint64_t count, const Conditions& conditions) {
  Seen seen;
  std::uint64_t recoveries = 0;
  std::uint64_t snapshots = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Story story(seed, conditions);
    story.run(8);
    recoveries += story.recoveries;
    seen.dropped += story.dropped_records;
    seen.compacted += story.compacted;
    snapshots += story.snapshots;
    if (testing::Test::HasFailure()) {
      return seen;
    }
  }
  std::printf("%lu recoveries, %lu records dropped, %lu snapshots, %lu windows compacted\n",
              recoveries, seen.dropped, snapshots, seen.compacted);
  EXPECT_GT(snapshots, 0U);
  return seen;
}

/// More on request: BENCHFS_TEST_SEEDS.
std::uint64_t seed_count() {
  const char* const given = std::getenv("BENCHFS_TEST_SEEDS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 25;
}

TEST(CrashModel, AcknowledgedSurvivesTheProcessAndSyncedThePower) {
  EXPECT_GT(run_seeds(1, seed_count(), {}).dropped, 0U);
}

TEST(CrashModel, TornSectorsAreNoticed) {
  EXPECT_GT(run_seeds(100'000, seed_count(), {.torn_sectors = true}).dropped, 0U);
}

TEST(CrashModel, ASmallDriveWritesItsBlocksAgainAndAgain) {
  run_seeds(200'000, seed_count(), {.blocks = 210});
}

TEST(CrashModel, RewritingFragmentedFilesLosesNothingEither) {
  EXPECT_GT(run_seeds(300'000, seed_count(), {.compaction = test::kEagerCompaction}).compacted,
            100U);
}

TEST(CrashModel, RewritingFragmentedFilesOnASmallDriveWithTornSectors) {
  run_seeds(400'000, seed_count(),
            {.torn_sectors = true, .blocks = 300, .compaction = test::kEagerCompaction});
}

}  // namespace
}  // namespace benchfs::store
