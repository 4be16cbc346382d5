// Goal: every cell of a file is one server's, in one range; sums see every byte and no hole; runs
// leave out zeros only.
// Method: layouts and ranges beside a count of every byte; seeded contents.

#include "server/handlers/stage_cells.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"

namespace benchfs::server {
namespace {

wire::StageRangeRequest request_of(std::uint64_t chunk_bytes, std::uint32_t stripe_count,
                                   std::uint64_t size_bytes) {
  wire::StageRangeRequest request;
  request.act = wire::StageAct::kCopyOut;
  request.inode = InodeId{77};
  request.layout = {.chunk_bytes = chunk_bytes, .stripe_count = stripe_count};
  request.size_bytes = size_bytes;
  request.length_bytes = size_bytes;
  return request;
}

TEST(StageCells, AreAllOfTheFileOnceHoweverItIsCut) {
  constexpr std::uint16_t kServers = 5;
  for (const std::uint64_t chunk_bytes : {4096ULL, 65536ULL, 1048576ULL, 1500000ULL, 9000001ULL}) {
    for (const std::uint64_t size_bytes : {1ULL, 4096ULL, 1048577ULL, 20000003ULL}) {
      for (const std::uint64_t step : {size_bytes, std::uint64_t{700001}}) {
        std::map<std::uint64_t, std::uint64_t> cells;
        wire::StageRangeRequest request = request_of(chunk_bytes, 3, size_bytes);
        for (std::uint64_t at = 0; at < size_bytes; at += step) {
          request.offset_bytes = at;
          request.length_bytes = step;
          for (std::uint16_t server = 0; server < kServers; ++server) {
            const auto found = cells_of(request, ServerId{server}, kServers);
            ASSERT_TRUE(found.has_value());
            for (const store::Piece& cell : *found) {
              EXPECT_TRUE(cells.emplace(cell.offset_bytes, cell.size_bytes).second);
              EXPECT_LE(cell.size_bytes, wire::kStageCellBytes);
            }
          }
        }
        std::uint64_t end = 0;
        for (const auto& [offset, size] : cells) {
          EXPECT_EQ(offset, end);
          end = offset + size;
        }
        EXPECT_EQ(end, size_bytes) << chunk_bytes << " " << step;
      }
    }
  }
}

TEST(StageCells, RefuseNumbersThatMakeNoSense) {
  const auto refused = [](const wire::StageRangeRequest& request) {
    return !cells_of(request, ServerId{0}, 4).has_value();
  };
  EXPECT_FALSE(refused(request_of(1 << 20, 4, 5000)));
  EXPECT_TRUE(refused(request_of(0, 4, 5000)));
  EXPECT_TRUE(refused(request_of(1 << 20, 0, 5000)));
  EXPECT_TRUE(refused(request_of(1 << 20, 5, 5000)));
  EXPECT_TRUE(refused(request_of(wire::kChunkBytesMax + 1, 4, 5000)));
  EXPECT_TRUE(refused(request_of(1 << 20, 4, UINT64_MAX)));
  EXPECT_TRUE(refused(request_of(1, 4, 1 << 20))) << "too many chunks";
  EXPECT_TRUE(refused(request_of(wire::kChunkBytesMax, 1, kFileBytesMax))) << "too many cells";
  wire::StageRangeRequest request = request_of(1 << 20, 4, 5000);
  request.act = wire::StageAct{9};
  EXPECT_TRUE(refused(request));
  request = request_of(1 << 20, 4, 5000);
  request.offset_bytes = UINT64_MAX - 1;
  EXPECT_TRUE(refused(request));
}

TEST(StageCells, SumsSeeEveryByteAndItsPlaceAndNoZeros) {
  std::vector<std::byte> bytes(5000);
  EXPECT_EQ(sum_of_cell(bytes, 0), 0U);
  EXPECT_EQ(sum_of_cell({}, 0), 0U);
  bytes[4999] = std::byte{1};
  const std::uint64_t sum = sum_of_cell(bytes, 0);
  EXPECT_NE(sum, 0U);
  EXPECT_NE(sum_of_cell(bytes, 1 << 20), sum);
  std::swap(bytes[4999], bytes[0]);
  EXPECT_NE(sum_of_cell(bytes, 0), sum);
}

TEST(StageCells, RunsHoldEveryByteThatIsNotZero) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<std::byte> bytes(1 + random() % (1 << 20));
    const std::uint64_t islands = random() % 300;
    for (std::uint64_t i = 0; i < islands; ++i) {
      bytes[random() % bytes.size()] = std::byte{7};
    }
    const std::uint64_t offset = random() % 100'000;
    const auto runs = data_runs(bytes, offset);
    EXPECT_LE(runs.size(), kPiecesMax);
    std::vector<std::byte> again(bytes.size());
    std::uint64_t end = offset;
    for (const store::Piece& run : runs) {
      ASSERT_GE(run.offset_bytes, end);
      ASSERT_GT(run.size_bytes, 0U);
      end = run.offset_bytes + run.size_bytes;
      ASSERT_LE(end, offset + bytes.size());
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(run.offset_bytes - offset),
                  run.size_bytes,
                  again.begin() + static_cast<std::ptrdiff_t>(run.offset_bytes - offset));
    }
    EXPECT_TRUE(again == bytes);
  }
}

}  // namespace
}  // namespace benchfs::server
