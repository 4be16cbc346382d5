// Goal: a mode is what chmod's users mean by it. Method: by hand, and what is no mode; that it
// agrees with chmod(1) is shown by tests/integration/files.

#include "tools/mode_change.h"

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

mode_t changed(const char* text, mode_t mode, bool is_directory = false, mode_t umask = 022) {
  const auto change = ModeChange::parse(text, umask);
  return change.has_value() ? change->apply(mode, is_directory) : 0100000;
}

TEST(ModeChange, LettersNameBitsAndWho) {
  EXPECT_EQ(changed("u+x", 0644), 0744U);
  EXPECT_EQ(changed("go-rwx", 0777), 0700U);
  EXPECT_EQ(changed("u=rw,g=r,o=", 0), 0640U);
  EXPECT_EQ(changed("g=u", 0640), 0660U);
  EXPECT_EQ(changed("a+st", 0), 07000U);
  EXPECT_EQ(changed("u+w-r", 0444), 0244U);
}

TEST(ModeChange, WhoNamesNobodyIsBoundByTheUmask) {
  EXPECT_EQ(changed("+w", 0444), 0644U);
  EXPECT_EQ(changed("=rw", 0777), 0644U);
}

TEST(ModeChange, SearchIsForDirectoriesAndPrograms) {
  EXPECT_EQ(changed("a+X", 0644), 0644U);
  EXPECT_EQ(changed("a+X", 0744), 0755U);
  EXPECT_EQ(changed("a+X", 0644, true), 0755U);
}

TEST(ModeChange, SetIdsOfDirectoriesStayUnlessTheyAreNamed) {
  EXPECT_EQ(changed("755", 02700, true), 02755U);
  EXPECT_EQ(changed("00755", 02700, true), 0755U);
  EXPECT_EQ(changed("755", 02700), 0755U);
  EXPECT_EQ(changed("g-s", 02700, true), 0700U);
}

TEST(ModeChange, WhatIsNoModeIsRefused) {
  for (const char* const text : {"", "8", "77777", "u", "rw", "+q", ",", "u+x,", "0x7", "-1"}) {
    EXPECT_FALSE(ModeChange::parse(text, 0).has_value()) << text;
  }
}

}  // namespace
}  // namespace benchfs::tools
