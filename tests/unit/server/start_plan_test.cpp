// Goal: servers begin a new session only where there are no stores, go on only with all stores of
// one session in their places, and otherwise say which directory is wrong and what to do.
// Method: every way in which one of three stores can be wrong, at each of the three.

#include "server/start_plan.h"

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace benchfs::server {
namespace {

constexpr std::uint64_t kSession = 0xfeedULL;

std::vector<FoundStore> three_stores() {
  std::vector<FoundStore> found;
  for (std::uint16_t i = 0; i < 3; ++i) {
    found.push_back({.directory = "/nvme/server-" + std::to_string(i),
                     .host = "n" + std::to_string(i),
                     .is_there = true,
                     .session_id = kSession,
                     .server = i,
                     .server_count = 3});
  }
  return found;
}

void expect_refused(const std::vector<FoundStore>& found, std::size_t culprit,
                    const std::string& word) {
  const StartPlan plan = plan_start(found);
  EXPECT_EQ(plan.kind, StartPlan::Kind::kRefuse);
  EXPECT_NE(plan.text.find("/nvme/server-" + std::to_string(culprit)), std::string::npos)
      << plan.text;
  EXPECT_NE(plan.text.find(word), std::string::npos) << plan.text;
  EXPECT_NE(plan.text.find("--discard"), std::string::npos) << plan.text;
  EXPECT_NE(plan.text.find("--store"), std::string::npos) << plan.text;
}

TEST(StartPlan, WithoutStoresASessionBegins) {
  auto found = three_stores();
  for (FoundStore& store : found) {
    store.is_there = false;
  }
  EXPECT_EQ(plan_start(found).kind, StartPlan::Kind::kNewSession);
}

TEST(StartPlan, WithAllStoresTheirSessionGoesOn) {
  const StartPlan plan = plan_start(three_stores());
  EXPECT_EQ(plan.kind, StartPlan::Kind::kGoOn) << plan.text;
  EXPECT_EQ(plan.session_id, kSession);
}

TEST(StartPlan, AMissingStoreIsNamed) {
  for (std::size_t i = 0; i < 3; ++i) {
    auto found = three_stores();
    found[i].is_there = false;
    expect_refused(found, i, "has none");
  }
}

TEST(StartPlan, AStoreOfAnotherSessionIsNamed) {
  for (std::size_t i = 0; i < 3; ++i) {
    auto found = three_stores();
    found[i].session_id = 0xbadULL;
    expect_refused(found, i, "0000000000000bad");
  }
}

TEST(StartPlan, AStoreOfAnotherServerIsNamed) {
  auto found = three_stores();
  found[1].server = 2;
  found[2].server = 1;
  expect_refused(found, 1, "is of server 2");
}

TEST(StartPlan, AnotherNumberOfServersIsTold) {
  auto found = three_stores();
  found.pop_back();
  expect_refused(found, 0, "start 3");
}

}  // namespace
}  // namespace benchfs::server
