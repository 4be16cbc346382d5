// What the journal keeps on the drive: anchors, batches of the log, chunks of snapshots, and the
// records in both. What decodes can be written and decodes to the same; no record reaches beyond
// the bytes that hold it, and all of them together are those bytes.
//
// Input: choice 1 (0 anchor, 1 batch, 2 chunk, 3 dropped run; 4 more: the checksum becomes the
// right one), bytes.

#include "fuzz/fuzz.h"
#include "journal/checksum.h"
#include "journal/format.h"

namespace benchfs::fuzz {
namespace {

constexpr std::size_t kAnchorChecksumAt = kBlockBytes - 4;

Verdict check_anchor(Buffer block, bool seal) {
  if (seal) {
    block.resize(kBlockBytes);
    put(block, kAnchorChecksumAt, journal::crc32c(ConstBytes(block).first(kAnchorChecksumAt)), 4);
  }
  const auto anchor = journal::decode_anchor(block);
  if (!anchor.has_value()) {
    const Errc code = anchor.error().code;
    FUZZ_CHECK(code == Errc::kProtocol || code == Errc::kUnsupported || code == Errc::kCorrupt);
    return Verdict::kRefused;
  }
  FUZZ_CHECK((anchor->snapshot_block == 0) == (anchor->snapshot_chunks == 0));
  Buffer again(kBlockBytes);
  journal::encode(*anchor, again);
  FUZZ_CHECK(equal(again, block));
  return Verdict::kAccepted;
}

/// Walks the records behind a header as recovery does, and writes them again.
Verdict check_records(ConstBytes bytes) {
  Buffer again(bytes.begin(), bytes.begin() + journal::kHeaderBytes);
  journal::RecordReader reader(bytes);
  while (true) {
    const auto next = reader.next();
    if (!next.has_value()) {
      FUZZ_CHECK(next.error().code == Errc::kCorrupt);
      return Verdict::kRefused;
    }
    if (!next->has_value()) {
      break;
    }
    const journal::RecordView record = **next;
    const auto header =
        journal::encode_record_header(record.kind, static_cast<std::uint32_t>(record.body.size()));
    again.insert(again.end(), header.begin(), header.end());
    FUZZ_CHECK(record.body_at == again.size());
    again.insert(again.end(), record.body.begin(), record.body.end());
    FUZZ_CHECK(again.size() <= bytes.size());
  }
  FUZZ_CHECK(equal(again, bytes));
  return Verdict::kAccepted;
}

template <typename Header, typename Decode>
Verdict check_part(Buffer bytes, bool seal, Decode decode) {
  auto header = decode(bytes);
  if (!header.has_value()) {
    return Verdict::kRefused;
  }
  FUZZ_CHECK(header->bytes >= journal::kHeaderBytes && header->blocks > 0);
  FUZZ_CHECK(header->bytes <= std::uint64_t{header->blocks} * kBlockBytes);
  Buffer again(journal::kHeaderBytes);
  journal::encode(*header, again);
  const std::optional<Header> decoded = decode(again);
  FUZZ_CHECK(decoded.has_value() && *decoded == *header);
  if (seal && header->bytes <= bytes.size()) {
    const ConstBytes summed = ConstBytes(bytes).first(header->bytes);
    header->checksum = journal::crc32c(summed.subspan(journal::kChecksummedFrom));
    journal::put_checksum(bytes, header->checksum);
  }
  if (!journal::checksum_fits(bytes, header->checksum, header->bytes)) {
    return Verdict::kRefused;
  }
  if (!journal::is_canonical(*header, bytes)) {
    return Verdict::kRefused;
  }
  journal::encode(*header, again);
  FUZZ_CHECK(equal(again, ConstBytes(bytes).first(journal::kHeaderBytes)));
  return check_records(ConstBytes(bytes).first(header->bytes));
}

Verdict check_dropped_run(ConstBytes bytes) {
  if (bytes.size() != journal::kDroppedRunBytes) {
    return Verdict::kRefused;
  }
  const auto run = journal::decode_dropped_run(bytes);
  if (!run.has_value()) {
    FUZZ_CHECK(run.error().code == Errc::kCorrupt);
    return Verdict::kRefused;
  }
  Buffer again(journal::kDroppedRunBytes);
  journal::encode(*run, again);
  FUZZ_CHECK(equal(again, bytes));
  return Verdict::kAccepted;
}

template <typename Header>
Buffer with_records(Header header) {
  Buffer bytes(journal::kHeaderBytes);
  for (const std::uint32_t body_bytes : {0U, 5U, 40U}) {
    const auto record =
        journal::encode_record_header(static_cast<std::uint16_t>(7 + body_bytes), body_bytes);
    bytes.insert(bytes.end(), record.begin(), record.end());
    bytes.resize(bytes.size() + body_bytes, std::byte{0x66});
  }
  header.bytes = static_cast<std::uint32_t>(bytes.size());
  header.blocks = 1;
  journal::encode(header, bytes);
  journal::put_checksum(bytes,
                        journal::crc32c(ConstBytes(bytes).subspan(journal::kChecksummedFrom)));
  return bytes;
}

}  // namespace

Verdict run_one(ConstBytes input_bytes) {
  Input input(input_bytes);
  const std::uint8_t choice = input.take_byte();
  const bool seal = (choice & 4U) != 0;
  Buffer bytes(input.rest().begin(), input.rest().end());
  switch (choice & 3U) {
    case 0:
      return check_anchor(std::move(bytes), seal);
    case 1:
      return check_part<journal::BatchHeader>(std::move(bytes), seal, journal::decode_batch_header);
    case 2:
      return check_part<journal::ChunkHeader>(std::move(bytes), seal, journal::decode_chunk_header);
    default:
      return check_dropped_run(bytes);
  }
}

std::vector<Seed> seeds() {
  Buffer anchor(kBlockBytes);
  journal::encode(journal::Anchor{.store_id = 1,
                                  .sequence = 2,
                                  .incarnation = 3,
                                  .ring_blocks = 256,
                                  .log_begin = 5,
                                  .snapshot_block = 300,
                                  .snapshot_chunks = 2,
                                  .log_incarnation = 3,
                                  .durable_position = 6,
                                  .power_era = 2,
                                  .boot = {{std::byte{7}}}},
                  anchor);
  const Buffer batch = with_records(
      journal::BatchHeader{.store_id = 1, .incarnation = 3, .position = 5, .durable_position = 4});
  const Buffer chunk = with_records(
      journal::ChunkHeader{.store_id = 1, .sequence = 3, .number = 0, .next_block = 310});
  Buffer run(journal::kDroppedRunBytes);
  journal::encode(journal::DroppedRun{.position = 5, .first = 1, .count = 2}, run);
  return {{"anchor", with_choice(0, anchor)},
          {"anchor_sealed", with_choice(4, ConstBytes(anchor).first(112))},
          {"batch", with_choice(1, batch)},
          {"batch_sealed", with_choice(5, batch)},
          {"chunk", with_choice(2, chunk)},
          {"chunk_sealed", with_choice(6, chunk)},
          {"dropped_run", with_choice(3, run)}};
}

}  // namespace benchfs::fuzz
