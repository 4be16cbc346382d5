// Goal: no two operations have one number, and what is said to be answered is. Method: operations
// that begin and end in another order.

#include "rpc/operations.h"

#include <memory>
#include <optional>

#include <gtest/gtest.h>

namespace benchfs::rpc {
namespace {

TEST(Operations, SayWhichIsTheOldestThatMayBeAskedAgain) {
  Operations operations;
  std::optional<Operations::Running> first(std::in_place, operations);
  std::optional<Operations::Running> second(std::in_place, operations);
  std::optional<Operations::Running> third(std::in_place, operations);
  EXPECT_EQ(first->stamp().number, 1U);
  EXPECT_EQ(third->stamp().number, 3U);
  EXPECT_EQ(third->stamp().answered_below, 1U);
  second.reset();
  EXPECT_EQ(third->stamp().answered_below, 1U);
  first.reset();
  EXPECT_EQ(third->stamp().answered_below, 3U);
  third.reset();
  EXPECT_EQ(operations.running_count(), 0U);
  const Operations::Running fourth(operations);
  EXPECT_EQ(fourth.stamp().number, 4U);
  EXPECT_EQ(fourth.stamp().answered_below, 4U);
}

}  // namespace
}  // namespace benchfs::rpc
