// Goal: who shuts a gate goes on only when all have left, and nobody enters after that. Method:
// threads that note what they saw; the order is forced by the gate itself.

#include "compat/gate.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace benchfs::compat {
namespace {

TEST(Gate, LetsManyInAndWhoIsInsideAgain) {
  Gate gate;
  EXPECT_TRUE(gate.enter());
  EXPECT_TRUE(gate.enter());
  gate.leave();
  gate.leave();
  gate.shut();
  EXPECT_FALSE(gate.enter());
  gate.shut();
}

TEST(Gate, ShutWaitsForTheLast) {
  Gate gate;
  std::atomic<bool> has_left = false;
  ASSERT_TRUE(gate.enter());
  std::thread shutter([&] {
    gate.shut();
    EXPECT_TRUE(has_left);
  });
  // Shut as soon as nobody gets in any more; who is inside still is.
  while (gate.enter()) {
    gate.leave();
  }
  has_left = true;
  gate.leave();
  shutter.join();
}

TEST(Gate, MayGoWhenShutReturns) {
  for (int turn = 0; turn < 200; ++turn) {
    auto gate = std::make_unique<Gate>();
    ASSERT_TRUE(gate->enter());
    std::thread visitor([&gate = *gate] { gate.leave(); });
    gate->shut();
    gate.reset();
    visitor.join();
  }
}

}  // namespace
}  // namespace benchfs::compat
