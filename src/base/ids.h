#pragma once

// Identifiers. Each is a type of its own, so that none can stand where another belongs.

#include <cstdint>

namespace benchfs {

/// Index of a server in the cluster map, counted from 0. Not an MPI rank, though it starts as one.
enum class ServerId : std::uint16_t {};

/// An inode: its home server in the upper 16 bits, a counter of that server's in the lower 48.
/// Never reused within a session, so a stale id finds nothing instead of somebody else's file.
enum class InodeId : std::uint64_t {};

inline constexpr InodeId kNoInode{0};

/// The root directory; its home is server 0.
inline constexpr InodeId kRootInode{1};

inline constexpr unsigned kInodeCounterBits = 48;
inline constexpr std::uint64_t kInodeCounterMax = (std::uint64_t{1} << kInodeCounterBits) - 1;

/// The server that owns `inode`: its attributes, open counts and, for a directory, its liveness.
constexpr ServerId home_of(InodeId inode) noexcept {
  return ServerId{
      static_cast<std::uint16_t>(static_cast<std::uint64_t>(inode) >> kInodeCounterBits)};
}

constexpr InodeId make_inode_id(ServerId home, std::uint64_t counter) noexcept {
  return InodeId{(static_cast<std::uint64_t>(home) << kInodeCounterBits) |
                 (counter & kInodeCounterMax)};
}

/// A client instance: drawn at random when a mount opens, so that two never share one.
enum class ClientId : std::uint64_t {};

/// Pairs a reply with its request, unique within one connection.
enum class RequestId : std::uint64_t {};

constexpr std::uint16_t to_integer(ServerId id) noexcept {
  return static_cast<std::uint16_t>(id);
}
constexpr std::uint64_t to_integer(InodeId id) noexcept {
  return static_cast<std::uint64_t>(id);
}
constexpr std::uint64_t to_integer(ClientId id) noexcept {
  return static_cast<std::uint64_t>(id);
}
constexpr std::uint64_t to_integer(RequestId id) noexcept {
  return static_cast<std::uint64_t>(id);
}

}  // namespace benchfs
