#pragma once

// Which server holds what. Pure functions of ids, names and the number of servers, the same in
// every client and server; so they never change within a version of the wire format.
//
// Hashes are XXH3 (64 bits): names and counters that differ in one digit spread as well as random
// ones, which additive hashes do not.

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace benchfs::placement {

/// Of an entry's name within its directory: placement, and the order in which a directory is
/// listed.
std::uint64_t entry_hash(InodeId parent, std::string_view name) noexcept;

/// The server that holds the entry. `server_count` is 1 or more.
ServerId entry_server(InodeId parent, std::string_view name, std::uint16_t server_count) noexcept;

/// Where the chunks of a file lie: round robin over `stripe_count` servers from a hashed start.
struct Striping {
  InodeId file;
  std::uint64_t chunk_bytes;   ///< 1 or more.
  std::uint32_t stripe_count;  ///< 1 to server_count.
  std::uint16_t server_count;
};

ServerId chunk_server(const Striping& striping, std::uint64_t chunk_index) noexcept;

/// The `index`-th of the stripe_count servers that hold chunks of the file: chunk_server() of the
/// chunks 0, 1, ...
ServerId stripe_server(const Striping& striping, std::uint32_t index) noexcept;

}  // namespace benchfs::placement
