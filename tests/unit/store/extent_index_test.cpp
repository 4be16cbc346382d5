// Goal: the index knows for every byte where it lies, and frees a block exactly when its last byte
// is gone. Method: random writes, list writes (with pieces that overlap and share blocks),
// truncates and removes beside a model that keeps the device address of every byte of every file.

#include "store/extent_index.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/units.h"

namespace benchfs::store {
namespace {

constexpr std::uint64_t kNowhere = UINT64_MAX;

/// Per file and byte, the address on the drive; and the blocks that were given out and not freed.
class Model {
 public:
  explicit Model(std::uint64_t file_bytes) : file_bytes_(file_bytes) {}

  void insert(std::uint64_t file, const std::vector<Extent>& extents) {
    std::vector<std::uint64_t>& bytes = bytes_of(file);
    for (const Extent& extent : extents) {
      for (std::uint64_t i = 0; i < extent.size_bytes; ++i) {
        bytes[extent.offset_bytes + i] = extent.device_bytes + i;
      }
      const std::uint64_t last = (extent.device_bytes + extent.size_bytes - 1) / kBlockBytes;
      for (std::uint64_t block = extent.device_bytes / kBlockBytes; block <= last; ++block) {
        blocks_.insert(block);
      }
    }
  }

  void truncate(std::uint64_t file, std::uint64_t size) {
    std::vector<std::uint64_t>& bytes = bytes_of(file);
    for (std::uint64_t offset = size; offset < bytes.size(); ++offset) {
      bytes[offset] = kNowhere;
    }
  }

  std::set<std::uint64_t> blocks_in_use() const {
    std::set<std::uint64_t> blocks;
    for (const auto& [file, bytes] : files_) {
      std::uint64_t last = kNowhere;
      for (const std::uint64_t device : bytes) {
        if (device != kNowhere && device / kBlockBytes != last) {
          last = device / kBlockBytes;
          blocks.insert(last);
        }
      }
    }
    return blocks;
  }

  std::set<std::uint64_t>& blocks() { return blocks_; }

  const std::vector<std::uint64_t>& bytes(std::uint64_t file) { return bytes_of(file); }

  std::uint64_t end_of(std::uint64_t file) {
    const std::vector<std::uint64_t>& bytes = bytes_of(file);
    std::uint64_t end = bytes.size();
    while (end > 0 && bytes[end - 1] == kNowhere) {
      --end;
    }
    return end;
  }

  /// Extents if all that could be one were: runs that continue in the file and on the drive.
  std::size_t run_count(std::uint64_t file) {
    const std::vector<std::uint64_t>& bytes = bytes_of(file);
    std::size_t count = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const bool continues = i > 0 && bytes[i - 1] != kNowhere && bytes[i] == bytes[i - 1] + 1;
      count += bytes[i] != kNowhere && !continues ? 1 : 0;
    }
    return count;
  }

 private:
  std::vector<std::uint64_t>& bytes_of(std::uint64_t file) {
    return files_.try_emplace(file, file_bytes_, kNowhere).first->second;
  }

  const std::uint64_t file_bytes_;
  std::map<std::uint64_t, std::vector<std::uint64_t>> files_;
  std::set<std::uint64_t> blocks_;
};

struct Shape {
  std::uint64_t file_count;
  std::uint64_t file_bytes;
  std::uint64_t piece_bytes_max;
  std::uint64_t piece_count_max;
};

class Comparison {
 public:
  Comparison(std::uint64_t seed, Shape shape)
      : random_(seed), shape_(shape), model_(shape.file_bytes) {}

  void step() {
    const std::uint64_t file = random_() % shape_.file_count + 1;
    const std::uint64_t dice = random_() % 20;
    BlockRuns freed;
    if (dice < 17) {
      const std::vector<Extent> extents = make_write();
      index_.insert(InodeId{file}, extents, freed);
      model_.insert(file, extents);
    } else {
      const std::uint64_t size = dice == 19 ? 0 : random_() % shape_.file_bytes;
      index_.truncate(InodeId{file}, size, freed);
      model_.truncate(file, size);
    }
    for (const BlockRun& run : freed) {
      for (std::uint64_t block = run.first; block < run.end(); ++block) {
        ASSERT_EQ(model_.blocks().erase(block), 1U) << "block " << block << " was not in use";
      }
    }
    ASSERT_EQ(index_.end_of(InodeId{file}), model_.end_of(file));
    compare_range(file, random_() % shape_.file_bytes, random_() % shape_.file_bytes + 1);
  }

  void compare_all() {
    ASSERT_EQ(model_.blocks(), model_.blocks_in_use());
    std::size_t extent_count = 0;
    std::size_t file_count = 0;
    for (std::uint64_t file = 1; file <= shape_.file_count; ++file) {
      compare_range(file, 0, shape_.file_bytes);
      extent_count += model_.run_count(file);
      file_count += model_.end_of(file) > 0 ? 1 : 0;
    }
    ASSERT_EQ(index_.extent_count(), extent_count);
    ASSERT_EQ(index_.file_count(), file_count);
  }

  void remove_all() {
    for (std::uint64_t file = 1; file <= shape_.file_count; ++file) {
      BlockRuns freed;
      index_.truncate(InodeId{file}, 0, freed);
      for (const BlockRun& run : freed) {
        for (std::uint64_t block = run.first; block < run.end(); ++block) {
          ASSERT_EQ(model_.blocks().erase(block), 1U);
        }
      }
    }
    ASSERT_TRUE(model_.blocks().empty());
    ASSERT_EQ(index_.file_count(), 0U);
    ASSERT_EQ(index_.extent_count(), 0U);
    ASSERT_EQ(index_.shared_block_count(), 0U);
  }

 private:
  /// Pieces one behind the other on the drive, sometimes broken between blocks as by a fragmented
  /// drive, sometimes right behind the write before.
  std::vector<Extent> make_write() {
    std::vector<Extent> extents;
    if (random_() % 3 != 0) {
      next_device_ += kBlockBytes * (random_() % 3);
    }
    std::uint64_t device = next_device_;
    std::uint64_t offset = random_() % shape_.file_bytes;
    const std::uint64_t count = random_() % 4 == 0 ? random_() % shape_.piece_count_max + 1 : 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (random_() % 3 != 0) {
        offset = random_() % shape_.file_bytes;
      }
      const std::uint64_t limit = shape_.file_bytes - offset;
      if (limit == 0) {
        continue;
      }
      std::uint64_t size = std::min(limit, random_() % shape_.piece_bytes_max + 1);
      if (random_() % 4 == 0) {
        size = std::min(limit, round_up(size, kBlockBytes));
      }
      extents.push_back({offset, size, device});
      offset += size;
      device += size;
      if (device % kBlockBytes == 0 && random_() % 2 == 0) {
        device += kBlockBytes;
      }
    }
    if (extents.empty()) {
      extents.push_back({0, 1, device});
      device += 1;
    }
    next_device_ = round_up(device, kBlockBytes);
    return extents;
  }

  void compare_range(std::uint64_t file, std::uint64_t offset, std::uint64_t size) {
    const std::vector<std::uint64_t>& bytes = model_.bytes(file);
    ExtentList found;
    index_.find(InodeId{file}, offset, size, found);
    int differences = 0;
    std::uint64_t at = offset;
    const std::uint64_t end = std::min(offset + size, shape_.file_bytes);
    for (const Extent& extent : found) {
      ASSERT_GE(extent.offset_bytes, at);
      ASSERT_LE(extent.offset_bytes + extent.size_bytes, end);
      for (; at < extent.offset_bytes; ++at) {
        differences += bytes[at] != kNowhere ? 1 : 0;
      }
      for (std::uint64_t i = 0; i < extent.size_bytes; ++i, ++at) {
        differences += bytes[at] != extent.device_bytes + i ? 1 : 0;
      }
    }
    for (; at < end; ++at) {
      differences += bytes[at] != kNowhere ? 1 : 0;
    }
    ASSERT_EQ(differences, 0) << "bytes of file " << file << " in " << size << " from " << offset;
  }

  std::mt19937_64 random_;
  const Shape shape_;
  Model model_;
  ExtentIndex index_;
  std::uint64_t next_device_ = 0;
};

void compare(std::uint64_t seed, Shape shape, int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Comparison comparison(seed, shape);
  for (int step = 0; step < steps; ++step) {
    comparison.step();
    if (step % 50 == 0) {
      comparison.compare_all();
    }
    if (testing::Test::HasFatalFailure()) {
      return;
    }
  }
  comparison.compare_all();
  comparison.remove_all();
}

TEST(ExtentIndex, AgreesWithAModelOfEveryByteForLargePieces) {
  for (std::uint64_t seed = 0; seed < 5 && !testing::Test::HasFatalFailure(); ++seed) {
    compare(
        seed,
        {.file_count = 3, .file_bytes = 60'000, .piece_bytes_max = 20'000, .piece_count_max = 6},
        1500);
  }
}

TEST(ExtentIndex, AgreesWithAModelOfEveryByteForPiecesThatShareBlocks) {
  for (std::uint64_t seed = 100; seed < 112 && !testing::Test::HasFatalFailure(); ++seed) {
    compare(seed,
            {.file_count = 2, .file_bytes = 9'000, .piece_bytes_max = 600, .piece_count_max = 40},
            1500);
  }
}

TEST(ExtentIndex, ABlockIsFreedWithTheLastOfThePiecesThatShareIt) {
  ExtentIndex index;
  BlockRuns freed;
  const std::vector<Extent> pieces = {{0, 100, 0}, {1000, 100, 100}, {2000, 100, 200}};
  index.insert(InodeId{1}, pieces, freed);
  EXPECT_EQ(index.shared_block_count(), 1U);
  index.truncate(InodeId{1}, 2000, freed);
  index.truncate(InodeId{1}, 1000, freed);
  EXPECT_TRUE(freed.empty());
  EXPECT_EQ(index.shared_block_count(), 0U);
  index.truncate(InodeId{1}, 0, freed);
  ASSERT_EQ(freed.size(), 1U);
  EXPECT_EQ(freed[0], (BlockRun{0, 1}));
}

TEST(ExtentIndex, AHoleInTheMiddleOfABlockLeavesItToBothEnds) {
  ExtentIndex index;
  BlockRuns freed;
  const std::vector<Extent> whole = {{0, 4096, 0}};
  const std::vector<Extent> middle = {{1000, 10, 4096}};
  index.insert(InodeId{1}, whole, freed);
  index.insert(InodeId{1}, middle, freed);
  EXPECT_TRUE(freed.empty());
  EXPECT_EQ(index.extent_count(), 3U);
  EXPECT_EQ(index.shared_block_count(), 1U);
}

TEST(ExtentIndex, WritesThatContinueEachOtherAreOneExtent) {
  ExtentIndex index;
  BlockRuns freed;
  for (const std::uint64_t i : {2U, 0U, 1U, 3U}) {
    const std::vector<Extent> extents = {{i * 8192, 8192, 40960 + i * 8192}};
    index.insert(InodeId{7}, extents, freed);
  }
  EXPECT_EQ(index.extent_count(), 1U);
  EXPECT_EQ(index.end_of(InodeId{7}), 4U * 8192);
}

TEST(ExtentIndex, APieceThatALaterOneOfTheSameWriteCoversIsFreed) {
  ExtentIndex index;
  BlockRuns freed;
  const std::vector<Extent> pieces = {{0, 8192, 0}, {0, 8192, 8192}};
  index.insert(InodeId{1}, pieces, freed);
  ASSERT_EQ(freed.size(), 1U);
  EXPECT_EQ(freed[0], (BlockRun{0, 2}));
}

TEST(ExtentIndex, KeepsRangesUpToTheLargestOffset) {
  ExtentIndex index;
  BlockRuns freed;
  const std::vector<Extent> last = {{kFileBytesMax - 10, 10, 0}};
  index.insert(InodeId{1}, last, freed);
  EXPECT_EQ(index.end_of(InodeId{1}), kFileBytesMax);
  ExtentList found;
  index.find(InodeId{1}, kFileBytesMax - 4, 4, found);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], (Extent{kFileBytesMax - 4, 4, 6}));
}

}  // namespace
}  // namespace benchfs::store
