#include "placement/placement.h"

#include <xxhash.h>

#include "base/assert.h"

namespace benchfs::placement {

std::uint64_t entry_hash(InodeId parent, std::string_view name) noexcept {
  return XXH3_64bits_withSeed(name.data(), name.size(), to_integer(parent));
}

ServerId entry_server(InodeId parent, std::string_view name, std::uint16_t server_count) noexcept {
  BENCHFS_ASSERT(server_count > 0);
  // The upper half: the lower bits would tie the server to the order within a listing.
  return ServerId{static_cast<std::uint16_t>((entry_hash(parent, name) >> 32) % server_count)};
}

ServerId stripe_server(const Striping& striping, std::uint32_t index) noexcept {
  BENCHFS_ASSERT(striping.server_count > 0);
  BENCHFS_ASSERT(index < striping.stripe_count && striping.stripe_count <= striping.server_count);
  const std::uint64_t file = to_integer(striping.file);
  const std::uint64_t start = XXH3_64bits(&file, sizeof(file)) % striping.server_count;
  return ServerId{static_cast<std::uint16_t>((start + index) % striping.server_count)};
}

ServerId chunk_server(const Striping& striping, std::uint64_t chunk_index) noexcept {
  return stripe_server(striping, static_cast<std::uint32_t>(chunk_index % striping.stripe_count));
}

}  // namespace benchfs::placement
