// Goal: a peer that dies, stops or comes back is noticed in time, ends what was in flight with it,
// and never makes bytes land or be taken for good where they are not. Method: the other side is
// peer_main.cpp in a process of its own, which is killed, stopped and continued by its pid.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <deque>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/transport/party.h"

extern char** environ;

namespace benchfs::test {
namespace {

/// How soon a dead peer must be known: the keep-alive asks every second.
constexpr std::uint64_t kNoticeNs = 8 * kNsPerSec;

class PeerProcess {
 public:
  PeerProcess() {
    int pipe_fds[2];
    EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    char path[] = BENCHFS_PEER_PROGRAM;
    char* arguments[] = {path, nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, path, &actions, nullptr, arguments, environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe_fds[1]);
    std::uint64_t bytes = 0;
    EXPECT_EQ(::read(pipe_fds[0], &bytes, sizeof(bytes)), static_cast<ssize_t>(sizeof(bytes)));
    address_.resize(bytes);
    EXPECT_EQ(::read(pipe_fds[0], address_.data(), bytes), static_cast<ssize_t>(bytes));
    ::close(pipe_fds[0]);
  }
  ~PeerProcess() {
    if (pid_ > 0) {
      signal(SIGKILL);
      wait();
    }
  }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  const std::vector<std::byte>& address() const { return address_; }
  void signal(int number) const { EXPECT_EQ(::kill(pid_, number), 0); }
  void stop() const {
    signal(SIGSTOP);
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
    EXPECT_TRUE(WIFSTOPPED(status));
  }
  /// The wait status of the ended process.
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  std::vector<std::byte> address_;
};

class TwoProcesses : public testing::Test {
 protected:
  void SetUp() override {
    us = Party::create(world, client(55));
    ASSERT_NE(us, nullptr);
    link = us->connect(peer.address(), server(1));
    ASSERT_NE(link, nullptr);
  }

  static std::vector<std::byte> header(char kind, std::uint64_t seed = 0) {
    std::vector<std::byte> out(16);
    out[0] = static_cast<std::byte>(kind);
    std::memcpy(out.data() + 8, &seed, sizeof(seed));
    return out;
  }

  /// Sends `kind` with no payload and waits until it has left.
  void tell(char kind) {
    const std::vector<std::byte> bytes = header(kind);
    net::TransferOp sent;
    link->send(bytes, {}, sent);
    ASSERT_TRUE(world.run([&] { return sent.done(); }));
  }

  /// Right, wrong and lost, as the peer has counted.
  std::array<std::uint64_t, 3> report() {
    us->arrived.clear();
    tell('r');
    std::array<std::uint64_t, 3> counts{99, 99, 99};
    EXPECT_TRUE(world.run([&] { return !us->arrived.empty(); }));
    if (!us->arrived.empty()) {
      const ConstBytes bytes = us->arrived.front().message.header();
      EXPECT_EQ(bytes.size(), sizeof(counts));
      std::memcpy(counts.data(), bytes.data(), std::min(bytes.size(), sizeof(counts)));
    }
    us->arrived.clear();
    return counts;
  }

  void echo(std::uint64_t seed, std::size_t bytes) {
    SCOPED_TRACE(bytes);
    const std::vector<std::byte> payload = pattern(seed, bytes);
    const std::vector<std::byte> head = header('e', seed);
    net::TransferOp sent;
    link->send(head, payload, sent);
    ASSERT_TRUE(world.run([&] { return !us->arrived.empty(); }));
    net::Message message = std::move(us->arrived.front().message);
    us->arrived.pop_front();
    ASSERT_EQ(message.payload_bytes(), bytes);
    if (bytes > 0) {
      std::vector<std::byte> back(bytes);
      net::TransferOp received;
      message.receive(back, received);
      ASSERT_TRUE(world.run([&] { return received.done(); }));
      ASSERT_TRUE(received.await_resume().has_value());
      EXPECT_TRUE(back == payload);
    }
    ASSERT_TRUE(world.run([&] { return sent.done(); }));
    EXPECT_TRUE(sent.await_resume().has_value());
  }

  void expect_lost(std::uint64_t since_ns) {
    ASSERT_TRUE(world.run([&] { return !us->lost.empty(); }, kNoticeNs));
    RecordProperty("noticed_ms", static_cast<int>((world.loop.now_ns() - since_ns) / kNsPerMs));
    EXPECT_EQ(us->lost[0].connection, link);
    EXPECT_EQ(us->lost[0].reason.code, Errc::kPeerLost);
    EXPECT_TRUE(link->lost());
  }

  PeerProcess peer;
  World world;
  std::unique_ptr<Party> us;
  std::shared_ptr<net::Connection> link;
};

TEST_F(TwoProcesses, BytesComeBackAsTheyWentForEverySize) {
  std::uint64_t seed = 1;
  for (const std::size_t bytes :
       {0UL,      1UL,      7UL,      512UL,    513UL,     4095UL,   4096UL,
        4097UL,   8191UL,   8192UL,   8193UL,   65535UL,   65536UL,  65537UL,
        131072UL, 262143UL, 262144UL, 524289UL, 1048576UL, 2097152UL}) {
    echo(++seed, bytes);
  }
}

TEST_F(TwoProcesses, QuitsInAnOrderlyWayAndIsNoticedAtOnce) {
  const std::uint64_t begin_ns = world.loop.now_ns();
  tell('q');
  expect_lost(begin_ns);
  EXPECT_LT(world.loop.now_ns() - begin_ns, kNsPerSec);
  const int status = peer.wait();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(TwoProcesses, AnIdlePeerThatIsKilledIsLost) {
  echo(1, 100);
  const std::uint64_t begin_ns = world.loop.now_ns();
  peer.signal(SIGKILL);
  peer.wait();
  expect_lost(begin_ns);
}

TEST_F(TwoProcesses, APeerThatIsKilledEndsWhatIsInFlight) {
  const std::vector<std::byte> payload = pattern(5, kMiB);
  const std::vector<std::byte> head = header('h');
  std::array<net::TransferOp, 8> sends;
  for (net::TransferOp& op : sends) {
    link->send(head, payload, op);
  }
  tell('e');
  ASSERT_TRUE(world.run([&] { return !us->arrived.empty(); }));  // It holds all eight now.
  const std::uint64_t begin_ns = world.loop.now_ns();
  peer.signal(SIGKILL);
  peer.wait();
  expect_lost(begin_ns);
  for (net::TransferOp& op : sends) {
    ASSERT_TRUE(world.run([&] { return op.done(); }, kNsPerSec));
    ASSERT_FALSE(op.await_resume().has_value());
    EXPECT_EQ(op.await_resume().error().code, Errc::kPeerLost);
  }
}

TEST_F(TwoProcesses, APeerThatIsKilledBeforeItsPayloadIsFetchedEndsTheReceive) {
  const std::vector<std::byte> payload = pattern(5, kMiB);
  const std::vector<std::byte> head = header('e');
  net::TransferOp sent;
  link->send(head, payload, sent);
  ASSERT_TRUE(world.run([&] { return !us->arrived.empty(); }));
  const std::uint64_t begin_ns = world.loop.now_ns();
  peer.signal(SIGKILL);
  peer.wait();
  std::vector<std::byte> target(kMiB);
  net::TransferOp received;
  us->arrived.front().message.receive(target, received);
  ASSERT_TRUE(world.run([&] { return received.done(); }, kNoticeNs));
  if (received.await_resume().has_value()) {
    EXPECT_TRUE(target == payload);  // It had come in the meantime.
  } else {
    EXPECT_EQ(received.await_resume().error().code, Errc::kPeerLost);
  }
  us->arrived.clear();
  expect_lost(begin_ns);
}

TEST_F(TwoProcesses, AfterAnAbortAStoppedPeerTakesNoOtherBytesForOurs) {
  echo(1, 100);
  peer.stop();
  // More than fits any queue between the two, by rendezvous and eagerly.
  std::vector<std::vector<std::byte>> payloads;
  std::vector<std::vector<std::byte>> heads;
  std::deque<net::TransferOp> sends;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    payloads.push_back(pattern(seed, seed % 3 == 2 ? 6000 : kMiB));
    heads.push_back(header('v', seed));
    link->send(heads.back(), payloads.back(), sends.emplace_back());
  }
  world.run([] { return false; }, 50 * kNsPerMs);
  const std::uint64_t begin_ns = world.loop.now_ns();
  link->abort(Error{.code = Errc::kTimedOut, .where = "test"});
  ASSERT_TRUE(world.run(
      [&] {
        for (const net::TransferOp& op : sends) {
          if (!op.done()) {
            return false;
          }
        }
        return !us->lost.empty();
      },
      2 * kNsPerSec));
  EXPECT_LT(world.loop.now_ns() - begin_ns, kNsPerSec);
  EXPECT_EQ(us->lost[0].reason.code, Errc::kTimedOut);
  // The buffers are ours again: whoever still reads them reads this.
  for (auto& payload : payloads) {
    std::fill(payload.begin(), payload.end(), std::byte{0xDD});
  }
  peer.signal(SIGCONT);
  link = us->connect(peer.address(), server(1));
  ASSERT_NE(link, nullptr);
  echo(77, kMiB);
  const std::array<std::uint64_t, 3> counts = report();
  EXPECT_EQ(counts[1], 0U) << "the peer took bytes that were no longer the payload";
  echo(78, 5000);
}

TEST_F(TwoProcesses, AfterAnAbortNothingLandsInABufferThatWaitedForAStoppedPeer) {
  const std::vector<std::byte> payload = pattern(9, kMiB);
  const std::vector<std::byte> head = header('e');
  net::TransferOp sent;
  link->send(head, payload, sent);
  ASSERT_TRUE(world.run([&] { return !us->arrived.empty() && sent.done(); }));
  peer.stop();
  net::Message message = std::move(us->arrived.front().message);
  us->arrived.clear();
  std::vector<std::byte> target(kMiB, std::byte{0x11});
  net::TransferOp received;
  message.receive(target, received);
  world.run([&] { return received.done(); }, 50 * kNsPerMs);
  link->abort(Error{.code = Errc::kTimedOut, .where = "test"});
  ASSERT_TRUE(world.run([&] { return received.done(); }, 2 * kNsPerSec));
  std::fill(target.begin(), target.end(), std::byte{0x22});
  peer.signal(SIGCONT);
  link = us->connect(peer.address(), server(1));
  ASSERT_NE(link, nullptr);
  echo(80, kMiB);
  for (std::size_t i = 0; i < target.size(); ++i) {
    ASSERT_EQ(target[i], std::byte{0x22}) << "a late byte at " << i;
  }
}

TEST_F(TwoProcesses, ConnectToAStoppedPeerTimesOutAndItsLateAnswersHarmNobody) {
  peer.stop();
  const std::uint64_t begin_ns = world.loop.now_ns();
  EXPECT_EQ(us->connect(peer.address(), server(1), 300 * kNsPerMs), nullptr);
  ASSERT_TRUE(us->error.has_value());
  EXPECT_EQ(us->error->code, Errc::kTimedOut);
  EXPECT_LT(world.loop.now_ns() - begin_ns, kNsPerSec);
  peer.signal(SIGCONT);
  // The end of the connection that was given up may take the next one with it; so whoever asks does
  // so again.
  std::shared_ptr<net::Connection> again;
  for (int attempts = 0; attempts < 50 && again == nullptr; ++attempts) {
    again = us->connect(peer.address(), server(1));
    if (again == nullptr) {
      world.run([] { return false; }, 20 * kNsPerMs);
    }
  }
  EXPECT_NE(again, nullptr);
  echo(3, 100000);
}

TEST_F(TwoProcesses, ConnectToADeadPeerFailsInTime) {
  peer.signal(SIGKILL);
  peer.wait();
  EXPECT_EQ(us->connect(peer.address(), server(1), 3 * kNsPerSec), nullptr);
  ASSERT_TRUE(us->error.has_value());
  EXPECT_TRUE(us->error->code == Errc::kPeerLost || us->error->code == Errc::kTimedOut)
      << name_of(us->error->code);
}

TEST_F(TwoProcesses, ReconnectsAfterAnAbort) {
  for (std::uint64_t round = 0; round < 5; ++round) {
    echo(round, 300000);
    link->abort(Error{.code = Errc::kCancelled, .where = "test"});
    link = us->connect(peer.address(), server(1));
    ASSERT_NE(link, nullptr);
  }
  echo(1, 1);
}

/// Starts peer_main as a client of `address` that dies after `turns` turns.
pid_t start_dying_client(const std::vector<std::byte>& address, unsigned turns) {
  int pipe_fds[2];
  EXPECT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe_fds[0], STDIN_FILENO);
  char path[] = BENCHFS_PEER_PROGRAM;
  std::string number = std::to_string(turns);
  char* arguments[] = {path, number.data(), nullptr};
  pid_t pid = -1;
  EXPECT_EQ(::posix_spawn(&pid, path, &actions, nullptr, arguments, environ), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_fds[0]);
  const std::uint64_t bytes = address.size();
  EXPECT_EQ(::write(pipe_fds[1], &bytes, sizeof(bytes)), static_cast<ssize_t>(sizeof(bytes)));
  EXPECT_EQ(::write(pipe_fds[1], address.data(), bytes), static_cast<ssize_t>(bytes));
  ::close(pipe_fds[1]);
  return pid;
}

/// Whoever answers a client's wire-up must live through its death, at each step of it.
TEST(DyingClients, HarmNobodyWhileTheyConnect) {
  World world;
  const auto target = Party::create(world, server(7));
  ASSERT_NE(target, nullptr);
  bool connected = false;
  for (unsigned turns = 1; turns <= 40 && !connected; ++turns) {
    for (int times = 0; times < 3; ++times) {
      const pid_t client_pid = start_dying_client(target->transport().address(), turns);
      int status = 0;
      pid_t ended = 0;
      world.run([&] { return (ended = ::waitpid(client_pid, &status, WNOHANG)) != 0; });
      ASSERT_EQ(ended, client_pid);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
      world.run([] { return false; }, 20 * kNsPerMs);  // As long as what it left takes to fail.
    }
    connected = target->accepted.size() >= 3;
  }
  EXPECT_TRUE(connected) << "no client got as far as to the end of its handshake";
  const auto honest = Party::create(world, client(6));
  EXPECT_NE(honest->connect(target->transport().address(), server(7)), nullptr);
}

}  // namespace
}  // namespace benchfs::test
