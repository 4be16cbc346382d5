#include "journal/format.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "journal/checksum.h"

namespace benchfs::journal {
namespace {

using Magic8 = std::array<char, 8>;
using Magic4 = std::array<char, 4>;
constexpr Magic8 kAnchorMagic = {'B', 'E', 'N', 'C', 'H', 'F', 'S', 'A'};
constexpr Magic4 kBatchMagic = {'B', 'L', 'O', 'G'};
constexpr Magic4 kChunkMagic = {'B', 'S', 'N', 'P'};
constexpr std::size_t kAnchorChecksumAt = kBlockBytes - 4;
constexpr std::size_t kAnchorEnd = 112;  ///< Of its fields.
constexpr std::size_t kHeaderEnd = 48;   ///< Of those of a batch or chunk.

template <typename Integer>
void put(Bytes bytes, std::size_t at, Integer value) noexcept {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

template <typename Integer>
Integer get(ConstBytes bytes, std::size_t at) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  return static_cast<Integer>(value);
}

template <typename Magic>
bool begins_with(ConstBytes bytes, const Magic& magic) noexcept {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

bool are_zero(ConstBytes bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

std::uint64_t blocks_of(std::uint64_t bytes) noexcept {
  return (bytes + kBlockBytes - 1) / kBlockBytes;
}

/// Batches and chunks agree in their first 48 bytes but for the meaning of the last three words.
struct Common {
  std::uint32_t checksum;
  std::uint32_t bytes;
  std::uint32_t blocks;
  std::array<std::uint64_t, 4> words;
};

void encode_common(const Magic4& magic, const Common& common, Bytes bytes) noexcept {
  BENCHFS_ASSERT(bytes.size() >= kHeaderBytes);
  std::memset(bytes.data(), 0, kHeaderBytes);
  std::memcpy(bytes.data(), magic.data(), magic.size());
  put(bytes, 4, common.checksum);
  put(bytes, 8, common.bytes);
  put(bytes, 12, common.blocks);
  for (std::size_t i = 0; i < common.words.size(); ++i) {
    put(bytes, 16 + 8 * i, common.words[i]);
  }
}

std::optional<Common> decode_common(const Magic4& magic, ConstBytes bytes) noexcept {
  if (bytes.size() < kHeaderBytes || !begins_with(bytes, magic)) {
    return std::nullopt;
  }
  Common common{};
  common.checksum = get<std::uint32_t>(bytes, 4);
  common.bytes = get<std::uint32_t>(bytes, 8);
  common.blocks = get<std::uint32_t>(bytes, 12);
  for (std::size_t i = 0; i < common.words.size(); ++i) {
    common.words[i] = get<std::uint64_t>(bytes, 16 + 8 * i);
  }
  if (common.blocks == 0 || common.bytes < kHeaderBytes ||
      common.bytes > std::uint64_t{common.blocks} * kBlockBytes) {
    return std::nullopt;
  }
  return common;
}

}  // namespace

void encode(const Anchor& anchor, Bytes block) noexcept {
  BENCHFS_ASSERT(block.size() == kBlockBytes);
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data(), kAnchorMagic.data(), kAnchorMagic.size());
  put(block, 8, kAnchorVersion);
  put(block, 16, anchor.store_id);
  put(block, 24, anchor.sequence);
  put(block, 32, anchor.incarnation);
  put(block, 40, anchor.ring_blocks);
  put(block, 48, anchor.log_begin);
  put(block, 56, anchor.snapshot_block);
  put(block, 64, anchor.snapshot_chunks);
  put(block, 72, anchor.log_incarnation);
  put(block, 80, anchor.durable_position);
  put(block, 88, anchor.power_era);
  std::memcpy(block.data() + 96, anchor.boot.bytes.data(), anchor.boot.bytes.size());
  put(block, kAnchorChecksumAt, crc32c(ConstBytes(block).first(kAnchorChecksumAt)));
}

Result<Anchor> decode_anchor(ConstBytes block) noexcept {
  if (!begins_with(block, kAnchorMagic)) {
    return fail(Errc::kProtocol, "anchor.magic");
  }
  if (block.size() < 12) {
    return fail(Errc::kCorrupt, "anchor.size");
  }
  if (get<std::uint32_t>(block, 8) != kAnchorVersion) {
    return fail(Errc::kUnsupported, "anchor.version");
  }
  if (block.size() != kBlockBytes) {
    return fail(Errc::kCorrupt, "anchor.size");
  }
  if (get<std::uint32_t>(block, kAnchorChecksumAt) != crc32c(block.first(kAnchorChecksumAt))) {
    return fail(Errc::kCorrupt, "anchor.checksum");
  }
  Anchor anchor = {
      .store_id = get<std::uint64_t>(block, 16),
      .sequence = get<std::uint64_t>(block, 24),
      .incarnation = get<std::uint64_t>(block, 32),
      .ring_blocks = get<std::uint64_t>(block, 40),
      .log_begin = get<std::uint64_t>(block, 48),
      .snapshot_block = get<std::uint64_t>(block, 56),
      .snapshot_chunks = get<std::uint64_t>(block, 64),
      .log_incarnation = get<std::uint64_t>(block, 72),
      .durable_position = get<std::uint64_t>(block, 80),
      .power_era = get<std::uint64_t>(block, 88),
      .boot = {},
  };
  std::memcpy(anchor.boot.bytes.data(), block.data() + 96, anchor.boot.bytes.size());
  if (get<std::uint32_t>(block, 12) != 0 ||
      !are_zero(block.first(kAnchorChecksumAt).subspan(kAnchorEnd))) {
    return fail(Errc::kUnsupported, "anchor.reserved");
  }
  if (anchor.durable_position < anchor.log_begin) {
    return fail(Errc::kCorrupt, "anchor.durable");
  }
  if ((anchor.snapshot_block == 0) != (anchor.snapshot_chunks == 0)) {
    return fail(Errc::kCorrupt, "anchor.snapshot");
  }
  return anchor;
}

void encode(const BatchHeader& header, Bytes bytes) noexcept {
  encode_common(
      kBatchMagic,
      {.checksum = header.checksum,
       .bytes = header.bytes,
       .blocks = header.blocks,
       .words = {header.store_id, header.incarnation, header.position, header.durable_position}},
      bytes);
}

void put_checksum(Bytes bytes, std::uint32_t checksum) noexcept {
  put(bytes, 4, checksum);
}

std::optional<BatchHeader> decode_batch_header(ConstBytes bytes) noexcept {
  const std::optional<Common> common = decode_common(kBatchMagic, bytes);
  if (!common.has_value()) {
    return std::nullopt;
  }
  return BatchHeader{.checksum = common->checksum,
                     .bytes = common->bytes,
                     .blocks = common->blocks,
                     .store_id = common->words[0],
                     .incarnation = common->words[1],
                     .position = common->words[2],
                     .durable_position = common->words[3]};
}

void encode(const ChunkHeader& header, Bytes bytes) noexcept {
  encode_common(kChunkMagic,
                {.checksum = header.checksum,
                 .bytes = header.bytes,
                 .blocks = header.blocks,
                 .words = {header.store_id, header.sequence, header.number, header.next_block}},
                bytes);
}

std::optional<ChunkHeader> decode_chunk_header(ConstBytes bytes) noexcept {
  const std::optional<Common> common = decode_common(kChunkMagic, bytes);
  if (!common.has_value() || common->blocks > kChunkBlocksMax) {
    return std::nullopt;
  }
  return ChunkHeader{.checksum = common->checksum,
                     .bytes = common->bytes,
                     .blocks = common->blocks,
                     .store_id = common->words[0],
                     .sequence = common->words[1],
                     .number = common->words[2],
                     .next_block = common->words[3]};
}

bool is_canonical(const BatchHeader& header, ConstBytes bytes) noexcept {
  return are_zero(bytes.first(kHeaderBytes).subspan(kHeaderEnd)) &&
         (header.bytes == kHeaderBytes || header.blocks == blocks_of(header.bytes));
}

bool is_canonical(const ChunkHeader& header, ConstBytes bytes) noexcept {
  return are_zero(bytes.first(kHeaderBytes).subspan(kHeaderEnd)) &&
         header.blocks == blocks_of(header.bytes);
}

bool checksum_fits(ConstBytes bytes, std::uint32_t checksum, std::size_t size_bytes) noexcept {
  return size_bytes >= kHeaderBytes && size_bytes <= bytes.size() &&
         crc32c(bytes.first(size_bytes).subspan(kChecksummedFrom)) == checksum;
}

RecordHeaderBytes encode_record_header(std::uint16_t kind, std::uint32_t body_bytes) noexcept {
  RecordHeaderBytes bytes{};
  put(Bytes(bytes), 0, kind);
  put(Bytes(bytes), 4, body_bytes);
  return bytes;
}

Result<std::optional<RecordView>> record_at(ConstBytes bytes, std::size_t at) noexcept {
  if (bytes.size() - at < kRecordHeaderBytes) {
    return std::optional<RecordView>();
  }
  if (get<std::uint16_t>(bytes, at + 2) != 0) {
    return fail(Errc::kCorrupt, "record.zero");
  }
  const std::size_t body_bytes = get<std::uint32_t>(bytes, at + 4);
  const std::size_t body_at = at + kRecordHeaderBytes;
  if (bytes.size() - body_at < body_bytes) {
    return std::optional<RecordView>();
  }
  return std::optional<RecordView>(RecordView{.kind = get<std::uint16_t>(bytes, at),
                                              .body_at = body_at,
                                              .body = bytes.subspan(body_at, body_bytes)});
}

Result<std::optional<RecordView>> RecordReader::next() noexcept {
  if (at_ >= bytes_.size()) {
    return std::optional<RecordView>();
  }
  BENCHFS_TRY(const std::optional<RecordView> record, record_at(bytes_, at_));
  if (!record.has_value()) {
    return fail(Errc::kCorrupt, "record.size");
  }
  at_ = record->body_at + record->body.size();
  return record;
}

void encode(const DroppedRun& run, Bytes bytes) noexcept {
  BENCHFS_ASSERT(bytes.size() == kDroppedRunBytes);
  put(bytes, 0, run.position);
  put(bytes, 8, run.first);
  put(bytes, 12, run.count);
}

Result<DroppedRun> decode_dropped_run(ConstBytes bytes) noexcept {
  BENCHFS_ASSERT(bytes.size() == kDroppedRunBytes);
  const DroppedRun run = {.position = get<std::uint64_t>(bytes, 0),
                          .first = get<std::uint32_t>(bytes, 8),
                          .count = get<std::uint32_t>(bytes, 12)};
  if (run.count == 0 || run.count - 1 > UINT32_MAX - run.first) {
    return fail(Errc::kCorrupt, "dropped.count");
  }
  return run;
}

}  // namespace benchfs::journal
