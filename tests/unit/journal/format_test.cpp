// Goal: the bytes of the journal are those of its README, and bytes that are not what was written
// are refused with the right error, never believed and never read beyond their end.
// Method: encoded structures compared with literal offsets; each byte of them spoiled; decoders fed
// with every length and with random bytes, under the sanitizers too.

#include "journal/format.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "journal/batch.h"
#include "journal/checksum.h"
#include "journal/log_ring.h"

namespace benchfs::journal {
namespace {

constexpr Anchor kAnchor = {.store_id = 0x1122334455667788,
                            .sequence = 5,
                            .incarnation = 3,
                            .ring_blocks = 256,
                            .log_begin = 1000,
                            .snapshot_block = 300,
                            .snapshot_chunks = 2,
                            .log_incarnation = 2,
                            .durable_position = 1007,
                            .power_era = 2,
                            .boot = {{std::byte{0xB0}, std::byte{0xB1}}}};

using Block = std::array<std::byte, kBlockBytes>;

Block encoded(const Anchor& anchor) {
  Block block;
  encode(anchor, block);
  return block;
}

std::uint64_t number_at(ConstBytes bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}

TEST(Anchor, LiesOnTheDriveAsDocumented) {
  const Block block = encoded(kAnchor);
  EXPECT_EQ(std::memcmp(block.data(), "BENCHFSA", 8), 0);
  EXPECT_EQ(number_at(block, 8, 4), 3U);
  EXPECT_EQ(number_at(block, 12, 4), 0U);
  EXPECT_EQ(number_at(block, 16, 8), kAnchor.store_id);
  EXPECT_EQ(number_at(block, 24, 8), 5U);
  EXPECT_EQ(number_at(block, 32, 8), 3U);
  EXPECT_EQ(number_at(block, 40, 8), 256U);
  EXPECT_EQ(number_at(block, 48, 8), 1000U);
  EXPECT_EQ(number_at(block, 56, 8), 300U);
  EXPECT_EQ(number_at(block, 64, 8), 2U);
  EXPECT_EQ(number_at(block, 72, 8), 2U);
  EXPECT_EQ(number_at(block, 80, 8), 1007U);
  EXPECT_EQ(number_at(block, 88, 8), 2U);
  EXPECT_EQ(number_at(block, 96, 8), 0xB1B0U);
  EXPECT_EQ(number_at(block, 4092, 4), crc32c(ConstBytes(block).first(4092)));
  for (std::size_t i = 104; i < 4092; ++i) {
    ASSERT_EQ(block[i], std::byte{0});
  }
  EXPECT_EQ(decode_anchor(block).value(), kAnchor);
}

TEST(Anchor, IsRefusedWhateverByteOfItHasChanged) {
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    Block block = encoded(kAnchor);
    block[i] ^= std::byte{0x40};
    const Result<Anchor> got = decode_anchor(block);
    ASSERT_FALSE(got.has_value()) << i;
    const Errc expected = i < 8 ? Errc::kProtocol : i < 12 ? Errc::kUnsupported : Errc::kCorrupt;
    EXPECT_EQ(got.error().code, expected) << i;
  }
}

TEST(Anchor, IsRefusedAtEveryOtherLength) {
  const Block block = encoded(kAnchor);
  for (std::size_t size = 0; size < kBlockBytes; ++size) {
    const std::vector<std::byte> part(block.begin(),
                                      block.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<Anchor> got = decode_anchor(part);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, size < 8 ? Errc::kProtocol : Errc::kCorrupt);
  }
}

TEST(Anchor, IsRefusedIfItNamesASnapshotWithoutChunks) {
  Anchor anchor = kAnchor;
  anchor.snapshot_chunks = 0;
  EXPECT_EQ(decode_anchor(encoded(anchor)).error().code, Errc::kCorrupt);
}

TEST(Anchor, IsRefusedIfItHasSomethingWhereThisVersionHasNothing) {
  for (std::size_t i = 12; i < 4092; i += i == 15 ? 97 : 1) {
    Block block = encoded(kAnchor);
    block[i] = std::byte{1};
    const std::uint32_t checksum = crc32c(ConstBytes(block).first(4092));
    std::memcpy(block.data() + 4092, &checksum, sizeof(checksum));
    ASSERT_EQ(decode_anchor(block).error().code, Errc::kUnsupported) << i;
  }
}

TEST(Anchor, IsRefusedIfWhatIsDurableEndsBeforeTheLogBegins) {
  Anchor anchor = kAnchor;
  anchor.durable_position = anchor.log_begin - 1;
  EXPECT_EQ(decode_anchor(encoded(anchor)).error().code, Errc::kCorrupt);
}

TEST(BatchHeader, LiesOnTheDriveAsDocumented) {
  std::array<std::byte, kHeaderBytes> bytes;
  encode(BatchHeader{.checksum = 9,
                     .bytes = 100,
                     .blocks = 1,
                     .store_id = 8,
                     .incarnation = 7,
                     .position = 6,
                     .durable_position = 5},
         bytes);
  EXPECT_EQ(std::memcmp(bytes.data(), "BLOG", 4), 0);
  EXPECT_EQ(number_at(bytes, 4, 4), 9U);
  EXPECT_EQ(number_at(bytes, 8, 4), 100U);
  EXPECT_EQ(number_at(bytes, 12, 4), 1U);
  EXPECT_EQ(number_at(bytes, 16, 8), 8U);
  EXPECT_EQ(number_at(bytes, 24, 8), 7U);
  EXPECT_EQ(number_at(bytes, 32, 8), 6U);
  EXPECT_EQ(number_at(bytes, 40, 8), 5U);
  EXPECT_EQ(number_at(bytes, 48, 8), 0U);
  EXPECT_EQ(number_at(bytes, 56, 8), 0U);
}

TEST(BatchHeader, IsNoneIfItsLengthsCannotBe) {
  struct Case {
    std::uint32_t bytes;
    std::uint32_t blocks;
    bool valid;
  };
  for (const Case& wanted : {Case{64, 1, true}, Case{4096, 1, true}, Case{4097, 1, false},
                             Case{63, 1, false}, Case{0, 1, false}, Case{64, 0, false},
                             Case{64, UINT32_MAX, true}, Case{UINT32_MAX, 1, false}}) {
    std::array<std::byte, kHeaderBytes> bytes;
    encode(BatchHeader{.bytes = wanted.bytes, .blocks = wanted.blocks}, bytes);
    EXPECT_EQ(decode_batch_header(bytes).has_value(), wanted.valid)
        << wanted.bytes << " in " << wanted.blocks;
    EXPECT_FALSE(decode_batch_header(ConstBytes(bytes).first(63)).has_value());
    EXPECT_FALSE(decode_chunk_header(bytes).has_value());
  }
}

TEST(ChunkHeader, ComesBackAsItWasAndIsBounded) {
  ChunkHeader header = {.checksum = 1,
                        .bytes = 5000,
                        .blocks = 2,
                        .store_id = 3,
                        .sequence = 4,
                        .number = 5,
                        .next_block = 6};
  std::array<std::byte, kHeaderBytes> bytes;
  encode(header, bytes);
  EXPECT_EQ(std::memcmp(bytes.data(), "BSNP", 4), 0);
  EXPECT_EQ(decode_chunk_header(bytes), header);
  header.blocks = kChunkBlocksMax + 1;
  encode(header, bytes);
  EXPECT_EQ(decode_chunk_header(bytes), std::nullopt);
}

TEST(Records, AreReadBackFromASealedBatchOfSeveralPieces) {
  Batch batch;
  std::vector<std::string> bodies;
  std::vector<RecordPlace> places(40);
  for (std::size_t i = 0; i < places.size(); ++i) {
    bodies.emplace_back(i * 5003, static_cast<char>('a' + i % 26));
    const std::span<const char> body(bodies.back());
    const ConstBytes parts[] = {std::as_bytes(body.first(body.size() / 3)),
                                std::as_bytes(body.subspan(body.size() / 3))};
    batch.append(RecordKind{static_cast<std::uint16_t>(i + 1)}, parts, &places[i]);
  }
  batch.seal({.store_id = 1, .incarnation = 2, .position = 3, .durable_position = 1}, 8192);
  ASSERT_GT(batch.piece_count(), 2U);
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < batch.piece_count(); ++i) {
    const ConstBytes piece = batch.piece(i);
    EXPECT_EQ(piece.size() % kBlockBytes, 0U);
    EXPECT_LE(piece.size(), kPieceBytes);
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  }
  const std::optional<BatchHeader> header = decode_batch_header(bytes);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->blocks * kBlockBytes, bytes.size());
  EXPECT_EQ(header->position, 3U);
  ASSERT_TRUE(checksum_fits(bytes, header->checksum, header->bytes));
  RecordReader reader(ConstBytes(bytes).first(header->bytes));
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const Result<std::optional<RecordView>> record = reader.next();
    ASSERT_TRUE(record.has_value() && record->has_value());
    EXPECT_EQ((*record)->kind, i + 1);
    ASSERT_EQ((*record)->body.size(), bodies[i].size());
    EXPECT_EQ(std::memcmp((*record)->body.data(), bodies[i].data(), bodies[i].size()), 0);
    EXPECT_EQ(places[i].body_device_bytes, 8192 + (*record)->body_at);
  }
  EXPECT_FALSE(reader.next().value().has_value());
}

TEST(Records, WithALengthThatCannotBeAreRefused) {
  std::vector<std::byte> bytes(kHeaderBytes);
  const auto add = [&bytes](std::uint32_t size) {
    const RecordHeaderBytes header = encode_record_header(1, size);
    bytes.insert(bytes.end(), header.begin(), header.end());
  };
  add(0);
  add(1);  // Its body is missing.
  RecordReader short_body(bytes);
  EXPECT_TRUE(short_body.next().value().has_value());
  EXPECT_EQ(short_body.next().error().code, Errc::kCorrupt);
  for (std::size_t cut = 1; cut < kRecordHeaderBytes; ++cut) {
    RecordReader reader(ConstBytes(bytes).first(kHeaderBytes + kRecordHeaderBytes + cut));
    EXPECT_TRUE(reader.next().value().has_value());
    EXPECT_EQ(reader.next().error().code, Errc::kCorrupt);
  }
  bytes.resize(kHeaderBytes);
  add(UINT32_MAX);
  EXPECT_EQ(RecordReader(bytes).next().error().code, Errc::kCorrupt);
  bytes.resize(kHeaderBytes);
  add(0);
  bytes[kHeaderBytes + 2] = std::byte{1};  // What is zero in this version.
  EXPECT_EQ(RecordReader(bytes).next().error().code, Errc::kCorrupt);
}

TEST(Records, OfRandomBytesEndOrAreRefused) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes(random() % 300);
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(random() % 8 == 0 ? random() : 0);
    }
    RecordReader reader(bytes);
    for (std::size_t count = 0;; ++count) {
      ASSERT_LT(count, 300U);
      const Result<std::optional<RecordView>> record = reader.next();
      if (!record.has_value() || !record->has_value()) {
        break;
      }
      EXPECT_LE((*record)->body_at + (*record)->body.size(), bytes.size());
    }
    decode_batch_header(bytes);
    decode_chunk_header(bytes);
    EXPECT_FALSE(decode_anchor(bytes).has_value());
  }
}

TEST(DroppedRun, ComesBackAsItWas) {
  DroppedRun run = {.position = UINT64_MAX - 1, .first = 7, .count = UINT32_MAX - 6};
  std::array<std::byte, kDroppedRunBytes> bytes;
  encode(run, bytes);
  EXPECT_EQ(decode_dropped_run(bytes).value(), run);
  for (const std::uint32_t count : {std::uint32_t{0}, UINT32_MAX - 5, UINT32_MAX}) {
    run.count = count;
    encode(run, bytes);
    EXPECT_EQ(decode_dropped_run(bytes).error().code, Errc::kCorrupt) << count;
  }
}

TEST(IsCanonical, KnowsNothingWhereNothingIsAndNoMoreBlocksThanBytesNeed) {
  std::array<std::byte, kHeaderBytes> bytes;
  const auto batch = [&bytes](std::uint32_t size, std::uint32_t blocks) {
    const BatchHeader header = {.bytes = size, .blocks = blocks};
    encode(header, bytes);
    return is_canonical(header, bytes);
  };
  EXPECT_TRUE(batch(65, 1) && batch(4096, 1) && batch(4097, 2));
  EXPECT_TRUE(batch(kHeaderBytes, 7)) << "fills up the end of the ring";
  EXPECT_FALSE(batch(65, 2) || batch(4096, 2) || batch(4097, 3));
  ChunkHeader chunk = {.bytes = 64, .blocks = 2};
  encode(chunk, bytes);
  EXPECT_FALSE(is_canonical(chunk, bytes));
  chunk.blocks = 1;
  for (std::size_t i = 0; i < kHeaderBytes; ++i) {
    encode(chunk, bytes);
    EXPECT_TRUE(is_canonical(chunk, bytes));
    bytes[i] ^= std::byte{1};
    EXPECT_EQ(is_canonical(chunk, bytes), i < 48) << i;
  }
}

TEST(LogRing, NeverOverflowsHoweverWhatWasAdmittedIsCutIntoBatches) {
  std::mt19937_64 random(2);
  for (int story = 0; story < 2000; ++story) {
    LogRing ring(16 + random() % 50);
    const std::uint64_t start = random() % 1000;
    ring.reset(start, start);
    std::uint64_t pending = 0;
    for (int step = 0; step < 200; ++step) {
      const std::uint64_t wanted = 1 + random() % 6;
      if (ring.fits(pending + wanted, 0)) {
        pending += wanted;
      } else if (pending > 0 && random() % 2 == 0) {
        const std::uint64_t batch = 1 + random() % pending;
        const std::uint64_t position = ring.take(batch);  // Asserts that there is room.
        EXPECT_LE(position % ring.blocks() + batch, ring.blocks());
        pending -= batch;
      } else if (ring.used() > 0) {
        ring.give_up(ring.begin() + 1 + random() % ring.used());
      }
    }
  }
}

TEST(LogRing, CountsBlocksThatAreEnoughForRecordsApartAndTogether) {
  EXPECT_EQ(blocks_for(0, 1), 1U);
  EXPECT_EQ(blocks_for(4096 - 72 - 1, 1), 1U);
  EXPECT_GE(blocks_for(4096, 1), 2U);
  EXPECT_GE(blocks_for(10, 3), 3U);
  EXPECT_GT(blocks_for(UINT64_MAX, 1), std::uint64_t{1} << 40U);
  EXPECT_GT(blocks_for(UINT64_MAX, UINT32_MAX), std::uint64_t{1} << 40U);
}

}  // namespace
}  // namespace benchfs::journal
