// Goal: what a namespace changes comes back from a journal on a drive, from its snapshot and its
// log, with what is owed and promised. Method: the real journal on a drive in memory, under more
// changes than its ring has room for; the tables before and after are compared by the rows that
// they come to.

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/memory_disk.h"
#include "journal/journal.h"
#include "placement/placement.h"
#include "server/handlers/namespace_keeper.h"
#include "server/journal_ledger.h"
#include "support/journal_fixture.h"
#include "support/run_task.h"

namespace benchfs::test {
namespace {

constexpr std::uint64_t kRingBlocks = 64;
constexpr std::uint64_t kDriveBytes = 16 * kMiB;

class Rows final : public meta::RowSink {
 public:
  bool put(meta::RowKind kind, ConstBytes body) override {
    all += static_cast<char>(kind);
    all.append(reinterpret_cast<const char*>(body.data()), body.size());
    return true;
  }
  std::string all;
};

/// One run of a server on the drive.
struct ServerRun {
  ServerRun(loop::EventLoop& loop, io::Disk& disk)
      : journal(loop, disk, {.store_id = 5, .ring_blocks = kRingBlocks}),
        space(journal::kAnchorBlocks + kRingBlocks,
              kDriveBytes / kBlockBytes - journal::kAnchorBlocks - kRingBlocks),
        ledger(journal),
        outcomes(loop, ledger),
        appends(ledger, ServerId{0}),
        range_locks(loop, ledger, ServerId{0}),
        counters(ledger, ServerId{0}),
        keeper(ledger, {.names = names,
                        .debts = debts,
                        .appends = appends,
                        .range_locks = range_locks,
                        .counters = counters,
                        .outcomes = outcomes}),
        names({.self = ServerId{0}, .server_count = 1}, &keeper),
        debts(ledger, ServerId{0}, 1) {
    journal.set_space(space);
    journal.add_participant(journal::RecordKind::kNamespaceFirst,
                            journal::RecordKind::kNamespaceLast, keeper);
  }

  coro::Task<Status> begin(std::uint64_t incarnation) {
    auto admitting = ledger.admit();
    BENCHFS_CO_TRY(const auto room, admitting);
    names.begin_run(incarnation);
    debts.begin_run(incarnation);
    if (!names.attached(kRootInode)) {
      names.add_holder(kRootInode, ServerId{0});
      names.attach(kRootInode);
      debts.add_prepared({.rename = {.coordinator = ServerId{0}, .rename_id = 9},
                          .key = {.parent = kRootInode, .name = "locked"}});
    }
    co_return Status();
  }
  /// Creates, removes and owes, a unit at a time.
  coro::Task<Status> live(std::uint64_t seed, int units) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < units; ++i) {
      auto admitting = ledger.admit();
      BENCHFS_CO_TRY(auto room, admitting);
      const wire::EntryKey key{
          .parent = kRootInode,
          .name = std::string(random() % 200, 'n') + std::to_string(random() % 300)};
      if (const auto entry = names.find_entry(key); entry.has_value()) {
        names.erase_entry(key, random());
        names.unlink_file(entry->inode, random());
        names.remove_file(entry->inode);
        owed.push_back(debts.add({.kind = server::ObligationKind::kRemoveData,
                                  .inode = entry->inode,
                                  .layout = {.chunk_bytes = 4096, .stripe_count = 1}}));
      } else {
        names.create_file(key, {.mode = 0600}, {.chunk_bytes = 4096, .stripe_count = 1}, random());
      }
      const ClientId client{random() % 5};
      const std::uint64_t number = ++numbers[to_integer(client)];
      const std::uint64_t below = number > 3 ? number - 3 : 1;
      const Status arrived = outcomes.arrive(client, {.number = number, .answered_below = below});
      BENCHFS_ASSERT(arrived.has_value());
      outcomes.keep({.client = client, .number = number}, wire::Op::kAppend,
                    wire::AppendReply{.offset_bytes = random()});
      const InodeId appended = make_inode_id(ServerId{0}, 1 + random() % 20);
      if (random() % 3 == 0) {
        appends.drop(appended);
      } else {
        appends.set(appended, 1 + random() % 1000);
      }
      change_locks_and_counters(random, appended);
      if (owed.size() > 20) {
        debts.settle(owed.front());
        owed.erase(owed.begin());
      }
      room.reset();
      if (!ledger.committed()) {
        BENCHFS_CO_CHECK(ledger.commit());
      }
    }
    co_return Status();
  }
  void change_locks_and_counters(std::mt19937_64& random, InodeId file) {
    const server::RangeLockKey lock{.client = ClientId{random() % 5}, .number = 1 + random() % 30};
    if (!range_locks.release(lock)) {
      const Status asked = range_locks.ask(
          lock, {.inode = file, .begin_bytes = random() % 100, .end_bytes = 100, .shared = true});
      BENCHFS_ASSERT(asked.has_value());
      range_locks.hold(lock);
    }
    const wire::CounterKey counter{.opener = lock.client, .number = 1 + random() % 3};
    if (random() % 4 == 0) {
      counters.drop_all(file);
    } else if (random() % 3 == 0) {
      counters.drop(file, counter);
    } else {
      counters.set(file, counter, random() % 1000);
    }
  }
  std::string text() {
    Rows rows;
    meta::Namespace::Cursor cursor;
    while (cursor.table != meta::Namespace::Cursor::Table::kEnd) {
      names.hand_over(cursor, rows, 100);
    }
    for (const auto& [number, obligation] : debts.owed()) {
      rows.all += std::to_string(number) + ':' + std::to_string(to_integer(obligation.inode)) + ' ';
    }
    for (const auto& [rename, row] : debts.prepared()) {
      rows.all += std::to_string(rename.rename_id) + '=' + row.key.name + ' ';
    }
    for (const InodeId file : appends.files()) {
      rows.all += std::to_string(to_integer(file)) + '+' + std::to_string(appends.find(file)) + ' ';
    }
    for (std::uint64_t i = 0; i < 5 * 30; ++i) {
      const server::RangeLockKey lock{.client = ClientId{i % 5}, .number = 1 + i / 5};
      rows.all += std::to_string(static_cast<int>(range_locks.state(lock))) + ' ';
    }
    for (std::uint64_t i = 0; i < 20 * 5 * 3; ++i) {
      rows.all +=
          std::to_string(counters.find(make_inode_id(ServerId{0}, 1 + i / 15),
                                       {.opener = ClientId{i / 3 % 5}, .number = 1 + i % 3})) +
          ' ';
    }
    for (const auto& [client, last] : numbers) {
      for (std::uint64_t number = 1; number <= last; ++number) {
        const auto answer = outcomes.find<wire::AppendReply>(
            {.client = ClientId{client}, .number = number}, wire::Op::kAppend);
        rows.all += answer.has_value() ? std::to_string((*answer)->offset_bytes) + ' ' : "- ";
      }
    }
    return rows.all;
  }

  journal::Journal journal;
  BlockSpace space;
  server::JournalLedger ledger;
  server::Outcomes outcomes;
  server::AppendEnds appends;
  server::RangeLocks range_locks;
  server::Counters counters;
  server::NamespaceKeeper keeper;
  meta::Namespace names;
  server::Debts debts;
  std::vector<std::uint64_t> owed;
  std::map<std::uint64_t, std::uint64_t> numbers;  ///< The last of each client.
};

TEST(NamespaceJournal, TheTablesComeBackFromSnapshotAndLog) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RealLoop real;
    auto disk = std::move(*io::MemoryDisk::create(real.loop, kDriveBytes));
    std::string before;
    std::map<std::uint64_t, std::uint64_t> numbers;
    {
      ServerRun first(real.loop, *disk);
      ASSERT_TRUE(run_task(real.loop, first.journal.create()).has_value());
      ASSERT_TRUE(run_task(real.loop, first.begin(1)).has_value());
      ASSERT_TRUE(run_task(real.loop, first.live(seed, 900)).has_value());
      EXPECT_GT(first.journal.counters().snapshots, 0U) << "the ring has room for all of it";
      before = first.text();
      numbers = first.numbers;
      ASSERT_TRUE(run_task(real.loop, first.journal.stop()).has_value());
    }
    ServerRun second(real.loop, *disk);
    const auto recovered = run_task(real.loop, second.journal.recover());
    ASSERT_TRUE(recovered.has_value());
    second.numbers = numbers;
    EXPECT_TRUE(second.text() == before);
    // And it goes on from there.
    ASSERT_TRUE(run_task(real.loop, second.begin(recovered->incarnation)).has_value());
    ASSERT_TRUE(run_task(real.loop, second.live(seed + 100, 50)).has_value());
    ASSERT_TRUE(run_task(real.loop, second.journal.stop()).has_value());
  }
}

TEST(NamespaceJournal, TheOutcomeOfAWriteGoesWithItsDataAndNoOtherDoes) {
  RealLoop real;
  auto disk = std::move(*io::MemoryDisk::create(real.loop, kDriveBytes));
  ServerRun run(real.loop, *disk);
  for (const wire::Op op : {wire::Op::kWrite, wire::Op::kAppend}) {
    for (const bool follows_dropped : {false, true}) {
      server::OutcomeRow row;
      row.client = ClientId{1};
      row.number = 1;
      row.op = op;
      std::vector<std::byte> body(512);
      wire::Encoder encoder{Bytes(body)};
      encoder& row;
      body.resize(encoder.size());
      const auto holds = run_task(
          real.loop,
          run.keeper.holds(server::kOutcomeKind, body, {.follows_dropped = follows_dropped}));
      ASSERT_TRUE(holds.has_value());
      EXPECT_EQ(*holds, op == wire::Op::kAppend || !follows_dropped);
    }
  }
}

TEST(NamespaceJournal, ObligationsThatMakeNoSenseAreRefused) {
  RealLoop real;
  auto disk = std::move(*io::MemoryDisk::create(real.loop, kDriveBytes));
  ServerRun run(real.loop, *disk);
  const auto refused = [&run](auto record, journal::RecordKind kind) {
    std::vector<std::byte> body(512);
    wire::Encoder encoder{Bytes(body)};
    encoder& record;
    body.resize(encoder.size());
    return !run.keeper.replay(kind, body, {}).has_value();
  };
  const server::Obligation good{
      .number = 1, .kind = server::ObligationKind::kUnlinkInode, .inode = InodeId{5}, .layout = {}};
  EXPECT_FALSE(refused(good, server::kObligationKind));
  server::Obligation bad = good;
  bad.kind = static_cast<server::ObligationKind>(77);
  EXPECT_TRUE(refused(bad, server::kObligationKind));
  bad = good;
  bad.target = ServerId{3};
  EXPECT_TRUE(refused(bad, server::kObligationKind));
  bad = good;
  bad.kind = server::ObligationKind::kRemoveData;
  EXPECT_TRUE(refused(bad, server::kObligationKind)) << "of no stripes";
  bad = good;
  bad.inode = make_inode_id(ServerId{1}, 5);
  EXPECT_TRUE(refused(bad, server::kObligationKind)) << "of no server";
  EXPECT_TRUE(refused(server::PreparedRow{.rename = {}, .key = {.parent = kRootInode, .name = "/"}},
                      server::kPreparedKind));
  EXPECT_TRUE(refused(good, server::kObligationDoneKind)) << "too long";
  EXPECT_TRUE(refused(good, server::record_kind(31)));
  EXPECT_TRUE(refused(good, journal::RecordKind::kStoreFirst));
}

}  // namespace
}  // namespace benchfs::test
