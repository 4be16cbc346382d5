// Goal: the table gives each descriptor the lowest free number, and to one taker. Method:
// descriptors of directories that were never listed, which need no session.

#include "compat/descriptor.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace benchfs::compat {
namespace {

std::shared_ptr<Descriptor> make() {
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->directory = std::make_unique<Directory>();
  return descriptor;
}

TEST(Descriptors, NumbersAreTheLowestFree) {
  Descriptors table;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(table.add(make()), 3 + i);
  }
  for (const int number : {5, 9, 4}) {
    EXPECT_NE(table.take(number), nullptr);
    EXPECT_EQ(table.take(number), nullptr) << "one has taken it";
    EXPECT_EQ(table.find(number), nullptr);
  }
  EXPECT_EQ(table.add(make()), 4);
  EXPECT_EQ(table.add(make()), 5);
  EXPECT_EQ(table.add(make()), 9);
  EXPECT_EQ(table.add(make()), 13);
}

TEST(Descriptors, OtherNumbersAreNone) {
  Descriptors table;
  const auto descriptor = make();
  const int number = table.add(descriptor);
  EXPECT_EQ(table.find(number), descriptor);
  for (const int other : {-1, 0, 2, number + 1, 1 << 30, -(1 << 30)}) {
    EXPECT_EQ(table.find(other), nullptr) << other;
    EXPECT_EQ(table.take(other), nullptr) << other;
  }
}

TEST(Descriptors, AreLimitedAndEmfileTellsIt) {
  Descriptors table;
  const auto descriptor = make();
  constexpr int kCountMax = 1 << 20;
  int last = 0;
  for (int i = 0; i < kCountMax; ++i) {
    last = table.add(descriptor);
  }
  EXPECT_EQ(last, kCountMax + 2);
  EXPECT_EQ(table.add(descriptor), -1);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_NE(table.take(100), nullptr);
  EXPECT_EQ(table.add(descriptor), 100);
}

TEST(Descriptors, AllCanBeTakenAtOnce) {
  Descriptors table;
  table.add(make());
  table.add(make());
  table.take(3);
  const auto all = table.take_all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0], nullptr);
  EXPECT_EQ(close_descriptor(*all[1]), 0);
  EXPECT_FALSE(all[1]->gate.enter());
  EXPECT_EQ(table.find(4), nullptr);
  EXPECT_EQ(table.add(make()), 3);
}

}  // namespace
}  // namespace benchfs::compat
