// Goal: whatever the memory, the ranges and the layout, every byte is moved exactly once, between
// the right address and the right place, by requests within the limits, none more than needed.
// Method: random plans from seeds against a model that walks byte by byte; then cases with known
// plans.

#include "client/striper.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"

namespace benchfs::client {
namespace {

placement::Striping striping_of(std::uint64_t chunk_bytes, std::uint32_t stripe_count,
                                std::uint16_t server_count = 8) {
  return {.file = InodeId{42},
          .chunk_bytes = chunk_bytes,
          .stripe_count = stripe_count,
          .server_count = server_count};
}

std::vector<StripeRequest> plan(const placement::Striping& striping,
                                const std::vector<iovec>& memory,
                                const std::vector<Extent>& extents) {
  Striper striper(striping, memory, extents);
  std::vector<StripeRequest> requests;
  StripeRequest request;
  while (striper.next(request)) {
    requests.push_back(std::move(request));
  }
  return requests;
}

void expect_within_limits(const std::vector<StripeRequest>& requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const StripeRequest& request = requests[i];
    EXPECT_EQ(request.index, i);
    EXPECT_GE(request.pieces.size(), 1u);
    EXPECT_LE(request.pieces.size(), kPiecesMax);
    EXPECT_GE(request.memory.size(), 1u);
    EXPECT_LE(request.memory.size(), kFragmentsMax);
    std::uint64_t in_pieces = 0;
    std::uint64_t lowest = UINT64_MAX;
    for (const wire::DataPiece& piece : request.pieces) {
      EXPECT_GT(piece.size_bytes, 0u);
      in_pieces += piece.size_bytes;
      lowest = std::min(lowest, piece.offset_bytes);
    }
    std::uint64_t in_memory = 0;
    for (std::size_t k = 0; k < request.memory.size(); ++k) {
      EXPECT_FALSE(request.memory[k].empty());
      in_memory += request.memory[k].size();
      if (k > 0) {
        EXPECT_NE(request.memory[k - 1].data() + request.memory[k - 1].size(),
                  request.memory[k].data())
            << "adjacent memory is one fragment";
      }
    }
    EXPECT_EQ(in_pieces, request.size_bytes);
    EXPECT_EQ(in_memory, request.size_bytes);
    EXPECT_LE(request.size_bytes, kTransferBytesMax);
    EXPECT_EQ(request.lowest_offset(), lowest);
  }
}

/// One byte of the plan: where it lies in memory and in the file.
using BytePair = std::pair<const std::byte*, std::uint64_t>;

std::vector<BytePair> bytes_of_lists(const std::vector<iovec>& memory,
                                     const std::vector<Extent>& extents) {
  std::vector<const std::byte*> addresses;
  for (const iovec& piece : memory) {
    for (std::size_t i = 0; i < piece.iov_len; ++i) {
      addresses.push_back(static_cast<const std::byte*>(piece.iov_base) + i);
    }
  }
  std::vector<BytePair> pairs;
  for (const Extent& extent : extents) {
    for (std::uint64_t i = 0; i < extent.size_bytes; ++i) {
      pairs.emplace_back(addresses.at(pairs.size()), extent.offset_bytes + i);
    }
  }
  return pairs;
}

/// Of a plan; also checks that each byte goes to the server of its chunk.
std::vector<BytePair> bytes_of_plan(const placement::Striping& striping,
                                    const std::vector<StripeRequest>& requests) {
  std::vector<BytePair> pairs;
  for (const StripeRequest& request : requests) {
    std::vector<std::uint64_t> offsets;
    for (const wire::DataPiece& piece : request.pieces) {
      for (std::uint32_t i = 0; i < piece.size_bytes; ++i) {
        offsets.push_back(piece.offset_bytes + i);
      }
    }
    std::size_t next = 0;
    for (const Bytes fragment : request.memory) {
      for (const std::byte& byte : fragment) {
        const std::uint64_t offset = offsets.at(next++);
        pairs.emplace_back(&byte, offset);
        EXPECT_EQ(placement::chunk_server(striping, offset / striping.chunk_bytes), request.server);
      }
    }
  }
  return pairs;
}

TEST(Striper, MovesEveryByteOnceToTheRightServerForEverySeed) {
  std::vector<std::byte> arena(200'000);
  const std::vector<std::uint64_t> chunk_sizes = {1, 2, 7, 100, 512, 3902, 4096, 47008, 1 << 20};
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto draw = [&](std::uint64_t below) { return random() % below; };
    const auto server_count = static_cast<std::uint16_t>(1 + draw(9));
    const auto striping =
        striping_of(chunk_sizes[draw(chunk_sizes.size())],
                    static_cast<std::uint32_t>(1 + draw(server_count)), server_count);
    const std::uint64_t total = draw(20'000);
    std::vector<iovec> memory;
    std::uint64_t position = 0;
    for (std::uint64_t left = total; left > 0 || draw(3) == 0;) {
      const std::uint64_t size = std::min(left, draw(4) == 0 ? draw(5000) : draw(40));
      position += draw(2) == 0 ? 0 : draw(16);  // Some fragments are adjacent.
      memory.push_back({.iov_base = arena.data() + position, .iov_len = size});
      position += size;
      left -= size;
      ASSERT_LE(position, arena.size());
    }
    std::vector<Extent> extents;
    std::uint64_t offset = draw(1'000'000);
    for (std::uint64_t left = total; left > 0 || draw(3) == 0;) {
      const std::uint64_t size = std::min(left, draw(4) == 0 ? draw(9000) : draw(100));
      offset = draw(8) == 0 ? draw(5'000'000) : offset + (draw(2) == 0 ? 0 : draw(5000));
      extents.push_back({.offset_bytes = offset, .size_bytes = size});
      offset += size;
      left -= size;
    }
    const auto requests = plan(striping, memory, extents);
    expect_within_limits(requests);
    auto wanted = bytes_of_lists(memory, extents);
    auto got = bytes_of_plan(striping, requests);
    std::sort(wanted.begin(), wanted.end());
    std::sort(got.begin(), got.end());
    EXPECT_EQ(wanted, got);
  }
}

TEST(Striper, SendsAlignedChunksAsOneRequestEachWithoutCopies) {
  std::vector<std::byte> buffer(8 * kMiB);
  const auto requests = plan(striping_of(kMiB, 4), {{buffer.data(), buffer.size()}},
                             {{.offset_bytes = 0, .size_bytes = buffer.size()}});
  ASSERT_EQ(requests.size(), 8u);
  for (const StripeRequest& request : requests) {
    EXPECT_EQ(request.size_bytes, kMiB);
    EXPECT_EQ(request.pieces.size(), 1u);
    EXPECT_EQ(request.memory.size(), 1u);
  }
}

TEST(Striper, CutsLargeChunksWhereTransfersEndWithinThem) {
  std::vector<std::byte> buffer(4 * kMiB);
  const auto requests = plan(striping_of(64 * kMiB, 4), {{buffer.data(), buffer.size()}},
                             {{.offset_bytes = 100, .size_bytes = buffer.size()}});
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_EQ(requests[0].size_bytes, kMiB - 100);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(requests[i].pieces[0].offset_bytes, i * kMiB);
    EXPECT_EQ(requests[i].size_bytes, kMiB);
  }
  EXPECT_EQ(requests[4].size_bytes, 100u);
}

TEST(Striper, GroupsSmallChunksOfAServerIntoOneRequest) {
  std::vector<std::byte> buffer(4 * 22 * 47'008);
  const auto requests = plan(striping_of(47'008, 4), {{buffer.data(), buffer.size()}},
                             {{.offset_bytes = 0, .size_bytes = buffer.size()}});
  // 22 chunks of 47008 bytes fit one transfer.
  ASSERT_EQ(requests.size(), 4u);
  for (const StripeRequest& request : requests) {
    EXPECT_EQ(request.pieces.size(), 22u);
  }
}

TEST(Striper, IgnoresChunkBordersOnASingleServer) {
  std::vector<std::byte> buffer(kMiB);
  const auto requests = plan(striping_of(1, 1), {{buffer.data(), buffer.size()}},
                             {{.offset_bytes = 0, .size_bytes = buffer.size()}});
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].pieces.size(), 1u);
}

TEST(Striper, HoldsOneUnfinishedRequestPerServerAtChunksOfOneByte) {
  std::vector<std::byte> buffer(96 * 3 * 5);
  const auto requests = plan(striping_of(1, 3), {{buffer.data(), buffer.size()}},
                             {{.offset_bytes = 0, .size_bytes = buffer.size()}});
  EXPECT_EQ(requests.size(), 15u);
  expect_within_limits(requests);
}

TEST(Striper, ReachesTheLargestOffset) {
  std::vector<std::byte> buffer(1000);
  const auto requests = plan(striping_of(4096, 2), {{buffer.data(), buffer.size()}},
                             {{.offset_bytes = kFileBytesMax - 1000, .size_bytes = buffer.size()}});
  expect_within_limits(requests);
  std::uint64_t end = 0;
  for (const StripeRequest& request : requests) {
    for (const wire::DataPiece& piece : request.pieces) {
      end = std::max(end, piece.offset_bytes + piece.size_bytes);
    }
  }
  EXPECT_EQ(end, kFileBytesMax);
}

TEST(Striper, YieldsNothingForNothing) {
  EXPECT_TRUE(plan(striping_of(4096, 2), {}, {}).empty());
  EXPECT_TRUE(
      plan(striping_of(4096, 2), {{nullptr, 0}}, {{.offset_bytes = 7, .size_bytes = 0}}).empty());
}

}  // namespace
}  // namespace benchfs::client
