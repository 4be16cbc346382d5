#pragma once

// One batch in memory, from its first record until it has been written.
//
// Its memory is a list of pieces, so that it grows without moving, and each piece is one write.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "journal/aligned_memory.h"
#include "journal/format.h"
#include "journal/participant.h"

namespace benchfs::journal {

/// The largest single write.
inline constexpr std::size_t kPieceBytes = kMiB;
/// Pieces of one batch that are written at once.
inline constexpr std::size_t kPiecesInFlightMax = 8;
/// Pieces that an empty batch keeps.
inline constexpr std::size_t kPiecesKept = 4;

class Batch {
 public:
  bool empty() const noexcept { return record_count_ == 0; }
  std::uint64_t blocks() const noexcept;
  std::uint64_t record_count() const noexcept { return record_count_; }
  std::size_t bytes() const noexcept { return bytes_; }

  /// Copies the record. `place` is borrowed until seal() or clear().
  void append(RecordKind kind, std::span<const ConstBytes> parts, RecordPlace* place);

  /// Writes the header, whose lengths and checksum it sets itself, and tells the places.
  void seal(BatchHeader header, std::uint64_t device_bytes) noexcept;

  /// Of a sealed batch: whole blocks, in order.
  std::size_t piece_count() const noexcept;
  ConstBytes piece(std::size_t index) const noexcept;

  /// Empty again; gives back the memory of a large batch.
  void clear() noexcept;

 private:
  struct Place {
    RecordPlace* place;
    std::size_t body_at;
  };
  void put(ConstBytes bytes);

  std::vector<AlignedMemory> pieces_;
  std::vector<Place> places_;
  std::size_t bytes_ = kHeaderBytes;
  std::uint64_t record_count_ = 0;
};

}  // namespace benchfs::journal
