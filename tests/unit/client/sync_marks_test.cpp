// Goal: an fsync never vouches for what a power failure may have taken, says so once to every
// handle that was open, and says nothing when only a process has died; a close says it of its own
// writes. Method: the client's own files over servers on a network in memory, which crash and start
// again; what a server tells of its power era is set by the test.

#include "client/sync_marks.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;
using test::kFakeEpoch;

constexpr std::uint16_t kServerCount = 3;
constexpr std::uint32_t kReadWrite = wire::kOpenRead | wire::kOpenWrite;

coro::Task<Result<wire::FsyncReply>> say_era(std::uint64_t era) {
  co_return wire::FsyncReply{.power_era = era};
}

class SyncMarksTest : public testing::Test {
 protected:
  SyncMarksTest() : session_(kServerCount, 2) {
    configure_log(LogLevel::kError, "");
    for (std::uint16_t i = 0; i < kServerCount; ++i) {
      for (const auto& client : session_.cluster.clients) {
        client->peers->update(ServerId{i}, kFakeEpoch,
                              session_.cluster.server(ServerId{i}).transport.address());
      }
      set_era(ServerId{i}, 1);
    }
    for (const auto& mount : session_.mounts) {
      mount->servers.follow([] { return News{}; });
    }
  }

  void set_era(ServerId server, std::uint64_t era) {
    session_.cluster.server(server).dispatcher.on<wire::FsyncRequest>(
        [era](rpc::Request& /*request*/, wire::FsyncRequest /*body*/,
              rpc::ReplyPayload& /*payload*/) { return say_era(era); });
  }
  enum class Fate { kKilled, kWithoutPower };
  /// The server starts again; everybody hears of it.
  void restart(ServerId server, Fate fate, std::uint64_t era_before = 1) {
    session_.cluster.crash(server);
    session_.cluster.restart(server);
    test::FakeServer& begun = session_.cluster.server(server);
    session_.data.push_back(std::make_unique<server::DataService>(
        begun.dispatcher, *begun.pool, begun.store, &begun.exchange->outcomes()));
    set_era(server, fate == Fate::kKilled ? era_before : kFakeEpoch + begun.run_number);
  }
  FakeMount& mount(std::size_t i = 0) { return session_.mount(i); }
  std::unique_ptr<File> make(const std::string& path) {
    auto file = mount().open(path, kReadWrite | wire::kOpenCreate, {.chunk_bytes = 4096});
    BENCHFS_ASSERT(file.has_value());
    return std::move(*file);
  }
  /// Over all servers.
  void write(File& file) {
    std::vector<char> data(std::size_t{kServerCount} * 4096, 'w');
    ASSERT_TRUE(mount().write(file, data, 0).has_value());
  }
  Status fsync(File& file, std::size_t by = 0) {
    return mount(by).run(file.fsync(mount(by).fresh(file.name())));
  }
  void expect_lost(const Status& status, ServerId server, std::size_t by = 0) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Errc::kPowerLost);
    EXPECT_EQ(mount(by).context.server, server);
    const std::string sentence = sentence_of(mount(by).context, status.error(), &mount(by).servers);
    EXPECT_NE(sentence.find("server " + std::to_string(to_integer(server))), std::string::npos);
    EXPECT_NE(sentence.find("not synced may be gone"), std::string::npos);
  }

  FakeSession session_;
};

TEST_F(SyncMarksTest, AnFsyncTellsOnceOfEachServerThatWasWithoutPower) {
  for (std::uint16_t victim = 0; victim < kServerCount; ++victim) {
    SCOPED_TRACE(victim);
    auto file = make("/f" + std::to_string(victim));
    write(*file);
    restart(ServerId{victim}, Fate::kWithoutPower);
    expect_lost(fsync(*file), ServerId{victim});
    EXPECT_TRUE(fsync(*file).has_value());
    write(*file);
    EXPECT_TRUE(fsync(*file).has_value());
    EXPECT_TRUE(mount().close(*file).has_value());
  }
}

TEST_F(SyncMarksTest, NothingIsToldWhenOnlyTheProcessDied) {
  auto file = make("/f");
  for (std::uint16_t victim = 0; victim < kServerCount; ++victim) {
    write(*file);
    restart(ServerId{victim}, Fate::kKilled);
  }
  EXPECT_TRUE(fsync(*file).has_value());
  EXPECT_TRUE(mount().close(*file).has_value());
}

TEST_F(SyncMarksTest, AFailureBetweenTwoProcessesDeathsIsTold) {
  auto file = make("/f");
  write(*file);
  restart(ServerId{1}, Fate::kWithoutPower);
  restart(ServerId{1}, Fate::kKilled, kFakeEpoch + 1);
  expect_lost(fsync(*file), ServerId{1});
  EXPECT_TRUE(fsync(*file).has_value());
  EXPECT_TRUE(mount().close(*file).has_value());
}

TEST_F(SyncMarksTest, AFileThatIsOpenedAfterwardsHasLostNothing) {
  restart(ServerId{0}, Fate::kWithoutPower);
  auto file = make("/f");
  write(*file);
  EXPECT_TRUE(fsync(*file).has_value());
  EXPECT_TRUE(mount().close(*file).has_value());
}

TEST_F(SyncMarksTest, EveryHandleThatWasOpenIsToldWhoeverWrote) {
  // As ranks of a job: all write, one of them syncs for all.
  auto opener = make("/f");
  auto sharer = mount(1).attach(*opener);
  std::vector<char> data(std::size_t{kServerCount} * 4096, 'r');
  ASSERT_TRUE(mount(1).write(*sharer, data, 0).has_value());
  restart(ServerId{2}, Fate::kWithoutPower);
  expect_lost(fsync(*opener), ServerId{2});
  expect_lost(fsync(*sharer, 1), ServerId{2}, 1);
  EXPECT_TRUE(fsync(*opener).has_value());
  EXPECT_TRUE(mount(1).close(*sharer).has_value());
  EXPECT_TRUE(mount().close(*opener).has_value());
}

TEST_F(SyncMarksTest, TwoFsyncsAtTheSameTimeAreBothTold) {
  auto file = make("/f");
  write(*file);
  restart(ServerId{1}, Fate::kWithoutPower);
  Context first;
  Context second;
  std::vector<coro::Task<Status>> both;
  both.push_back(file->fsync(first));
  both.push_back(file->fsync(second));
  const auto statuses = mount().run(coro::when_all(std::move(both)));
  for (const Status& status : statuses) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Errc::kPowerLost);
  }
  EXPECT_TRUE(mount().close(*file).has_value());
}

TEST_F(SyncMarksTest, WhatIsToldOnceIsNotHiddenByAnotherServersFailure) {
  auto file = make("/f");
  write(*file);
  const ServerId home = home_of(file->identity().inode);
  const ServerId victim{static_cast<std::uint16_t>((to_integer(home) + 1) % kServerCount)};
  const ServerId away{static_cast<std::uint16_t>((to_integer(home) + 2) % kServerCount)};
  restart(victim, Fate::kWithoutPower);
  session_.cluster.crash(away);
  expect_lost(fsync(*file), victim);
  session_.cluster.restart(away);
  set_era(away, 1);
  EXPECT_TRUE(fsync(*file).has_value());
  EXPECT_TRUE(mount().close(*file).has_value());
}

TEST_F(SyncMarksTest, AnFsyncThatFailsBeforeItHearsLeavesItToTheNextOne) {
  auto file = make("/f");
  write(*file);
  const ServerId home = home_of(file->identity().inode);
  const ServerId victim{static_cast<std::uint16_t>((to_integer(home) + 1) % kServerCount)};
  session_.cluster.crash(victim);
  const Status failed = fsync(*file);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Errc::kPeerLost);
  session_.cluster.restart(victim);
  set_era(victim, kFakeEpoch + 1);
  expect_lost(fsync(*file), victim);
  EXPECT_TRUE(fsync(*file).has_value());
  EXPECT_TRUE(mount().close(*file).has_value());
}

TEST_F(SyncMarksTest, ACloseTellsOfItsOwnWritesThatWereNotSynced) {
  auto writer = make("/w");
  auto synced = make("/s");
  auto reader = make("/r");
  write(*writer);
  write(*synced);
  EXPECT_TRUE(fsync(*synced).has_value());
  restart(ServerId{1}, Fate::kWithoutPower);
  expect_lost(mount().close(*writer), ServerId{1});
  EXPECT_TRUE(mount().close(*synced).has_value());
  EXPECT_TRUE(mount().close(*reader).has_value());
}

TEST_F(SyncMarksTest, ACloseDoesNotVouchForAnEndThatMayBeGone) {
  int shorter = 0;
  for (std::uint16_t victim = 0; victim < kServerCount; ++victim) {
    const std::string path = "/f" + std::to_string(victim);
    auto file = make(path);
    write(*file);
    restart(ServerId{victim}, Fate::kWithoutPower);
    test::FakeServer& begun = session_.cluster.server(ServerId{victim});
    ASSERT_TRUE(session_.cluster.run(begun.store.remove(file->identity().inode)).has_value());
    const std::uint64_t left_bytes = mount(1).stat(path)->size_bytes;
    expect_lost(mount().close(*file), ServerId{victim});
    EXPECT_EQ(mount(1).stat(path)->size_bytes, left_bytes) << "what others have seen";
    shorter += left_bytes < std::uint64_t{kServerCount} * 4096 ? 1 : 0;
  }
  EXPECT_GT(shorter, 0) << "an end was on one of them";
}

TEST_F(SyncMarksTest, ACloseSaysNothingOfAProcessThatDied) {
  auto writer = make("/w");
  write(*writer);
  restart(ServerId{1}, Fate::kKilled);
  EXPECT_TRUE(mount().close(*writer).has_value());
}

TEST_F(SyncMarksTest, AWriteDuringAnFsyncStaysMarked) {
  SyncMarks marks(mount().servers,
                  {.file = InodeId{5}, .chunk_bytes = 1, .stripe_count = 2, .server_count = 3}, {});
  const ServerId server = marks.server(0);
  marks.wrote(server, kFakeEpoch);
  const SyncMarks::Begun begun = marks.begin(0);
  marks.wrote(server, kFakeEpoch);
  marks.end(0, begun, kFakeEpoch);
  EXPECT_EQ(marks.unsynced(0), kFakeEpoch);
  marks.end(0, marks.begin(0), kFakeEpoch);
  EXPECT_EQ(marks.unsynced(0), 0U);
}

TEST_F(SyncMarksTest, AnFsyncAsksEachServerOnceThatHoldsDataOrInodeOrName) {
  const placement::Striping striping{.file = make_inode_id(ServerId{2}, 9),
                                     .chunk_bytes = 1,
                                     .stripe_count = 1,
                                     .server_count = 3};
  const SyncMarks marks(mount().servers, striping,
                        {ServerId{2}, ServerId{0}, ServerId{0}, ServerId{1}});
  EXPECT_EQ(marks.count(), 3U);
  const SyncMarks without_name(mount().servers, striping, {});
  EXPECT_LE(without_name.count(), 2U);
}

}  // namespace
}  // namespace benchfs::client
