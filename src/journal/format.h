#pragma once

// The bytes of the journal: what they are is in README.md. Pure functions over bytes that nobody
// vouches for.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace benchfs::journal {

inline constexpr std::uint32_t kAnchorVersion = 3;
inline constexpr std::size_t kHeaderBytes = 64;       ///< Of a batch and of a chunk.
inline constexpr std::size_t kRecordHeaderBytes = 8;  ///< Of a record.
inline constexpr std::uint64_t kChunkBlocksMax = 256;

/// The kernel's boot id; all zero: not known.
struct BootId {
  std::array<std::byte, 16> bytes{};

  bool is_known() const noexcept { return *this != BootId{}; }
  friend bool operator==(const BootId&, const BootId&) = default;
};

struct Anchor {
  std::uint64_t store_id = 0;
  std::uint64_t sequence = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t ring_blocks = 0;
  std::uint64_t log_begin = 0;
  std::uint64_t snapshot_block = 0;  ///< 0: there is none.
  std::uint64_t snapshot_chunks = 0;
  std::uint64_t log_incarnation = 0;  ///< The lowest that a batch of the log can have.
  /// Positions below it are on the drive, and recovery asks nobody about their records.
  std::uint64_t durable_position = 0;
  /// The first incarnation of this power era: since then the machine has not been without power.
  std::uint64_t power_era = 0;
  BootId boot;  ///< In which the incarnation runs.

  friend bool operator==(const Anchor&, const Anchor&) = default;
};

/// Fills `block`, of kBlockBytes.
void encode(const Anchor& anchor, Bytes block) noexcept;

/// kProtocol: not an anchor at all. kUnsupported: of another version, or with something where this
/// one has nothing. kCorrupt: too short, changed, or with contents that cannot be.
Result<Anchor> decode_anchor(ConstBytes block) noexcept;

struct BatchHeader {
  std::uint32_t checksum = 0;
  std::uint32_t bytes = 0;
  std::uint32_t blocks = 0;
  std::uint64_t store_id = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t position = 0;
  std::uint64_t durable_position = 0;

  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

/// Fills the first kHeaderBytes of `bytes`. The checksum is written as it is given; it is over
/// what lies from kChecksummedFrom on.
void encode(const BatchHeader& header, Bytes bytes) noexcept;

inline constexpr std::size_t kChecksummedFrom = 8;
void put_checksum(Bytes bytes, std::uint32_t checksum) noexcept;

/// The header alone; nullopt if it is none, or one whose lengths cannot be. The checksum has not
/// been looked at.
std::optional<BatchHeader> decode_batch_header(ConstBytes bytes) noexcept;

struct ChunkHeader {
  std::uint32_t checksum = 0;
  std::uint32_t bytes = 0;
  std::uint32_t blocks = 0;
  std::uint64_t store_id = 0;
  std::uint64_t sequence = 0;
  std::uint64_t number = 0;
  std::uint64_t next_block = 0;

  friend bool operator==(const ChunkHeader&, const ChunkHeader&) = default;
};

void encode(const ChunkHeader& header, Bytes bytes) noexcept;
std::optional<ChunkHeader> decode_chunk_header(ConstBytes bytes) noexcept;

/// Whether a batch or chunk, whose checksum is right, has no more blocks than its bytes need (a
/// batch without records has as many as it fills up), and nothing where this version has nothing.
bool is_canonical(const BatchHeader& header, ConstBytes bytes) noexcept;
bool is_canonical(const ChunkHeader& header, ConstBytes bytes) noexcept;

/// Whether the checksum of a batch or chunk of `size_bytes`, as its header says, is right. `bytes`
/// may be longer or shorter.
bool checksum_fits(ConstBytes bytes, std::uint32_t checksum, std::size_t size_bytes) noexcept;

using RecordHeaderBytes = std::array<std::byte, kRecordHeaderBytes>;
RecordHeaderBytes encode_record_header(std::uint16_t kind, std::uint32_t body_bytes) noexcept;

/// A record where it lies.
struct RecordView {
  std::uint16_t kind = 0;
  std::size_t body_at = 0;  ///< From the start of the batch or chunk.
  ConstBytes body;
};

/// The record that begins at `at`; nullopt if `bytes` end before it does. kCorrupt: something where
/// a record has zero.
Result<std::optional<RecordView>> record_at(ConstBytes bytes, std::size_t at) noexcept;

/// The records of a batch, one after the other.
class RecordReader {
 public:
  /// `bytes` reach from the header to the end of the last record.
  explicit RecordReader(ConstBytes bytes) noexcept : bytes_(bytes) {}
  /// nullopt: that was the last. kCorrupt: a length that cannot be.
  Result<std::optional<RecordView>> next() noexcept;

 private:
  ConstBytes bytes_;
  std::size_t at_ = kHeaderBytes;
};

/// Records that recovery has dropped for good: `count` of one batch, from number `first` on.
struct DroppedRun {
  std::uint64_t position = 0;  ///< Of the batch.
  std::uint32_t first = 0;
  std::uint32_t count = 0;

  friend bool operator==(const DroppedRun&, const DroppedRun&) = default;
};

inline constexpr std::size_t kDroppedRunBytes = 16;
void encode(const DroppedRun& run, Bytes bytes) noexcept;
/// `bytes` are kDroppedRunBytes. kCorrupt: no record, or more than can be numbered.
Result<DroppedRun> decode_dropped_run(ConstBytes bytes) noexcept;

}  // namespace benchfs::journal
