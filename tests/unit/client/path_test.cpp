// Goal: paths and targets of links are cut as POSIX says, and impossible ones are refused.
// Method: a table of paths and their names; limits at, and one beyond, their value.

#include "client/path.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace benchfs::client {
namespace {

std::string joined(std::string_view text) {
  const auto path = parse_path(text);
  if (!path.has_value()) {
    return std::string(name_of(path.error().code));
  }
  std::string out;
  for (const std::string& name : path->components) {
    out += "/" + name;
  }
  return out + (path->must_be_directory ? "/" : "");
}

TEST(Path, DropsDotsAndSlashesAndKeepsTwoDots) {
  EXPECT_EQ(joined("/"), "/");
  EXPECT_EQ(joined("//"), "/");
  EXPECT_EQ(joined("/."), "/");
  EXPECT_EQ(joined("/a"), "/a");
  EXPECT_EQ(joined("/a/"), "/a/");
  EXPECT_EQ(joined("/a/."), "/a/");
  EXPECT_EQ(joined("/a/b/.."), "/a/b/../");
  EXPECT_EQ(joined("//a///b"), "/a/b");
  EXPECT_EQ(joined("/a/./b/../c"), "/a/b/../c");
  EXPECT_EQ(joined("/..."), "/...");
  EXPECT_EQ(joined("/a b\n"), "/a b\n");
}

TEST(Path, OfALinkMayBeRelative) {
  const auto relative = parse_link_target("../a/./b/");
  ASSERT_TRUE(relative.has_value());
  EXPECT_FALSE(relative->is_absolute);
  EXPECT_TRUE(relative->must_be_directory);
  EXPECT_EQ(relative->components, (std::vector<std::string>{"..", "a", "b"}));
  EXPECT_TRUE(parse_link_target("/a")->is_absolute);
  EXPECT_TRUE(parse_link_target(".")->is_root());
  EXPECT_EQ(parse_link_target("").error().code, Errc::kNotFound);
}

TEST(Path, TellsWhetherItEndsInDots) {
  EXPECT_EQ(parse_path("/a/b")->last, LastComponent::kName);
  EXPECT_EQ(parse_path("/./a//")->last, LastComponent::kName);
  EXPECT_EQ(parse_path("/a/.")->last, LastComponent::kDot);
  EXPECT_EQ(parse_path("/a/.//")->last, LastComponent::kDot);
  EXPECT_EQ(parse_path("/a/b/../")->last, LastComponent::kDotDot);
  EXPECT_EQ(parse_path("/a/../b")->last, LastComponent::kName);
}

TEST(Path, RefusesWhatIsNoPath) {
  EXPECT_EQ(joined(""), "not_found");
  EXPECT_EQ(joined("a"), "invalid");
  EXPECT_EQ(joined("./a"), "invalid");
  EXPECT_EQ(joined(std::string_view("/a\0b", 4)), "invalid");
}

TEST(Path, KeepsToTheLimitsOfNamesAndPaths) {
  EXPECT_EQ(joined("/" + std::string(255, 'n')), "/" + std::string(255, 'n'));
  EXPECT_EQ(joined("/" + std::string(256, 'n')), "name_too_long");
  EXPECT_EQ(joined("/" + std::string(256, 'n') + "/.."), "name_too_long");
  std::string longest;
  while (longest.size() < 4096) {
    longest += "/" + std::string(127, 'x');
  }
  ASSERT_EQ(longest.size(), 4096u);
  EXPECT_EQ(joined(longest), longest);
  EXPECT_EQ(joined(longest + "/"), "name_too_long");
}

}  // namespace
}  // namespace benchfs::client
