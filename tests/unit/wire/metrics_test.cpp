// Goal: a histogram travels without loss, and buckets of a peer that make no sense are refused; the
// largest reply that there can be fits. Method: round trips through the codec, and spoilt buckets.

#include "wire/metrics.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "wire/codec.h"

namespace benchfs::wire {
namespace {

LatencyHistogram full() {
  LatencyHistogram histogram;
  for (std::size_t i = 0; i < LatencyHistogram::kBucketCount; ++i) {
    histogram.record(LatencyHistogram::begin_of(i));
  }
  return histogram;
}

TEST(Metrics, AHistogramTravelsWithoutLoss) {
  LatencyHistogram histogram;
  std::mt19937_64 random(3);
  for (int i = 0; i < 10'000; ++i) {
    histogram.record(random() >> (random() % 64));
  }
  std::vector<std::byte> bytes(64 * 1024);
  Encoder encoder{Bytes(bytes)};
  encoder& to_wire(histogram);
  ASSERT_TRUE(encoder.ok());
  Latencies latencies;
  Decoder decoder(ConstBytes(bytes).first(encoder.size()));
  decoder& latencies;
  ASSERT_TRUE(decoder.finished());
  LatencyHistogram back;
  ASSERT_TRUE(from_wire(latencies, back));
  for (std::size_t i = 0; i < LatencyHistogram::kBucketCount; ++i) {
    ASSERT_EQ(back.count_in(i), histogram.count_in(i));
  }
  EXPECT_EQ(back.sum_ns(), histogram.sum_ns());
  EXPECT_EQ(back.max_ns(), histogram.max_ns());
}

TEST(Metrics, BucketsThatNoHistogramHasAreRefused) {
  const auto bucket = [](std::uint64_t index) { return index << kBucketCountBits | 1; };
  LatencyHistogram histogram = full();
  for (const std::vector<std::uint64_t>& buckets :
       {std::vector{bucket(LatencyHistogram::kBucketCount)}, std::vector{bucket(65535)},
        std::vector{bucket(3), bucket(3)}, std::vector{bucket(4), bucket(3)}}) {
    EXPECT_FALSE(from_wire({.sum_ns = 1, .max_ns = 1, .buckets = buckets}, histogram));
    EXPECT_EQ(histogram.count(), 0U);
  }
}

TEST(Metrics, TheLargestReplyFits) {
  MetricsReply reply;
  reply.store_directory = std::string(kPathBytesMax, 'x');
  for (std::uint16_t number = 1; number <= kOpLast; ++number) {
    reply.ops.push_back({.op = static_cast<Op>(number), .latency = to_wire(full())});
  }
  reply.drive_read.latency = reply.drive_write.latency = reply.drive_fsync.latency =
      to_wire(full());
  for (std::uint16_t code = 1; code <= kErrcLast; ++code) {
    reply.errors.push_back({.code = code, .count = 1});
  }
  ByteCounter counter;
  counter& reply;
  EXPECT_LE(counter.size(), kBodyBytesMax);
}

}  // namespace
}  // namespace benchfs::wire
