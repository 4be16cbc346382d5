// Goal: opens are found by id and by client, and each id is used once. Method: one case per
// promise.

#include "meta/open_table.h"

#include <gtest/gtest.h>

namespace benchfs::meta {
namespace {

Open open_of(ClientId client) {
  return {.inode = InodeId{5}, .client = client};
}

TEST(OpenTable, AnIdIsNeverZeroAndNeverUsedTwice) {
  OpenTable table;
  const std::uint64_t first = table.add(open_of(ClientId{1}));
  EXPECT_NE(first, 0U);
  table.remove(first);
  EXPECT_NE(table.add(open_of(ClientId{1})), first);
  EXPECT_EQ(table.find(first), nullptr);
}

TEST(OpenTable, AClientsOpensAreListedWithoutThoseBeingClosed) {
  OpenTable table;
  const std::uint64_t first = table.add(open_of(ClientId{1}));
  const std::uint64_t second = table.add(open_of(ClientId{1}));
  const std::uint64_t other = table.add(open_of(ClientId{2}));
  EXPECT_EQ(table.of_client(ClientId{1}), (std::vector<std::uint64_t>{first, second}));
  table.set_closing(first);
  EXPECT_EQ(table.of_client(ClientId{1}), std::vector<std::uint64_t>{second});
  EXPECT_TRUE(table.find(first)->closing);
  table.remove(first);
  table.remove(second);
  EXPECT_TRUE(table.of_client(ClientId{1}).empty());
  EXPECT_EQ(table.of_client(ClientId{2}), std::vector<std::uint64_t>{other});
  EXPECT_EQ(table.size(), 1U);
}

TEST(OpenTableDeathTest, ClosingTwiceIsAProgrammersError) {
  OpenTable table;
  const std::uint64_t id = table.add(open_of(ClientId{1}));
  table.set_closing(id);
  EXPECT_DEATH(table.set_closing(id), "closing");
  table.remove(id);
  EXPECT_DEATH(table.remove(id), "found");
}

TEST(Open, AppendingNeedsWriting) {
  EXPECT_FALSE((Open{.flags = wire::kOpenRead | wire::kOpenAppend}).appends());
  EXPECT_TRUE((Open{.flags = wire::kOpenWrite | wire::kOpenAppend}).appends());
  EXPECT_TRUE((Open{.flags = wire::kOpenWrite | wire::kOpenAppend}).writes());
  EXPECT_FALSE((Open{.flags = wire::kOpenRead}).writes());
}

}  // namespace
}  // namespace benchfs::meta
