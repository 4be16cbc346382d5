// Goal: what is told of a peer's clock is never more than it shows, and not less than it must be,
// however messages are delayed and clocks run.
// Method: two clocks that are functions of true time, from a seed; samples with random delays.

#include "net/peer_clock.h"

#include <random>

#include <gtest/gtest.h>

#include "base/units.h"

namespace benchfs::net {
namespace {

TEST(PeerClock, KnowsNothingAtFirst) {
  const PeerClock clock;
  EXPECT_FALSE(clock.known());
  EXPECT_EQ(clock.at_least(UINT64_MAX), 0U);
}

TEST(PeerClock, RunsOnWithAReserveForDrift) {
  PeerClock clock;
  clock.learn(1'000 * kNsPerSec, 5 * kNsPerSec);
  EXPECT_TRUE(clock.known());
  EXPECT_EQ(clock.at_least(5 * kNsPerSec), 1'000 * kNsPerSec);
  EXPECT_EQ(clock.at_least(10 * kNsPerSec), 1'005 * kNsPerSec - kNsPerMs);
  EXPECT_EQ(clock.at_least(0), 995 * kNsPerSec - kNsPerMs);
}

TEST(PeerClock, KeepsTheBestOfWhatItHeard) {
  PeerClock clock;
  clock.learn(1'000 * kNsPerSec, 5 * kNsPerSec);
  clock.learn(1'000 * kNsPerSec, 6 * kNsPerSec);  // Was a second under way: tells less.
  EXPECT_GT(clock.at_least(6 * kNsPerSec), 1'000 * kNsPerSec + 999 * kNsPerMs);
  clock.learn(1'001 * kNsPerSec, 6 * kNsPerSec);
  EXPECT_EQ(clock.at_least(6 * kNsPerSec), 1'001 * kNsPerSec);
}

TEST(PeerClock, NumbersThatNoClockShowsAreForgottenAndNothingOverflows) {
  PeerClock clock;
  clock.learn(UINT64_MAX, 5);
  EXPECT_FALSE(clock.known());
  clock.learn(std::uint64_t{1} << 62, 5);
  EXPECT_GT(clock.at_least(UINT64_MAX), std::uint64_t{1} << 62);
  clock.learn(UINT64_MAX, 6);
  EXPECT_LT(clock.at_least(7), (std::uint64_t{1} << 62) + 10);
  PeerClock early;
  early.learn(3, 1'000'000);
  EXPECT_EQ(early.at_least(0), 0U);
}

TEST(PeerClock, IsNeverAheadOfThePeerForAnySeed) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    // Both within 100 ppm of true time, so within 200 ppm of each other.
    const auto clock_of = [](std::uint64_t start_ns, std::int64_t ppm) {
      return [=](std::uint64_t true_ns) {
        const auto error_ns = static_cast<std::int64_t>(true_ns / 1'000'000) * ppm;
        return start_ns + true_ns + static_cast<std::uint64_t>(error_ns);
      };
    };
    const auto own =
        clock_of(random() % (1'000 * kNsPerSec), static_cast<std::int64_t>(random() % 199) - 99);
    const auto peer = clock_of(random() % (1'000'000 * kNsPerSec),
                               static_cast<std::int64_t>(random() % 199) - 99);
    PeerClock known;
    std::uint64_t true_ns = 10 * kNsPerSec;
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t sent_ns = true_ns;
      const std::uint64_t delay_ns = random() % (random() % 8 == 0 ? 20 * kNsPerSec : kNsPerMs);
      true_ns += delay_ns;
      known.learn(peer(sent_ns), own(true_ns));
      // Not much behind either, right after a message.
      EXPECT_GE(known.at_least(own(true_ns)) + delay_ns + delay_ns / 1'000 + 1'000, peer(true_ns));
      for (const std::uint64_t ahead_ns : {std::uint64_t{0}, kNsPerSec, 3'600 * kNsPerSec}) {
        ASSERT_LE(known.at_least(own(true_ns + ahead_ns)), peer(true_ns + ahead_ns) + 1'000);
      }
      true_ns += random() % (random() % 4 == 0 ? 600 * kNsPerSec : kNsPerSec);
    }
  }
}

}  // namespace
}  // namespace benchfs::net
