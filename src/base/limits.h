#pragma once

// Every limit that more than one module has to know, and how they relate.

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace benchfs {

inline constexpr std::size_t kNameBytesMax = 255;   ///< One component of a path, as POSIX NAME_MAX.
inline constexpr std::size_t kPathBytesMax = 4096;  ///< A whole path, without the NUL.
inline constexpr std::uint16_t kServerCountMax = 16384;

/// Largest file offset plus one: what fits an off_t.
inline constexpr std::uint64_t kFileBytesMax = INT64_MAX;

inline constexpr std::uint64_t kChunkBytesDefault = kMiB;

/// The drive's unit: direct I/O is aligned to it in address, length and memory.
inline constexpr std::uint64_t kBlockBytes = 4 * kKiB;

/// Header of one message: the fixed part and the encoded request or reply that follows it.
inline constexpr std::size_t kHeaderBytesMax = 2048;

/// Bulk data of one message, and so the largest buffer that a server takes from its pool.
inline constexpr std::size_t kTransferBytesMax = kMiB;

/// Ranges of one file that one read or write request may name.
inline constexpr std::size_t kPiecesMax = 96;

/// Encoded body of a control message whose body does not fit the header (a page of a directory).
inline constexpr std::size_t kBodyBytesMax = 256 * kKiB;

inline constexpr std::uint64_t kTimeoutNsDefault = 10 * kNsPerSec;

static_assert(kPiecesMax * 16 + 256 <= kHeaderBytesMax, "a full list of pieces fits the header");
static_assert(kTransferBytesMax % kBlockBytes == 0);
static_assert(kBodyBytesMax <= kTransferBytesMax);

}  // namespace benchfs
