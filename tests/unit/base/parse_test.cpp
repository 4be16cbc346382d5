// Goal: sizes and times as people write them, and a refusal of everything else. Method: tables.

#include "base/parse.h"

#include <string_view>

#include <gtest/gtest.h>

#include "base/units.h"

namespace benchfs {
namespace {

TEST(ParseSize, KnowsBinarySuffixesInEitherCase) {
  EXPECT_EQ(*parse_size("0"), 0U);
  EXPECT_EQ(*parse_size("4096"), 4096U);
  EXPECT_EQ(*parse_size("64K"), 64 * kKiB);
  EXPECT_EQ(*parse_size("64kb"), 64 * kKiB);
  EXPECT_EQ(*parse_size("1MiB"), kMiB);
  EXPECT_EQ(*parse_size("1.5G"), kGiB + 512 * kMiB);
  EXPECT_EQ(*parse_size("2T"), 2048 * kGiB);
  EXPECT_EQ(*parse_size("9007199254740993"), 9007199254740993U);
}

TEST(ParseSize, IsExactWhereADoubleRounds) {
  EXPECT_EQ(*parse_size("9223372036854775807"), std::uint64_t{INT64_MAX});
  EXPECT_EQ(parse_size("9223372036854775808").error().code, Errc::kOutOfRange);
  EXPECT_EQ(*parse_size("7.9999999999999991118215802998747676610946655273437500E"),
            (std::uint64_t{1} << 63U) - 1024);
  EXPECT_EQ(parse_size("1.00000000000000000000001K").error().code, Errc::kInvalid);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const std::string_view text : {"", "12Q", "-1", "+1", "K", " 1", "1 ", "1.0001", "1..5G",
                                      "1.", "1.K", ".5G", "0x10", "1e3", "1KK", "nan", "inf"}) {
    EXPECT_EQ(parse_size(text).error().code, Errc::kInvalid) << text;
  }
  EXPECT_EQ(parse_size("16E").error().code, Errc::kOutOfRange);
  EXPECT_EQ(parse_size("99999999999999999999").error().code, Errc::kOutOfRange);
}

TEST(ParseDuration, KnowsUnitsAndTakesPlainNumbersAsSeconds) {
  EXPECT_EQ(*parse_duration_ns("10"), 10 * kNsPerSec);
  EXPECT_EQ(*parse_duration_ns("10s"), 10 * kNsPerSec);
  EXPECT_EQ(*parse_duration_ns("250ms"), 250 * kNsPerMs);
  EXPECT_EQ(*parse_duration_ns("20us"), 20 * kNsPerUs);
  EXPECT_EQ(*parse_duration_ns("2m"), 120 * kNsPerSec);
  EXPECT_EQ(*parse_duration_ns("1.001s"), 1'001 * kNsPerMs);
  EXPECT_EQ(*parse_duration_ns("4.35us"), 4350U);
  EXPECT_FALSE(parse_duration_ns("5h").has_value());
  EXPECT_FALSE(parse_duration_ns("").has_value());
}

TEST(ParseCount, TakesPlainNumbersOnly) {
  EXPECT_EQ(*parse_count("17"), 17U);
  EXPECT_FALSE(parse_count("1.5").has_value());
  EXPECT_FALSE(parse_count("3K").has_value());
  EXPECT_FALSE(parse_count("-3").has_value());
}

TEST(FormatSize, IsForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(kMiB * 3 / 2), "1.5 MiB");
}

}  // namespace
}  // namespace benchfs
