// Goal: what is encoded decodes to the same; no bytes of a peer crash the decoder or make it
// allocate beyond what arrived. Method: round trips, every truncation, lying counts, random bytes
// from printed seeds.

#include "wire/codec.h"

#include <array>
#include <random>

#include <gtest/gtest.h>

#include "wire/messages.h"

namespace benchfs::wire {
namespace {

template <typename T>
std::vector<std::byte> encoded(const T& value) {
  std::vector<std::byte> bytes(64 * 1024);
  Encoder encoder{Bytes(bytes)};
  encoder& value;
  EXPECT_TRUE(encoder.ok());
  bytes.resize(encoder.size());
  return bytes;
}

ReadDirReply page() {
  ReadDirReply reply;
  for (int i = 0; i < 5; ++i) {
    DirectoryEntry entry;
    entry.name = std::string(static_cast<std::size_t>(i) * 50 + 1, static_cast<char>('a' + i));
    entry.entry.local = i % 2 == 0;
    entry.entry.attributes.inode = InodeId{static_cast<std::uint64_t>(i) << 40};
    entry.entry.attributes.layout.chunk_bytes = 47008;
    reply.entries.push_back(entry);
  }
  reply.next_cookie = 77;
  reply.at_end = true;
  return reply;
}

TEST(Codec, ARoundTripKeepsEveryField) {
  const std::vector<std::byte> bytes = encoded(page());
  ReadDirReply back;
  Decoder decoder(bytes);
  decoder& back;
  ASSERT_TRUE(decoder.finished());
  ASSERT_EQ(back.entries.size(), 5U);
  EXPECT_EQ(back.entries[4].name, page().entries[4].name);
  EXPECT_EQ(back.entries[3].entry.local, false);
  EXPECT_EQ(back.entries[3].entry.attributes.inode, page().entries[3].entry.attributes.inode);
  EXPECT_EQ(back.entries[0].entry.attributes.layout.chunk_bytes, 47008U);
  EXPECT_EQ(back.next_cookie, 77U);
  EXPECT_TRUE(back.at_end);
}

TEST(Codec, EveryTruncationIsNoticed) {
  const std::vector<std::byte> bytes = encoded(page());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ReadDirReply back;
    Decoder decoder(ConstBytes(bytes).first(size));
    decoder& back;
    EXPECT_FALSE(decoder.finished()) << "size " << size;
  }
}

TEST(Codec, BytesBehindTheMessageAreNoticed) {
  std::vector<std::byte> bytes = encoded(page());
  bytes.push_back(std::byte{0});
  ReadDirReply back;
  Decoder decoder(bytes);
  decoder& back;
  EXPECT_TRUE(decoder.ok());
  EXPECT_FALSE(decoder.finished());
}

TEST(Codec, ACountBeyondTheBytesAllocatesNothing) {
  std::vector<std::byte> bytes = encoded(std::uint32_t{0xffffffff});
  std::vector<DataPiece> pieces;
  Decoder decoder(bytes);
  decoder& pieces;
  EXPECT_FALSE(decoder.ok());
  EXPECT_EQ(pieces.capacity(), 0U);
  std::string text;
  Decoder again(bytes);
  again& text;
  EXPECT_FALSE(again.ok());
  EXPECT_TRUE(text.empty());
}

TEST(Codec, ABooleanIsZeroOrOne) {
  const std::array<std::byte, 1> two = {std::byte{2}};
  bool value = false;
  Decoder decoder{ConstBytes(two)};
  decoder& value;
  EXPECT_FALSE(decoder.ok());
}

TEST(Codec, AnEncoderThatIsFullSaysSoAndWritesNothingBehind) {
  std::array<std::byte, 8> room{};
  room.back() = std::byte{0x55};
  Encoder encoder(Bytes(room).first(7));
  encoder& std::uint32_t{1} & std::uint32_t{2};
  EXPECT_FALSE(encoder.ok());
  EXPECT_EQ(room.back(), std::byte{0x55});
}

TEST(Codec, RandomBytesNeverCrashADecoder) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    std::vector<std::byte> bytes(random() % 300);
    for (std::byte& b : bytes) {
      // Small values make counts that fit, so that decoding goes deep.
      b = static_cast<std::byte>(random() % 2 == 0 ? random() % 4 : random());
    }
    const auto try_decode = [&bytes](auto message) {
      Decoder decoder(bytes);
      decoder& message;
    };
    try_decode(ReadDirReply{});
    try_decode(OpenRequest{});
    try_decode(RenameRequest{});
    try_decode(ReadRequest{});
    try_decode(StatusReply{});
  }
}

TEST(FixedHeader, RoundTripsAndRefusesWhatIsWrong) {
  FixedHeader fixed;
  fixed.op = Op::kOpen;
  fixed.request = RequestId{9};
  fixed.time_ns = 0x0102030405060708;
  std::vector<std::byte> bytes = encoded(fixed);
  ASSERT_EQ(bytes.size(), kFixedHeaderBytes);
  const auto back = decode_fixed_header(bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->request, RequestId{9});
  EXPECT_EQ(back->time_ns, 0x0102030405060708U);

  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_fixed_header(ConstBytes(bytes).first(size)).has_value());
  }
  const auto refused = [&fixed](auto change) {
    FixedHeader wrong = fixed;
    change(wrong);
    return !decode_fixed_header(encoded(wrong)).has_value();
  };
  EXPECT_TRUE(refused([](FixedHeader& h) { h.magic = 1; }));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.version = 99; }));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.flags = 0x80; }));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.body_bytes = 1; }));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.status = 5; }));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.flags = kIsReply, h.status = kErrcLast + 1; }));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.flags = kNotBegun; }));
  EXPECT_FALSE(refused([](FixedHeader& h) { h.flags = kIsReply | kNotBegun; }));
  const auto with_operation = [&](std::uint64_t number, std::uint64_t answered_below) {
    return !refused([=](FixedHeader& h) { h.operation = {number, answered_below}; });
  };
  EXPECT_TRUE(with_operation(5, 5));
  EXPECT_TRUE(with_operation(5, 1));
  EXPECT_FALSE(with_operation(5, 0));
  EXPECT_FALSE(with_operation(5, 6));
  EXPECT_FALSE(with_operation(0, 1));
  EXPECT_TRUE(refused([](FixedHeader& h) { h.flags = kIsReply, h.operation = {5, 5}; }));
}

TEST(FixedHeader, AnUnknownOperationIsLeftToTheDispatcher) {
  FixedHeader fixed;
  fixed.op = static_cast<Op>(60000);
  EXPECT_TRUE(decode_fixed_header(encoded(fixed)).has_value());
  EXPECT_EQ(name_of(fixed.op), "unknown");
  EXPECT_EQ(name_of(Op::kRemoveData), "remove_data");
}

TEST(FixedHeader, AFullListOfPiecesFitsOneHeader) {
  WriteRequest request;
  request.pieces.resize(kPiecesMax);
  EXPECT_LE(encoded(request).size() + kFixedHeaderBytes, kHeaderBytesMax);
}

TEST(Names, OnlyRealComponentsAreValid) {
  EXPECT_TRUE(is_valid_name("a"));
  EXPECT_TRUE(is_valid_name(std::string(255, 'x')));
  EXPECT_TRUE(is_valid_name("\xff\n"));
  EXPECT_FALSE(is_valid_name(""));
  EXPECT_FALSE(is_valid_name("."));
  EXPECT_FALSE(is_valid_name(".."));
  EXPECT_FALSE(is_valid_name("a/b"));
  EXPECT_FALSE(is_valid_name(std::string("a\0b", 3)));
  EXPECT_FALSE(is_valid_name(std::string(256, 'x')));
}

}  // namespace
}  // namespace benchfs::wire
