// Goal: a copy is the file from its start to its end, or a failure. Method: a pipeline between two
// ends in memory, of which the source may be shorter than it said, grow, or fail.

#include "tools/pipeline.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace benchfs::tools {
namespace {

constexpr std::uint64_t kNoLimit = UINT64_MAX >> 1U;

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>('a' + i / 1000 % 26);
  }
  return text;
}

class MemorySource final : public ReadEnd {
 public:
  explicit MemorySource(std::string text) : content(std::move(text)) {}
  int status(struct stat& /*out*/) override { return -1; }
  bool begin_read(Piece& /*piece*/) override { return true; }
  bool finish_read(Piece& piece) override {
    if (reads++ == failing_read) {
      errno = EIO;
      return false;
    }
    const auto offset = static_cast<std::size_t>(piece.offset);
    const std::size_t left = offset < content.size() ? content.size() - offset : 0;
    piece.length = std::min(piece.length, left);
    std::memcpy(piece.data, content.data() + offset, piece.length);
    content += std::exchange(grows_by, "");
    return true;
  }

  std::string content;
  std::string grows_by;  ///< After the first read.
  int failing_read = -1;
  int reads = 0;
};

class MemoryTarget final : public WriteEnd {
 public:
  int status(struct stat& /*out*/) override { return -1; }
  bool begin_write(Piece& /*piece*/) override { return true; }
  bool finish_write(Piece& piece) override {
    if (writes++ == failing_write) {
      errno = ENOSPC;
      return false;
    }
    content.append(reinterpret_cast<const char*>(piece.data), piece.length);
    return true;
  }
  std::unique_ptr<ReadEnd> read_back() override { return nullptr; }
  void discard() override {}
  bool commit(const struct stat& /*like*/) override { return true; }

  std::string content;
  int failing_write = -1;
  int writes = 0;
};

class PipelineTest : public testing::Test {
 protected:
  Pipeline::Outcome run(MemorySource& source, std::uint64_t size_max = kNoLimit) {
    moved_ = 0;
    return pipeline_.run(source, target_, size_max, moved_, progress_);
  }

  Pipeline pipeline_;
  Progress progress_{Progress::Style::kNone};
  MemoryTarget target_;
  std::uint64_t moved_ = 0;
};

TEST_F(PipelineTest, AllBytesArriveInOrder) {
  constexpr std::size_t kPiece = Pipeline::kPieceBytes;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece, 3 * kPiece,
                                 Pipeline::kPieces * kPiece, 11 * kPiece + 77}) {
    target_.content.clear();
    MemorySource source(pattern(size));
    EXPECT_EQ(run(source), Pipeline::Outcome::kDone);
    EXPECT_EQ(moved_, size);
    EXPECT_TRUE(target_.content == source.content) << size;
  }
}

TEST_F(PipelineTest, NoMoreThanAskedForIsMoved) {
  MemorySource source(pattern(2 * Pipeline::kPieceBytes));
  EXPECT_EQ(run(source, Pipeline::kPieceBytes + 5), Pipeline::Outcome::kDone);
  EXPECT_TRUE(target_.content == source.content.substr(0, Pipeline::kPieceBytes + 5));
}

TEST_F(PipelineTest, AFileThatGrowsMeanwhileIsCopiedWithoutAGap) {
  MemorySource source(pattern(100));
  source.grows_by = pattern(3 * Pipeline::kPieceBytes);  // Read ahead already: it would be found.
  EXPECT_EQ(run(source), Pipeline::Outcome::kDone);
  EXPECT_EQ(target_.content, pattern(100));
  EXPECT_EQ(moved_, 100U);
}

TEST_F(PipelineTest, AReadThatFailsFailsTheCopy) {
  MemorySource source(pattern(6 * Pipeline::kPieceBytes));
  source.failing_read = 4;
  EXPECT_EQ(run(source), Pipeline::Outcome::kReadFailed);
  EXPECT_EQ(errno, EIO);
  EXPECT_LE(moved_, 4 * Pipeline::kPieceBytes);
}

TEST_F(PipelineTest, AWriteThatFailsFailsTheCopyAlsoIfItIsTheLast) {
  for (const int failing : {0, 5}) {
    MemorySource source(pattern(6 * Pipeline::kPieceBytes));
    target_.failing_write = failing;
    target_.writes = 0;
    EXPECT_EQ(run(source), Pipeline::Outcome::kWriteFailed);
    EXPECT_EQ(errno, ENOSPC);
  }
}

}  // namespace
}  // namespace benchfs::tools
