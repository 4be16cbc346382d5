#pragma once

// Memory of coroutine frames. A request starts some ten coroutines, whose frames are larger than
// what the C library keeps at hand for a thread: each thread keeps some of those that have ended,
// by size.
//
// Threading: any thread. A frame may be freed by another thread than the one that has allocated it,
// and is kept there.

#include <cstddef>

namespace benchfs::coro {

/// What one thread keeps at the most, and the largest frame that it keeps.
inline constexpr std::size_t kFramesKeptBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kFrameKeptBytesMax = std::size_t{8} << 10;

/// As operator new: aligned for any fundamental type; ends the process without memory.
void* allocate_frame(std::size_t bytes);
/// `bytes` as at the allocation.
void free_frame(void* frame, std::size_t bytes) noexcept;

/// What this thread keeps now. Always 0 under the address and thread sanitizers, which are to see
/// each frame come and go.
std::size_t kept_frame_bytes() noexcept;

/// A base of promises whose frames are kept.
struct KeptFrame {
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }
};

}  // namespace benchfs::coro
