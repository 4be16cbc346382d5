// Goal: when servers start again, everybody who lives hears of it, whatever the order; nobody takes
// old news for new, nobody speaks for another; and a client finds a server that has started again,
// with what is safe to repeat in the same call, but does not wait for one that stays away twice.
// Method: bare servers on a network in memory, killed and made again at other addresses.

#include "server/handlers/membership.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "client/servers.h"
#include "coro/scope.h"
#include "support/fake_cluster.h"
#include "support/temp_dir.h"

namespace benchfs::test {
namespace {

constexpr std::uint64_t kTimeoutNs = 3 * kNsPerSec;

/// A server that knows who is there, and answers one question: as what it runs.
class Member final : public FakePeer {
 public:
  Member(FakeNetwork& network, ServerId id, std::uint64_t incarnation)
      : FakePeer(network, {.role = net::PeerIdentity::Role::kServer, .id = to_integer(id)}),
        self(id),
        dispatcher_(network.loop(), incarnation) {}

  void serve(session::Session session, std::string session_directory = {}) {
    std::vector<std::vector<std::byte>> addresses;
    for (const session::Server& server : session.servers) {
      addresses.push_back(server.address);
    }
    meet(std::move(addresses));
    exchange_ = std::make_unique<server::Exchange>(self, dispatcher_, *peers);
    exchange_->on<wire::StatFsRequest>(*this, &Member::tell_incarnation);
    exchange_->on<wire::AppendRequest>(*this, &Member::append_or_die);
    membership = std::make_unique<server::MembershipService>(
        server::Membership{.self = self,
                           .session = std::move(session),
                           .session_directory = std::move(session_directory)},
        server::MembershipService::Parts{
            .dispatcher = dispatcher_, .peers = *peers, .exchange = *exchange_});
  }
  const session::Server& knows(std::size_t server) const {
    return membership->session().servers[server];
  }

  const ServerId self;
  std::unique_ptr<server::MembershipService> membership;
  std::vector<std::uint64_t> appends;  ///< The numbers of the operations.

 private:
  void on_request(const std::shared_ptr<net::Connection>& connection,
                  const wire::FixedHeader& fixed, net::Message message) noexcept override {
    dispatcher_.on_request(connection, fixed, std::move(message));
  }
  coro::Task<Result<wire::StatFsReply>> tell_incarnation(server::Context, wire::StatFsRequest) {
    co_return wire::StatFsReply{.capacity_bytes = knows(to_integer(self)).incarnation};
  }
  /// Its first run dies in the middle.
  coro::Task<Result<wire::AppendReply>> append_or_die(server::Context context,
                                                      wire::AppendRequest) {
    appends.push_back(context.operation.number);
    if (knows(to_integer(self)).incarnation == 1) {
      transport.kill();
      co_return fail(Errc::kIo, "test");
    }
    co_return wire::AppendReply{.offset_bytes = 77};
  }

  rpc::Dispatcher dispatcher_;
  std::unique_ptr<server::Exchange> exchange_;
};

class MembershipTest : public testing::Test {
 protected:
  static constexpr std::uint16_t kCount = 3;

  MembershipTest() {
    session_.servers.resize(kCount);
    for (std::uint16_t i = 0; i < kCount; ++i) {
      members_.push_back(std::make_unique<Member>(network_, ServerId{i}, 1));
      session_.servers[i].address = members_[i]->transport.address();
    }
    for (const auto& member : members_) {
      member->serve(session_);
    }
  }
  ~MembershipTest() override {
    client_.transport.kill();
    for (const auto& member : members_) {
      member->transport.kill();
    }
    settle();
  }

  /// Server `index` dies and comes again, knowing `known` of the others. It has told nobody.
  Member& restart(std::uint16_t index, std::uint64_t incarnation, session::Session known,
                  const std::string& session_directory = {}) {
    Member& old = *members_[index];
    old.transport.kill();
    graveyard_.push_back(std::move(members_[index]));
    members_[index] = std::make_unique<Member>(network_, ServerId{index}, incarnation);
    known.servers[index].address = members_[index]->transport.address();
    known.servers[index].incarnation = incarnation;
    known.servers[index].pid = static_cast<std::uint32_t>(incarnation);
    if (!session_directory.empty()) {
      EXPECT_TRUE(session::amend_session(session_directory, known).has_value());
    }
    members_[index]->serve(std::move(known), session_directory);
    return *members_[index];
  }
  static coro::Task<void> announce_once(server::MembershipService& membership,
                                        std::uint64_t deadline_ns) {
    auto announcing = membership.announce(deadline_ns);
    const bool all_answered = co_await announcing;
    static_cast<void>(all_answered);
  }
  void announce(Member& member) {
    announcing_.spawn(announce_once(*member.membership, loop_.now_ns() + kTimeoutNs));
  }
  void settle() {
    while (loop_.turn() || loop_.timers().size() > 0) {
      if (loop_.timers().size() > 0) {
        loop_.run_once(UINT64_MAX);
      }
    }
  }
  template <typename T>
  T run(coro::Task<T> task) {
    task.start();
    while (!task.done()) {
      loop_.run_once(UINT64_MAX);
    }
    return task.take();
  }
  coro::Task<void> after(std::uint64_t time_ns, std::function<void()> action) {
    loop::SleepOp sleep(loop_, loop_.now_ns() + time_ns);
    co_await sleep;
    action();
  }

  /// A client's view, which learns of news from the servers only.
  client::Servers& servers() {
    if (servers_ == nullptr) {
      std::vector<std::vector<std::byte>> addresses;
      for (const session::Server& server : session_.servers) {
        addresses.push_back(server.address);
      }
      client_.meet(std::move(addresses));
      for (std::uint16_t i = 0; i < kCount; ++i) {
        client_.peers->update(ServerId{i}, 1, session_.servers[i].address);
      }
      servers_ = std::make_unique<client::Servers>(
          loop_, *client_.peers, ClientId{77}, std::vector<std::string>{"a", "b", "c"}, kTimeoutNs);
      servers_->follow([this] { return news_; });
    }
    return *servers_;
  }
  Result<std::uint64_t> ask_incarnation(std::uint16_t server) {
    auto answer = run(servers().call(context_, ServerId{server}, wire::StatFsRequest()));
    if (!answer.has_value()) {
      return fail(answer.error());
    }
    return answer->reply.capacity_bytes;
  }

  ManualClock clock_;
  JumpSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_, {.spin_ns = 0}};
  FakeNetwork network_{loop_, {}};
  FakeClient client_{network_, ClientId{1000}};
  session::Session session_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Member>> graveyard_;
  client::News news_;
  client::Context context_;
  std::unique_ptr<client::Servers> servers_;
  coro::Scope announcing_;
};

TEST_F(MembershipTest, EverybodyHearsOfAServerThatHasStartedAgainAndReachesIt) {
  Member& again = restart(1, 2, session_);
  announce(again);
  settle();
  for (const std::size_t i : {0U, 2U}) {
    EXPECT_EQ(members_[i]->knows(1).incarnation, 2U);
    EXPECT_EQ(members_[i]->knows(1).pid, 2U);
    const auto reply = run(members_[i]->ask(ServerId{1}, wire::StatFsRequest()));
    ASSERT_TRUE(reply.has_value()) << benchfs::to_string(reply.error());
    EXPECT_EQ(reply->capacity_bytes, 2U);
  }
}

TEST_F(MembershipTest, TwoThatStartAgainAtOnceHearOfEachOtherThroughAThird) {
  Member& one = restart(1, 2, session_);
  Member& two = restart(2, 5, session_);
  announce(one);
  announce(two);
  settle();
  for (const auto& member : members_) {
    EXPECT_EQ(member->knows(1).incarnation, 2U) << to_integer(member->self);
    EXPECT_EQ(member->knows(2).incarnation, 5U) << to_integer(member->self);
  }
}

TEST_F(MembershipTest, TwoThatStartAgainAtOnceFindEachOtherInTheSessionFile) {
  const TempDir place;
  const std::string directory = place.file("session");
  ASSERT_TRUE(session::prepare_directory(directory).has_value());
  session_.session_id = 5;
  ASSERT_TRUE(session::publish_session(directory, session_).has_value());
  members_[0]->transport.kill();
  Member& one = restart(1, 2, session_, directory);
  Member& two = restart(2, 5, session_, directory);
  for (Member* const first : {&one, &two}) {
    announce(*first);
    settle();
    EXPECT_EQ(one.knows(2).incarnation, 5U);
    EXPECT_EQ(two.knows(1).incarnation, 2U);
  }
  EXPECT_TRUE(run(one.ask(ServerId{2}, wire::StatFsRequest())).has_value());
  EXPECT_TRUE(run(two.ask(ServerId{1}, wire::StatFsRequest())).has_value());
}

TEST_F(MembershipTest, WhoWasAwayHearsWhatItHasMissed) {
  Member& one = restart(1, 2, session_);
  members_[2]->transport.kill();
  announce(one);
  settle();
  Member& two = restart(2, 2, session_);
  announce(two);
  settle();
  EXPECT_EQ(two.knows(1).incarnation, 2U);
  EXPECT_EQ(one.knows(2).incarnation, 2U);
  EXPECT_TRUE(run(two.ask(ServerId{1}, wire::StatFsRequest())).has_value());
}

TEST_F(MembershipTest, OldNewsChangeNothing) {
  Member& first = restart(1, 4, session_);
  announce(first);
  settle();
  Member& stale = restart(1, 3, session_);  // As a store that was copied would.
  announce(stale);
  settle();
  EXPECT_EQ(members_[0]->knows(1).incarnation, 4U);
  EXPECT_EQ(members_[2]->knows(1).pid, 4U);
}

TEST_F(MembershipTest, NobodySpeaksForAnotherAndClientsForNone) {
  std::vector<std::byte> bytes(wire::kServerEntryBytesMax);
  wire::Encoder encoder{Bytes(bytes)};
  wire::ServerEntry entry;
  entry.server = ServerId{2};
  entry.incarnation = 9;
  entry.address = "x";
  encoder& entry;
  bytes.resize(encoder.size());
  const auto code_of_join = [&](FakePeer& asker) {
    const rpc::CallOptions options{
        .deadline_ns = loop_.now_ns() + kTimeoutNs, .payload = bytes, .reply_buffer = {}};
    const auto answer = run(asker.peers->call(ServerId{0}, wire::JoinRequest(), options));
    return answer.has_value() ? Errc{} : answer.error().code;
  };
  EXPECT_EQ(code_of_join(*members_[1]), Errc::kPermission);
  servers();
  EXPECT_EQ(code_of_join(client_), Errc::kPermission);
  bytes.resize(bytes.size() - 1);
  EXPECT_EQ(code_of_join(*members_[2]), Errc::kProtocol);
  EXPECT_EQ(members_[0]->knows(2).incarnation, 1U);
}

TEST_F(MembershipTest, ACallFindsTheServerThatStartsAgainWhileItWaits) {
  ASSERT_EQ(*ask_incarnation(1), 1U);
  members_[1]->transport.kill();
  announcing_.spawn(after(kNsPerSec, [this] { announce(restart(1, 2, session_)); }));
  const auto incarnation = ask_incarnation(1);
  ASSERT_TRUE(incarnation.has_value()) << benchfs::to_string(incarnation.error());
  EXPECT_EQ(*incarnation, 2U);
}

TEST_F(MembershipTest, TheLossOfAServerThatStaysAwayIsWaitedForOnce) {
  ASSERT_EQ(*ask_incarnation(1), 1U);
  members_[1]->transport.kill();
  const std::uint64_t begin_ns = loop_.now_ns();
  EXPECT_EQ(ask_incarnation(1).error().code, Errc::kPeerLost);
  const std::uint64_t first_ns = loop_.now_ns();
  EXPECT_LE(first_ns - begin_ns, kTimeoutNs);
  EXPECT_EQ(ask_incarnation(1).error().code, Errc::kPeerLost);
  EXPECT_LT(loop_.now_ns() - first_ns, kTimeoutNs / 10);
  // When it comes after all, the next call finds it.
  announce(restart(1, 2, session_));
  settle();
  clock_.advance(kNsPerSec);  // Other servers are not asked about it all the time.
  const auto found = ask_incarnation(1);
  ASSERT_TRUE(found.has_value()) << benchfs::to_string(found.error());
  EXPECT_EQ(*found, 2U);
}

TEST_F(MembershipTest, NobodyWaitsForAServerOfASessionThatIsOver) {
  ASSERT_EQ(*ask_incarnation(1), 1U);
  members_[1]->transport.kill();
  news_.kind = client::News::Kind::kGone;
  const std::uint64_t begin_ns = loop_.now_ns();
  EXPECT_EQ(ask_incarnation(1).error().code, Errc::kPeerLost);
  EXPECT_LT(loop_.now_ns() - begin_ns, kTimeoutNs / 2);
}

TEST_F(MembershipTest, WhatMayHaveBeenDoneIsAskedAgainByTheSameNumber) {
  ASSERT_EQ(*ask_incarnation(1), 1U);
  Member& victim = *members_[1];
  announcing_.spawn(after(kNsPerSec, [this] { announce(restart(1, 2, session_)); }));
  const auto appended = run(servers().call(context_, ServerId{1}, wire::AppendRequest{}));
  ASSERT_TRUE(appended.has_value()) << benchfs::to_string(appended.error());
  EXPECT_EQ(appended->reply.offset_bytes, 77U);
  EXPECT_EQ(victim.appends, std::vector<std::uint64_t>{1});
  EXPECT_EQ(members_[1]->appends, std::vector<std::uint64_t>{1});
  const auto next = run(servers().call(context_, ServerId{1}, wire::AppendRequest{}));
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(members_[1]->appends, (std::vector<std::uint64_t>{1, 2}));
}

}  // namespace
}  // namespace benchfs::test
