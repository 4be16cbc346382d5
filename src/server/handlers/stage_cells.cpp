#include "server/handlers/stage_cells.h"

#include <algorithm>
#include <cstring>

#include <xxhash.h>

#include "base/limits.h"

namespace benchfs::server {

bool is_all_zeros(ConstBytes bytes) noexcept {
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::uint64_t sum_of_cell(ConstBytes bytes, std::uint64_t offset_bytes) noexcept {
  if (is_all_zeros(bytes)) {
    return 0;
  }
  const std::uint64_t hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), offset_bytes);
  return hash == 0 ? 1 : hash;  // 0 says that there is nothing to write.
}

std::vector<store::Piece> data_runs(ConstBytes bytes, std::uint64_t offset_bytes) {
  std::vector<store::Piece> runs;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t block_end =
        ((offset_bytes + at) / kBlockBytes + 1) * kBlockBytes - offset_bytes;
    const std::size_t end = std::min<std::size_t>(bytes.size(), block_end);
    if (!is_all_zeros(bytes.subspan(at, end - at))) {
      const std::uint64_t begin_bytes = offset_bytes + at;
      const bool adjoins =
          !runs.empty() && runs.back().offset_bytes + runs.back().size_bytes == begin_bytes;
      if (adjoins || runs.size() == kPiecesMax) {
        runs.back().size_bytes = offset_bytes + end - runs.back().offset_bytes;
      } else {
        runs.push_back({.offset_bytes = begin_bytes, .size_bytes = end - at});
      }
    }
    at = end;
  }
  return runs;
}

Result<std::vector<store::Piece>> cells_of(const wire::StageRangeRequest& request, ServerId self,
                                           std::uint16_t server_count) {
  const std::uint64_t chunk_bytes = request.layout.chunk_bytes;
  const std::uint32_t stripe_count = request.layout.stripe_count;
  if (!wire::is_stage_act(request.act) || chunk_bytes == 0 || chunk_bytes > wire::kChunkBytesMax ||
      stripe_count == 0 || stripe_count > server_count || request.size_bytes > kFileBytesMax ||
      request.offset_bytes > kFileBytesMax || request.length_bytes > kFileBytesMax) {
    return fail(Errc::kProtocol, "stage.range");
  }
  const std::uint64_t begin_bytes = request.offset_bytes;
  const std::uint64_t end_bytes = std::min(request.size_bytes, begin_bytes + request.length_bytes);
  std::vector<store::Piece> cells;
  if (begin_bytes >= end_bytes) {
    return cells;
  }
  const std::uint64_t first = begin_bytes / chunk_bytes;
  const std::uint64_t last = (end_bytes - 1) / chunk_bytes;
  if (last - first >= wire::kStageRangeChunksMax ||
      end_bytes - begin_bytes > wire::kStageRangeChunksMax * wire::kStageCellBytes) {
    return fail(Errc::kProtocol, "stage.range");
  }
  const placement::Striping striping{.file = request.inode,
                                     .chunk_bytes = chunk_bytes,
                                     .stripe_count = stripe_count,
                                     .server_count = server_count};
  for (std::uint64_t chunk = first; chunk <= last; ++chunk) {
    if (placement::chunk_server(striping, chunk) != self) {
      continue;
    }
    const std::uint64_t chunk_begin = chunk * chunk_bytes;
    const std::uint64_t chunk_end = std::min(chunk_begin + chunk_bytes, request.size_bytes);
    // The first cell of the chunk that begins in the range.
    const std::uint64_t skipped = begin_bytes <= chunk_begin
                                      ? 0
                                      : (begin_bytes - chunk_begin + wire::kStageCellBytes - 1) /
                                            wire::kStageCellBytes * wire::kStageCellBytes;
    for (std::uint64_t at = chunk_begin + skipped; at < std::min(chunk_end, end_bytes);
         at += wire::kStageCellBytes) {
      cells.push_back(
          {.offset_bytes = at, .size_bytes = std::min(wire::kStageCellBytes, chunk_end - at)});
    }
  }
  return cells;
}

}  // namespace benchfs::server
