// Goal: every request is answered once: by its handler if it makes sense, by the right error if
// not; nothing that a peer sends harms. Method: a scripted connection plays the peer; handlers of
// the test.

#include "rpc/dispatcher.h"

#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "coro/event.h"
#include "support/manual_clock.h"
#include "unit/rpc/scripted_connection.h"

namespace benchfs::rpc {
namespace {

constexpr std::uint64_t kEpoch = 3;

coro::Task<Result<wire::AppendReply>> answer_append(wire::AppendRequest body) {
  if (body.length_bytes == 0) {
    co_return fail(Errc::kBadHandle, "test");
  }
  co_return wire::AppendReply{.offset_bytes = body.length_bytes * 2};
}

coro::Task<Result<wire::ReadReply>> answer_read(ReplyPayload& payload) {
  auto owner = std::make_shared<std::vector<std::byte>>(5000, std::byte{0x42});
  payload.bytes = *owner;
  payload.owner = owner;
  co_return wire::ReadReply{.has_hole = true};
}

coro::Task<Result<wire::ReadDirReply>> answer_page() {
  wire::ReadDirReply page;
  page.entries.resize(200);
  co_return page;
}

coro::Task<Result<wire::EmptyReply>> answer_later(coro::Event& event) {
  co_await event;
  co_return wire::EmptyReply{};
}

coro::Task<Result<wire::EmptyReply>> take_payload(Request& request, std::vector<Status>& outcomes) {
  std::vector<std::byte> buffer(request.payload_bytes());
  auto receiving = request.receive_payload(buffer);
  const Status received = co_await receiving;
  outcomes.push_back(received);
  if (!received.has_value()) {
    co_return fail(received.error());
  }
  co_return wire::EmptyReply{};
}

/// Within one turn: somebody asks for the time, then the process is stopped for a while.
coro::Task<void> stop_then(loop::EventLoop& loop, test::ManualClock& clock,
                           std::function<void()> go_on) {
  co_await loop.yield();
  const std::uint64_t before_ns = loop.now_ns();
  clock.advance(2 * kNsPerSec);
  EXPECT_EQ(loop.now_ns(), before_ns);
  go_on();
}

class DispatcherTest : public testing::Test {
 protected:
  DispatcherTest() {
    dispatcher_.on<wire::WriteRequest>([this](Request& request, wire::WriteRequest, ReplyPayload&) {
      return take_payload(request, payloads_);
    });
    dispatcher_.on<wire::AppendRequest>(
        [](Request&, wire::AppendRequest body, ReplyPayload&) { return answer_append(body); });
    dispatcher_.on<wire::ReadRequest>(
        [](Request&, wire::ReadRequest, ReplyPayload& payload) { return answer_read(payload); });
    dispatcher_.on<wire::ReadDirRequest>(
        [](Request&, wire::ReadDirRequest, ReplyPayload&) { return answer_page(); });
    dispatcher_.on<wire::PingRequest>(
        [this](Request&, wire::PingRequest, ReplyPayload&) { return answer_later(go_on_); });
  }

  template <typename Body>
  void request(const Body& body, wire::FixedHeader fixed = {}) {
    fixed.op = Body::kOp;
    fixed.epoch = fixed.epoch == 0 ? kEpoch : fixed.epoch;
    fixed.request = RequestId{11};
    fixed.time_ns = clock_.now_ns() + kNsPerSec;
    std::vector<std::byte> header = encode_message(fixed, body);
    const auto decoded = wire::decode_fixed_header(header);
    ASSERT_TRUE(decoded.has_value());
    deliver(*decoded, std::move(header));
  }
  void deliver(const wire::FixedHeader& fixed, std::vector<std::byte> header) {
    dispatcher_.on_request(connection_, fixed,
                           net::Message(std::move(header), 0, {},
                                        std::make_unique<ScriptedPayload>(
                                            *connection_, loop_, std::vector<std::byte>(), false)));
    while (loop_.turn()) {
    }
  }
  /// A write whose payload comes at once, or never.
  void write(bool hold) {
    wire::FixedHeader fixed = {.op = wire::Op::kWrite,
                               .request = RequestId{12},
                               .epoch = kEpoch,
                               .time_ns = clock_.now_ns() + kNsPerSec};
    std::vector<std::byte> header = encode_message(fixed, wire::WriteRequest{});
    std::vector<std::byte> bytes(4096, std::byte{7});
    const auto decoded = wire::decode_fixed_header(header);
    ASSERT_TRUE(decoded.has_value());
    dispatcher_.on_request(
        connection_, *decoded,
        net::Message(std::move(header), bytes.size(), {},
                     std::make_unique<ScriptedPayload>(*connection_, loop_, bytes, hold)));
    settle();
  }
  void settle() {
    while (loop_.turn()) {
    }
  }
  Errc status() { return static_cast<Errc>(connection_->sent.at(0).fixed().status); }

  test::ManualClock clock_;
  test::ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_};
  std::shared_ptr<ScriptedConnection> connection_ = std::make_shared<ScriptedConnection>(
      loop_, net::PeerIdentity{.role = net::PeerIdentity::Role::kClient, .id = 5});
  coro::Event go_on_;
  std::vector<Status> payloads_;  ///< What receive_payload() said.
  Dispatcher dispatcher_{loop_, kEpoch};
};

TEST_F(DispatcherTest, AHandlersReplyGoesBackUnderTheRequestsId) {
  request(wire::AppendRequest{.open_id = 1, .inode = kRootInode, .length_bytes = 21});
  ASSERT_EQ(connection_->sent.size(), 1U);
  const wire::FixedHeader fixed = connection_->sent[0].fixed();
  EXPECT_EQ(fixed.request, RequestId{11});
  EXPECT_EQ(fixed.flags, wire::kIsReply);
  EXPECT_EQ(fixed.status, 0);
  wire::AppendReply reply;
  wire::Decoder decoder(ConstBytes(connection_->sent[0].header).subspan(wire::kFixedHeaderBytes));
  decoder& reply;
  EXPECT_TRUE(decoder.finished());
  EXPECT_EQ(reply.offset_bytes, 42U);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).count, 1U);
}

TEST_F(DispatcherTest, AHandlersErrorIsTheRepliesStatus) {
  request(wire::AppendRequest{});
  EXPECT_EQ(status(), Errc::kBadHandle);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).error_count, 1U);
}

TEST_F(DispatcherTest, CountsWhatWasAskedForWithItsBytesAndItsTime) {
  const OpCounters& pings = dispatcher_.counters(wire::Op::kPing);
  request(wire::PingRequest{});
  EXPECT_EQ(pings.count, 1U);
  EXPECT_EQ(pings.latency.count(), 0U) << "it is not answered yet";
  EXPECT_EQ(dispatcher_.running_count(), 1U);
  clock_.advance(5'000'000);
  go_on_.set();
  settle();
  EXPECT_EQ(pings.latency.count(), 1U);
  EXPECT_EQ(pings.latency.max_ns(), 5'000'000U);
  EXPECT_EQ(pings.bytes, 0U);

  request(wire::ReadRequest{});
  EXPECT_EQ(dispatcher_.counters(wire::Op::kRead).bytes, 5000U);
  write(false);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kWrite).bytes, 4096U);
  request(wire::ReadDirRequest{});
  EXPECT_EQ(dispatcher_.counters(wire::Op::kReadDir).bytes, 0U) << "a body is no bulk data";
  EXPECT_EQ(dispatcher_.running_max(), 1U);
}

TEST_F(DispatcherTest, CountsErrorsByTheirKindThoseOfRefusedRequestsToo) {
  request(wire::AppendRequest{});
  EXPECT_EQ(dispatcher_.error_count(Errc::kBadHandle), 1U);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).bytes, 0U);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).latency.count(), 1U);
  request(wire::StatFsRequest{});
  EXPECT_EQ(dispatcher_.error_count(Errc::kUnsupported), 1U);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kStatFs).count, 0U) << "nothing was begun";
  EXPECT_EQ(dispatcher_.counters(wire::Op::kStatFs).latency.count(), 0U);
}

TEST_F(DispatcherTest, AReplyIsCountedWhenItGoesOutAndNotWhenItHasArrived) {
  connection_->hold_sends = true;
  request(wire::ReadRequest{});
  EXPECT_EQ(dispatcher_.running_count(), 1U);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kRead).bytes, 5000U);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kRead).latency.count(), 1U);
  connection_->abort(Error{.code = Errc::kPeerLost, .where = "test"});
  settle();
  EXPECT_EQ(dispatcher_.counters(wire::Op::kRead).error_count, 1U) << "nobody has got it";
}

TEST_F(DispatcherTest, BulkDataTravelsAsPayload) {
  request(wire::ReadRequest{});
  EXPECT_EQ(connection_->sent.at(0).payload.size(), 5000U);
  EXPECT_EQ(connection_->sent.at(0).payload[4999], std::byte{0x42});
}

TEST_F(DispatcherTest, ALongBodyTravelsAsPayload) {
  request(wire::ReadDirRequest{});
  const wire::FixedHeader fixed = connection_->sent.at(0).fixed();
  EXPECT_EQ(fixed.flags, wire::kIsReply | wire::kBodyInPayload);
  wire::ReadDirReply page;
  wire::Decoder decoder(connection_->sent[0].payload);
  decoder& page;
  EXPECT_TRUE(decoder.finished());
  EXPECT_EQ(page.entries.size(), 200U);
}

TEST_F(DispatcherTest, AnUnknownOperationIsUnsupported) {
  wire::FixedHeader fixed = {.op = static_cast<wire::Op>(999), .epoch = kEpoch};
  deliver(fixed, encode_message(fixed, wire::EmptyReply{}));
  EXPECT_EQ(status(), Errc::kUnsupported);
}

TEST_F(DispatcherTest, AnOperationWithoutHandlerIsUnsupported) {
  request(wire::StatFsRequest{});
  EXPECT_EQ(status(), Errc::kUnsupported);
}

TEST_F(DispatcherTest, WhoIsMeantForAnotherIncarnationHearsThatItIsGone) {
  request(wire::AppendRequest{}, wire::FixedHeader{.epoch = kEpoch + 1});
  EXPECT_EQ(status(), Errc::kPeerLost);
}

TEST_F(DispatcherTest, WhatItsAskerHasGivenUpIsNotBegun) {
  wire::FixedHeader fixed = {.op = wire::Op::kAppend, .epoch = kEpoch};
  const wire::AppendRequest body{.open_id = 1, .inode = kRootInode, .length_bytes = 21};
  const auto ask = [&](std::uint64_t until_ns) {
    fixed.time_ns = until_ns;
    std::vector<std::byte> header = encode_message(fixed, body);
    const auto decoded = wire::decode_fixed_header(header);
    deliver(*decoded, std::move(header));
    return connection_->sent.back().fixed();
  };
  clock_.advance(5 * kNsPerSec);
  for (const std::uint64_t until_ns : {std::uint64_t{1}, clock_.now_ns() - 1, clock_.now_ns()}) {
    const wire::FixedHeader refused = ask(until_ns);
    EXPECT_EQ(static_cast<Errc>(refused.status), Errc::kTimedOut);
    EXPECT_EQ(refused.flags, wire::kIsReply | wire::kNotBegun);
    EXPECT_EQ(refused.time_ns, clock_.now_ns());
  }
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).count, 0U);
  EXPECT_EQ(ask(clock_.now_ns() + 1).status, 0);
  EXPECT_EQ(ask(UINT64_MAX).status, 0);
  EXPECT_EQ(ask(wire::kAnyTime).status, 0);
  EXPECT_EQ(connection_->sent.back().fixed().flags, wire::kIsReply);
  EXPECT_EQ(connection_->sent.back().fixed().time_ns, clock_.now_ns());
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).count, 3U);
}

TEST_F(DispatcherTest, AProcessThatWasStoppedInATurnNoticesBeforeItBegins) {
  wire::FixedHeader fixed = {
      .op = wire::Op::kAppend, .epoch = kEpoch, .time_ns = clock_.now_ns() + kNsPerSec};
  std::vector<std::byte> header =
      encode_message(fixed, wire::AppendRequest{.inode = kRootInode, .length_bytes = 21});
  fixed = *wire::decode_fixed_header(header);
  auto stopping = stop_then(loop_, clock_, [&] {
    dispatcher_.on_request(connection_, fixed, net::Message(std::move(header), 0, {}, nullptr));
  });
  stopping.start();
  settle();
  ASSERT_TRUE(stopping.done());
  EXPECT_EQ(status(), Errc::kTimedOut);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).count, 0U);
}

TEST_F(DispatcherTest, BodiesOfRandomBytesAreAnsweredAndHarmNobody) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    connection_->sent.clear();
    wire::FixedHeader fixed = {.op = static_cast<wire::Op>(random() % 40), .epoch = kEpoch};
    if (fixed.op == wire::Op::kPing) {
      continue;  // Its handler waits for the test.
    }
    fixed.body_bytes = static_cast<std::uint32_t>(random() % 64);
    std::vector<std::byte> header(wire::kFixedHeaderBytes + fixed.body_bytes);
    for (std::byte& b : header) {
      b = static_cast<std::byte>(random());
    }
    wire::Encoder encoder{Bytes(header)};
    encoder& fixed;
    deliver(fixed, header);
    ASSERT_EQ(connection_->sent.size(), 1U);
  }
}

TEST_F(DispatcherTest, APayloadThatCameInTimeIsTaken) {
  write(false);
  ASSERT_EQ(payloads_.size(), 1U);
  EXPECT_TRUE(payloads_[0].has_value());
  EXPECT_EQ(status(), Errc{});
}

// Its sender may wait with our reply until we have fetched it, which we never would.
TEST_F(DispatcherTest, APayloadThatNobodyTakesIsRefusedAtOnce) {
  wire::FixedHeader fixed = {.op = wire::Op::kAppend,
                             .request = RequestId{12},
                             .epoch = kEpoch,
                             .time_ns = wire::kAnyTime};
  std::vector<std::byte> header =
      encode_message(fixed, wire::AppendRequest{.open_id = 1, .inode = kRootInode});
  std::vector<std::byte> bytes(4096, std::byte{7});
  const auto decoded = wire::decode_fixed_header(header);
  ASSERT_TRUE(decoded.has_value());
  dispatcher_.on_request(
      connection_, *decoded,
      net::Message(std::move(header), bytes.size(), {},
                   std::make_unique<ScriptedPayload>(*connection_, loop_, bytes, true)));
  settle();
  EXPECT_EQ(status(), Errc::kProtocol);
  EXPECT_NE(connection_->sent.at(0).fixed().flags & wire::kNotBegun, 0);
  EXPECT_EQ(dispatcher_.counters(wire::Op::kAppend).count, 0U);
}

TEST_F(DispatcherTest, APayloadThatDoesNotComeByTheDeadlineCostsTheConnection) {
  write(true);
  clock_.advance(999'000'000);
  settle();
  EXPECT_TRUE(payloads_.empty());
  EXPECT_EQ(connection_->abort_count, 0);
  clock_.advance(1'000'000);
  settle();
  ASSERT_EQ(payloads_.size(), 1U);
  EXPECT_FALSE(payloads_[0].has_value());
  EXPECT_EQ(connection_->abort_count, 1);
  EXPECT_EQ(dispatcher_.running_count(), 0U);
}

TEST_F(DispatcherTest, APayloadThatComesAfterTheDeadlineIsNotUsed) {
  write(true);
  // It ends well in the same turn in which the deadline passes: before the timer is looked at.
  clock_.advance(1'000'000'000);
  connection_->held.at(0)->complete(loop_, Status());
  connection_->held.clear();
  settle();
  ASSERT_EQ(payloads_.size(), 1U);
  ASSERT_FALSE(payloads_[0].has_value());
  EXPECT_EQ(payloads_[0].error().code, Errc::kTimedOut);
}

TEST_F(DispatcherTest, APayloadOfALostConnectionIsNotUsed) {
  write(true);
  connection_->set_lost();
  connection_->held.at(0)->complete(loop_, Status());
  connection_->held.clear();
  settle();
  ASSERT_EQ(payloads_.size(), 1U);
  ASSERT_FALSE(payloads_[0].has_value());
  EXPECT_EQ(payloads_[0].error().code, Errc::kPeerLost);
}

TEST_F(DispatcherTest, WhatWaitsWithItsPayloadIsBounded) {
  constexpr std::size_t kCount = 8;
  const std::vector<std::byte> payload(kHeldBytesMax / kCount);
  const auto ask = [&] {
    const wire::FixedHeader fixed = {
        .op = wire::Op::kWrite, .epoch = kEpoch, .time_ns = clock_.now_ns() + kNsPerSec};
    std::vector<std::byte> header = encode_message(fixed, wire::WriteRequest{});
    const auto decoded = wire::decode_fixed_header(header);
    dispatcher_.on_request(
        connection_, *decoded,
        net::Message(std::move(header), payload.size(), payload,
                     std::make_unique<ScriptedPayload>(*connection_, loop_, payload, false)));
    settle();
  };
  connection_->hold_sends = true;  // So that each goes on until its reply is fetched.
  for (std::size_t i = 0; i < kCount; ++i) {
    ask();
    EXPECT_EQ(connection_->sent.back().fixed().status, 0);
  }
  ask();
  EXPECT_EQ(static_cast<Errc>(connection_->sent.back().fixed().status), Errc::kAgain);
  for (net::TransferOp* op : std::exchange(connection_->held, {})) {
    op->complete(loop_, Status());
  }
  settle();
  ask();
  EXPECT_EQ(connection_->sent.back().fixed().status, 0);
  connection_->held.back()->complete(loop_, Status());
  settle();
}

TEST_F(DispatcherTest, AReplyThatNobodyFetchesEndsSoonAfterTheDeadline) {
  connection_->hold_sends = true;
  request(wire::ReadRequest{});
  EXPECT_EQ(dispatcher_.running_count(), 1U);
  clock_.advance(1'500'000'000);  // The asker is late, but may still be dropping the reply.
  settle();
  EXPECT_EQ(connection_->abort_count, 0);
  clock_.advance(500'000'000);
  settle();
  EXPECT_EQ(connection_->abort_count, 1);
  EXPECT_EQ(dispatcher_.running_count(), 0U);
}

TEST_F(DispatcherTest, CloseRefusesNewRequestsAndJoinWaitsForTheRest) {
  request(wire::PingRequest{});
  EXPECT_EQ(dispatcher_.running_count(), 1U);
  EXPECT_TRUE(connection_->sent.empty());
  dispatcher_.close();
  request(wire::AppendRequest{.open_id = 0, .inode = {}, .length_bytes = 1});
  EXPECT_EQ(status(), Errc::kPeerLost);
  go_on_.set();
  while (loop_.turn()) {
  }
  EXPECT_EQ(dispatcher_.running_count(), 0U);
  EXPECT_EQ(connection_->sent.size(), 2U);
}

}  // namespace
}  // namespace benchfs::rpc
