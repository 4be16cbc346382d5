// Goal: what a benchmark says is true: its bytes are told apart, its percentiles are those of what
// was put in, and a blocking transfer that fails in a thread fails its caller. Method: each part by
// itself, without ranks or files.

#include <algorithm>
#include <atomic>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "failure.h"
#include "latency.h"
#include "options.h"
#include "pattern.h"
#include "slots.h"
#include "watch.h"

namespace benchfs::bench {
namespace {

constexpr Stream kStream{.kind = FileKind::kEasy, .rank = 3};

std::vector<std::byte> filled(std::size_t size, Stream stream, std::uint64_t offset,
                              Check check = Check::kEvery) {
  std::vector<std::byte> bytes(size);
  fill(bytes, stream, offset, check);
  return bytes;
}

TEST(Pattern, IsTheSameHoweverItIsCut) {
  const auto whole = filled(1000, kStream, 16);
  for (const std::size_t cut : {1U, 7U, 8U, 9U, 500U, 999U}) {
    auto parts = filled(cut, kStream, 16);
    const auto rest = filled(1000 - cut, kStream, 16 + cut);
    parts.insert(parts.end(), rest.begin(), rest.end());
    EXPECT_EQ(parts, whole) << cut;
  }
}

TEST(Pattern, EveryWrongByteIsFoundWithItsPlaceAndValues) {
  auto bytes = filled(3901, kStream, 0);
  EXPECT_FALSE(compare(bytes, kStream, 0, Check::kEvery));
  for (const std::size_t at : {0U, 1U, 7U, 8U, 1234U, 3896U, 3900U}) {
    const std::byte was = bytes[at];
    bytes[at] ^= std::byte{0x40};
    const auto wrong = compare(bytes, kStream, 0, Check::kEvery);
    ASSERT_TRUE(wrong) << at;
    EXPECT_EQ(wrong->offset, at);
    EXPECT_EQ(wrong->expected, std::to_integer<unsigned>(was));
    EXPECT_EQ(wrong->found, std::to_integer<unsigned>(bytes[at]));
    bytes[at] = was;
  }
}

TEST(Pattern, TellsFilesRanksGenerationsIndexesAndOffsetsApart) {
  const auto bytes = filled(4096, kStream, 8192);
  for (const Check check : {Check::kEvery, Check::kEnds}) {
    EXPECT_FALSE(compare(bytes, kStream, 8192, check));
    EXPECT_TRUE(compare(bytes, kStream, 0, check));
    EXPECT_TRUE(compare(bytes, {.kind = FileKind::kHard, .rank = 3}, 8192, check));
    EXPECT_TRUE(compare(bytes, {.kind = FileKind::kEasy, .rank = 2}, 8192, check));
    EXPECT_TRUE(compare(bytes, {.kind = FileKind::kEasy, .rank = 3, .index = 1}, 8192, check));
    EXPECT_TRUE(compare(bytes, {.kind = FileKind::kEasy, .rank = 3, .generation = 1}, 8192, check));
  }
  const std::vector<std::byte> zeros(4096);
  EXPECT_TRUE(compare(zeros, kStream, 8192, Check::kEnds));
}

TEST(Pattern, ItsEndsAreWhatIsCheckedOfEnds) {
  auto bytes = filled(4096, kStream, 0, Check::kEnds);
  EXPECT_FALSE(compare(bytes, kStream, 0, Check::kEnds));
  EXPECT_TRUE(compare(bytes, kStream, 0, Check::kEvery));
  bytes[4095] ^= std::byte{1};
  EXPECT_EQ(compare(bytes, kStream, 0, Check::kEnds)->offset, 4095U);
}

TEST(Latencies, PercentilesAreThoseOfTheSortedListWithinABucket) {
  Latencies latencies;
  std::vector<std::uint64_t> all;
  std::uint64_t value = 1;
  for (int i = 0; i < 20000; ++i) {
    value = value * 6364136223846793005U + 1442695040888963407U;
    all.push_back((value >> 40U) + 1);
    latencies.add_ns(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const double fraction : {0.001, 0.5, 0.9, 0.99, 0.999}) {
    const auto exact = static_cast<double>(all[static_cast<std::size_t>(fraction * 20000) - 1]);
    const auto told = static_cast<double>(latencies.percentile_ns(fraction));
    EXPECT_GE(told, exact) << fraction;
    EXPECT_LE(told, exact * 1.04) << fraction;
  }
  EXPECT_EQ(latencies.percentile_ns(1), all.back());
  EXPECT_EQ(latencies.max_ns(), all.back());
}

TEST(Latencies, TheExtremesHaveABucket) {
  Latencies latencies;
  EXPECT_EQ(latencies.percentile_ns(0.5), 0U);
  latencies.add_ns(0);
  EXPECT_EQ(latencies.percentile_ns(1), 0U);
  latencies.add_ns(UINT64_MAX);
  EXPECT_EQ(latencies.percentile_ns(1), UINT64_MAX);
  Latencies others;
  others.add_ns(31);
  others.merge(latencies);
  EXPECT_EQ(others.count(), 3U);
  EXPECT_EQ(others.percentile_ns(0.5), 31U);
}

class SlotsTest : public testing::TestWithParam<unsigned> {};

TEST_P(SlotsTest, EachSlotBringsWhatItsTransferDid) {
  const unsigned depth = GetParam();
  Slots slots(depth);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto slot = static_cast<unsigned>(i % depth);
    if (i >= depth) {
      EXPECT_EQ(slots.finish(slot), i - depth);
    }
    slots.begin(slot, [i] { return i; });
  }
}

TEST_P(SlotsTest, AFailureIsTheCallersAndTheSlotGoesOn) {
  Slots slots(GetParam());
  slots.begin(0, []() -> std::uint64_t { throw Failure("the drive is gone"); });
  EXPECT_THROW(slots.finish(0), Failure);
  slots.begin(0, [] { return std::uint64_t{5}; });
  EXPECT_EQ(slots.finish(0), 5U);
}

INSTANTIATE_TEST_SUITE_P(Depths, SlotsTest, testing::Values(1U, 2U, 16U));

TEST(Watch, SeesWhatAProcessUsesAndNoticesOneThatIsNotThere) {
  const std::vector<int> self{::getpid()};
  const Usage before = usage_of(self);
  std::atomic<unsigned> spun = 0;
  const double cpu_s = own_cpu_s();
  while (own_cpu_s() < cpu_s + 0.02) {
    spun.fetch_add(1);
  }
  const Usage after = usage_of(self);
  EXPECT_GE(after.cpu_ns - before.cpu_ns, 19'000'000U);
  EXPECT_GT(after.memory_bytes, 0U);
  EXPECT_GE(after.memory_peak_bytes, after.memory_bytes);
  EXPECT_EQ(usage_of(std::vector<int>{}).cpu_ns, 0U);
  EXPECT_THROW(usage_of({0x7ffffffe}), Failure);
}

Options parsed(std::vector<const char*> words, int expected_status = 0) {
  words.insert(words.begin(), "benchfs-bench");
  std::vector<char*> arguments;
  for (const char* word : words) {
    arguments.push_back(const_cast<char*>(word));
  }
  Options options;
  const auto status =
      parse_options(static_cast<int>(arguments.size()), arguments.data(), false, options);
  EXPECT_EQ(status.value_or(0) != 0, expected_status != 0);
  return options;
}

TEST(Options, PatternsStandForTheirPhasesInTheOrderOfARun) {
  const Options options = parsed({"--phases", "md-hard,easy", "--size", "2M"});
  const std::vector<std::string> phases{"easy-write",   "md-hard-create", "easy-read",
                                        "md-hard-stat", "md-hard-read",   "md-hard-remove"};
  EXPECT_EQ(options.phases, phases);
  EXPECT_EQ(options.size_bytes, 2U << 20U);
  EXPECT_EQ(options.random_size_bytes, 2U << 20U);
  EXPECT_EQ(parsed({"--backend", "hdf5"}).depth, 1U);
}

TEST(Options, WhatMakesNoSenseIsRefused) {
  parsed({"--phases", "swim"}, 1);
  parsed({"--size", "1K"}, 1);
  parsed({"--transfer", "1001"}, 1);
  parsed({"--backend", "mpiio", "--phases", "md-easy"}, 1);
  parsed({"--backend", "posix", "--phases", "ping"}, 1);
  parsed({"--backend", "benchfs", "--direct", "--phases", "easy"}, 1);
  parsed({"--backend", "posix", "--direct", "--phases", "hard"}, 1);
  parsed({"--random-size", "4K", "--depth", "2"}, 1);
}

}  // namespace
}  // namespace benchfs::bench
