// Goal: an operation that is asked for twice is done once and answered alike, whatever others did
// in between and whether the server has started again in between; outcomes go when nobody asks for
// them any more, and survive in the journal until then. Method: requests with numbers, sent by hand
// to three servers; the class itself on records made by hand.

#include "server/outcomes.h"

#include <map>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/handlers/namespace_records.h"
#include "unit/server/namespace_fixture.h"

namespace benchfs::test {
namespace {

class RepeatedRequest : public testing::TestWithParam<bool> {
 protected:
  /// As the first, or as a repeat if the number has been used.
  template <typename Request>
  Result<typename Request::Reply> ask(ServerId server, Request request, std::uint64_t number,
                                      std::uint64_t answered_below = 1, ConstBytes payload = {}) {
    const rpc::CallOptions options{
        .deadline_ns = cluster_.loop.now_ns() + 10 * kNsPerSec,
        .operation = {.number = number, .answered_below = answered_below},
        .payload = payload,
        .reply_buffer = {}};
    auto answer =
        cluster_.run(cluster_.clients[0]->peers->call(server, std::move(request), options));
    if (!answer.has_value()) {
      return fail(answer.error());
    }
    return std::move(answer->reply);
  }
  template <typename Request>
  Result<typename Request::Reply> ask(const wire::EntryKey& key, Request request,
                                      std::uint64_t number) {
    return ask(cluster_.server_of(key), std::move(request), number);
  }
  /// Between a request and its repeat.
  void disturb() {
    if (GetParam()) {
      for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
        cluster_.crash(ServerId{i});
      }
      for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
        cluster_.restart(ServerId{i});
      }
    } else {
      for (const auto& server : cluster_.servers) {
        cluster_.clients[0]->transport.cut(server->transport);
      }
    }
  }
  InodeId make_file(const wire::EntryKey& key) {
    const auto opened = cluster_.run(other_.open(key, kCreateNew));
    BENCHFS_ASSERT(opened.has_value());
    BENCHFS_ASSERT(cluster_.run(other_.close(*opened)).has_value());
    return opened->entry.attributes.inode;
  }

  FakeCluster cluster_{3, 2, 17};
  FakeUser other_{cluster_, *cluster_.clients[1]};
  const wire::EntryKey key_ = key_of(kRootInode, "name");
};

INSTANTIATE_TEST_SUITE_P(Between, RepeatedRequest, testing::Bool(), [](const auto& between) {
  return between.param ? std::string("RestartOfAll") : std::string("LossOfConnections");
});

TEST_P(RepeatedRequest, DoesNotRemoveWhatOthersHaveMadeSince) {
  make_file(key_);
  EXPECT_EQ(code_of(ask(key_, wire::UnlinkRequest{.key = key_}, 1)), Errc{});
  disturb();
  const InodeId second = make_file(key_);
  EXPECT_EQ(code_of(ask(key_, wire::UnlinkRequest{.key = key_}, 1)), Errc{});
  EXPECT_EQ(cluster_.run(other_.lookup(key_))->attributes.inode, second);
  EXPECT_EQ(code_of(ask(key_, wire::UnlinkRequest{.key = key_}, 2)), Errc{});
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc::kNotFound);
}

TEST_P(RepeatedRequest, DoesNotMakeAgainWhatOthersHaveRemovedSince) {
  const wire::MkdirRequest mkdir{.key = key_, .mode = 0700};
  const auto made = ask(key_, mkdir, 1);
  ASSERT_TRUE(made.has_value());
  disturb();
  const auto again = ask(key_, mkdir, 1);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attributes.inode, made->attributes.inode);
  EXPECT_EQ(code_of(cluster_.run(other_.rmdir(key_))), Errc{});
  EXPECT_EQ(code_of(ask(key_, mkdir, 1)), Errc{});
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc::kNotFound);
  EXPECT_EQ(code_of(ask(key_, wire::RmdirRequest{.key = key_}, 2)), Errc::kNotFound);
}

TEST_P(RepeatedRequest, DoesNotRenameWhatHasTakenTheOldNameSince) {
  const wire::EntryKey to = key_of(kRootInode, "other");
  const InodeId moved = make_file(key_);
  const wire::RenameRequest rename{.from = key_, .to = to};
  EXPECT_EQ(code_of(ask(key_, rename, 1)), Errc{});
  disturb();
  const InodeId second = make_file(key_);
  EXPECT_EQ(code_of(ask(key_, rename, 1)), Errc{});
  EXPECT_EQ(cluster_.run(other_.lookup(key_))->attributes.inode, second);
  EXPECT_EQ(cluster_.run(other_.lookup(to))->attributes.inode, moved);
}

TEST_P(RepeatedRequest, DoesNotRenameADirectoryThatHasTakenTheOldNameSince) {
  const wire::EntryKey to = key_of(kRootInode, "other");
  const auto moved = cluster_.run(other_.mkdir(key_));
  ASSERT_TRUE(moved.has_value());
  // That directories have moved since is of no importance to a repeat.
  const wire::RenameRequest rename{.from = key_, .to = to, .moves = 0};
  EXPECT_EQ(code_of(ask(key_, rename, 1)), Errc{});
  disturb();
  const auto second = cluster_.run(other_.mkdir(key_));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(code_of(ask(key_, rename, 1)), Errc{});
  EXPECT_EQ(cluster_.run(other_.lookup(key_))->attributes.inode, second->attributes.inode);
  EXPECT_EQ(cluster_.run(other_.lookup(to))->attributes.inode, moved->attributes.inode);
}

TEST_P(RepeatedRequest, DoesNotRemoveADirectoryThatOthersHaveMadeSince) {
  const wire::RmdirRequest rmdir{.key = key_};
  ASSERT_TRUE(cluster_.run(other_.mkdir(key_)).has_value());
  EXPECT_EQ(code_of(ask(key_, rmdir, 1)), Errc{});
  disturb();
  ASSERT_TRUE(cluster_.run(other_.mkdir(key_)).has_value());
  EXPECT_EQ(code_of(ask(key_, rmdir, 1)), Errc{});
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc{});
}

TEST_P(RepeatedRequest, DoesNotMakeALinkAgain) {
  const std::string target(4095, 't');
  const ConstBytes payload = std::as_bytes(std::span(target));
  const ServerId server = cluster_.server_of(key_);
  const wire::SymlinkRequest symlink{.key = key_};
  const auto made = ask(server, symlink, 1, 1, payload);
  ASSERT_TRUE(made.has_value());
  disturb();
  const auto again = ask(server, symlink, 1, 1, payload);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->attributes.inode, made->attributes.inode);
  EXPECT_EQ(code_of(cluster_.run(other_.unlink(key_))), Errc{});
  EXPECT_EQ(code_of(ask(server, symlink, 1, 1, payload)), Errc{});
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc::kNotFound);
}

TEST_P(RepeatedRequest, OfADirectorysRenameMayComeLateToItsCoordinator) {
  const wire::EntryKey to = key_of(kRootInode, "other");
  const auto moved = cluster_.run(other_.mkdir(key_));
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(code_of(ask(key_, wire::RenameRequest{.from = key_, .to = to}, 1)), Errc{});
  disturb();
  ASSERT_TRUE(cluster_.run(other_.mkdir(key_)).has_value());
  const auto late = [&](std::uint64_t operation) {
    auto& server = cluster_.server(cluster_.server_of(key_));
    const wire::RenamePrepareRequest prepare{.key = key_,
                                             .rename_id = 1 + operation,
                                             .role = wire::RenameRole::kSource,
                                             .client = ClientId{1000},
                                             .operation = operation,
                                             .asked_by_run = 1 + server.run_number};
    auto& exchange = *server.exchange;
    return code_of(cluster_.run(
        exchange.ask(cluster_.server_of(key_), prepare, cluster_.loop.now_ns() + kNsPerSec)));
  };
  EXPECT_EQ(late(1), Errc::kAgain) << "it is done";
  EXPECT_EQ(code_of(ask(cluster_.server_of(key_), wire::UnlinkRequest{.key = key_}, 5, 4)),
            Errc::kIsDirectory);
  EXPECT_EQ(late(3), Errc::kTimedOut) << "it is given up";
}

TEST_P(RepeatedRequest, DoesNotCutOrChangeWhatOthersHaveSetSince) {
  const InodeId file = make_file(key_);
  const wire::TruncateRequest truncate{.inode = file, .size_bytes = 10};
  const wire::SetAttrRequest chmod{.inode = file, .mask = wire::kSetMode, .mode = 0700};
  EXPECT_EQ(code_of(ask(home_of(file), truncate, 1)), Errc{});
  EXPECT_EQ(code_of(ask(home_of(file), chmod, 2)), Errc{});
  disturb();
  EXPECT_EQ(code_of(cluster_.run(other_.truncate(file, 2000))), Errc{});
  const wire::SetAttrRequest newer{.inode = file, .mask = wire::kSetMode, .mode = 0600};
  EXPECT_EQ(code_of(cluster_.run(other_.ask(home_of(file), newer))), Errc{});
  EXPECT_EQ(code_of(ask(home_of(file), truncate, 1)), Errc{});
  EXPECT_EQ(code_of(ask(home_of(file), chmod, 2)), Errc{});
  const auto attributes = cluster_.run(other_.stat(file));
  ASSERT_TRUE(attributes.has_value());
  EXPECT_EQ(attributes->size_bytes, 2000U);
  EXPECT_EQ(attributes->mode, 0600U);
}

TEST_P(RepeatedRequest, OpensWhatTheFirstHasCreatedAndNothingElse) {
  const wire::OpenRequest create{
      .key = key_, .flags = kCreateNew | wire::kOpenTruncate, .mode = 0600, .layout = {}};
  const auto created = ask(key_, create, 1);
  ASSERT_TRUE(created.has_value());
  EXPECT_TRUE(created->created);
  const InodeId file = created->entry.attributes.inode;
  disturb();
  EXPECT_EQ(code_of(cluster_.run(other_.truncate(file, 77))), Errc{});
  const auto again = ask(key_, create, 1);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->created);
  EXPECT_EQ(again->entry.attributes.inode, file);
  EXPECT_EQ(again->open_id == created->open_id, !GetParam()) << "opens end with the process";
  EXPECT_EQ(cluster_.run(other_.stat(file))->size_bytes, 77U);
  EXPECT_EQ(cluster_.server(home_of(file)).names->open_count(), 1U);
  // Also after somebody has removed it.
  EXPECT_EQ(code_of(cluster_.run(other_.unlink(key_))), Errc{});
  const auto third = ask(key_, create, 1);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->open_id, again->open_id);
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc::kNotFound);
}

TEST_P(RepeatedRequest, OfAWriterThatHasClosedDoesNotFail) {
  const auto opened =
      ask(key_, wire::OpenRequest{.key = key_, .flags = kCreateNew, .mode = 0600, .layout = {}}, 1);
  ASSERT_TRUE(opened.has_value());
  const InodeId file = opened->entry.attributes.inode;
  const wire::CloseRequest close{.open_id = opened->open_id,
                                 .inode = file,
                                 .wrote = true,
                                 .end_bytes = 500,
                                 .truncate_epoch = opened->truncate_epoch};
  EXPECT_EQ(code_of(ask(home_of(file), close, 2)), Errc{});
  disturb();
  EXPECT_EQ(code_of(ask(home_of(file), close, 2)), Errc{});
  EXPECT_EQ(cluster_.run(other_.stat(file))->size_bytes, 500U);
}

TEST_P(RepeatedRequest, OfAnAppenderGetsItsRangeAndNobodyElseDoes) {
  const auto opened = cluster_.run(other_.open(key_, kCreate | wire::kOpenAppend));
  ASSERT_TRUE(opened.has_value());
  const InodeId file = opened->entry.attributes.inode;
  const std::uint32_t flags = wire::kOpenWrite | wire::kOpenAppend;
  const auto ours = ask(home_of(file), wire::OpenInodeRequest{.inode = file, .flags = flags}, 1);
  ASSERT_TRUE(ours.has_value());
  const wire::AppendRequest append{.open_id = ours->open_id, .inode = file, .length_bytes = 100};
  EXPECT_EQ(ask(home_of(file), append, 2)->offset_bytes, 0U);
  disturb();
  // Neither has written yet.
  auto theirs = *opened;
  if (GetParam()) {
    const wire::OpenInodeRequest again{
        .inode = file, .flags = flags, .known_open_id = opened->open_id};
    theirs = *cluster_.run(other_.ask(home_of(file), again));
  }
  EXPECT_EQ(cluster_.run(other_.append(theirs, 50))->offset_bytes, 100U);
  EXPECT_EQ(ask(home_of(file), append, 2)->offset_bytes, 0U);
  EXPECT_EQ(cluster_.run(other_.append(theirs, 50))->offset_bytes, 150U);
  EXPECT_EQ(code_of(cluster_.run(other_.truncate(file, 10))), Errc{});
  EXPECT_EQ(cluster_.run(other_.append(theirs, 50))->offset_bytes, 10U);
}

TEST_P(RepeatedRequest, OfAnAppenderWhoStaysAwayKeepsItsRangeForAWhile) {
  const auto opened =
      ask(key_,
          wire::OpenRequest{
              .key = key_, .flags = kCreate | wire::kOpenAppend, .mode = 0600, .layout = {}},
          1);
  ASSERT_TRUE(opened.has_value());
  const InodeId file = opened->entry.attributes.inode;
  const wire::AppendRequest append{.open_id = opened->open_id, .inode = file, .length_bytes = 100};
  EXPECT_EQ(ask(home_of(file), append, 2)->offset_bytes, 0U);
  disturb();
  cluster_.settle();
  const auto theirs = cluster_.run(other_.open(key_, wire::kOpenWrite | wire::kOpenAppend));
  ASSERT_TRUE(theirs.has_value());
  EXPECT_EQ(cluster_.run(other_.append(*theirs, 50))->offset_bytes, 0U) << "the file is empty";
}

TEST_P(RepeatedRequest, OfAnAppenderKeepsItsRangeThoughAllOthersClose) {
  const auto opened = cluster_.run(other_.open(key_, kCreate | wire::kOpenAppend));
  ASSERT_TRUE(opened.has_value());
  const InodeId file = opened->entry.attributes.inode;
  const std::uint32_t flags = wire::kOpenWrite | wire::kOpenAppend;
  const auto ours = ask(home_of(file), wire::OpenInodeRequest{.inode = file, .flags = flags}, 1);
  ASSERT_TRUE(ours.has_value());
  const wire::AppendRequest append{.open_id = ours->open_id, .inode = file, .length_bytes = 100};
  EXPECT_EQ(ask(home_of(file), append, 2)->offset_bytes, 0U);
  disturb();
  // While we are away and have not written yet.
  if (!GetParam()) {
    EXPECT_EQ(code_of(cluster_.run(other_.close(*opened))), Errc{});
  }
  for (const std::uint64_t offset : {100U, 150U}) {
    const auto theirs = cluster_.run(other_.open(key_, flags));
    ASSERT_TRUE(theirs.has_value());
    EXPECT_EQ(cluster_.run(other_.append(*theirs, 50))->offset_bytes, offset);
    EXPECT_EQ(code_of(cluster_.run(other_.close(*theirs))), Errc{});
  }
}

TEST_P(RepeatedRequest, ThatHasFailedIsTriedAgain) {
  make_file(key_);
  const wire::MkdirRequest mkdir{.key = key_, .mode = 0700};
  EXPECT_EQ(code_of(ask(key_, mkdir, 1)), Errc::kExists);
  disturb();
  EXPECT_EQ(code_of(cluster_.run(other_.unlink(key_))), Errc{});
  EXPECT_EQ(code_of(ask(key_, mkdir, 1)), Errc{});
}

TEST_P(RepeatedRequest, IsRefusedWhenItsClientHasSaidThatItNeedsNoAnswer) {
  const wire::MkdirRequest mkdir{.key = key_, .mode = 0700};
  const ServerId server = cluster_.server_of(key_);
  EXPECT_EQ(code_of(ask(server, mkdir, 1)), Errc{});
  EXPECT_EQ(code_of(ask(server, wire::RmdirRequest{.key = key_}, 5, 4)), Errc{});
  disturb();
  EXPECT_EQ(code_of(ask(server, mkdir, 3, 1)), Errc::kTimedOut);
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc::kNotFound);
}

TEST_P(RepeatedRequest, OfAnotherKindUnderTheSameNumberIsRefused) {
  EXPECT_EQ(code_of(ask(key_, wire::MkdirRequest{.key = key_, .mode = 0700}, 1)), Errc{});
  disturb();
  EXPECT_EQ(code_of(ask(key_, wire::RmdirRequest{.key = key_}, 1)), Errc::kProtocol);
  EXPECT_EQ(code_of(cluster_.run(other_.lookup(key_))), Errc{});
}

TEST_P(RepeatedRequest, IsForgottenWhenItsClientStaysAway) {
  const wire::MkdirRequest mkdir{.key = key_, .mode = 0700};
  const ServerId server = cluster_.server_of(key_);
  EXPECT_EQ(code_of(ask(server, mkdir, 1)), Errc{});
  disturb();
  const auto count = [&] { return cluster_.server(server).exchange->outcomes().count(); };
  EXPECT_EQ(count(), 1U);
  const std::uint64_t lost_ns = cluster_.clock.now_ns();
  cluster_.settle();
  EXPECT_EQ(count(), 0U);
  EXPECT_GE(cluster_.clock.now_ns() - lost_ns, wire::kOutcomeKeptNs - kNsPerSec);
  EXPECT_EQ(code_of(ask(server, mkdir, 1)), Errc::kExists);
}

// ---- The class

std::vector<std::byte> encoded(const server::OutcomeRow& row) {
  std::vector<std::byte> body(1024);
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  body.resize(encoder.size());
  return body;
}

/// What is handed over, `room` records to a chunk.
class Chunk final : public journal::SnapshotSink {
 public:
  explicit Chunk(std::size_t room) : room_(room) {}
  bool put(journal::RecordKind kind, ConstBytes body) override {
    if (records.size() == room_) {
      return false;
    }
    EXPECT_EQ(kind, server::kOutcomeKind);
    records.emplace_back(body.begin(), body.end());
    return true;
  }
  std::vector<std::vector<std::byte>> records;

 private:
  std::size_t room_;
};

class OutcomesTest : public testing::Test {
 protected:
  ManualClock clock_;
  ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_, {.spin_ns = 0}};
  MemoryLedger ledger_{loop_};
  server::Outcomes outcomes_{loop_, ledger_};
  const ClientId alice_{1};
  const ClientId bob_{2};
};

TEST_F(OutcomesTest, ComeBackFromASnapshotAsTheyWere) {
  for (std::uint64_t number = 1; number <= 10; ++number) {
    for (const ClientId client : {alice_, bob_}) {
      ASSERT_TRUE(outcomes_.arrive(client, {.number = number, .answered_below = 1}).has_value());
      const server::OperationKey key{.client = client, .number = number};
      if (number % 3 == 0) {
        outcomes_.keep_for_now(key, wire::Op::kUnlink, wire::EmptyReply{});
      } else {
        outcomes_.keep(key, wire::Op::kAppend, wire::AppendReply{.offset_bytes = number});
      }
    }
  }
  ASSERT_TRUE(outcomes_.arrive(alice_, {.number = 11, .answered_below = 5}).has_value());
  server::Outcomes again(loop_, ledger_);
  server::Outcomes::Cursor cursor;
  std::uint64_t bytes = 0;
  while (!cursor.at_end) {
    Chunk chunk(2);
    outcomes_.hand_over(cursor, chunk, 3);
    for (const auto& record : chunk.records) {
      bytes += record.size() + 8;
      EXPECT_TRUE(again.replay(record).has_value());
      EXPECT_TRUE(again.replay(record).has_value()) << "twice is as good";
    }
  }
  EXPECT_LE(bytes, outcomes_.record_bytes());
  EXPECT_EQ(again.count(), 4U + 7U);
  for (std::uint64_t number = 1; number <= 10; ++number) {
    for (const ClientId client : {alice_, bob_}) {
      const auto found =
          again.find<wire::AppendReply>({.client = client, .number = number}, wire::Op::kAppend);
      const bool expected = number % 3 != 0 && (client == bob_ || number >= 5);
      ASSERT_EQ(found.has_value(), expected) << number;
      if (expected) {
        EXPECT_EQ((*found)->offset_bytes, number);
      }
    }
  }
  again.forget(alice_);
  again.forget(bob_);
  EXPECT_EQ(again.count(), 0U);
  EXPECT_EQ(again.record_bytes(), 0U);
}

TEST_F(OutcomesTest, LeaveTheLogWhenTheirClientNeedsThemNoMore) {
  const auto row = [this](std::uint64_t number, std::uint64_t answered_below) {
    return encoded({.client = alice_,
                    .number = number,
                    .answered_below = answered_below,
                    .op = wire::Op::kUnlink,
                    .reply = {}});
  };
  EXPECT_TRUE(outcomes_.replay(row(1, 1)).has_value());
  EXPECT_TRUE(outcomes_.replay(row(2, 1)).has_value());
  EXPECT_TRUE(outcomes_.replay(row(4, 3)).has_value());
  EXPECT_EQ(outcomes_.count(), 1U);
  EXPECT_TRUE(outcomes_.replay(row(2, 1)).has_value());
  EXPECT_EQ(outcomes_.count(), 1U) << "from before a snapshot";
}

TEST_F(OutcomesTest, RefuseRecordsThatMakeNoSense) {
  const server::OutcomeRow good{
      .client = alice_, .number = 5, .answered_below = 5, .op = wire::Op::kUnlink, .reply = {}};
  const auto refused = [this](const std::vector<std::byte>& body) {
    return !outcomes_.replay(body).has_value();
  };
  for (std::size_t size = 0; size < encoded(good).size(); ++size) {
    std::vector<std::byte> cut = encoded(good);
    cut.resize(size);
    EXPECT_TRUE(refused(cut));
  }
  auto longer = encoded(good);
  longer.push_back(std::byte{0});
  EXPECT_TRUE(refused(longer));
  server::OutcomeRow bad = good;
  bad.number = 0;
  bad.answered_below = 0;
  EXPECT_TRUE(refused(encoded(bad)));
  bad = good;
  bad.answered_below = 6;
  EXPECT_TRUE(refused(encoded(bad)));
  bad = good;
  bad.op = wire::Op::kRead;
  EXPECT_TRUE(refused(encoded(bad)));
  bad = good;
  bad.op = static_cast<wire::Op>(0);
  EXPECT_TRUE(refused(encoded(bad)));
  bad = good;
  bad.reply.resize(server::kOutcomeReplyBytesMax + 1);
  EXPECT_TRUE(refused(encoded(bad)));
  EXPECT_EQ(outcomes_.count(), 0U);
  EXPECT_FALSE(refused(encoded(good)));
}

TEST_F(OutcomesTest, ThatDoNotDecodeAreAnErrorAndNoAnswer) {
  const server::OutcomeRow row{.client = alice_,
                               .number = 5,
                               .answered_below = 1,
                               .op = wire::Op::kAppend,
                               .reply = std::vector<std::byte>(3)};
  ASSERT_TRUE(outcomes_.replay(encoded(row)).has_value());
  const auto found =
      outcomes_.find<wire::AppendReply>({.client = alice_, .number = 5}, wire::Op::kAppend);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(code_of(*found), Errc::kCorrupt);
}

TEST_F(OutcomesTest, OfOneClientAreBoundedButARepeatIsAlwaysAnswered) {
  for (std::uint64_t number = 1; number <= server::kOutcomesPerClientMax; ++number) {
    ASSERT_TRUE(outcomes_.arrive(alice_, {.number = number, .answered_below = 1}).has_value());
    outcomes_.keep_for_now({.client = alice_, .number = number}, wire::Op::kUnlink,
                           wire::EmptyReply{});
  }
  const std::uint64_t next = server::kOutcomesPerClientMax + 1;
  EXPECT_EQ(code_of(outcomes_.arrive(alice_, {.number = next, .answered_below = 1})), Errc::kAgain);
  EXPECT_TRUE(outcomes_.arrive(alice_, {.number = 7, .answered_below = 1}).has_value());
  EXPECT_TRUE(outcomes_.arrive(bob_, {.number = 1, .answered_below = 1}).has_value());
  EXPECT_TRUE(outcomes_.arrive(alice_, {.number = next, .answered_below = 2}).has_value());
  EXPECT_EQ(outcomes_.count(), server::kOutcomesPerClientMax - 1);
}

}  // namespace
}  // namespace benchfs::test
