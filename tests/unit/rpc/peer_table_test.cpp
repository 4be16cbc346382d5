// Goal: callers that come together share one attempt to connect, and each still ends by its own
// deadline, with a connection or with the right error. Method: a transport of the test, whose
// attempts end when the test says so; time is manual.

#include "rpc/peer_table.h"

#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/manual_clock.h"
#include "unit/rpc/scripted_connection.h"

namespace benchfs::rpc {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr ServerId kServer{0};

using Connected = Result<std::shared_ptr<net::Connection>>;

/// Connects when the test calls answer(); for its own deadline it relies on the test too.
class ScriptedTransport final : public net::Transport {
 public:
  explicit ScriptedTransport(loop::EventLoop& loop) : loop_(loop) {}

  bool progress() noexcept override { return false; }
  bool arm() noexcept override { return true; }
  int event_fd() const noexcept override { return -1; }
  void listen(net::Listener&) noexcept override {}
  std::vector<std::byte> address() const override { return {}; }
  coro::Task<Connected> connect(std::vector<std::byte> address, net::PeerIdentity,
                                std::uint64_t deadline_ns) override {
    ++attempt_count;
    last_deadline_ns = deadline_ns;
    last_address_bytes = address.size();
    net::TransferOp op;
    attempt_ = &op;
    const Status status = co_await op;
    attempt_ = nullptr;
    if (!status.has_value()) {
      co_return fail(status.error());
    }
    co_return made;
  }
  Status register_memory(Bytes) override { return {}; }
  const net::TransportCounters& counters() const noexcept override { return counters_; }
  coro::Task<void> close(std::uint64_t) override { co_return; }

  void answer(Status status) { attempt_->complete(loop_, status); }

  int attempt_count = 0;
  std::uint64_t last_deadline_ns = 0;
  std::size_t last_address_bytes = 0;
  std::shared_ptr<net::Connection> made;

 private:
  loop::EventLoop& loop_;
  net::TransferOp* attempt_ = nullptr;
  net::TransportCounters counters_;
};

class PeerTableTest : public testing::Test {
 protected:
  PeerTableTest() {
    transport_.made = std::make_shared<ScriptedConnection>(
        loop_, net::PeerIdentity{.role = net::PeerIdentity::Role::kServer, .id = 0});
  }

  coro::Task<Connected> connect_within(std::uint64_t seconds) {
    auto task = table_.connect(kServer, loop_.now_ns() + seconds * kSecond);
    task.start();
    settle();
    return task;
  }
  void advance(std::uint64_t seconds) {
    clock_.advance(seconds * kSecond);
    settle();
  }
  void answer(Status status) {
    transport_.answer(status);
    settle();
  }
  void settle() {
    while (loop_.turn()) {
    }
  }

  test::ManualClock clock_;
  test::ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_};
  ScriptedTransport transport_{loop_};
  Caller caller_{loop_, 1};
  PeerTable table_{loop_, transport_, caller_, {std::vector<std::byte>(8)}};
};

TEST_F(PeerTableTest, CallersThatComeTogetherShareOneAttempt) {
  auto first = connect_within(10);
  auto second = connect_within(10);
  auto third = connect_within(10);
  EXPECT_EQ(transport_.attempt_count, 1);
  answer(Status());
  for (auto* task : {&first, &second, &third}) {
    ASSERT_TRUE(task->done());
    EXPECT_EQ(*task->take(), transport_.made);
  }
  advance(20);  // The deadlines of those who waited mean nothing any more.
  auto later = connect_within(1);
  ASSERT_TRUE(later.done());
  EXPECT_EQ(transport_.attempt_count, 1);
}

TEST_F(PeerTableTest, AnImpatientCallerDoesNotWaitForAPatientOnesAttempt) {
  auto patient = connect_within(10);
  auto second = connect_within(5);
  auto impatient = connect_within(2);
  auto fourth = connect_within(3);
  advance(2);
  ASSERT_TRUE(impatient.done());
  EXPECT_EQ(impatient.take().error().code, Errc::kTimedOut);
  EXPECT_FALSE(patient.done() || second.done() || fourth.done());
  answer(Status());
  for (auto* task : {&patient, &second, &fourth}) {
    ASSERT_TRUE(task->done());
    EXPECT_TRUE(task->take().has_value());
  }
}

TEST_F(PeerTableTest, AllWhoWaitHearThatNobodyIsThere) {
  auto first = connect_within(10);
  auto second = connect_within(10);
  answer(fail(Errc::kPeerLost, "test"));
  ASSERT_TRUE(first.done() && second.done());
  EXPECT_EQ(first.take().error().code, Errc::kPeerLost);
  EXPECT_EQ(second.take().error().code, Errc::kPeerLost);
  EXPECT_EQ(transport_.attempt_count, 1);
}

TEST_F(PeerTableTest, WhenTheMakersTimeIsOverAPatientCallerTriesAgainWithinItsOwn) {
  auto maker = connect_within(2);
  const std::uint64_t until_ns = loop_.now_ns() + 10 * kSecond;
  auto patient = connect_within(10);
  clock_.advance(2 * kSecond);
  answer(fail(Errc::kTimedOut, "test"));
  ASSERT_TRUE(maker.done());
  EXPECT_EQ(maker.take().error().code, Errc::kTimedOut);
  EXPECT_FALSE(patient.done());
  EXPECT_EQ(transport_.attempt_count, 2);
  EXPECT_EQ(transport_.last_deadline_ns, until_ns);
  answer(Status());
  ASSERT_TRUE(patient.done());
  EXPECT_TRUE(patient.take().has_value());
}

TEST_F(PeerTableTest, ALostConnectionIsMadeAnew) {
  auto first = connect_within(10);
  answer(Status());
  ASSERT_TRUE(first.done());
  transport_.made->abort(Error{.code = Errc::kPeerLost});
  auto second = connect_within(10);
  EXPECT_EQ(transport_.attempt_count, 2);
  answer(Status());
  EXPECT_TRUE(second.done());
  EXPECT_EQ(table_.loss_count(kServer), 1U);
}

TEST_F(PeerTableTest, OlderAndRepeatedNewsChangeNothing) {
  EXPECT_TRUE(table_.update(kServer, 3, {}));
  EXPECT_FALSE(table_.update(kServer, 3, {}));
  EXPECT_FALSE(table_.update(kServer, 2, {}));
  EXPECT_EQ(table_.incarnation(kServer), 3U);
  EXPECT_EQ(table_.loss_count(kServer), 0U);
}

TEST_F(PeerTableTest, ANewIncarnationEndsTheConnectionToTheOldOne) {
  auto first = connect_within(10);
  answer(Status());
  ASSERT_TRUE(first.done());
  EXPECT_TRUE(table_.update(kServer, 2, {}));
  EXPECT_TRUE(transport_.made->lost());
  EXPECT_EQ(table_.loss_count(kServer), 1U);
  auto second = connect_within(10);
  EXPECT_EQ(transport_.attempt_count, 2);
  answer(Status());
  EXPECT_TRUE(second.done());
}

TEST_F(PeerTableTest, AnAttemptThatNewsOvertakeIsMadeAgainAtTheNewAddress) {
  auto task = connect_within(10);
  EXPECT_TRUE(table_.update(kServer, 2, std::vector<std::byte>(9)));
  answer(fail(Errc::kPeerLost, "test"));
  EXPECT_FALSE(task.done());
  EXPECT_EQ(transport_.attempt_count, 2);
  EXPECT_EQ(transport_.last_address_bytes, 9U);
  answer(Status());
  ASSERT_TRUE(task.done());
  EXPECT_TRUE(task.take().has_value());
}

}  // namespace
}  // namespace benchfs::rpc
