#include "client/striper.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace benchfs::client {

std::uint64_t StripeRequest::lowest_offset() const noexcept {
  BENCHFS_ASSERT(!pieces.empty());
  std::uint64_t lowest = UINT64_MAX;
  for (const wire::DataPiece& piece : pieces) {
    lowest = std::min(lowest, piece.offset_bytes);
  }
  return lowest;
}

Striper::Striper(const placement::Striping& striping, std::span<const iovec> memory,
                 std::span<const Extent> extents) noexcept
    : striping_(striping), memory_(memory), extents_(extents) {
  BENCHFS_ASSERT(striping.chunk_bytes > 0);
  BENCHFS_ASSERT(striping.stripe_count > 0 && striping.stripe_count <= striping.server_count);
}

Striper::Cut Striper::cut_at(std::uint64_t offset_bytes, std::uint64_t left_bytes) const noexcept {
  // On a single server chunks follow one another, so their borders cut nothing.
  const bool one_server = striping_.stripe_count == 1;
  const std::uint64_t chunk = one_server ? 0 : offset_bytes / striping_.chunk_bytes;
  const std::uint64_t within = one_server ? offset_bytes : offset_bytes % striping_.chunk_bytes;
  const std::uint64_t chunk_left = one_server ? left_bytes : striping_.chunk_bytes - within;
  const std::uint64_t transfer_left = kTransferBytesMax - within % kTransferBytesMax;
  return {.stripe_index = static_cast<std::uint32_t>(chunk % striping_.stripe_count),
          .size_bytes = std::min({left_bytes, chunk_left, transfer_left})};
}

std::uint64_t Striper::take_memory(std::uint64_t size_bytes, std::vector<Bytes>& out) {
  std::uint64_t taken = 0;
  while (taken < size_bytes) {
    BENCHFS_ASSERT(!memory_.empty());
    const iovec& front = memory_.front();
    const std::size_t count = static_cast<std::size_t>(
        std::min<std::uint64_t>(size_bytes - taken, front.iov_len - memory_done_bytes_));
    if (count > 0) {
      std::byte* const begin = static_cast<std::byte*>(front.iov_base) + memory_done_bytes_;
      if (!out.empty() && out.back().data() + out.back().size() == begin) {
        out.back() = Bytes(out.back().data(), out.back().size() + count);
      } else if (out.size() < kFragmentsMax) {
        out.emplace_back(begin, count);
      } else {
        break;
      }
      taken += count;
      memory_done_bytes_ += count;
    }
    if (memory_done_bytes_ == front.iov_len) {
      memory_ = memory_.subspan(1);
      memory_done_bytes_ = 0;
    }
  }
  return taken;
}

bool Striper::emit(StripeRequest& request, StripeRequest& out) {
  out = std::exchange(request, StripeRequest());
  out.index = next_index_++;
  BENCHFS_ASSERT(out.size_bytes > 0 && out.size_bytes <= kTransferBytesMax);
  BENCHFS_ASSERT(!out.pieces.empty() && out.pieces.size() <= kPiecesMax);
  return true;
}

bool Striper::next(StripeRequest& out) {
  while (!extents_.empty()) {
    const Extent& extent = extents_.front();
    if (extent_done_bytes_ == extent.size_bytes) {
      extents_ = extents_.subspan(1);
      extent_done_bytes_ = 0;
      continue;
    }
    const std::uint64_t offset_bytes = extent.offset_bytes + extent_done_bytes_;
    const Cut cut = cut_at(offset_bytes, extent.size_bytes - extent_done_bytes_);
    StripeRequest& request = unfinished_[cut.stripe_index];
    if (request.pieces.empty()) {
      request.server = placement::stripe_server(striping_, cut.stripe_index);
    }
    const bool continues =
        !request.pieces.empty() &&
        request.pieces.back().offset_bytes + request.pieces.back().size_bytes == offset_bytes;
    if (request.size_bytes + cut.size_bytes > kTransferBytesMax ||
        (!continues && request.pieces.size() == kPiecesMax)) {
      return emit(request, out);
    }
    const std::uint64_t taken = take_memory(cut.size_bytes, request.memory);
    if (taken == 0) {
      return emit(request, out);
    }
    const auto taken_32 = static_cast<std::uint32_t>(taken);
    if (continues) {
      request.pieces.back().size_bytes += taken_32;
    } else {
      request.pieces.push_back({.offset_bytes = offset_bytes, .size_bytes = taken_32});
    }
    request.size_bytes += taken;
    extent_done_bytes_ += taken;
    if (request.size_bytes == kTransferBytesMax) {
      return emit(request, out);
    }
  }
  while (!unfinished_.empty()) {
    auto node = unfinished_.extract(unfinished_.begin());
    if (!node.mapped().pieces.empty()) {
      return emit(node.mapped(), out);
    }
  }
  return false;
}

}  // namespace benchfs::client
