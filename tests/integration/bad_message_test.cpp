// Goal: a peer that knows the session's secret and sends nonsense is answered with an error where
// there is a request to answer, takes no server down, and harms no other client's data.
// Method: a client of its own on net and wire sends what the client library never would, by a list
// and by seeded mutation of valid messages, to a real server; after each message the server must
// answer a ping, and at the end the data of an honest client must be what it wrote.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "integration/transport/party.h"
#include "placement/placement.h"
#include "session/session_file.h"
#include "support/cluster.h"
#include "support/live.h"
#include "wire/codec.h"
#include "wire/header.h"
#include "wire/messages.h"
#include "wire/metrics.h"
#include "wire/staging.h"

namespace {

using benchfs::Bytes;
using benchfs::ConstBytes;
using benchfs::Errc;
using benchfs::InodeId;
using benchfs::kRootInode;
using benchfs::Session;
using benchfs::test::content;
using benchfs::test::holds;

namespace wire = benchfs::wire;
namespace net = benchfs::net;

using Buffer = std::vector<std::byte>;

constexpr std::size_t kVictimBytes = 5 * 1024 * 1024 + 77;

/// A whole message: header, body, payload.
struct Packet {
  Buffer header;
  Buffer payload;
};

void put_fixed(Buffer& header, const wire::FixedHeader& fixed) {
  wire::Encoder encoder(Bytes(header).first(wire::kFixedHeaderBytes));
  encoder& fixed;
}

template <typename Request>
Packet packet(const Request& request, std::size_t payload_bytes = 0) {
  Packet out{Buffer(benchfs::kHeaderBytesMax), Buffer(payload_bytes, std::byte{0x5A})};
  wire::Encoder encoder(Bytes(out.header).subspan(wire::kFixedHeaderBytes));
  encoder& request;
  EXPECT_TRUE(encoder.ok());
  out.header.resize(wire::kFixedHeaderBytes + encoder.size());
  put_fixed(out.header, {.op = Request::kOp,
                         .body_bytes = static_cast<std::uint32_t>(encoder.size()),
                         .epoch = 1,
                         .time_ns = wire::kAnyTime});
  return out;
}

/// Field of the fixed header, by its offset on the wire.
template <typename T>
Packet with(Packet packet, std::size_t offset, T value) {
  std::memcpy(packet.header.data() + offset, &value, sizeof(value));
  return packet;
}

constexpr std::size_t kAtMagic = 0;
constexpr std::size_t kAtVersion = 4;
constexpr std::size_t kAtOp = 6;
constexpr std::size_t kAtFlags = 8;
constexpr std::size_t kAtStatus = 10;
constexpr std::size_t kAtBodyBytes = 12;
constexpr std::size_t kAtRequest = 16;
constexpr std::size_t kAtEpoch = 24;
constexpr std::size_t kAtTime = 32;

class BadMessage : public testing::Test {
 protected:
  void SetUp() override {
    cluster_ = std::make_unique<benchfs::test::Cluster>(
        benchfs::test::ClusterOptions{.server_count = 1, .capacity = "128M"});
    const auto up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
    honest_ = std::make_unique<Session>(cluster_->session_directory());
    auto file = honest_->open("/victim", O_RDWR | O_CREAT);
    file.write(content(0, kVictimBytes, 1), 0);
    victim_ = InodeId{file.stat().st_ino};
    file.close();
    server_pid_ = cluster_->server_pids().at(0);
    connect();
    const auto opened = ask(
        packet(wire::OpenRequest{.key = {kRootInode, "mine"},
                                 .flags = wire::kOpenRead | wire::kOpenWrite | wire::kOpenCreate,
                                 .mode = 0644,
                                 .layout = {.chunk_bytes = 1 << 20, .stripe_count = 1}}));
    ASSERT_TRUE(opened.has_value() && opened->status == 0);
    wire::OpenReply reply;
    wire::Decoder decoder(body_);
    decoder& reply;
    ASSERT_TRUE(decoder.finished());
    mine_ = reply.entry.attributes.inode;
    open_id_ = reply.open_id;
  }

  void TearDown() override {
    EXPECT_TRUE(benchfs::test::is_running(server_pid_)) << "the server died";
    EXPECT_TRUE(holds(*honest_, "/victim", kVictimBytes, 1));
    auto file = honest_->open("/after", O_RDWR | O_CREAT);
    file.write(content(0, kVictimBytes, 2), 0);
    file.close();
    EXPECT_TRUE(holds(*honest_, "/after", kVictimBytes, 2));
    // What a lost client has open stays open for a while; a client that goes in order closes it.
    if (!connection_->lost()) {
      ask(packet(wire::CloseRequest{.open_id = open_id_, .inode = mine_}));
    }
    connection_.reset();
    party_.reset();
    benchfs_server_status last{};
    EXPECT_TRUE(benchfs::test::comes_true(
        [&] {
          last = benchfs::test::status_of(*honest_, 0);
          return last.open_count == 0 && last.pool_used_bytes == 0;
        },
        std::chrono::seconds(15)))
        << last.open_count << " open, " << last.pool_used_bytes << " of the pool in use";
    honest_.reset();
    EXPECT_EQ(cluster_->down().exit_status, 0);
  }

  void connect() {
    const auto session = benchfs::session::read_session(cluster_->session_directory());
    ASSERT_TRUE(session.has_value());
    net::Credentials credentials{.session_id = session->session_id, .secret = session->secret};
    party_ = benchfs::test::Party::create(world_, benchfs::test::client(666), credentials);
    ASSERT_NE(party_, nullptr);
    connection_ = party_->connect(session->servers.front().address, benchfs::test::server(0));
    ASSERT_NE(connection_, nullptr);
  }

  /// Sends; false if the server neither took nor dropped it in time.
  bool send(const Packet& packet) {
    net::TransferOp op;
    connection_->send(packet.header, packet.payload, op);
    return world_.run([&] { return op.done(); });
  }

  /// The reply to request `number`; nothing if none comes. Others are dropped.
  std::optional<wire::FixedHeader> reply_to(std::uint64_t number) {
    std::optional<wire::FixedHeader> found;
    world_.run([&] {
      while (!found && !party_->arrived.empty()) {
        const auto& message = party_->arrived.front().message;
        const auto fixed = wire::decode_fixed_header(message.header());
        EXPECT_TRUE(fixed.has_value()) << "the server itself sends nonsense";
        if (fixed && to_integer(fixed->request) == number) {
          found = fixed;
          const auto body = message.header().subspan(wire::kFixedHeaderBytes);
          body_.assign(body.begin(), body.end());
        }
        party_->arrived.pop_front();
      }
      return found.has_value() || connection_->lost();
    });
    return found;
  }

  std::optional<wire::FixedHeader> ask(Packet request) {
    request = with(std::move(request), kAtRequest, ++last_asked_);
    return send(request) ? reply_to(last_asked_) : std::nullopt;
  }

  void expect_answer(const std::string& what, Packet request, Errc expected) {
    const auto reply = ask(std::move(request));
    ASSERT_TRUE(reply.has_value()) << what << ": no answer";
    EXPECT_EQ(reply->status, static_cast<std::uint16_t>(expected)) << what;
  }

  /// Sends what has no answer; the server must go on.
  void expect_dropped(const std::string& what, const Packet& request) {
    EXPECT_TRUE(send(with(request, kAtRequest, ++last_request_))) << what;
    expect_alive(what);
  }

  void expect_alive(const std::string& what) {
    const auto reply = ask(packet(wire::PingRequest()));
    ASSERT_TRUE(reply.has_value())
        << "no ping answered after " << what << "; connection "
        << (party_->lost.empty() ? "stands"
                                 : "lost: " + benchfs::to_string(party_->lost.front().reason));
    ASSERT_EQ(reply->status, 0) << what;
  }

  benchfs::test::World world_;
  std::unique_ptr<benchfs::test::Cluster> cluster_;
  std::unique_ptr<Session> honest_;
  std::unique_ptr<benchfs::test::Party> party_;
  std::shared_ptr<net::Connection> connection_;
  InodeId victim_{};
  InodeId mine_{};
  std::uint64_t open_id_ = 0;
  pid_t server_pid_ = 0;
  std::uint64_t last_request_ = 0;
  /// Far from the others: a mutant with the number of a later question would be answered as that.
  std::uint64_t last_asked_ = 0x5AA5'5AA5'5AA5'0000;
  Buffer body_;
};

TEST_F(BadMessage, HeadersThatMakeNoSenseAreDroppedOrRefused) {
  const Packet good = packet(wire::GetAttrRequest{.inode = mine_});
  for (std::size_t size = 1; size < wire::kFixedHeaderBytes; size += 3) {
    Packet cut = packet(wire::PingRequest());
    cut.header.resize(size);
    EXPECT_TRUE(send(cut)) << size;
    expect_alive("a header of " + std::to_string(size) + " bytes");
  }
  expect_dropped("wrong magic", with(good, kAtMagic, std::uint32_t{0xDEADBEEF}));
  expect_dropped("other version", with(good, kAtVersion, std::uint16_t{1}));
  expect_dropped("unknown flags", with(good, kAtFlags, std::uint16_t{0xFFF0}));
  expect_dropped("a request with a status", with(good, kAtStatus, std::uint16_t{5}));
  expect_dropped("a request that says it was not begun",
                 with(good, kAtFlags, std::uint16_t{wire::kNotBegun}));
  for (const std::uint32_t lie : {0U, 1U, 7U, 9U, 2048U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    expect_dropped("body_bytes lies", with(good, kAtBodyBytes, lie));
  }
  expect_dropped("a reply to nothing", with(good, kAtFlags, std::uint16_t{wire::kIsReply}));
  expect_dropped("a failed reply", with(with(good, kAtFlags, std::uint16_t{wire::kIsReply}),
                                        kAtStatus, std::uint16_t{12}));
  expect_answer("other epoch", with(good, kAtEpoch, std::uint64_t{7}), Errc::kPeerLost);
  for (const std::uint16_t op : {std::uint16_t{0}, std::uint16_t(wire::kOpLast + 1),
                                 std::uint16_t{0x8000}, std::uint16_t{0xFFFF}}) {
    expect_answer("unknown operation", with(good, kAtOp, op), Errc::kUnsupported);
  }
  expect_answer("a deadline long past", with(good, kAtTime, std::uint64_t{1}), Errc::kTimedOut);
  expect_answer("a deadline at the end of time", with(good, kAtTime, UINT64_MAX), Errc{});
  Packet bodyless = packet(wire::PingRequest(), 100);
  expect_answer("body in the payload",
                with(bodyless, kAtFlags, std::uint16_t{wire::kBodyInPayload}), Errc::kProtocol);
}

TEST_F(BadMessage, BodiesThatDoNotDecodeAreRefused) {
  const Packet write = packet(wire::WriteRequest{.inode = mine_, .pieces = {{0, 4096}}}, 4096);
  for (std::size_t cut = 1; cut <= 20; ++cut) {
    Packet truncated = write;
    truncated.header.resize(truncated.header.size() - cut);
    const auto body = static_cast<std::uint32_t>(truncated.header.size() - wire::kFixedHeaderBytes);
    expect_answer("truncated body", with(truncated, kAtBodyBytes, body), Errc::kProtocol);
  }
  Packet longer = packet(wire::GetAttrRequest{.inode = mine_});
  longer.header.resize(longer.header.size() + 5);
  expect_answer("bytes behind the body", with(longer, kAtBodyBytes, std::uint32_t{13}),
                Errc::kProtocol);
  for (const std::uint32_t count : {2U, 97U, 0xFFFFU, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    expect_answer("more pieces than there are bytes",
                  with(write, wire::kFixedHeaderBytes + 8, count), Errc::kProtocol);
    expect_answer("a name longer than its message",
                  with(packet(wire::LookupRequest{.key = {kRootInode, "n"}}),
                       wire::kFixedHeaderBytes + 8, count),
                  Errc::kProtocol);
  }
  Packet questions = packet(wire::MetricsRequest{});
  questions.header.resize(questions.header.size() + 1);
  expect_answer("a body where there is none", with(questions, kAtBodyBytes, std::uint32_t{1}),
                Errc::kProtocol);
  expect_answer("a payload where there is none", packet(wire::MetricsRequest{}, 4096),
                Errc::kProtocol);
  Packet boolean = packet(wire::CloseRequest{.open_id = open_id_, .inode = mine_});
  expect_answer("a truth value of 2", with(boolean, wire::kFixedHeaderBytes + 16, std::uint8_t{2}),
                Errc::kProtocol);
}

TEST_F(BadMessage, PiecesThatNoClientSendsAreRefused) {
  constexpr std::uint64_t kEnd = benchfs::kFileBytesMax;
  using Pieces = std::vector<wire::DataPiece>;
  struct Case {
    const char* what;
    Pieces pieces;
    std::size_t payload;
    Errc expected;
  };
  const std::vector<Case> cases = {
      {"no pieces", {}, 0, Errc::kProtocol},
      {"no pieces, but bytes", {}, 100, Errc::kProtocol},
      {"an empty piece", {{0, 0}}, 0, Errc::kProtocol},
      {"an empty piece among others", {{0, 10}, {50, 0}}, 10, Errc::kProtocol},
      {"more pieces than allowed", Pieces(97, {0, 1}), 97, Errc::kProtocol},
      {"a piece of 4 GiB", {{0, 0xFFFFFFFFU}}, 4096, Errc::kProtocol},
      {"pieces whose sum wraps", {{0, 0xFFFFFFFFU}, {0, 0xFFFFFFFFU}, {0, 2}}, 0, Errc::kProtocol},
      {"too much in all", Pieces(2, {0, 1 << 20}), 2 << 20, Errc::kProtocol},
      {"an offset over the end", {{kEnd, 1}}, 1, Errc::kTooLarge},
      {"an end over the end", {{kEnd - 5, 6}}, 6, Errc::kTooLarge},
      {"an offset of 2^63", {{std::uint64_t{1} << 63, 8}}, 8, Errc::kTooLarge},
      {"an offset that wraps", {{UINT64_MAX - 3, 8}}, 8, Errc::kTooLarge}};
  for (const Case& one : cases) {
    expect_answer(one.what,
                  packet(wire::WriteRequest{.inode = mine_, .pieces = one.pieces}, one.payload),
                  one.expected);
    expect_answer(one.what, packet(wire::ReadRequest{.inode = mine_, .pieces = one.pieces}),
                  one.expected);
    expect_alive(one.what);
  }
  for (const std::size_t payload : {0U, 1U, 4095U, 4097U, 1U << 20U, 2U << 20U}) {
    expect_answer("a payload of another size",
                  packet(wire::WriteRequest{.inode = mine_, .pieces = {{0, 4096}}}, payload),
                  Errc::kProtocol);
  }
  const auto untouched = ask(packet(wire::GetAttrRequest{.inode = mine_}));
  ASSERT_TRUE(untouched.has_value() && untouched->status == 0);
  wire::Attributes attributes;
  wire::Decoder decoder(body_);
  decoder& attributes;
  EXPECT_EQ(attributes.size_bytes, 0U) << "a refused write left something";
}

/// A message whose payload is `body`, encoded.
template <typename Request, typename Body>
Packet with_encoded(const Request& request, const Body& body) {
  Packet out = packet(request, benchfs::kBodyBytesMax);
  wire::Encoder encoder{Bytes(out.payload)};
  encoder& body;
  EXPECT_TRUE(encoder.ok());
  out.payload.resize(encoder.size());
  return out;
}

TEST_F(BadMessage, StagingThatNoClientAsksForIsRefused) {
  wire::StageRangeRequest range;
  range.act = wire::StageAct::kCopyOut;
  range.inode = mine_;
  range.layout = {.chunk_bytes = 1 << 20, .stripe_count = 1};
  range.size_bytes = 1 << 20;
  range.length_bytes = 1 << 20;
  for (const std::size_t payload : {0U, 4096U, 1U << 20U}) {
    expect_answer("a path of no or too many bytes", packet(range, payload), Errc::kProtocol);
  }
  expect_answer("a relative path", packet(range, 20), Errc::kProtocol);
  const auto changed = [&](auto change) {
    wire::StageRangeRequest request = range;
    change(request);
    Packet out = packet(request, 20);
    out.payload[0] = std::byte{'/'};
    return out;
  };
  expect_answer("no such file", changed([](auto&) {}), Errc::kNotFound);
  expect_answer("no act", changed([](auto& r) { r.act = wire::StageAct{0}; }), Errc::kProtocol);
  expect_answer("an unknown act", changed([](auto& r) { r.act = wire::StageAct{7}; }),
                Errc::kProtocol);
  expect_answer("no chunk", changed([](auto& r) { r.layout.chunk_bytes = 0; }), Errc::kProtocol);
  expect_answer("no stripes", changed([](auto& r) { r.layout.stripe_count = 0; }), Errc::kProtocol);
  expect_answer("stripes without end", changed([](auto& r) { r.layout.stripe_count = 70000; }),
                Errc::kProtocol);
  expect_answer("chunks without end", changed([](auto& r) { r.layout.chunk_bytes = 1; }),
                Errc::kProtocol);
  expect_answer("a size beyond all", changed([](auto& r) { r.size_bytes = UINT64_MAX; }),
                Errc::kProtocol);
  expect_answer("a range beyond all", changed([](auto& r) { r.offset_bytes = UINT64_MAX; }),
                Errc::kProtocol);

  const wire::StageInRequest in;
  const wire::StageOutRequest out;
  expect_answer("no files in", packet(in), Errc::kProtocol);
  expect_answer("no files out", packet(out), Errc::kProtocol);
  expect_answer("nonsense in", packet(in, 1000), Errc::kProtocol);
  expect_answer("nonsense out", packet(out, 1000), Errc::kProtocol);
  expect_answer("an empty list", with_encoded(in, wire::StageInFiles{}), Errc::kProtocol);
  expect_answer("an empty list", with_encoded(out, wire::StageOutFiles{}), Errc::kProtocol);
  wire::StageOutFiles many;
  many.files.resize(wire::kStageFilesMax + 1, {.inode = mine_, .outside = "/tmp/x"});
  expect_answer("too many files", with_encoded(out, many), Errc::kProtocol);
  for (const std::string& path :
       {std::string(), std::string("x"), std::string("/a\0b", 4), std::string(5000, '/')}) {
    const wire::StageOutFiles files{.files = {{.inode = mine_, .outside = path}}};
    expect_answer("a path that is none", with_encoded(out, files), Errc::kProtocol);
    const wire::StageInFiles names{
        .files = {{.key = {kRootInode, "x"}, .size_bytes = 1, .outside = path}}};
    expect_answer("a path that is none", with_encoded(in, names), Errc::kProtocol);
  }
  const wire::StageInFiles dots{
      .files = {{.key = {kRootInode, ".."}, .size_bytes = 1, .outside = "/tmp/x"}}};
  expect_answer("a name that is none", with_encoded(in, dots), Errc::kProtocol);
  expect_alive("staging");
}

TEST_F(BadMessage, NamesThatNoFileHasAreRefused) {
  const std::vector<std::string> names = {"",
                                          ".",
                                          "..",
                                          "a/b",
                                          "/",
                                          std::string("a\0b", 3),
                                          std::string(256, 'x'),
                                          std::string(1900, 'y')};
  for (const std::string& name : names) {
    const wire::EntryKey key{kRootInode, name};
    const wire::EntryKey fine{kRootInode, "mine"};
    const std::string what = "name of " + std::to_string(name.size()) + " bytes";
    expect_answer(what, packet(wire::LookupRequest{.key = key}), Errc::kProtocol);
    expect_answer(what, packet(wire::MkdirRequest{.key = key, .mode = 0755}), Errc::kProtocol);
    expect_answer(what, packet(wire::UnlinkRequest{.key = key}), Errc::kProtocol);
    expect_answer(what, packet(wire::RmdirRequest{.key = key}), Errc::kProtocol);
    expect_answer(
        what, packet(wire::OpenRequest{.key = key, .flags = wire::kOpenCreate | 3, .layout = {}}),
        Errc::kProtocol);
    if (name.size() < 1000) {
      expect_answer(what, packet(wire::RenameRequest{.from = fine, .to = key}), Errc::kProtocol);
    }
    expect_answer(what, packet(wire::RenameRequest{.from = key, .to = fine}), Errc::kProtocol);
  }
  expect_answer("a name in no directory",
                packet(wire::LookupRequest{.key = {benchfs::kNoInode, "a"}}), Errc::kProtocol);
}

TEST_F(BadMessage, IdsAndNumbersThatAreNotOursAreRefused) {
  for (const std::uint64_t number :
       {std::uint64_t{0}, std::uint64_t{999'999}, (std::uint64_t{5} << 48) + 3, UINT64_MAX}) {
    const InodeId inode{number};
    const std::string what = "inode " + std::to_string(number);
    for (const Packet& request :
         {packet(wire::GetAttrRequest{.inode = inode}), packet(wire::OpenInodeRequest{inode, 3, 0}),
          packet(wire::SetAttrRequest{.inode = inode, .mask = 1, .mode = 0600}),
          packet(wire::TruncateRequest{.inode = inode, .size_bytes = 0}),
          packet(wire::AppendRequest{.open_id = open_id_, .inode = inode, .length_bytes = 5}),
          packet(wire::CloseRequest{.open_id = open_id_, .inode = inode}),

          packet(wire::LookupRequest{.key = {inode, "a"}})}) {
      const auto reply = ask(request);
      ASSERT_TRUE(reply.has_value()) << what;
      EXPECT_NE(reply->status, 0) << what << ", " << wire::name_of(reply->op);
    }
  }
  // Who is not the home of a directory has an empty page of it; the home says that it is none.
  expect_answer("a list of no directory",
                packet(wire::ReadDirRequest{.directory = InodeId{999'999}, .entries_max = 10}),
                Errc::kStale);
  auto file = honest_->open("/victim", O_RDWR);
  for (std::uint64_t id = 0; id < 64; ++id) {
    if (id != open_id_) {
      expect_answer("another's open id",
                    packet(wire::CloseRequest{.open_id = id, .inode = victim_}), Errc::kBadHandle);
      expect_answer("another's open id",
                    packet(wire::AppendRequest{.open_id = id, .inode = victim_, .length_bytes = 1}),
                    Errc::kBadHandle);
    }
  }
  file.write(content(0, 10, 1), 0);
  file.close();
  const auto refused = [this](const char* what, const Packet& request) {
    const auto reply = ask(request);
    ASSERT_TRUE(reply.has_value()) << what;
    EXPECT_NE(reply->status, 0) << what;
    expect_alive(what);
  };
  refused("a size over the largest",
          packet(wire::TruncateRequest{.inode = mine_, .size_bytes = UINT64_MAX}));
  refused("an end over the largest",
          packet(wire::CloseRequest{
              .open_id = open_id_, .inode = mine_, .wrote = true, .end_bytes = UINT64_MAX}));
  refused(
      "an append over the largest",
      packet(wire::AppendRequest{.open_id = open_id_, .inode = mine_, .length_bytes = UINT64_MAX}));
  refused("a mask of everything",
          packet(wire::SetAttrRequest{.inode = mine_, .mask = 0xFFFFFFFFU}));
  refused("a mode of everything",
          packet(wire::SetAttrRequest{.inode = mine_, .mask = 1, .mode = 0xFFFFFFFFU}));
  refused("flags of everything", packet(wire::OpenInodeRequest{mine_, 0xFFFFFFFFU, 0}));
  refused("a page of everything",
          packet(wire::ReadDirRequest{.directory = kRootInode, .entries_max = 0xFFFFFFFFU}));
  refused("a page of nothing",
          packet(wire::ReadDirRequest{.directory = kRootInode, .entries_max = 0}));
  for (const std::uint64_t chunk : {std::uint64_t{0}, wire::kChunkBytesMax + 1, UINT64_MAX}) {
    refused("a chunk size out of range",
            packet(wire::OpenRequest{.key = {kRootInode, "new"},
                                     .flags = wire::kOpenCreate | 3,
                                     .mode = 0644,
                                     .layout = {.chunk_bytes = chunk, .stripe_count = 1}}));
  }
  EXPECT_EQ(benchfs::test::failure_of([&] { honest_->stat("/new"); }).code, ENOENT);
}

TEST_F(BadMessage, WhatOnlyServersMayAskIsRefused) {
  constexpr Errc kNo = Errc::kPermission;
  expect_answer("attach", packet(wire::AttachDirectoryRequest{kRootInode}), kNo);
  expect_answer("detach", packet(wire::DetachDirectoryRequest{kRootInode}), kNo);
  expect_answer("remove directory", packet(wire::RemoveDirectoryRequest{kRootInode}), kNo);
  expect_answer("usage", packet(wire::DirectoryUsageRequest{kRootInode}), kNo);
  expect_answer("unlink inode", packet(wire::UnlinkInodeRequest{victim_}), kNo);
  expect_answer("prepare", packet(wire::RenamePrepareRequest{.key = {kRootInode, "victim"}}), kNo);
  expect_answer("commit", packet(wire::RenameCommitRequest{.rename_id = 1, .inode = victim_}), kNo);
  expect_answer("data end", packet(wire::DataEndRequest{victim_}), kNo);
  expect_answer("truncate data", packet(wire::TruncateDataRequest{victim_, 0}), kNo);
  expect_answer("remove data", packet(wire::RemoveDataRequest{victim_}), kNo);
}

TEST_F(BadMessage, ThousandsOfMutatedMessagesHarmNobody) {
  const std::vector<Packet> valid = {
      packet(wire::PingRequest()),
      packet(wire::StatusRequest()),
      packet(wire::MetricsRequest()),
      packet(wire::StatFsRequest()),
      packet(wire::LookupRequest{.key = {kRootInode, "mine"}}),
      packet(wire::OpenRequest{.key = {kRootInode, "mine-too"},
                               .flags = wire::kOpenCreate | 3,
                               .mode = 0644,
                               .layout = {.chunk_bytes = 1 << 20, .stripe_count = 1}}),
      packet(wire::MkdirRequest{.key = {kRootInode, "folder"}, .mode = 0755}),
      packet(wire::RmdirRequest{.key = {kRootInode, "folder"}}),
      packet(wire::UnlinkRequest{.key = {kRootInode, "mine-too"}}),
      packet(wire::RenameRequest{.from = {kRootInode, "mine-too"}, .to = {kRootInode, "other"}}),
      packet(wire::ReadDirRequest{.directory = kRootInode, .entries_max = 100}),
      packet(wire::OpenInodeRequest{.inode = mine_, .flags = 3}),
      packet(wire::CloseRequest{.open_id = open_id_, .inode = mine_, .wrote = true}),
      packet(wire::GetAttrRequest{.inode = mine_}),
      packet(wire::SetAttrRequest{.inode = mine_, .mask = 3, .mode = 0600}),
      packet(wire::TruncateRequest{.inode = mine_, .size_bytes = 10'000}),
      packet(wire::AppendRequest{.open_id = open_id_, .inode = mine_, .length_bytes = 100}),
      packet(wire::ReadRequest{.inode = mine_, .pieces = {{0, 70'000}, {200'000, 8}}}),
      packet(wire::WriteRequest{.inode = mine_, .pieces = {{0, 5000}, {9000, 192}}}, 5192),
      packet(wire::WriteRequest{.inode = mine_, .pieces = {{4096, 262'144}}}, 262'144),
      packet(wire::FsyncRequest{.inode = mine_}),
      packet(wire::DataEndRequest{.inode = mine_}),
      packet(wire::RenameCommitRequest{.rename_id = 3, .inode = mine_})};
  // What is valid and aimed at the victim by chance is a crime, but no malformed message.
  Buffer victim_bytes(sizeof(victim_));
  std::memcpy(victim_bytes.data(), &victim_, sizeof(victim_));
  const char* const wanted = std::getenv("BENCHFS_TEST_SEED");
  const std::uint64_t seed = wanted == nullptr ? 1 : std::strtoull(wanted, nullptr, 10);
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 4000; ++i) {
    Packet mutant = valid[random() % valid.size()];
    mutant = with(std::move(mutant), kAtRequest, ++last_request_);
    const std::size_t hits = 1 + random() % 4;
    for (std::size_t hit = 0; hit < hits; ++hit) {
      // Half of the hits on the body: a wrong fixed header ends most messages' lives early.
      const std::size_t from = random() % 2 == 0 ? wire::kFixedHeaderBytes : 0;
      if (mutant.header.size() <= from) {
        continue;
      }
      std::byte& byte = mutant.header[from + random() % (mutant.header.size() - from)];
      constexpr std::array<std::byte, 4> kExtremes = {std::byte{0}, std::byte{0xFF},
                                                      std::byte{0x80}, std::byte{0x7F}};
      byte = random() % 2 == 0 ? kExtremes[random() % 4] : static_cast<std::byte>(random());
    }
    if (random() % 8 == 0) {
      mutant.header.resize(1 + random() % mutant.header.size());
    }
    if (random() % 8 == 0) {
      mutant.payload.resize(random() % 100'000);
    }
    if (random() % 2 == 0 && mutant.header.size() >= wire::kFixedHeaderBytes) {
      const auto body = static_cast<std::uint32_t>(mutant.header.size() - wire::kFixedHeaderBytes);
      mutant = with(std::move(mutant), kAtBodyBytes, body);
    }
    if (mutant.header.size() >= wire::kFixedHeaderBytes) {
      std::uint16_t op = 0;
      std::memcpy(&op, mutant.header.data() + kAtOp, sizeof(op));
      const bool aimed =
          std::search(mutant.header.begin(), mutant.header.end(), victim_bytes.begin(),
                      victim_bytes.end()) != mutant.header.end();
      if (op == static_cast<std::uint16_t>(wire::Op::kShutdown) || aimed) {
        continue;
      }
      mutant = with(std::move(mutant), kAtTime, std::uint64_t{wire::kAnyTime});
    }
    ASSERT_TRUE(send(mutant)) << "message " << i;
    if (i % 16 == 0) {
      expect_alive("message " + std::to_string(i));
      ASSERT_FALSE(HasFatalFailure()) << "message " << i;
    }
  }
  expect_alive("all messages");
}

}  // namespace
