#include "journal/batch.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/limits.h"
#include "journal/checksum.h"

namespace benchfs::journal {

std::uint64_t Batch::blocks() const noexcept {
  return empty() ? 0 : (bytes_ + kBlockBytes - 1) / kBlockBytes;
}

void Batch::append(RecordKind kind, std::span<const ConstBytes> parts, RecordPlace* place) {
  std::size_t body_bytes = 0;
  for (const ConstBytes part : parts) {
    body_bytes += part.size();
  }
  BENCHFS_ASSERT(body_bytes <= UINT32_MAX);
  const RecordHeaderBytes header = encode_record_header(static_cast<std::uint16_t>(kind),
                                                        static_cast<std::uint32_t>(body_bytes));
  put(header);
  if (place != nullptr) {
    places_.push_back({.place = place, .body_at = bytes_});
  }
  for (const ConstBytes part : parts) {
    put(part);
  }
  ++record_count_;
}

void Batch::put(ConstBytes bytes) {
  while (!bytes.empty()) {
    const std::size_t index = bytes_ / kPieceBytes;
    if (index == pieces_.size()) {
      pieces_.emplace_back(kPieceBytes);
    }
    const Bytes room = pieces_[index].bytes().subspan(bytes_ % kPieceBytes);
    const std::size_t size = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), size);
    bytes_ += size;
    bytes = bytes.subspan(size);
  }
}

void Batch::seal(BatchHeader header, std::uint64_t device_bytes) noexcept {
  BENCHFS_ASSERT(!empty());
  header.bytes = static_cast<std::uint32_t>(bytes_);
  header.blocks = static_cast<std::uint32_t>(blocks());
  const std::size_t padded_bytes = header.blocks * kBlockBytes;
  if (padded_bytes > bytes_) {
    const Bytes last = pieces_[bytes_ / kPieceBytes].bytes();
    std::memset(last.data() + bytes_ % kPieceBytes, 0, padded_bytes - bytes_);
  }
  const Bytes first = pieces_.front().bytes();
  encode(header, first);
  std::uint32_t checksum = 0;
  for (std::size_t at = 0; at < bytes_; at += kPieceBytes) {
    const ConstBytes bytes =
        pieces_[at / kPieceBytes].bytes().first(std::min(kPieceBytes, bytes_ - at));
    checksum = crc32c(at == 0 ? bytes.subspan(kChecksummedFrom) : bytes, checksum);
  }
  put_checksum(first, checksum);
  for (const Place& place : places_) {
    place.place->body_device_bytes = device_bytes + place.body_at;
  }
  places_.clear();
}

std::size_t Batch::piece_count() const noexcept {
  return (bytes_ + kPieceBytes - 1) / kPieceBytes;
}

ConstBytes Batch::piece(std::size_t index) const noexcept {
  const std::size_t padded_bytes = blocks() * kBlockBytes;
  const std::size_t at = index * kPieceBytes;
  return pieces_[index].bytes().first(std::min(kPieceBytes, padded_bytes - at));
}

void Batch::clear() noexcept {
  if (pieces_.size() > kPiecesKept) {
    pieces_.resize(kPiecesKept);
  }
  places_.clear();
  bytes_ = kHeaderBytes;
  record_count_ = 0;
}

}  // namespace benchfs::journal
