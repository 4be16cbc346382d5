// Goal: dates mean what touch's users mean by them. Method: by hand, from a fixed now, in UTC.

#include "tools/time_argument.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

constexpr timespec kNow{.tv_sec = 1'000'000'000, .tv_nsec = 5};

class TimeArgument : public testing::Test {
 protected:
  static void SetUpTestSuite() { ::setenv("TZ", "UTC", 1); }

  static void expect(const char* text, time_t seconds, long nanoseconds) {
    const auto time = parse_time(text, kNow);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(time->tv_sec, seconds) << text;
    EXPECT_EQ(time->tv_nsec, nanoseconds) << text;
  }
};

TEST_F(TimeArgument, DatesTimesAndZones) {
  expect("2001-09-09", 999'993'600, 0);
  expect("2001-09-09 01:46:40", 1'000'000'000, 0);
  expect("2001-09-09T01:46:40.25Z", 1'000'000'000, 250'000'000);
  expect("2001-09-09 03:46:40 +0200", 1'000'000'000, 0);
}

TEST_F(TimeArgument, SecondsAndSteps) {
  expect("@0", 0, 0);
  expect("@12.000000345", 12, 345);
  expect("@-1.5", -2, 500'000'000);
  expect("now", kNow.tv_sec, kNow.tv_nsec);
  expect("2 days ago", kNow.tv_sec - 172'800, kNow.tv_nsec);
  expect("+3 hours", kNow.tv_sec + 10'800, kNow.tv_nsec);
  expect("-1 minute", kNow.tv_sec - 60, kNow.tv_nsec);
}

TEST_F(TimeArgument, WhatIsNoTimeIsRefused) {
  for (const char* const text :
       {"", "@", "@1.", "@1.x", "2001-02-30", "2001-13-01", "5", "5 parsecs", "infinite-future",
        "99999999999999999999 days", "ago", " ago"}) {
    EXPECT_FALSE(parse_time(text, kNow).has_value()) << text;
  }
}

TEST_F(TimeArgument, StampsOfTouch) {
  const auto time = parse_time_stamp("200109090146.40", kNow);
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(time->tv_sec, 1'000'000'000);
  EXPECT_EQ(parse_time_stamp("09090146", kNow)->tv_sec, 999'999'960);
  EXPECT_EQ(parse_time_stamp("7001010000", kNow)->tv_sec, 0);
  for (const char* const text :
       {"", "1", "0931", "02300000", "200109090146.60", "200109090146.x"}) {
    EXPECT_FALSE(parse_time_stamp(text, kNow).has_value()) << text;
  }
}

}  // namespace
}  // namespace benchfs::tools
