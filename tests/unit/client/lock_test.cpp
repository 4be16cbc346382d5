// Goal: locks of ranges and counters of open files, as clients see them: they exclude, outlive
// their server, end with their client and tell when they have been lost; a counter never begins
// again. Method: the client's operations over servers on a network in memory, with time that the
// test moves.

#include <gtest/gtest.h>

#include "client/cluster.h"
#include "coro/scope.h"
#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;

constexpr std::uint32_t kReadWrite = wire::kOpenRead | wire::kOpenWrite;

/// A file that two clients have open.
class Shared {
 public:
  Shared() : session(2, 3, 5) {
    for (const auto& mount : session.mounts) {
      mount->servers.follow([] { return News{}; });
    }
    ours = std::move(*session.mount(0).open("/f", kReadWrite | wire::kOpenCreate));
    theirs = std::move(*session.mount(1).open("/f", kReadWrite));
    home = home_of(ours->identity().inode);
  }
  FakeMount& us() { return session.mount(0); }
  FakeMount& them() { return session.mount(1); }
  test::FakeServer& home_server() { return session.cluster.server(home); }
  std::size_t lock_count() { return home_server().names->range_lock_count(); }

  /// Turns until it is done, or for so long.
  template <typename T>
  bool done_within(coro::Task<T>& task, std::uint64_t time_ns) {
    const std::uint64_t until_ns = session.cluster.clock.now_ns() + time_ns;
    while (!task.done() && session.cluster.clock.now_ns() < until_ns) {
      session.cluster.loop.run_once(until_ns);
    }
    return task.done();
  }
  void pass(std::uint64_t time_ns) {
    const std::uint64_t until_ns = session.cluster.clock.now_ns() + time_ns;
    while (session.cluster.clock.now_ns() < until_ns) {
      session.cluster.loop.run_once(until_ns);
    }
  }
  void restart_home() {
    session.cluster.crash(home);
    session.cluster.restart(home);
  }

  FakeSession session;
  std::unique_ptr<File> ours;
  std::unique_ptr<File> theirs;
  ServerId home{};
};

TEST(Lock, WaitsAsLongAsAnotherIsHeldHoweverLongThatIs) {
  Shared s;
  const auto first = s.us().lock(*s.ours, 0, 100);
  ASSERT_TRUE(first.has_value());
  Context context;
  auto waiting = s.theirs->lock(context, {50, 100}, false);
  waiting.start();
  EXPECT_FALSE(s.done_within(waiting, 20 * test::kFakeTimeoutNs));
  EXPECT_TRUE(s.us().unlock(*s.ours, *first).has_value());
  ASSERT_TRUE(s.done_within(waiting, kNsPerSec));
  const auto second = waiting.take();
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(s.them().unlock(*s.theirs, *second).has_value());
  EXPECT_EQ(s.lock_count(), 0U);
}

TEST(Lock, OutlivesItsServer) {
  Shared s;
  const auto first = s.us().lock(*s.ours, 0, 100);
  ASSERT_TRUE(first.has_value());
  s.restart_home();
  Context context;
  auto waiting = s.theirs->lock(context, {0, 1}, true);
  waiting.start();
  EXPECT_FALSE(s.done_within(waiting, 5 * kNsPerSec));
  s.restart_home();
  EXPECT_FALSE(s.done_within(waiting, 5 * kNsPerSec)) << "it asks the next run again";
  EXPECT_TRUE(s.us().unlock(*s.ours, *first).has_value());
  ASSERT_TRUE(s.done_within(waiting, 2 * kNsPerSec));
  EXPECT_TRUE(waiting.take().has_value());
}

TEST(Lock, OfAClientThatIsGoneEndsAndOneThatWasAwayForLongIsTold) {
  Shared s;
  const auto held = s.us().lock(*s.ours, 0, 100);
  ASSERT_TRUE(held.has_value());
  s.session.cluster.clients[0]->transport.cut(s.home_server().transport);
  Context context;
  auto waiting = s.theirs->lock(context, {0, 100}, false);
  waiting.start();
  EXPECT_FALSE(s.done_within(waiting, server::kOpenKeptNs - kNsPerSec)) << "it may come back";
  EXPECT_TRUE(s.done_within(waiting, 3 * kNsPerSec));
  ASSERT_TRUE(waiting.take().has_value());
  const Status lost = s.us().unlock(*s.ours, *held);
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Errc::kNoLock);
}

TEST(Lock, OfAClientThatCameBackInTimeStays) {
  Shared s;
  const auto held = s.us().lock(*s.ours, 0, 100);
  ASSERT_TRUE(held.has_value());
  s.session.cluster.clients[0]->transport.cut(s.home_server().transport);
  s.pass(server::kOpenKeptNs / 2);
  EXPECT_TRUE(s.us().run(s.ours->stat(s.us().fresh("f"))).has_value());
  s.pass(2 * server::kOpenKeptNs);
  EXPECT_EQ(s.lock_count(), 1U);
  EXPECT_TRUE(s.us().unlock(*s.ours, *held).has_value());
}

TEST(Lock, OfAClientThatDoesNotComeBackAfterARestartEnds) {
  Shared s;
  ASSERT_TRUE(s.us().lock(*s.ours, 0, 100).has_value());
  s.session.cluster.clients[0]->transport.kill();
  s.restart_home();
  EXPECT_EQ(s.lock_count(), 1U);
  Context context;
  auto waiting = s.theirs->lock(context, {0, 100}, false);
  waiting.start();
  EXPECT_TRUE(s.done_within(waiting, server::kOpenKeptNs + 3 * kNsPerSec));
  EXPECT_TRUE(waiting.take().has_value());
}

TEST(Lock, ThatWasAskedForInVainIsNotLeftBehind) {
  Shared s;
  const auto held = s.us().lock(*s.ours, 0, 100);
  ASSERT_TRUE(held.has_value());
  Context context;
  auto waiting = s.theirs->lock(context, {0, 100}, false);
  waiting.start();
  EXPECT_FALSE(s.done_within(waiting, kNsPerSec));
  s.session.cluster.crash(s.home);
  ASSERT_TRUE(s.done_within(waiting, 3 * test::kFakeTimeoutNs));
  EXPECT_FALSE(waiting.take().has_value()) << "nobody answers";
  s.session.cluster.restart(s.home);
  EXPECT_TRUE(s.us().unlock(*s.ours, *held).has_value());
  // The next one of the same handle first ends what the last may have left.
  const auto next = s.them().lock(*s.theirs, 0, 100);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(s.lock_count(), 1U);
  EXPECT_TRUE(s.them().unlock(*s.theirs, *next).has_value());
  EXPECT_EQ(s.lock_count(), 0U);
}

TEST(Lock, IsRefusedOnAFileThatIsNoMore) {
  Shared s;
  EXPECT_TRUE(s.us().close(*s.ours).has_value());
  EXPECT_TRUE(s.us().unlink("/f").has_value());
  EXPECT_TRUE(s.them().lock(*s.theirs, 0, 1).has_value()) << "it is still open";
  EXPECT_TRUE(s.them().close(*s.theirs).has_value());
  const auto refused = s.us().lock(*s.ours, 0, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kStale);
}

TEST(Lock, OfManyClientsGivesEachItsTurnInOrder) {
  Shared s;
  const auto first = s.us().lock(*s.ours, 0, 10);
  ASSERT_TRUE(first.has_value());
  std::vector<int> order;
  std::vector<coro::Task<void>> turns;
  struct Turn {
    static coro::Task<void> take(Shared& s, int i, std::vector<int>& order) {
      Context context;
      auto locking = s.theirs->lock(context, {0, 10}, false);
      const auto number = co_await locking;
      EXPECT_TRUE(number.has_value());
      order.push_back(i);
      auto unlocking = s.theirs->unlock(context, *number);
      const Status unlocked = co_await unlocking;
      EXPECT_TRUE(unlocked.has_value());
    }
  };
  for (int i = 0; i < 20; ++i) {
    turns.push_back(Turn::take(s, i, order));
    turns.back().start();
    s.pass(100 * kNsPerMs);
  }
  EXPECT_TRUE(order.empty());
  EXPECT_TRUE(s.us().unlock(*s.ours, *first).has_value());
  for (coro::Task<void>& turn : turns) {
    EXPECT_TRUE(s.done_within(turn, 10 * kNsPerSec));
    turn.take();
  }
  ASSERT_EQ(order.size(), 20U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Counter, IsOneForAllHandlesOfAnOpenAndAnotherForAnother) {
  Shared s;
  const auto attached = s.them().attach(*s.ours);
  EXPECT_EQ(s.us().count(*s.ours, 5).value_or(99), 0U);
  EXPECT_EQ(s.them().count(*attached, 7).value_or(99), 5U);
  EXPECT_EQ(s.us().count(*s.ours, 0).value_or(99), 12U);
  EXPECT_EQ(s.them().count(*s.theirs, 1).value_or(99), 0U);
  EXPECT_EQ(s.us().count(*s.ours, 3, true).value_or(99), 12U);
  EXPECT_EQ(s.them().count(*attached, 0).value_or(99), 3U);
  const auto too_much = s.us().count(*s.ours, wire::kCounterMax);
  ASSERT_FALSE(too_much.has_value());
  EXPECT_EQ(too_much.error().code, Errc::kTooLarge);
  EXPECT_EQ(s.us().count(*s.ours, 0).value_or(99), 3U);
}

TEST(Counter, GoesOnAfterARestartAndAfterItsOpenerIsLost) {
  Shared s;
  const auto attached = s.them().attach(*s.ours);
  EXPECT_EQ(s.us().count(*s.ours, 5).value_or(99), 0U);
  s.restart_home();
  EXPECT_EQ(s.them().count(*attached, 1).value_or(99), 5U);
  s.session.cluster.clients[0]->transport.kill();
  s.pass(10 * wire::kOutcomeKeptNs);
  EXPECT_EQ(s.them().count(*attached, 1).value_or(99), 6U);
  s.restart_home();
  EXPECT_EQ(s.them().count(*attached, 0).value_or(99), 7U);
}

TEST(Counter, EndsWithTheOpenersCloseOrWithTheFile) {
  Shared s;
  const auto attached = s.them().attach(*s.ours);
  EXPECT_TRUE(s.them().count(*attached, 1).has_value());
  EXPECT_TRUE(s.them().count(*s.theirs, 1).has_value());
  EXPECT_EQ(s.home_server().names->counter_count(), 2U);
  EXPECT_TRUE(s.them().close(*attached).has_value());
  EXPECT_EQ(s.home_server().names->counter_count(), 2U);
  EXPECT_TRUE(s.us().close(*s.ours).has_value());
  EXPECT_EQ(s.home_server().names->counter_count(), 1U);
  s.session.cluster.clients[1]->transport.kill();
  s.pass(10 * wire::kOutcomeKeptNs);
  EXPECT_EQ(s.home_server().names->counter_count(), 1U);
  EXPECT_TRUE(s.session.mount(2).unlink("/f").has_value());
  s.session.cluster.settle_debts();
  EXPECT_EQ(s.home_server().names->counter_count(), 0U);
}

}  // namespace
}  // namespace benchfs::client
