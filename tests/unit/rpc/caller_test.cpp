// Goal: a call ends exactly once, with its own reply or the right error, and never while a transfer
// can still touch its buffers. Method: a scripted connection and a manual clock; the test plays the
// peer.

#include "rpc/caller.h"

#include <optional>

#include <gtest/gtest.h>

#include "base/units.h"
#include "support/manual_clock.h"
#include "unit/rpc/scripted_connection.h"
#include "wire/messages.h"

namespace benchfs::rpc {
namespace {

constexpr std::uint64_t kEpoch = 3;

/// What the peer's clock shows when ours shows 0.
constexpr std::uint64_t kAheadNs = 4'000 * kNsPerSec;

class CallerTest : public testing::Test {
 protected:
  CallerTest() { connection_->peer_clock().learn(peer_ns(), clock_.now_ns()); }

  std::uint64_t peer_ns() { return kAheadNs + clock_.now_ns(); }
  using ReadAnswer = Result<Answer<wire::ReadReply>>;

  coro::Task<ReadAnswer> read(ConstBytes payload = {}) {
    wire::ReadRequest request;
    request.inode = InodeId{7};
    request.pieces.push_back({.offset_bytes = 0, .size_bytes = 16});
    const CallOptions options = {
        .deadline_ns = clock_.now_ns() + kNsPerSec, .payload = payload, .reply_buffer = buffer_};
    return caller_.call(connection_, std::move(request), options);
  }

  void turn() {
    while (loop_.turn()) {
    }
  }

  /// Plays the peer: answers the `index`-th request.
  void reply(std::size_t index, const wire::ReadReply& body, std::vector<std::byte> payload = {},
             bool hold_payload = false) {
    wire::FixedHeader fixed = connection_->sent.at(index).fixed();
    fixed.flags = wire::kIsReply;
    fixed.time_ns = peer_ns();
    deliver(fixed, encode_message(fixed, body), std::move(payload), hold_payload);
  }
  /// As a peer does that has come to the request too late by its clock.
  void refuse_as_late(std::size_t index) {
    wire::FixedHeader fixed = connection_->sent.at(index).fixed();
    fixed.flags = wire::kIsReply | wire::kNotBegun;
    fixed.status = static_cast<std::uint16_t>(Errc::kTimedOut);
    fixed.time_ns = peer_ns();
    deliver(fixed, encode_message(fixed, wire::EmptyReply{}), {}, false);
  }
  void reply_error(std::size_t index, Errc code) {
    wire::FixedHeader fixed = connection_->sent.at(index).fixed();
    fixed.flags = wire::kIsReply;
    fixed.status = static_cast<std::uint16_t>(code);
    fixed.time_ns = peer_ns();
    deliver(fixed, encode_message(fixed, wire::EmptyReply{}), {}, false);
  }
  void deliver(const wire::FixedHeader& fixed, std::vector<std::byte> header,
               std::vector<std::byte> payload, bool hold_payload) {
    const std::size_t size = payload.size();
    caller_.on_reply(connection_, fixed,
                     net::Message(std::move(header), size, {},
                                  std::make_unique<ScriptedPayload>(
                                      *connection_, loop_, std::move(payload), hold_payload)));
    turn();
  }

  test::ManualClock clock_;
  test::ManualSleeper sleeper_{clock_};
  loop::EventLoop loop_{clock_, sleeper_};
  std::shared_ptr<ScriptedConnection> connection_ = std::make_shared<ScriptedConnection>(
      loop_, net::PeerIdentity{.role = net::PeerIdentity::Role::kServer, .id = 0});
  Caller caller_{loop_, kEpoch};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(64);
};

TEST_F(CallerTest, ACallReturnsItsReplyWithThePayload) {
  auto task = read();
  task.start();
  turn();
  ASSERT_EQ(connection_->sent.size(), 1U);
  EXPECT_EQ(connection_->sent[0].fixed().op, wire::Op::kRead);
  EXPECT_EQ(connection_->sent[0].fixed().epoch, kEpoch);
  // The deadline, in the peer's time, and what clocks may differ in a second.
  EXPECT_EQ(connection_->sent[0].fixed().time_ns,
            peer_ns() + kNsPerSec - kNsPerSec / net::kClockDriftParts);
  reply(0, {.has_hole = true}, std::vector<std::byte>(16, std::byte{0x5a}));
  ASSERT_TRUE(task.done());
  const ReadAnswer answer = task.take();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->reply.has_hole);
  EXPECT_EQ(answer->payload_bytes, 16U);
  EXPECT_EQ(buffer_[15], std::byte{0x5a});
  EXPECT_EQ(buffer_[16], std::byte{0});
  EXPECT_EQ(loop_.timers().size(), 0U);
}

TEST_F(CallerTest, RepliesAreMatchedByIdWhateverTheirOrder) {
  auto first = read();
  auto second = read();
  first.start();
  second.start();
  turn();
  reply(1, {.has_hole = true});
  EXPECT_FALSE(first.done());
  ASSERT_TRUE(second.done());
  EXPECT_TRUE(second.take()->reply.has_hole);
  reply(0, {.has_hole = false});
  ASSERT_TRUE(first.done());
  EXPECT_FALSE(first.take()->reply.has_hole);
}

TEST_F(CallerTest, AnErrorReplyIsTheCallsError) {
  auto task = read();
  task.start();
  turn();
  reply_error(0, Errc::kOutOfSpace);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kOutOfSpace);
}

TEST_F(CallerTest, NoReplyEndsAtTheDeadlineAndALateOneIsDropped) {
  auto task = read();
  task.start();
  turn();
  clock_.advance(kNsPerSec - 1);
  turn();
  EXPECT_FALSE(task.done());
  clock_.advance(1);
  turn();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kTimedOut);
  // Nothing was in flight, so the connection lives on.
  EXPECT_EQ(connection_->abort_count, 0);
  reply(0, {}, std::vector<std::byte>(16, std::byte{0x77}));
  EXPECT_EQ(caller_.late_reply_count(), 1U);
  EXPECT_EQ(buffer_[0], std::byte{0});
}

TEST_F(CallerTest, WhatWasRefusedForAnOldIdeaOfThePeersClockIsAskedAgain) {
  clock_.advance(3'600 * 24 * kNsPerSec);  // The reserve for drift is more than the time-out now.
  auto task = read();
  task.start();
  turn();
  ASSERT_EQ(connection_->sent.size(), 1U);
  EXPECT_LT(connection_->sent[0].fixed().time_ns, peer_ns());
  refuse_as_late(0);
  EXPECT_FALSE(task.done());
  ASSERT_EQ(connection_->sent.size(), 2U);
  EXPECT_NE(connection_->sent[1].fixed().request, connection_->sent[0].fixed().request);
  EXPECT_EQ(connection_->sent[1].fixed().time_ns,
            peer_ns() + kNsPerSec - kNsPerSec / net::kClockDriftParts);
  EXPECT_EQ(connection_->sent[1].header.size(), connection_->sent[0].header.size());
  reply(1, {.has_hole = true});
  ASSERT_TRUE(task.done());
  EXPECT_TRUE(task.take()->reply.has_hole);
  EXPECT_EQ(loop_.timers().size(), 0U);
}

TEST_F(CallerTest, ARefusalAsLateAfterTheDeadlineIsATimeOut) {
  auto task = read();
  task.start();
  turn();
  clock_.advance(kNsPerSec);
  refuse_as_late(0);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kTimedOut);
  EXPECT_EQ(connection_->sent.size(), 1U);
}

TEST_F(CallerTest, ATimeOutOfWhatThePeerHasBegunIsNotAskedAgain) {
  auto task = read();
  task.start();
  turn();
  reply_error(0, Errc::kTimedOut);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kTimedOut);
  EXPECT_EQ(connection_->sent.size(), 1U);
}

TEST_F(CallerTest, OnAnUnknownClockTheFirstRefusalTellsIt) {
  connection_ = std::make_shared<ScriptedConnection>(loop_, connection_->peer());
  auto task = read();
  task.start();
  turn();
  EXPECT_EQ(connection_->sent.at(0).fixed().time_ns, 1U);
  refuse_as_late(0);
  ASSERT_EQ(connection_->sent.size(), 2U);
  EXPECT_GT(connection_->sent[1].fixed().time_ns, peer_ns());
  reply(1, {});
  EXPECT_TRUE(task.done());
}

TEST_F(CallerTest, WhatIsRightAtAnyTimeCarriesNoDeadline) {
  const wire::CloseRequest request{.open_id = 3, .inode = InodeId{7}};
  const CallOptions options = {.deadline_ns = clock_.now_ns() + kNsPerSec,
                               .when_late = WhenLate::kCarryOut,
                               .payload = {},
                               .reply_buffer = {}};
  auto task = caller_.call(std::shared_ptr<net::Connection>(connection_), request, options);
  task.start();
  turn();
  EXPECT_EQ(connection_->sent.at(0).fixed().time_ns, wire::kAnyTime);
  clock_.advance(kNsPerSec);
  turn();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kTimedOut);
}

TEST_F(CallerTest, APayloadStillBeingSentAtTheDeadlineAbortsTheConnectionFirst) {
  connection_->hold_sends = true;
  const std::vector<std::byte> payload(4096);
  auto task = read(payload);
  task.start();
  turn();
  clock_.advance(kNsPerSec);
  turn();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(connection_->abort_count, 1);
  EXPECT_EQ(task.take().error().code, Errc::kTimedOut);
}

TEST_F(CallerTest, APayloadStillBeingReceivedAtTheDeadlineAbortsTheConnectionFirst) {
  auto task = read();
  task.start();
  turn();
  reply(0, {}, std::vector<std::byte>(16), /*hold_payload=*/true);
  EXPECT_FALSE(task.done());
  clock_.advance(kNsPerSec);
  turn();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(connection_->abort_count, 1);
  EXPECT_EQ(task.take().error().code, Errc::kTimedOut);
}

TEST_F(CallerTest, ALostConnectionEndsItsCallsOnly) {
  auto task = read();
  task.start();
  turn();
  const ScriptedConnection other(loop_, {});
  caller_.on_lost(other, Error{.code = Errc::kPeerLost});
  turn();
  EXPECT_FALSE(task.done());
  caller_.on_lost(*connection_, Error{.code = Errc::kPeerLost});
  turn();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kPeerLost);
}

TEST_F(CallerTest, ACallOnALostConnectionFailsAtOnce) {
  connection_->set_lost();
  auto task = read();
  task.start();
  turn();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kPeerLost);
  EXPECT_TRUE(connection_->sent.empty());
}

TEST_F(CallerTest, APayloadThatDoesNotFitIsRefused) {
  auto task = read();
  task.start();
  turn();
  reply(0, {}, std::vector<std::byte>(65));
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kProtocol);
}

TEST_F(CallerTest, AReplyOfAnotherOperationIsRefused) {
  auto task = read();
  task.start();
  turn();
  wire::FixedHeader fixed = connection_->sent[0].fixed();
  fixed.flags = wire::kIsReply;
  fixed.op = wire::Op::kWrite;
  deliver(fixed, encode_message(fixed, wire::ReadReply{}), {}, false);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kProtocol);
}

TEST_F(CallerTest, AReplyWhoseBodyIsTooShortOrTooLongIsRefused) {
  auto task = read();
  task.start();
  turn();
  wire::FixedHeader fixed = connection_->sent[0].fixed();
  fixed.flags = wire::kIsReply;
  deliver(fixed, encode_message(fixed, std::uint64_t{0}), {}, false);
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take().error().code, Errc::kProtocol);
}

TEST_F(CallerTest, ABodyThatCameAsPayloadIsDecoded) {
  wire::ReadDirRequest request;
  request.directory = kRootInode;
  request.entries_max = 10;
  const CallOptions options = {
      .deadline_ns = clock_.now_ns() + kNsPerSec, .payload = {}, .reply_buffer = {}};
  auto task = caller_.call(std::shared_ptr<net::Connection>(connection_), request, options);
  task.start();
  turn();
  wire::ReadDirReply page;
  page.entries.resize(100);
  page.entries[99].name = "last";
  page.at_end = true;
  std::vector<std::byte> body(kBodyBytesMax);
  wire::Encoder encoder{Bytes(body)};
  encoder& page;
  ASSERT_TRUE(encoder.ok());
  body.resize(encoder.size());
  ASSERT_GT(body.size(), kHeaderBytesMax);
  wire::FixedHeader fixed = connection_->sent[0].fixed();
  fixed.flags = wire::kIsReply | wire::kBodyInPayload;
  fixed.body_bytes = 0;
  std::vector<std::byte> header = encode_message(fixed, wire::EmptyReply{});
  deliver(fixed, std::move(header), std::move(body), false);
  ASSERT_TRUE(task.done());
  const auto answer = task.take();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->reply.entries.at(99).name, "last");
}

}  // namespace
}  // namespace benchfs::rpc
