// Goal: a write whose asker has given up never lands over newer bytes. Method: the real handlers
// and store on a drive in memory; scripted connections whose payloads come when the test says so.

#include "server/handlers/data.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/store_fixture.h"
#include "unit/rpc/scripted_connection.h"

namespace benchfs::server {
namespace {

using rpc::ScriptedConnection;

constexpr std::uint64_t kEpoch = 3;
constexpr std::uint64_t kFile = 77;
constexpr std::size_t kSize = 8192;

/// What of a payload the test still has in its hand.
struct Pending {
  Bytes buffer;
  net::TransferOp* op = nullptr;
};

class LatePayload final : public net::Message::Payload {
 public:
  explicit LatePayload(Pending& pending) : pending_(pending) {}
  void receive(Bytes buffer, net::TransferOp& op) noexcept override {
    pending_ = {.buffer = buffer, .op = &op};
  }

 private:
  Pending& pending_;
};

class DataTest : public testing::Test {
 protected:
  std::shared_ptr<ScriptedConnection> connect(std::uint64_t client) {
    return std::make_shared<ScriptedConnection>(
        fixture_.real.loop,
        net::PeerIdentity{.role = net::PeerIdentity::Role::kClient, .id = client});
  }
  std::vector<std::byte> header(std::uint32_t patience_ms) {
    const wire::FixedHeader fixed = {
        .op = wire::Op::kWrite,
        .request = RequestId{1},
        .epoch = kEpoch,
        .time_ns = fixture_.real.loop.now_ns() + patience_ms * kNsPerMs};
    return rpc::encode_message(
        fixed, wire::WriteRequest{.inode = InodeId{kFile},
                                  .pieces = {{.offset_bytes = 0, .size_bytes = kSize}}});
  }
  void request(const std::shared_ptr<ScriptedConnection>& connection,
               std::unique_ptr<net::Message::Payload> payload, std::uint32_t patience_ms) {
    std::vector<std::byte> bytes = header(patience_ms);
    const auto fixed = *wire::decode_fixed_header(bytes);
    dispatcher_.on_request(connection, fixed,
                           net::Message(std::move(bytes), kSize, {}, std::move(payload)));
    fixture_.settle();
  }
  void write(const std::shared_ptr<ScriptedConnection>& connection, std::byte value,
             std::uint32_t patience_ms = 60'000) {
    request(connection,
            std::make_unique<rpc::ScriptedPayload>(*connection, fixture_.real.loop,
                                                   std::vector<std::byte>(kSize, value), false),
            patience_ms);
  }
  void arrive(Pending& pending, std::byte value) {
    ASSERT_NE(pending.op, nullptr);
    std::fill(pending.buffer.begin(), pending.buffer.end(), value);
    pending.op->complete(fixture_.real.loop, Status());
    fixture_.settle();
  }
  static Errc status(const ScriptedConnection& connection, std::size_t index = 0) {
    return static_cast<Errc>(connection.sent.at(index).fixed().status);
  }
  std::byte stored() {
    const test::ReadOutcome outcome = fixture_.read_now(kFile, {{0, kSize}});
    EXPECT_TRUE(outcome.data.has_value());
    const test::ByteVector& data = *outcome.data;
    EXPECT_TRUE(std::all_of(data.begin(), data.end(), [&](std::byte b) { return b == data[0]; }));
    return data[0];
  }

  test::StoreFixture fixture_{256};
  rpc::Dispatcher dispatcher_{fixture_.real.loop, kEpoch};
  DataService data_{dispatcher_, *fixture_.pool, fixture_.store};
};

TEST_F(DataTest, AWriteIsThereOnceItIsAnswered) {
  const auto connection = connect(1);
  write(connection, std::byte{5});
  EXPECT_EQ(status(*connection), Errc{});
  EXPECT_EQ(stored(), std::byte{5});
}

TEST_F(DataTest, APayloadThatIsFetchedFromALostConnectionIsNotWritten) {
  const auto old = connect(1);
  Pending pending;
  request(old, std::make_unique<LatePayload>(pending), 60'000);
  old->set_lost();
  const auto fresh = connect(1);
  // Another client's, so that it does not wait for the one that hangs.
  const auto other = connect(2);
  write(other, std::byte{9});
  ASSERT_EQ(status(*other), Errc{});
  arrive(pending, std::byte{1});
  EXPECT_EQ(stored(), std::byte{9});
  EXPECT_EQ(dispatcher_.running_count(), 0U);
}

TEST_F(DataTest, AWriteThatHasNoTimeLeftIsNotWritten) {
  const auto connection = connect(1);
  write(connection, std::byte{1}, 0);
  EXPECT_EQ(status(*connection), Errc::kTimedOut);
  EXPECT_TRUE(fixture_.read_now(kFile, {{0, kSize}}).has_hole);
}

TEST_F(DataTest, ASlowDriveDoesNotLetAnOlderWriteEndOverANewerOne) {
  const auto connection = connect(1);
  fixture_.disk.hold = true;
  write(connection, std::byte{1});
  write(connection, std::byte{2});
  fixture_.disk.release(fixture_.disk.queued() - 1);  // The newest first.
  fixture_.settle();
  fixture_.disk.hold = false;
  fixture_.settle();
  ASSERT_EQ(connection->sent.size(), 2U);
  EXPECT_EQ(status(*connection, 0), Errc{});
  EXPECT_EQ(status(*connection, 1), Errc{});
  EXPECT_EQ(stored(), std::byte{2});
}

TEST_F(DataTest, TheOlderWriteOfALostConnectionDoesNotEndOverTheNewOnesWrite) {
  const auto old = connect(1);
  fixture_.disk.hold = true;
  write(old, std::byte{1});  // On the drive, which takes its time.
  old->set_lost();
  const auto fresh = connect(1);
  write(fresh, std::byte{2});
  EXPECT_TRUE(fresh->sent.empty());
  fixture_.disk.release(fixture_.disk.queued() - 1);  // The newest first.
  fixture_.settle();
  fixture_.disk.hold = false;
  fixture_.settle();
  ASSERT_EQ(fresh->sent.size(), 1U);
  EXPECT_EQ(status(*fresh), Errc{});
  EXPECT_EQ(stored(), std::byte{2});
}

}  // namespace
}  // namespace benchfs::server
