#pragma once

// The records of the store: their bytes are in README.md. Bodies come from a drive and are not
// trusted: decode_*() refuses, with kCorrupt, what cannot be.
//
// Threading: none; pure functions.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "journal/participant.h"
#include "store/block_allocator.h"
#include "store/chunk_store.h"
#include "store/extent_index.h"

namespace benchfs::store {

inline constexpr journal::RecordKind kWriteRecord{1};     ///< Data in blocks of the store.
inline constexpr journal::RecordKind kInlineRecord{2};    ///< Data in the record itself.
inline constexpr journal::RecordKind kTruncateRecord{3};  ///< Bytes behind a size are gone.
inline constexpr journal::RecordKind kRemoveRecord{4};    ///< A file is gone.
inline constexpr journal::RecordKind kExtentsRecord{5};   ///< Some extents; in snapshots only.
inline constexpr journal::RecordKind kMovedRecord{6};     ///< Data that lie somewhere else now.

/// Data of one write that goes into its record: one write of the drive instead of two. Larger ones
/// cost more as a second copy, when they are moved into blocks, than the second write does.
inline constexpr std::size_t kInlineBytesMax = 8 * kKiB;

/// Blocks whose checksums one record of extents holds, and extents. Small beside a chunk of a
/// snapshot, so that little is lost at its end.
inline constexpr std::uint64_t kExtentsRecordBlocksMax = 1024;
inline constexpr std::size_t kExtentsRecordExtentsMax = 64;
static_assert(16 + kExtentsRecordExtentsMax * 24 + 4 * kExtentsRecordBlocksMax +
                      kExtentsRecordExtentsMax * 4 <=
                  journal::kSnapshotRecordBytesMax,
              "a record of extents fits a snapshot");

struct WriteBody {
  InodeId file{};
  std::vector<Piece> pieces;
  BlockRuns runs;
  std::vector<std::uint32_t> checksums;  ///< Of the blocks of `runs`, in order.
};

struct InlineBody {
  InodeId file{};
  std::vector<Piece> pieces;
  ConstBytes data;  ///< In the record.
};

struct TruncateBody {
  InodeId file{};
  std::uint64_t size_bytes = 0;
};

struct RemoveBody {
  InodeId file{};
};

struct ExtentsBody {
  InodeId file{};
  std::vector<Extent> extents;
  std::vector<std::uint32_t>
      checksums;  ///< Of all blocks of each extent, one extent after another.
};

/// Blocks that an extent uses, as a whole or in part.
constexpr BlockRun blocks_of(const Extent& extent) noexcept {
  const std::uint64_t first = extent.device_bytes / kBlockBytes;
  return {.first = first,
          .count = (extent.device_bytes + extent.size_bytes - 1) / kBlockBytes - first + 1};
}

/// The parts of a body, one behind the other; they borrow what they were made of.
struct BodyParts {
  std::array<std::uint64_t, 3> head{};
  std::array<ConstBytes, 4> parts;
};

void encode_write(InodeId file, std::span<const Piece> pieces, const BlockRuns& runs,
                  std::span<const std::uint32_t> checksums, BodyParts& out) noexcept;
void encode_inline(InodeId file, std::span<const Piece> pieces, ConstBytes data,
                   BodyParts& out) noexcept;
void encode_truncate(InodeId file, std::uint64_t size_bytes, BodyParts& out) noexcept;
void encode_remove(InodeId file, BodyParts& out) noexcept;
/// Into `out`, which is emptied before.
void encode_extents(InodeId file, std::span<const Extent> extents,
                    std::span<const std::uint32_t> checksums, std::vector<std::byte>& out);

/// The most that the body of a write takes.
std::size_t write_body_bytes_max(std::size_t piece_count, std::uint64_t block_count) noexcept;
std::size_t inline_body_bytes(std::size_t piece_count, std::size_t size_bytes) noexcept;
std::size_t moved_body_bytes_max(std::size_t extent_count, std::uint64_t block_count) noexcept;
inline constexpr std::size_t kTruncateBodyBytes = 16;
inline constexpr std::size_t kRemoveBodyBytes = 8;

Result<WriteBody> decode_write(ConstBytes body);
Result<InlineBody> decode_inline(ConstBytes body);
Result<TruncateBody> decode_truncate(ConstBytes body);
Result<RemoveBody> decode_remove(ConstBytes body);
Result<ExtentsBody> decode_extents(ConstBytes body);

}  // namespace benchfs::store
