// Goal: a manifest tells what was written into it, whatever its end or a byte of it has suffered;
// and never that a file is done which is not. Method: lines with hard names are read back whole,
// cut at every byte, and with every byte changed.

#include "tools/stage_manifest.h"

#include <string>

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

constexpr auto kIn = StageManifest::Direction::kIn;
constexpr auto kOut = StageManifest::Direction::kOut;

const std::string kHardName("a b%c\n\xff\x01/d\x7f", 12);
constexpr StagedFile kFile{.size = 5, .mtime_ns = 7, .ctime_ns = UINT64_MAX, .sum = 0xFEDC};

std::string sample() {
  return StageManifest::line_of_run(kOut, 0x1234) + StageManifest::line_of_file(kHardName, kFile) +
         StageManifest::line_of_file("b", {.size = 1});
}

TEST(StageManifest, TellsWhatWasWritten) {
  StageManifest manifest;
  ASSERT_TRUE(manifest.read(sample(), kOut));
  ASSERT_NE(manifest.find(kHardName), nullptr);
  EXPECT_EQ(*manifest.find(kHardName), kFile);
  EXPECT_EQ(manifest.files().size(), 2U);
  EXPECT_EQ(manifest.runs(), std::set<std::uint64_t>{0x1234});
  EXPECT_EQ(manifest.find("c"), nullptr);
}

TEST(StageManifest, TakesTheLastWordOnAFile) {
  StageManifest manifest;
  ASSERT_TRUE(manifest.read(sample() + StageManifest::line_of_file("b", {.size = 2}) +
                                StageManifest::line_of_loss(kHardName),
                            kOut));
  EXPECT_EQ(manifest.find("b")->size, 2U);
  EXPECT_EQ(manifest.find(kHardName), nullptr);
}

TEST(StageManifest, IsEmptyWhenNothingWasWritten) {
  StageManifest manifest;
  EXPECT_TRUE(manifest.read("", kOut));
  EXPECT_TRUE(manifest.files().empty());
}

TEST(StageManifest, RefusesWhatIsNotItsOwn) {
  StageManifest manifest;
  EXPECT_FALSE(manifest.read("some text\n", kOut));
  EXPECT_FALSE(manifest.read("\n", kOut));
  EXPECT_FALSE(manifest.read(sample(), kIn));
  EXPECT_FALSE(manifest.read(StageManifest::line_of_file("b", {}), kOut));
}

TEST(StageManifest, ForgetsATornLineOnly) {
  const std::string text = sample();
  const std::size_t first = text.find('\n') + 1;
  const std::size_t second = text.find('\n', first) + 1;
  for (std::size_t length = first; length < text.size(); ++length) {
    StageManifest manifest;
    ASSERT_TRUE(manifest.read(text.substr(0, length), kOut)) << length;
    EXPECT_EQ(manifest.files().size(), length >= second ? 1U : 0U) << length;
  }
  // The next run ends the torn line, and goes on.
  StageManifest manifest;
  ASSERT_TRUE(manifest.read(text.substr(0, second - 3) + "\n" +
                                StageManifest::line_of_run(kOut, 5) +
                                StageManifest::line_of_file("c", {}),
                            kOut));
  EXPECT_EQ(manifest.files().size(), 1U);
  EXPECT_EQ(manifest.runs().size(), 2U);
}

TEST(StageManifest, BelievesNoDamagedLine) {
  const std::string text = sample();
  const std::size_t first = text.find('\n') + 1;
  for (std::size_t at = first; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    StageManifest manifest;
    ASSERT_TRUE(manifest.read(damaged, kOut)) << at;
    for (const auto& [path, file] : manifest.files()) {
      const bool is_one =
          (path == kHardName && file == kFile) || (path == "b" && file == StagedFile{.size = 1});
      EXPECT_TRUE(is_one) << "byte " << at << ": " << path;
    }
    EXPECT_LT(manifest.files().size(), 2U) << at;
  }
}

}  // namespace
}  // namespace benchfs::tools
