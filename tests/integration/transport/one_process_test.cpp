// Goal: UcxTransport keeps the promises of net/transport.h over the transport that UCX_TLS names.
// Method: two or three transports on one loop of one process; every byte is checked.

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

#include <gtest/gtest.h>

#include "integration/transport/party.h"
#include "net/ucx_address.h"

namespace benchfs::test {
namespace {

class OneProcess : public testing::Test {
 protected:
  void SetUp() override {
    a = Party::create(world, client(100));
    b = Party::create(world, server(3));
    ASSERT_NE(a, nullptr);
    ASSERT_NE(b, nullptr);
  }

  /// A connection from a to b, both ends.
  void connect() {
    to_b = a->connect(b->transport().address(), server(3));
    ASSERT_NE(to_b, nullptr);
    ASSERT_TRUE(world.run([&] { return b->accepted.size() == 1; }));
    to_a = b->accepted[0];
  }

  /// Sends one message and receives it whole at the other end.
  void exchange(net::Connection& from, Party& to, std::uint64_t seed, std::size_t bytes,
                std::size_t send_shift = 0, std::size_t receive_shift = 0) {
    SCOPED_TRACE(testing::Message()
                 << bytes << " bytes, shifts " << send_shift << " and " << receive_shift);
    std::vector<std::byte> room(bytes + send_shift);
    const std::vector<std::byte> content = pattern(seed, bytes);
    std::copy(content.begin(), content.end(), room.begin() + static_cast<long>(send_shift));
    const std::vector<std::byte> header = pattern(seed + 1, 1 + seed % kHeaderBytesMax);
    net::TransferOp sent;
    from.send(header, ConstBytes(room).subspan(send_shift), sent);
    ASSERT_TRUE(world.run([&] { return !to.arrived.empty(); }));
    net::Message message = std::move(to.arrived.front().message);
    to.arrived.pop_front();
    EXPECT_EQ(message.header().size(), header.size());
    EXPECT_TRUE(is_pattern(message.header(), seed + 1));
    ASSERT_EQ(message.payload_bytes(), bytes);
    if (bytes > 0) {
      std::vector<std::byte> target(bytes + receive_shift + 64, std::byte{0xEE});
      net::TransferOp received;
      message.receive(Bytes(target).subspan(receive_shift, bytes), received);
      ASSERT_TRUE(world.run([&] { return received.done(); }));
      EXPECT_TRUE(received.await_resume().has_value());
      EXPECT_TRUE(is_pattern(ConstBytes(target).subspan(receive_shift, bytes), seed));
      for (std::size_t i = receive_shift + bytes; i < target.size(); ++i) {
        ASSERT_EQ(target[i], std::byte{0xEE}) << "wrote beyond the end at " << i;
      }
    }
    ASSERT_TRUE(world.run([&] { return sent.done(); }));
    EXPECT_TRUE(sent.await_resume().has_value());
  }

  World world;
  std::unique_ptr<Party> a;
  std::unique_ptr<Party> b;
  std::shared_ptr<net::Connection> to_b;
  std::shared_ptr<net::Connection> to_a;
};

TEST_F(OneProcess, BothSidesLearnWhoTheOtherIs) {
  connect();
  EXPECT_EQ(to_b->peer().role, net::PeerIdentity::Role::kServer);
  EXPECT_EQ(to_b->peer().id, 3U);
  EXPECT_EQ(to_a->peer().role, net::PeerIdentity::Role::kClient);
  EXPECT_EQ(to_a->peer().id, 100U);
  EXPECT_TRUE(a->accepted.empty());
}

TEST_F(OneProcess, EveryInterestingSizeArrivesWholeBothWays) {
  connect();
  std::uint64_t seed = 1;
  for (const std::size_t bytes :
       {0UL,      1UL,      7UL,      511UL,     512UL,     513UL,     4095UL,   4096UL,
        4097UL,   8191UL,   8192UL,   8256UL,    16384UL,   65535UL,   65536UL,  65537UL,
        262143UL, 262144UL, 524288UL, 1048576UL, 1048577UL, 2097151UL, 2097152UL}) {
    exchange(*to_b, *b, ++seed, bytes);
    exchange(*to_a, *a, ++seed, bytes);
  }
}

TEST_F(OneProcess, BuffersNeedNoAlignment) {
  connect();
  std::uint64_t seed = 1000;
  for (const std::size_t bytes : {1UL, 100UL, 5000UL, 70001UL, 1048576UL, 2097000UL}) {
    exchange(*to_b, *b, ++seed, bytes, 1, 3);
    exchange(*to_a, *a, ++seed, bytes, 7, 0);
    exchange(*to_b, *b, ++seed, bytes, 0, 4095);
  }
}

TEST_F(OneProcess, RegisteredMemoryWorksAsWell) {
  connect();
  std::vector<std::byte> pool(4 * kMiB);
  ASSERT_TRUE(b->transport().register_memory(pool).has_value());
  const std::vector<std::byte> content = pattern(4, kMiB);
  const std::vector<std::byte> header(10, std::byte{1});
  net::TransferOp sent;
  to_b->send(header, content, sent);
  ASSERT_TRUE(world.run([&] { return !b->arrived.empty(); }));
  net::TransferOp received;
  b->arrived.front().message.receive(Bytes(pool).subspan(kMiB, kMiB), received);
  ASSERT_TRUE(world.run([&] { return received.done() && sent.done(); }));
  EXPECT_TRUE(is_pattern(ConstBytes(pool).subspan(kMiB, kMiB), 4));
  b->arrived.clear();
}

TEST_F(OneProcess, EveryHeaderSizeUpToTheLimitArrivesWhole) {
  connect();
  for (const std::size_t bytes :
       {1UL, 15UL, 16UL, 17UL, 1000UL, kHeaderBytesMax - 1, kHeaderBytesMax}) {
    for (const std::size_t payload_bytes : {0UL, 10UL, 200000UL, 1048576UL}) {
      const std::vector<std::byte> header = pattern(bytes, bytes);
      const std::vector<std::byte> payload = pattern(bytes + 1, payload_bytes);
      net::TransferOp sent;
      to_b->send(header, payload, sent);
      ASSERT_TRUE(world.run([&] { return !b->arrived.empty(); }));
      const ConstBytes got = b->arrived.front().message.header();
      EXPECT_TRUE(std::equal(got.begin(), got.end(), header.begin(), header.end()));
      EXPECT_EQ(b->arrived.front().message.payload_bytes(), payload_bytes);
      b->arrived.clear();  // Dropping a payload ends its sender's operation.
      ASSERT_TRUE(world.run([&] { return sent.done(); }));
      EXPECT_TRUE(sent.await_resume().has_value());
    }
  }
}

TEST_F(OneProcess, SizesBeyondTheLimitsAreRefusedAtTheSender) {
  connect();
  const std::vector<std::byte> header(kHeaderBytesMax + 1);
  const std::vector<std::byte> payload(net::kPayloadBytesMax + 1);
  net::TransferOp empty;
  net::TransferOp long_header;
  net::TransferOp long_payload;
  to_b->send({}, {}, empty);
  to_b->send(header, {}, long_header);
  to_b->send(ConstBytes(header).first(8), payload, long_payload);
  for (const net::TransferOp* op : {&empty, &long_header, &long_payload}) {
    ASSERT_TRUE(op->done());
    EXPECT_EQ(op->await_resume().error().code, Errc::kInvalid);
  }
  exchange(*to_b, *b, 5, 100);  // Nobody was hurt.
}

TEST_F(OneProcess, MessagesOfAllSizesKeepTheirOrderInBothDirections) {
  connect();
  constexpr std::size_t kCount = 600;
  constexpr std::size_t kSizes[] = {0, 50, 3000, 9000, 40000, 300000};
  std::vector<std::vector<std::byte>> headers;
  std::vector<std::vector<std::byte>> payloads;
  for (std::size_t i = 0; i < kCount; ++i) {
    headers.push_back(pattern(i, 8 + i % 500));
    std::memcpy(headers.back().data(), &i, sizeof(i));
    payloads.push_back(pattern(i, kSizes[i % 6]));
  }
  std::deque<net::TransferOp> sent;
  for (std::size_t i = 0; i < kCount; ++i) {
    to_b->send(headers[i], payloads[i], sent.emplace_back());
    to_a->send(headers[i], payloads[i], sent.emplace_back());
  }
  std::deque<net::TransferOp> received;
  std::deque<std::vector<std::byte>> targets;
  std::deque<std::uint64_t> seeds;
  std::size_t next[2] = {0, 0};
  const auto take = [&](Party& party, std::size_t& expected) {
    while (!party.arrived.empty()) {
      net::Message message = std::move(party.arrived.front().message);
      party.arrived.pop_front();
      std::size_t index = 0;
      std::memcpy(&index, message.header().data(), sizeof(index));
      EXPECT_EQ(index, expected);
      ++expected;
      EXPECT_EQ(message.payload_bytes(), payloads[index].size());
      if (message.payload_bytes() > 0) {
        seeds.push_back(index);
        message.receive(targets.emplace_back(message.payload_bytes()), received.emplace_back());
      }
    }
  };
  ASSERT_TRUE(world.run([&] {
    take(*a, next[0]);
    take(*b, next[1]);
    const auto done = [](const net::TransferOp& op) { return op.done(); };
    return next[0] == kCount && next[1] == kCount &&
           std::all_of(received.begin(), received.end(), done) &&
           std::all_of(sent.begin(), sent.end(), done);
  }));
  for (std::size_t i = 0; i < targets.size(); ++i) {
    ASSERT_TRUE(received[i].await_resume().has_value());
    ASSERT_TRUE(is_pattern(targets[i], seeds[i])) << i;
  }
}

TEST_F(OneProcess, AnAbortEndsEveryOperationAndTellsBothSides) {
  connect();
  const std::vector<std::byte> payload(kMiB, std::byte{1});
  const std::vector<std::byte> header(8, std::byte{1});
  std::array<net::TransferOp, 5> ops;
  for (net::TransferOp& op : ops) {
    to_b->send(header, payload, op);
  }
  ASSERT_TRUE(world.run([&] { return b->arrived.size() == ops.size(); }));
  to_b->abort(Error{.code = Errc::kTimedOut, .where = "test"});
  to_b->abort(Error{.code = Errc::kIo, .where = "test.again"});
  EXPECT_TRUE(to_b->lost());
  ASSERT_TRUE(world.run([&] {
    return std::all_of(ops.begin(), ops.end(), [](auto& op) { return op.done(); }) &&
           a->lost.size() == 1 && b->lost.size() == 1;
  }));
  for (const net::TransferOp& op : ops) {
    EXPECT_EQ(op.await_resume().error().code, Errc::kPeerLost);
  }
  EXPECT_EQ(a->lost[0].reason.code, Errc::kTimedOut);
  EXPECT_EQ(b->lost[0].reason.code, Errc::kPeerLost);
  EXPECT_EQ(b->lost[0].connection, to_a);

  net::TransferOp late;
  to_b->send(header, {}, late);
  ASSERT_TRUE(late.done());
  EXPECT_EQ(late.await_resume().error().code, Errc::kPeerLost);
  std::vector<std::byte> target(kMiB);
  net::TransferOp received;
  b->arrived.front().message.receive(target, received);
  ASSERT_TRUE(received.done());
  EXPECT_EQ(received.await_resume().error().code, Errc::kPeerLost);
  b->arrived.clear();

  b->accepted.clear();
  connect();  // As if nothing had happened.
  exchange(*to_b, *b, 3, 100000);
  EXPECT_EQ(a->lost.size(), 1U);
}

TEST_F(OneProcess, TwoServersThatConnectToEachOtherAtOnceBothSucceed) {
  const std::uint64_t deadline_ns = world.loop.now_ns() + kPatienceNs;
  auto forth = a->transport().connect(b->transport().address(), server(3), deadline_ns);
  auto back = b->transport().connect(a->transport().address(), client(100), deadline_ns);
  forth.start();
  back.start();
  ASSERT_TRUE(world.run([&] { return forth.done() && back.done(); }));
  const auto one = forth.take();
  const auto other = back.take();
  ASSERT_TRUE(one.has_value());
  ASSERT_TRUE(other.has_value());
  ASSERT_TRUE(world.run([&] { return a->accepted.size() == 1 && b->accepted.size() == 1; }));
  exchange(**one, *b, 1, 50000);
  exchange(**other, *a, 2, 50000);
  exchange(*a->accepted[0], *b, 3, 500000);
  exchange(*b->accepted[0], *a, 4, 500000);
}

TEST_F(OneProcess, CloseTellsThePeersAndEndsInTime) {
  connect();
  const std::uint64_t begin_ns = world.loop.now_ns();
  coro::Task<void> closing = a->transport().close(world.loop.now_ns() + kPatienceNs);
  closing.start();
  ASSERT_TRUE(
      world.run([&] { return closing.done() && a->lost.size() == 1 && b->lost.size() == 1; }));
  EXPECT_LT(world.loop.now_ns() - begin_ns, kNsPerSec);
  EXPECT_EQ(a->connect(b->transport().address(), server(3)), nullptr);
  EXPECT_EQ(a->error->code, Errc::kCancelled);
  EXPECT_EQ(b->connect(a->transport().address(), client(100)), nullptr);
  EXPECT_EQ(b->error->code, Errc::kBusy);
}

TEST_F(OneProcess, AWrongSecretIsRefusedAtOnce) {
  const auto stranger = Party::create(world, client(1), credentials(7, 2));
  const std::uint64_t begin_ns = world.loop.now_ns();
  EXPECT_EQ(stranger->connect(b->transport().address(), server(3)), nullptr);
  ASSERT_TRUE(stranger->error.has_value());
  EXPECT_EQ(stranger->error->code, Errc::kAccess);
  EXPECT_LT(world.loop.now_ns() - begin_ns, kNsPerSec);
  EXPECT_TRUE(b->accepted.empty());
  EXPECT_EQ(b->transport().counters().refused_handshakes, 1U);
  connect();
}

TEST_F(OneProcess, AnotherSessionIsRefusedAtOnce) {
  const auto stranger = Party::create(world, client(1), credentials(8, 1));
  EXPECT_EQ(stranger->connect(b->transport().address(), server(3)), nullptr);
  ASSERT_TRUE(stranger->error.has_value());
  EXPECT_EQ(stranger->error->code, Errc::kStale);
  EXPECT_TRUE(b->accepted.empty());
  EXPECT_EQ(b->transport().counters().refused_handshakes, 1U);
}

TEST_F(OneProcess, APeerThatIsNotTheExpectedOneIsRefused) {
  EXPECT_EQ(a->connect(b->transport().address(), server(4)), nullptr);
  ASSERT_TRUE(a->error.has_value());
  EXPECT_EQ(a->error->code, Errc::kAccess);
  EXPECT_TRUE(b->accepted.empty());
}

TEST_F(OneProcess, BytesThatAreNoAddressAreRefusedBeforeUcxSeesThem) {
  std::vector<std::byte> address = b->transport().address();
  std::vector<std::vector<std::byte>> wrong = {{}, pattern(1, 8), pattern(2, 300)};
  for (std::size_t i = 0; i < address.size(); i += 5) {
    wrong.push_back(address);
    wrong.back()[i] ^= std::byte{0x40};
    wrong.emplace_back(address.begin(), address.begin() + static_cast<long>(i));
  }
  wrong.push_back(address);
  wrong.back().push_back(std::byte{0});
  for (const auto& bytes : wrong) {
    EXPECT_EQ(a->connect(bytes, server(3)), nullptr);
    EXPECT_EQ(a->error->code, Errc::kInvalid);
  }
}

/// Speaks UCX but not our handshake.
class Stranger : public testing::Test, public net::ArrivalHandler, private net::EndpointObserver {
 public:
  Disposal on_arrival(net::MessageClass, const net::Arrival& arrival) noexcept override {
    answers += arrival.data_bytes > 0 ? 1 : 0;
    return Disposal::kDone;
  }

 protected:
  struct Counter final : net::Completion {
    void done(int) noexcept override { ++ended; }
    int ended = 0;
  };

  void on_endpoint_failed(int) noexcept override {}

  void SetUp() override {
    target = Party::create(world, server(3));
    ASSERT_NE(target, nullptr);
    context = std::move(*net::UcxContext::create());
    worker = std::move(*net::UcxWorker::create(*context, net::ThreadMode::kOneThread, *this));
    const std::vector<std::byte> wrapped = target->transport().address();
    const ConstBytes address = *net::unwrap_address(wrapped);
    endpoint = std::move(*net::UcxEndpoint::create(*worker, address, *this));
  }
  void TearDown() override {
    endpoint.reset();
    run_until([&] { return counter.ended == started; });
  }

  template <typename Done>
  bool run_until(Done done) {
    return world.run([&] {
      worker->progress();
      return done();
    });
  }

  void say(ConstBytes message) {
    ++started;
    endpoint->send_handshake(message, net::UcxEndpoint::Reply::kWanted, counter);
    const int want = started;
    ASSERT_TRUE(run_until([&] { return counter.ended == want; }));
  }
  void send(ConstBytes header, ConstBytes payload) {
    ++started;
    endpoint->send_data(header, payload, counter);
    const int want = started;
    ASSERT_TRUE(run_until([&] { return counter.ended == want; }));
  }

  World world;
  std::unique_ptr<Party> target;
  std::unique_ptr<net::UcxContext> context;
  std::unique_ptr<net::UcxWorker> worker;
  std::unique_ptr<net::UcxEndpoint> endpoint;
  Counter counter;
  int started = 0;
  int answers = 0;
};

TEST_F(Stranger, SendsDataWithoutHandshakeAndIsNotHeard) {
  int sent = 0;
  for (const std::size_t header_bytes :
       {0UL, 1UL, 15UL, 16UL, 17UL, 500UL, 2064UL, 2065UL, 4000UL}) {
    for (const std::size_t payload_bytes : {0UL, 100UL, 20000UL, 1048576UL, 8 * kMiB}) {
      const std::vector<std::byte> header = pattern(header_bytes, header_bytes);
      const std::vector<std::byte> payload(payload_bytes);
      send(header, payload);
      ++sent;
    }
  }
  ASSERT_TRUE(run_until([&] {
    return target->transport().counters().refused_messages == static_cast<std::uint64_t>(sent);
  }));
  EXPECT_TRUE(target->arrived.empty());
  EXPECT_TRUE(target->accepted.empty());
  EXPECT_EQ(answers, 0);
}

TEST_F(Stranger, SaysRandomAndDamagedThingsAndHarmsNobody) {
  SeededRandom random(42);
  net::handshake::Initiator initiator(credentials(), client(5), server(3), 77, random);
  const net::handshake::Buffer hello = initiator.hello(target->transport().address());
  std::uint64_t said = 0;
  for (std::size_t i = 0; i < hello.size(); ++i) {
    net::handshake::Buffer damaged = hello;
    damaged[i] ^= std::byte{0x01};
    say(damaged);
    say(ConstBytes(hello).first(i));
    said += 2;
  }
  for (std::size_t bytes = 0; bytes < 300; ++bytes) {
    std::vector<std::byte> noise(bytes * 37);
    random.fill(noise);
    say(noise);
    ++said;
  }
  ASSERT_TRUE(
      run_until([&] { return target->transport().counters().refused_handshakes >= said - 8; }));
  EXPECT_TRUE(target->accepted.empty());
  EXPECT_TRUE(target->arrived.empty());
}

TEST_F(Stranger, WithTheSecretThatNeverProvesItselfIsForgottenAndBounded) {
  SeededRandom random(43);
  for (unsigned i = 0; i < 300; ++i) {
    net::handshake::Initiator initiator(credentials(), client(5), server(3), 100U + i, random);
    say(initiator.hello(net::wrap_address(*worker->address())));
  }
  ASSERT_TRUE(run_until([&] { return target->transport().counters().refused_handshakes > 0; }));
  EXPECT_TRUE(target->accepted.empty());
  // The half-open ones go by themselves, and others get in again.
  const auto honest = Party::create(world, client(6));
  ASSERT_TRUE(run_until([&] {
    if (honest->connect(target->transport().address(), server(3)) != nullptr) {
      return true;
    }
    // As everybody who asks again, not at once: UCX counts the endpoints to one peer in 16 bits.
    world.run([] { return false; }, 10 * kNsPerMs);
    return false;
  }));
}

}  // namespace
}  // namespace benchfs::test
