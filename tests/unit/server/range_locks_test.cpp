// Goal: locks exclude each other, are granted in the order of asking as soon as nothing before them
// excludes them, and what is held comes back from what was written down. Method: random locks of
// several clients against a model that looks at all pairs; every change of the ledger is replayed
// into a second table, which must hold the same.

#include "server/range_locks.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "coro/scope.h"
#include "server/handlers/namespace_records.h"
#include "support/memory_ledger.h"
#include "support/run_task.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

using State = RangeLocks::State;
using test::MemoryLedger;
using test::RealLoop;

constexpr InodeId kFile = make_inode_id(ServerId{0}, 5);

struct Fixture {
  RangeLockKey ask(std::uint64_t client, std::uint64_t begin, std::uint64_t end,
                   bool shared = false, InodeId file = kFile) {
    const RangeLockKey key{.client = ClientId{client}, .number = ++last_number};
    const Status asked =
        locks.ask(key, {.inode = file, .begin_bytes = begin, .end_bytes = end, .shared = shared});
    EXPECT_TRUE(asked.has_value());
    return key;
  }

  RealLoop real;
  MemoryLedger ledger{real.loop};
  RangeLocks locks{real.loop, ledger, ServerId{0}};
  std::uint64_t last_number = 0;
};

RangeLockKey ask_as(Fixture& f, std::uint64_t owner, std::uint64_t begin, std::uint64_t end,
                    bool shared = false) {
  const RangeLockKey key{.client = ClientId{1},
                         .number = wire::make_lock_number(owner, ++f.last_number)};
  const Status asked =
      f.locks.ask(key, {.inode = kFile, .begin_bytes = begin, .end_bytes = end, .shared = shared});
  EXPECT_TRUE(asked.has_value());
  return key;
}

TEST(RangeLocks, OfOneOwnerDoNotExcludeEachOtherAndPassWhatWaitsForIt) {
  Fixture f;
  const RangeLockKey whole = ask_as(f, 1, 0, 100);
  const RangeLockKey waiting = ask_as(f, 2, 10, 20);
  EXPECT_EQ(f.locks.state(waiting), State::kWaiting);
  const RangeLockKey begin = ask_as(f, 1, 0, 15, true);
  EXPECT_EQ(f.locks.state(begin), State::kGranted) << "what it has, weaker, past who waits for it";
  EXPECT_TRUE(f.locks.release(whole));
  EXPECT_EQ(f.locks.state(waiting), State::kWaiting);
  EXPECT_EQ(f.locks.state(ask_as(f, 3, 15, 20)), State::kWaiting) << "a stranger queues";
  EXPECT_TRUE(f.locks.release(begin));
  EXPECT_EQ(f.locks.state(waiting), State::kGranted);
}

TEST(RangeLocks, ExcludeEachOtherWhereTheyOverlapAndAreNotBothShared) {
  Fixture f;
  const RangeLockKey first = f.ask(1, 10, 20);
  EXPECT_EQ(f.locks.state(first), State::kGranted);
  EXPECT_EQ(f.locks.state(f.ask(2, 0, 10)), State::kGranted);
  EXPECT_EQ(f.locks.state(f.ask(2, 20, 21)), State::kGranted);
  EXPECT_EQ(f.locks.state(f.ask(2, 19, 40, true)), State::kWaiting);
  EXPECT_EQ(f.locks.state(f.ask(1, 10, 11)), State::kWaiting) << "also two of one client";
  EXPECT_EQ(f.locks.state(f.ask(2, 10, 20, false, make_inode_id(ServerId{0}, 6))), State::kGranted)
      << "another file";
  EXPECT_EQ(f.locks.state(f.ask(3, 100, 200, true)), State::kGranted);
  EXPECT_EQ(f.locks.state(f.ask(4, 150, 250, true)), State::kGranted);
  EXPECT_EQ(f.locks.state(f.ask(5, 150, 151, false)), State::kWaiting);
}

TEST(RangeLocks, NobodyOvertakesOneWhoWaits) {
  Fixture f;
  const RangeLockKey reader = f.ask(1, 0, 100, true);
  const RangeLockKey writer = f.ask(2, 0, 100);
  const RangeLockKey late_reader = f.ask(3, 50, 60, true);
  EXPECT_EQ(f.locks.state(late_reader), State::kWaiting) << "readers would starve the writer";
  EXPECT_TRUE(f.locks.release(reader));
  EXPECT_EQ(f.locks.state(writer), State::kGranted);
  EXPECT_EQ(f.locks.state(late_reader), State::kWaiting);
  EXPECT_TRUE(f.locks.release(writer));
  EXPECT_EQ(f.locks.state(late_reader), State::kGranted);
  EXPECT_FALSE(f.locks.release(writer));
}

TEST(RangeLocks, TheSameAskedAgainKeepsItsPlaceAndAnotherIsRefused) {
  Fixture f;
  f.ask(1, 0, 10);
  const RangeLockKey second = f.ask(2, 0, 10);
  const RangeLockKey third = f.ask(3, 0, 10);
  EXPECT_TRUE(f.locks.ask(second, {.inode = kFile, .begin_bytes = 0, .end_bytes = 10}).has_value());
  EXPECT_EQ(f.locks.count(), 3U);
  const Status other = f.locks.ask(second, {.inode = kFile, .begin_bytes = 0, .end_bytes = 11});
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, Errc::kProtocol);
  f.locks.release({.client = ClientId{1}, .number = 1});
  EXPECT_EQ(f.locks.state(second), State::kGranted);
  EXPECT_EQ(f.locks.state(third), State::kWaiting);
}

TEST(RangeLocks, WhoOnlyWaitsIsForgottenWithItsConnectionAndLetsOthersGoOn) {
  Fixture f;
  const RangeLockKey held = f.ask(1, 0, 10);
  f.locks.hold(held);
  const RangeLockKey lost = f.ask(2, 5, 20);
  const RangeLockKey behind = f.ask(3, 10, 20);
  EXPECT_EQ(f.locks.state(behind), State::kWaiting);
  f.locks.stop_waiting(ClientId{2});
  f.locks.stop_waiting(ClientId{1});
  EXPECT_EQ(f.locks.state(lost), State::kNone);
  EXPECT_EQ(f.locks.state(behind), State::kGranted);
  EXPECT_EQ(f.locks.state(held), State::kHeld);
}

TEST(RangeLocks, OneClientHasABoundedNumber) {
  Fixture f;
  for (std::uint64_t i = 0; i < kRangeLocksPerClientMax; ++i) {
    f.ask(1, 0, 10, true, make_inode_id(ServerId{0}, i + 10));
  }
  const Status refused = f.locks.ask({.client = ClientId{1}, .number = 1'000'000},
                                     {.inode = kFile, .begin_bytes = 0, .end_bytes = 1});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kNoLock);
  EXPECT_EQ(f.locks.state(f.ask(2, 0, 1)), State::kGranted);
}

coro::Task<void> wait_for(RangeLocks& locks, RangeLockKey key, std::uint64_t until_ns,
                          State& state) {
  RangeLocks::WaitOp waiting(locks, key, until_ns);
  co_await waiting;
  state = locks.state(key);
}

TEST(RangeLocks, WaitersGoOnWhenTheyAreGrantedOrGoneOrItIsLate) {
  Fixture f;
  const RangeLockKey held = f.ask(1, 0, 10);
  const RangeLockKey granted = f.ask(2, 0, 10);
  const RangeLockKey lost = f.ask(3, 0, 10);
  const RangeLockKey late = f.ask(4, 0, 10);
  const std::uint64_t never_ns = f.real.loop.now_ns() + 600 * kNsPerSec;
  State states[5] = {};
  std::vector<coro::Task<void>> waiters;
  waiters.push_back(wait_for(f.locks, granted, never_ns, states[0]));
  waiters.push_back(wait_for(f.locks, granted, never_ns, states[1]));  // And its repeat.
  waiters.push_back(wait_for(f.locks, lost, never_ns, states[2]));
  waiters.push_back(wait_for(f.locks, late, f.real.loop.now_ns() + 1000, states[3]));
  waiters.push_back(wait_for(f.locks, held, never_ns, states[4]));  // It has it already.
  coro::Task<void> all = coro::when_all(std::move(waiters));
  all.start();
  while (states[3] == State::kNone) {
    f.real.loop.run_once(f.real.loop.now_ns() + kNsPerMs);
  }
  EXPECT_EQ(states[3], State::kWaiting);
  EXPECT_EQ(states[4], State::kGranted);
  f.locks.stop_waiting(ClientId{3});
  f.locks.release(held);
  while (!all.done()) {
    f.real.loop.run_once(f.real.loop.now_ns() + kNsPerMs);
  }
  all.take();
  EXPECT_EQ(states[0], State::kGranted);
  EXPECT_EQ(states[1], State::kGranted);
  EXPECT_EQ(states[2], State::kNone);
}

/// Whether the lock may be had is looked up here from all that came before it.
class Model {
 public:
  struct Entry {
    RangeLockKey key;
    LockedRange range;
    bool held = false;
  };

  State state(std::size_t i) const {
    if (entries[i].held) {
      return State::kHeld;
    }
    for (std::size_t before = 0; before < i; ++before) {
      const LockedRange& a = entries[before].range;
      const LockedRange& b = entries[i].range;
      if (a.inode == b.inode &&
          std::max(a.begin_bytes, b.begin_bytes) < std::min(a.end_bytes, b.end_bytes) &&
          (!a.shared || !b.shared)) {
        return State::kWaiting;
      }
    }
    return State::kGranted;
  }

  std::vector<Entry> entries;  ///< In the order of asking.
};

class Rows final : public journal::SnapshotSink {
 public:
  explicit Rows(RangeLocks& into) : into_(into) {}
  bool put(journal::RecordKind kind, ConstBytes body) override {
    EXPECT_EQ(kind, kRangeLockKind);
    bytes += 8 + body.size();
    EXPECT_TRUE(into_.replay(body).has_value());
    return true;
  }
  std::uint64_t bytes = 0;

 private:
  RangeLocks& into_;
};

void expect_held_alike(const Model& model, const RangeLocks& replayed, std::size_t more = 0) {
  std::size_t held = more;
  for (const Model::Entry& entry : model.entries) {
    held += entry.held ? 1 : 0;
    EXPECT_EQ(replayed.state(entry.key), entry.held ? State::kHeld : State::kNone);
  }
  EXPECT_EQ(replayed.count(), held);
}

void live(std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Fixture f;
  Model model;
  for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step) {
    if (random() % 5 < 2 || model.entries.empty()) {
      const std::uint64_t begin = random() % 40;
      const LockedRange range{.inode = make_inode_id(ServerId{0}, 1 + random() % 2),
                              .begin_bytes = begin,
                              .end_bytes = begin + 1 + random() % 20,
                              .shared = random() % 2 == 0};
      const RangeLockKey key =
          f.ask(1 + random() % 4, range.begin_bytes, range.end_bytes, range.shared, range.inode);
      model.entries.push_back({.key = key, .range = range});
    } else if (random() % 12 == 0) {
      const ClientId client{1 + random() % 4};
      std::vector<Model::Entry> left;
      for (std::size_t i = 0; i < model.entries.size(); ++i) {
        if (model.entries[i].key.client != client || model.state(i) != State::kWaiting) {
          left.push_back(model.entries[i]);
        }
      }
      model.entries = std::move(left);
      f.locks.stop_waiting(client);
    } else {
      const std::size_t i = random() % model.entries.size();
      if (model.state(i) == State::kGranted && random() % 3 > 0) {
        f.locks.hold(model.entries[i].key);
        model.entries[i].held = true;
      } else if (random() % 2 == 0) {
        EXPECT_TRUE(f.locks.release(model.entries[i].key));
        model.entries.erase(model.entries.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    ASSERT_EQ(f.locks.count(), model.entries.size());
    for (std::size_t i = 0; i < model.entries.size(); ++i) {
      ASSERT_EQ(f.locks.state(model.entries[i].key), model.state(i)) << "step " << step;
    }
  }
  MemoryLedger unused(f.real.loop);
  RangeLocks from_log(f.real.loop, unused, ServerId{0});
  for (const test::LedgerRecord& record : f.ledger.records()) {
    ASSERT_TRUE(from_log.replay(record.body).has_value());
  }
  expect_held_alike(model, from_log);
  RangeLocks from_snapshot(f.real.loop, unused, ServerId{0});
  Rows rows(from_snapshot);
  RangeLocks::Cursor cursor;
  while (!cursor.at_end) {
    f.locks.hand_over(cursor, rows, 3);
  }
  EXPECT_EQ(rows.bytes, f.locks.record_bytes());
  expect_held_alike(model, from_snapshot);
}

TEST(RangeLocks, AgreeWithAModelOfAllPairsForEverySeed) {
  for (std::uint64_t seed = 0; seed < 200 && !HasFailure(); ++seed) {
    live(seed);
  }
}

TEST(RangeLocks, RefuseRecordsThatCannotBe) {
  Fixture f;
  const RangeLockRow good{.client = ClientId{1},
                          .number = 1,
                          .held = true,
                          .inode = kFile,
                          .begin_bytes = 1,
                          .end_bytes = 2};
  const auto replay = [&f](const RangeLockRow& row) {
    std::array<std::byte, 64> body{};
    wire::Encoder encoder{Bytes(body)};
    encoder& row;
    return f.locks.replay(ConstBytes(body).first(encoder.size())).has_value();
  };
  EXPECT_TRUE(replay(good));
  RangeLockRow row = good;
  row.number = 0;
  EXPECT_FALSE(replay(row));
  row = good;
  row.inode = make_inode_id(ServerId{1}, 5);
  EXPECT_FALSE(replay(row)) << "of another server";
  row = good;
  row.end_bytes = 1;
  EXPECT_FALSE(replay(row)) << "empty";
  row = good;
  row.end_bytes = kFileBytesMax + 1;
  EXPECT_FALSE(replay(row));
  EXPECT_FALSE(f.locks.replay({}).has_value());
}

}  // namespace
}  // namespace benchfs::server
