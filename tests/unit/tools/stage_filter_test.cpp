// Goal: --include and --exclude choose what STAGING.md says.
// Method: a table of patterns and names.

#include "tools/stage_filter.h"

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

TEST(StageFilter, MatchesNamesAnywhereAndPathsFromTheTop) {
  struct Row {
    const char* pattern;
    const char* path;
    bool is_directory;
    bool expected;
  };
  const Row rows[] = {
      {"*.tmp", "a.tmp", false, true},
      {"*.tmp", "deep/down/a.tmp", false, true},
      {"*.tmp", "a.tmpx", false, false},
      {"run/*.log", "run/x.log", false, true},
      {"run/*.log", "run/a/x.log", false, false},
      {"run/*.log", "top/run/x.log", false, false},
      {"/top", "top", false, true},
      {"/top", "a/top", false, false},
      {"scratch/", "a/scratch", true, true},
      {"scratch/", "a/scratch", false, false},
      {"?", "ab", false, false},
      {"[ab]", "x/b", false, true},
      {"", "a", false, false},
      {"/", "a", true, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(matches_stage_pattern(row.pattern, row.path, row.is_directory), row.expected)
        << row.pattern << " with " << row.path;
  }
}

TEST(StageFilter, AdmitsEverythingWithoutPatterns) {
  EXPECT_TRUE(StageFilter{}.admits("a", false));
  EXPECT_TRUE(StageFilter{}.admits("a", true));
}

TEST(StageFilter, LetsExcludeWinAndEntersDirectoriesWhateverIsIncluded) {
  const StageFilter filter{.include = {"*.h5"}, .exclude = {"old*"}};
  EXPECT_TRUE(filter.admits("a/x.h5", false));
  EXPECT_FALSE(filter.admits("a/x.txt", false));
  EXPECT_FALSE(filter.admits("a/old.h5", false));
  EXPECT_TRUE(filter.admits("a", true));
  EXPECT_FALSE(filter.admits("older", true));
}

}  // namespace
}  // namespace benchfs::tools
