// Goal: what is read from the buckets is what a list of all times would say, within the error that
// the header promises; adding and subtracting are exact. Method: seeded times of every magnitude,
// beside the sorted list of them.

#include "base/latency_histogram.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace benchfs {
namespace {

constexpr double kFractions[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};

/// Times of all magnitudes up to 2^`bits` ns.
std::vector<std::uint64_t> times(std::uint64_t seed, std::size_t count, unsigned bits) {
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> all(count);
  for (std::uint64_t& time : all) {
    time = random() >> (64 - 1 - random() % bits);
  }
  return all;
}

LatencyHistogram histogram_of(const std::vector<std::uint64_t>& all) {
  LatencyHistogram histogram;
  for (const std::uint64_t time : all) {
    histogram.record(time);
  }
  return histogram;
}

void expect_equal(const LatencyHistogram& a, const LatencyHistogram& b) {
  for (std::size_t i = 0; i < LatencyHistogram::kBucketCount; ++i) {
    ASSERT_EQ(a.count_in(i), b.count_in(i)) << "bucket " << i;
  }
  EXPECT_EQ(a.sum_ns(), b.sum_ns());
  EXPECT_EQ(a.max_ns(), b.max_ns());
}

TEST(LatencyHistogram, ItsBucketsCoverAllTimesOnceAndInOrder) {
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < LatencyHistogram::kBucketCount; ++i) {
    const std::uint64_t begin = LatencyHistogram::begin_of(i);
    const std::uint64_t end = LatencyHistogram::end_of(i);
    ASSERT_EQ(begin, next) << "bucket " << i;
    ASSERT_GT(end, begin);
    ASSERT_EQ(LatencyHistogram::bucket_of(begin), i);
    ASSERT_EQ(LatencyHistogram::bucket_of(end - 1), i);
    if (i + 1 < LatencyHistogram::kBucketCount) {
      // No bucket is wider than 64 ns and a sixteenth of where it begins.
      ASSERT_LE(end - begin, std::max<std::uint64_t>(64, begin / 16)) << "bucket " << i;
    }
    next = end;
  }
  EXPECT_EQ(next, UINT64_MAX);
  EXPECT_EQ(LatencyHistogram::bucket_of(UINT64_MAX), LatencyHistogram::kBucketCount - 1);
  EXPECT_LE(sizeof(LatencyHistogram), 4096U);
}

TEST(LatencyHistogram, PercentilesAreThoseOfTheSortedTimesWithinASixteenth) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::vector<std::uint64_t> all = times(seed, 1 + seed * 7, 36);
    const LatencyHistogram histogram = histogram_of(all);
    std::sort(all.begin(), all.end());
    ASSERT_EQ(histogram.count(), all.size());
    ASSERT_EQ(histogram.max_ns(), all.back());
    for (const double fraction : kFractions) {
      const auto rank = static_cast<std::size_t>(
          std::max(1.0, std::ceil(fraction * static_cast<double>(all.size()))));
      const std::uint64_t right = all[std::min(rank, all.size()) - 1];
      const std::uint64_t told = histogram.percentile_ns(fraction);
      ASSERT_GE(told, right) << fraction;
      ASSERT_LE(told, std::min(right + right / 16 + 64, all.back())) << fraction;
    }
  }
}

TEST(LatencyHistogram, TimesBeyondItsRangeAreCountedAndTheLargestIsExact) {
  LatencyHistogram histogram;
  histogram.record(std::uint64_t{1} << 40);
  histogram.record(std::uint64_t{3} << 40);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.percentile_ns(1), std::uint64_t{3} << 40);
  EXPECT_EQ(histogram.percentile_ns(0.1), std::uint64_t{3} << 40);
}

TEST(LatencyHistogram, SaysZeroWhenNothingWasRecorded) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile_ns(0.5), 0U);
  EXPECT_EQ(histogram.mean_ns(), 0U);
}

TEST(LatencyHistogram, AddingTwoIsTheSameAsRecordingAllInOne) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const auto some = times(seed, 300, 40);
    const auto more = times(seed + 1000, 200, 30);
    LatencyHistogram sum = histogram_of(some);
    sum.add(histogram_of(more));
    std::vector<std::uint64_t> all = some;
    all.insert(all.end(), more.begin(), more.end());
    expect_equal(sum, histogram_of(all));
  }
}

TEST(LatencyHistogram, WhatCameSinceIsWhatWasRecordedSince) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    auto all = times(seed, 300, 30);
    const LatencyHistogram before = histogram_of(all);
    const auto more = times(seed + 1000, 1 + seed, 34);
    all.insert(all.end(), more.begin(), more.end());
    const LatencyHistogram between = histogram_of(all).since(before);
    const LatencyHistogram right = histogram_of(more);
    for (std::size_t i = 0; i < LatencyHistogram::kBucketCount; ++i) {
      ASSERT_EQ(between.count_in(i), right.count_in(i));
    }
    EXPECT_EQ(between.sum_ns(), right.sum_ns());
    EXPECT_GE(between.max_ns(), right.max_ns());
    EXPECT_LE(between.max_ns(), right.max_ns() + right.max_ns() / 16 + 64);
  }
}

TEST(LatencyHistogram, CountsWhatIsBelowTheBeginningOfABucket) {
  const auto all = times(7, 2000, 36);
  const LatencyHistogram histogram = histogram_of(all);
  for (unsigned bits = 6; bits < 36; ++bits) {
    const std::uint64_t edge = std::uint64_t{1} << bits;
    EXPECT_EQ(histogram.count_below(edge),
              static_cast<std::uint64_t>(std::count_if(
                  all.begin(), all.end(), [&](std::uint64_t time) { return time < edge; })));
  }
}

}  // namespace
}  // namespace benchfs
