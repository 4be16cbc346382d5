// Goal: a format is expanded as stat's and find's users expect. Method: by hand.

#include "tools/print_format.h"

#include <string>

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

constexpr PrintFormat::Rules kRules = {
    .letters = "sTX", .with_argument = "T", .with_decimals = "X", .escapes = true};

std::string expanded(const std::string& text, const std::string& value) {
  std::string error;
  const auto format = PrintFormat::parse(text, kRules, error);
  return format.has_value() ? format->expand([&](const PrintFormat::Directive&) { return value; })
                            : "error: " + error;
}

TEST(PrintFormat, WidthsFlagsAndPrecision) {
  EXPECT_EQ(expanded("%s", "ab"), "ab");
  EXPECT_EQ(expanded("[%4s|%-4s|%04s|%.1s]", "ab"), "[  ab|ab  |00ab|a]");
  EXPECT_EQ(expanded("%.1X", "1.5"), "1.5");
  EXPECT_EQ(expanded("100%%%s", ""), "100%");
}

TEST(PrintFormat, Escapes) {
  EXPECT_EQ(expanded("a\\tb\\n\\101\\\\\\q\\", ""), "a\tb\nA\\\\q\\");
  EXPECT_EQ(expanded("\\0", ""), std::string(1, '\0'));
}

TEST(PrintFormat, WhatIsNoDirectiveIsNamed) {
  EXPECT_EQ(expanded("%s%z", ""), "error: %z");
  EXPECT_EQ(expanded("%", ""), "error: %");
  EXPECT_EQ(expanded("%-5", ""), "error: %-5");
  EXPECT_EQ(expanded("%T", ""), "error: %T");
}

}  // namespace
}  // namespace benchfs::tools
