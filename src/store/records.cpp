#include "store/records.h"

#include <cstring>
#include <type_traits>

#include "base/units.h"

namespace benchfs::store {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "bodies are little-endian and copied as they are; a big-endian port swaps them here");
static_assert(sizeof(Piece) == 16 && sizeof(BlockRun) == 16 && sizeof(Extent) == 24);

template <typename T>
ConstBytes bytes_of(std::span<const T> values) noexcept {
  static_assert(std::has_unique_object_representations_v<T>);
  return std::as_bytes(values);
}

/// Takes values off the front of bytes of any alignment.
class Reader {
 public:
  explicit Reader(ConstBytes in) noexcept : in_(in) {}

  template <typename T>
  T take() noexcept {
    T value{};
    copy(&value, sizeof(value));
    return value;
  }
  template <typename List>
  void take_list(std::size_t count, List& out) {
    if (!ok_ || count > in_.size() / sizeof(out[0])) {
      ok_ = false;
      return;
    }
    out.resize(count);
    copy(out.data(), count * sizeof(out[0]));
  }
  ConstBytes take_bytes(std::size_t count) noexcept {
    if (!ok_ || count > in_.size()) {
      ok_ = false;
      return {};
    }
    const ConstBytes taken = in_.first(count);
    in_ = in_.subspan(count);
    return taken;
  }
  bool finished() const noexcept { return ok_ && in_.empty(); }

 private:
  void copy(void* out, std::size_t size) noexcept {
    const ConstBytes taken = take_bytes(size);
    if (!taken.empty()) {
      std::memcpy(out, taken.data(), size);
    }
  }

  ConstBytes in_;
  bool ok_ = true;
};

Failure corrupt(const char* where) noexcept {
  return fail(Errc::kCorrupt, where);
}

/// Bytes of all together; 0 if they are not what a write can have.
std::uint64_t size_of(std::span<const Piece> pieces, std::uint64_t bytes_max) noexcept {
  std::uint64_t size_bytes = 0;
  for (const Piece& piece : pieces) {
    if (piece.size_bytes == 0 || piece.size_bytes > bytes_max - size_bytes ||
        piece.offset_bytes > kFileBytesMax ||
        piece.size_bytes > kFileBytesMax - piece.offset_bytes) {
      return 0;
    }
    size_bytes += piece.size_bytes;
  }
  return pieces.size() <= kPiecesMax ? size_bytes : 0;
}

constexpr std::uint64_t pair(std::uint64_t low, std::uint64_t high) noexcept {
  return low | (high << 32U);
}

void set_head(BodyParts& out, std::size_t count) noexcept {
  out.parts = {};
  out.parts[0] = std::as_bytes(std::span(out.head).first(count));
}

}  // namespace

void encode_write(InodeId file, std::span<const Piece> pieces, const BlockRuns& runs,
                  std::span<const std::uint32_t> checksums, BodyParts& out) noexcept {
  out.head = {to_integer(file), pair(pieces.size(), runs.size()), pair(checksums.size(), 0)};
  set_head(out, 3);
  out.parts[1] = bytes_of(pieces);
  out.parts[2] = bytes_of(std::span<const BlockRun>(runs));
  out.parts[3] = bytes_of(checksums);
}

void encode_inline(InodeId file, std::span<const Piece> pieces, ConstBytes data,
                   BodyParts& out) noexcept {
  out.head = {to_integer(file), pair(pieces.size(), data.size()), 0};
  set_head(out, 2);
  out.parts[1] = bytes_of(pieces);
  out.parts[2] = data;
}

void encode_truncate(InodeId file, std::uint64_t size_bytes, BodyParts& out) noexcept {
  out.head = {to_integer(file), size_bytes, 0};
  set_head(out, 2);
}

void encode_remove(InodeId file, BodyParts& out) noexcept {
  out.head = {to_integer(file), 0, 0};
  set_head(out, 1);
}

void encode_extents(InodeId file, std::span<const Extent> extents,
                    std::span<const std::uint32_t> checksums, std::vector<std::byte>& out) {
  const std::array<std::uint64_t, 2> head = {to_integer(file),
                                             pair(extents.size(), checksums.size())};
  out.clear();
  const std::array<ConstBytes, 3> parts = {std::as_bytes(std::span(head)), bytes_of(extents),
                                           bytes_of(checksums)};
  for (const ConstBytes part : parts) {
    out.insert(out.end(), part.begin(), part.end());
  }
}

std::size_t write_body_bytes_max(std::size_t piece_count, std::uint64_t block_count) noexcept {
  return 24 + piece_count * sizeof(Piece) +
         block_count * (sizeof(BlockRun) + sizeof(std::uint32_t));
}

std::size_t inline_body_bytes(std::size_t piece_count, std::size_t size_bytes) noexcept {
  return 16 + piece_count * sizeof(Piece) + size_bytes;
}

std::size_t moved_body_bytes_max(std::size_t extent_count, std::uint64_t block_count) noexcept {
  // Each extent may share its first block with the one before.
  return 16 + extent_count * (sizeof(Extent) + sizeof(std::uint32_t)) +
         block_count * sizeof(std::uint32_t);
}

Result<WriteBody> decode_write(ConstBytes body) {
  Reader reader(body);
  WriteBody write;
  write.file = reader.take<InodeId>();
  const auto piece_count = reader.take<std::uint32_t>();
  const auto run_count = reader.take<std::uint32_t>();
  const auto block_count = reader.take<std::uint32_t>();
  const auto zero = reader.take<std::uint32_t>();
  reader.take_list(piece_count, write.pieces);
  reader.take_list(run_count, write.runs);
  reader.take_list(block_count, write.checksums);
  if (!reader.finished() || zero != 0) {
    return corrupt("store.record.write");
  }
  const std::uint64_t size_bytes = size_of(write.pieces, std::uint64_t{UINT32_MAX} * kBlockBytes);
  std::uint64_t left = block_count;
  for (const BlockRun& run : write.runs) {
    if (run.count == 0 || run.count > left || run.first > UINT64_MAX / kBlockBytes - run.count) {
      return corrupt("store.record.write.runs");
    }
    left -= run.count;
  }
  if (size_bytes == 0 || left != 0 ||
      round_up(size_bytes, kBlockBytes) / kBlockBytes != block_count) {
    return corrupt("store.record.write.size");
  }
  return write;
}

Result<InlineBody> decode_inline(ConstBytes body) {
  Reader reader(body);
  InlineBody write;
  write.file = reader.take<InodeId>();
  const auto piece_count = reader.take<std::uint32_t>();
  const auto size_bytes = reader.take<std::uint32_t>();
  reader.take_list(piece_count, write.pieces);
  write.data = reader.take_bytes(size_bytes);
  if (!reader.finished() || size_bytes == 0 || size_bytes > kInlineBytesMax ||
      size_of(write.pieces, kInlineBytesMax) != size_bytes) {
    return corrupt("store.record.inline");
  }
  return write;
}

Result<TruncateBody> decode_truncate(ConstBytes body) {
  Reader reader(body);
  TruncateBody truncate;
  truncate.file = reader.take<InodeId>();
  truncate.size_bytes = reader.take<std::uint64_t>();
  if (!reader.finished()) {
    return corrupt("store.record.truncate");
  }
  return truncate;
}

Result<RemoveBody> decode_remove(ConstBytes body) {
  Reader reader(body);
  const RemoveBody remove = {.file = reader.take<InodeId>()};
  if (!reader.finished()) {
    return corrupt("store.record.remove");
  }
  return remove;
}

Result<ExtentsBody> decode_extents(ConstBytes body) {
  Reader reader(body);
  ExtentsBody part;
  part.file = reader.take<InodeId>();
  const auto extent_count = reader.take<std::uint32_t>();
  const auto checksum_count = reader.take<std::uint32_t>();
  reader.take_list(extent_count, part.extents);
  reader.take_list(checksum_count, part.checksums);
  if (!reader.finished() || extent_count == 0) {
    return corrupt("store.record.extents");
  }
  std::uint64_t left = checksum_count;
  for (const Extent& extent : part.extents) {
    if (extent.size_bytes == 0 || extent.offset_bytes > kFileBytesMax ||
        extent.size_bytes > kFileBytesMax - extent.offset_bytes ||
        extent.device_bytes > kFileBytesMax - extent.size_bytes || blocks_of(extent).count > left) {
      return corrupt("store.record.extents.fields");
    }
    left -= blocks_of(extent).count;
  }
  if (left != 0) {
    return corrupt("store.record.extents.checksums");
  }
  return part;
}

}  // namespace benchfs::store
