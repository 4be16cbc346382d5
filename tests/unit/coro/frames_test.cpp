// Goal: a frame's memory is its owner's alone, and what a thread keeps is bounded and freed with
// it. Method: frames of all sizes, filled and compared; threads that free what others have
// allocated.

#include "coro/frames.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "coro/task.h"

namespace benchfs::coro {
namespace {

struct Frame {
  void* memory = nullptr;
  std::size_t bytes = 0;
  unsigned char mark = 0;

  bool is_intact() const {
    const auto* const begin = static_cast<const unsigned char*>(memory);
    return std::all_of(begin, begin + bytes, [this](unsigned char byte) { return byte == mark; });
  }
};

Frame make(std::size_t bytes, unsigned char mark) {
  Frame frame{.memory = allocate_frame(bytes), .bytes = bytes, .mark = mark};
  std::memset(frame.memory, mark, bytes);
  return frame;
}

TEST(Frames, OfAllSizesAreTheirOwnersAlone) {
  std::mt19937 random(4711);
  std::vector<Frame> held;
  for (int i = 0; i < 20000; ++i) {
    if (held.size() < 200 || random() % 2 == 0) {
      const std::size_t bytes = 1 + random() % (2 * kFrameKeptBytesMax);
      held.push_back(make(bytes, static_cast<unsigned char>(i)));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held.back().memory) % alignof(std::max_align_t),
                0U);
    } else {
      std::swap(held[random() % held.size()], held.back());
      ASSERT_TRUE(held.back().is_intact());
      free_frame(held.back().memory, held.back().bytes);
      held.pop_back();
    }
    ASSERT_LE(kept_frame_bytes(), kFramesKeptBytesMax);
  }
  for (const Frame& frame : held) {
    ASSERT_TRUE(frame.is_intact());
    free_frame(frame.memory, frame.bytes);
  }
  EXPECT_LE(kept_frame_bytes(), kFramesKeptBytesMax);
}

TEST(Frames, ThatAreFreedByAnotherThreadAreKeptThereAndGoWithIt) {
  std::vector<Frame> held;
  for (int i = 0; i < 1000; ++i) {
    held.push_back(make(500, static_cast<unsigned char>(i)));
  }
  const std::size_t kept_here = kept_frame_bytes();
  std::thread other([&held] {
    EXPECT_EQ(kept_frame_bytes(), 0U);
    for (const Frame& frame : held) {
      EXPECT_TRUE(frame.is_intact());
      free_frame(frame.memory, frame.bytes);
    }
  });
  other.join();  // The leak sanitizer finds it if the thread has not freed them.
  EXPECT_EQ(kept_frame_bytes(), kept_here);
}

Task<int> count_down(int depth) {
  if (depth == 0) {
    co_return 0;
  }
  auto rest = count_down(depth - 1);
  const int below = co_await rest;
  co_return below + 1;
}

TEST(Frames, OfTasksAreUsedAgain) {
  for (int i = 0; i < 2; ++i) {
    auto task = count_down(50);
    task.start();
    EXPECT_EQ(task.take(), 50);
  }
  const std::size_t kept = kept_frame_bytes();
  for (int i = 0; i < 100; ++i) {
    auto task = count_down(50);
    task.start();
    EXPECT_EQ(task.take(), 50);
  }
  EXPECT_EQ(kept_frame_bytes(), kept);
}

}  // namespace
}  // namespace benchfs::coro
