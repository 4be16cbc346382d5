// Goal: every job is done once, and wait() returns when all are. Method: many small jobs, some from
// jobs.

#include "tools/workers.h"

#include <atomic>

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

TEST(Workers, EveryJobIsDoneBeforeWaitReturns) {
  std::atomic<int> done{0};
  Workers workers(4);
  for (int round = 1; round <= 20; ++round) {
    for (int i = 0; i < 100; ++i) {
      workers.submit_bounded([&done] { ++done; }, 10);
    }
    workers.wait();
    EXPECT_EQ(done, round * 100);
  }
}

TEST(Workers, JobsMayQueueJobs) {
  std::atomic<int> done{0};
  Workers workers(2);
  workers.submit([&] {
    for (int i = 0; i < 10; ++i) {
      workers.submit([&done] { ++done; });
    }
  });
  workers.wait();
  EXPECT_EQ(done, 10);
}

TEST(Workers, TheDestructorWaits) {
  std::atomic<int> done{0};
  {
    Workers workers(3);
    for (int i = 0; i < 50; ++i) {
      workers.submit([&done] { ++done; });
    }
  }
  EXPECT_EQ(done, 50);
}

}  // namespace
}  // namespace benchfs::tools
