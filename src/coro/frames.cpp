#include "coro/frames.h"

#include <array>
#include <new>
#include <utility>

namespace benchfs::coro {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeeps = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif
#else
constexpr bool kKeeps = true;
#endif

constexpr std::size_t kStepBytes = 64;
constexpr std::size_t kSizeCount = kFrameKeptBytesMax / kStepBytes;

struct FreeFrame {
  FreeFrame* next;
};
static_assert(sizeof(FreeFrame) <= kStepBytes && kFrameKeptBytesMax <= kFramesKeptBytesMax);

struct Kept {
  std::array<FreeFrame*, kSizeCount> by_size{};
  std::size_t bytes = 0;
  bool ended = false;  ///< The thread ends; what is freed from here on is not kept.

  constexpr Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    for (FreeFrame*& first : by_size) {
      while (first != nullptr) {
        ::operator delete(std::exchange(first, first->next));
      }
    }
    bytes = 0;
    ended = true;
  }
};

constinit thread_local Kept kept;

/// Frames of one index have room for (index + 1) steps.
std::size_t index_of(std::size_t bytes) noexcept {
  return (bytes - 1) / kStepBytes;
}

std::size_t room_of(std::size_t index) noexcept {
  return (index + 1) * kStepBytes;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t index = index_of(bytes);
  if (!kKeeps || index >= kSizeCount) {
    return ::operator new(bytes);
  }
  Kept& mine = kept;
  FreeFrame*& first = mine.by_size[index];
  if (first == nullptr) {
    return ::operator new(room_of(index));
  }
  mine.bytes -= room_of(index);
  return std::exchange(first, first->next);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t index = index_of(bytes);
  if (!kKeeps || index >= kSizeCount) {
    ::operator delete(frame);
    return;
  }
  Kept& mine = kept;
  if (mine.ended || mine.bytes + room_of(index) > kFramesKeptBytesMax) {
    ::operator delete(frame);
    return;
  }
  mine.bytes += room_of(index);
  mine.by_size[index] = new (frame) FreeFrame{mine.by_size[index]};
}

std::size_t kept_frame_bytes() noexcept {
  return kept.bytes;
}

}  // namespace benchfs::coro
