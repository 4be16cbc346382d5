// Goal: a server that is asked to stop does so in a few seconds, whatever its peers do. Method: a
// whole server on a network in memory, with another one that hangs.

#include "server/server.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"
#include "support/fake_cluster.h"
#include "wire/metrics.h"

namespace benchfs::test {
namespace {

constexpr std::uint64_t kHour = 3600 * kNsPerSec;

coro::Task<void> pause(loop::EventLoop& loop, std::uint64_t time_ns) {
  loop::SleepOp sleep(loop, loop.now_ns() + time_ns);
  co_await sleep;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest()
      : transport_(network_, {.role = net::PeerIdentity::Role::kServer, .id = 0}),
        other_(network_, ServerId{1}, std::make_shared<test::FakeDrive>(loop_)),
        pool_(std::move(*io::BufferPool::create(loop_, 4 * kMiB))),
        disk_(std::move(*io::MemoryDisk::create(loop_, 16 * kMiB))),
        journaled_(loop_, *disk_, *pool_),
        server_({.loop = loop_, .transport = transport_, .pool = *pool_, .store = journaled_.store},
                {.self = ServerId{0}, .session = session(), .session_directory = {}}, {}, {}) {
    auto starting = server_.start();
    starting.start();
    EXPECT_TRUE(starting.done() && starting.take().has_value());
    other_.meet(addresses());
    other_.serve();
    client_.meet(addresses());
  }
  ~ServerTest() override {
    auto stopping = other_.stop();
    stopping.start();
    EXPECT_TRUE(stopping.done());
    client_.transport.kill();
    other_.transport.kill();
    while (loop_.turn() || loop_.timers().size() > 0) {
      if (loop_.timers().size() > 0) {
        loop_.run_once(UINT64_MAX);
      }
    }
  }

  session::Session session() {
    session::Session session;
    for (std::vector<std::byte>& address : addresses()) {
      session::Server& server = session.servers.emplace_back();
      server.address = std::move(address);
      server.incarnation = kFakeEpoch;
    }
    return session;
  }
  std::vector<std::vector<std::byte>> addresses() {
    return {transport_.address(), other_.transport.address()};
  }
  /// Something that server 0 can only answer with the help of server 1.
  wire::LookupRequest request(int number) {
    for (int i = 0;; ++i) {
      const wire::EntryKey key{.parent = make_inode_id(ServerId{1}, 77),
                               .name = std::to_string(number) + "." + std::to_string(i)};
      if (placement::entry_server(key.parent, key.name, 2) == ServerId{0}) {
        return {.key = key};
      }
    }
  }
  template <typename T>
  void run_until_done(coro::Task<T>& task) {
    while (!task.done()) {
      loop_.run_once(UINT64_MAX);
    }
  }

  ManualClock clock_;
  JumpSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_, {.spin_ns = 0}};
  FakeNetwork network_{loop_, {}};
  FakeTransport transport_;
  FakeServer other_;
  FakeClient client_{network_, ClientId{1000}};
  std::unique_ptr<io::BufferPool> pool_;
  std::unique_ptr<io::MemoryDisk> disk_;
  test::JournaledStore journaled_;
  server::Server server_;
};

TEST_F(ServerTest, AStopDoesNotWaitForAPeerThatHangs) {
  auto asking = client_.ask(ServerId{0}, request(1), kHour);
  asking.start();
  run_until_done(asking);
  EXPECT_EQ(asking.take().error().code, Errc::kStale) << "they are connected and answer";

  other_.transport.hang();
  auto stuck = client_.ask(ServerId{0}, request(2), kHour);
  auto behind = client_.ask(ServerId{0}, request(3), kHour);  // Waits for the first one's lock.
  stuck.start();
  behind.start();
  auto sleeping = pause(loop_, kNsPerSec);
  sleeping.start();
  run_until_done(sleeping);
  EXPECT_FALSE(stuck.done() || behind.done());

  const std::uint64_t begin_ns = clock_.now_ns();
  server_.request_stop();
  server_.run();
  EXPECT_LT(clock_.now_ns() - begin_ns, 10 * kNsPerSec);
  run_until_done(stuck);
  run_until_done(behind);
  EXPECT_EQ(stuck.take().error().code, Errc::kPeerLost);
  EXPECT_EQ(behind.take().error().code, Errc::kPeerLost);
  other_.transport.resume();
}

TEST_F(ServerTest, TellsEverybodyWhatItHasDone) {
  for (int i = 0; i < 3; ++i) {
    auto asking = client_.ask(ServerId{0}, wire::PingRequest{});
    asking.start();
    run_until_done(asking);
    EXPECT_TRUE(asking.take().has_value());
  }
  auto refused = client_.ask(ServerId{0}, wire::LookupRequest{.key = {kRootInode, ""}});
  refused.start();
  run_until_done(refused);
  EXPECT_EQ(refused.take().error().code, Errc::kProtocol);
  auto asking = client_.ask(ServerId{0}, wire::MetricsRequest{});
  asking.start();
  run_until_done(asking);
  const auto metrics = asking.take();
  ASSERT_TRUE(metrics.has_value());
  EXPECT_EQ(metrics->server, ServerId{0});
  EXPECT_EQ(metrics->incarnation, kFakeEpoch);
  EXPECT_EQ(metrics->client_count, 1U);
  EXPECT_EQ(metrics->requests_in_flight, 0U) << "but for the question";
  EXPECT_GT(metrics->memory_bytes, 0U);
  EXPECT_GT(metrics->pool_bytes, 0U);
  EXPECT_EQ(metrics->endpoint, "");
  ASSERT_EQ(metrics->ops.size(), 3U) << "ping, lookup, metrics";
  EXPECT_EQ(metrics->ops[0].op, wire::Op::kPing);
  EXPECT_EQ(metrics->ops[0].count, 3U);
  EXPECT_EQ(metrics->ops[1].error_count, 1U);
  LatencyHistogram latency;
  ASSERT_TRUE(wire::from_wire(metrics->ops[0].latency, latency));
  EXPECT_EQ(latency.count(), 3U);
  ASSERT_EQ(metrics->errors.size(), 1U);
  EXPECT_EQ(static_cast<Errc>(metrics->errors[0].code), Errc::kProtocol);
}

TEST_F(ServerTest, AStopWithNothingUnderWayTakesNoTime) {
  const std::uint64_t begin_ns = clock_.now_ns();
  server_.request_stop();
  server_.run();
  EXPECT_LT(clock_.now_ns() - begin_ns, kNsPerSec);
}

}  // namespace
}  // namespace benchfs::test
