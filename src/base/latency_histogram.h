#pragma once

// How long things took, counted in fixed buckets: 16 to each power of two, so that what is read
// from it is at most 1/16 too large. 3.5 KiB, nothing is allocated, and two of them add up exactly.
//
// Pure state. Threading: one thread at a time.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace benchfs {

class LatencyHistogram {
 public:
  /// Below 16 units of 64 ns the buckets are one unit wide; from 2^36 ns (68.7 s) on it is all one.
  static constexpr unsigned kUnitBits = 6;
  static constexpr unsigned kSubBits = 4;
  static constexpr unsigned kRangeBits = 36;
  static constexpr std::size_t kBucketCount = (std::size_t{kRangeBits - kUnitBits - kSubBits} + 1)
                                              << kSubBits;

  static constexpr std::size_t bucket_of(std::uint64_t time_ns) noexcept {
    const std::uint64_t units = time_ns >> kUnitBits;
    if (units < (1U << kSubBits)) {
      return static_cast<std::size_t>(units);
    }
    const auto octave = static_cast<unsigned>(std::bit_width(units)) - 1 - kSubBits;
    const std::size_t index = (std::size_t{octave} << kSubBits) + (units >> octave);
    return std::min(index, kBucketCount - 1);
  }

  /// The first time beyond bucket `index`; UINT64_MAX for the last one.
  static constexpr std::uint64_t end_of(std::size_t index) noexcept {
    return index + 1 < kBucketCount ? begin_of(index + 1) : UINT64_MAX;
  }
  static constexpr std::uint64_t begin_of(std::size_t index) noexcept {
    constexpr std::size_t kSubs = std::size_t{1} << kSubBits;
    if (index < kSubs) {
      return std::uint64_t{index} << kUnitBits;
    }
    const std::size_t octave = (index >> kSubBits) - 1;
    return std::uint64_t{kSubs + (index & (kSubs - 1))} << (octave + kUnitBits);
  }

  void record(std::uint64_t time_ns) noexcept {
    ++buckets_[bucket_of(time_ns)];
    sum_ns_ += time_ns;
    max_ns_ = std::max(max_ns_, time_ns);
  }

  std::uint64_t count() const noexcept;
  std::uint64_t count_in(std::size_t index) const noexcept { return buckets_[index]; }
  /// How many took less than `time_ns`, which is the beginning of a bucket.
  std::uint64_t count_below(std::uint64_t time_ns) const noexcept;
  std::uint64_t sum_ns() const noexcept { return sum_ns_; }
  std::uint64_t max_ns() const noexcept { return max_ns_; }
  std::uint64_t mean_ns() const noexcept;

  /// What `fraction` (0 to 1) of all took at the most: never less than the right one, at most 1/16
  /// and 64 ns more, and never more than max_ns(). 0 if nothing was recorded.
  std::uint64_t percentile_ns(double fraction) const noexcept;

  /// As if everything that `other` has recorded had been recorded here.
  void add(const LatencyHistogram& other) noexcept;

  /// What came after `before`, an earlier state of this. Its max_ns() is exact if it is the largest
  /// of all, else the end of its highest bucket.
  LatencyHistogram since(const LatencyHistogram& before) const noexcept;

  /// For who brings one back from its parts: `index` below kBucketCount.
  void restore(std::size_t index, std::uint64_t count) noexcept { buckets_[index] = count; }
  void restore_totals(std::uint64_t sum_ns, std::uint64_t max_ns) noexcept {
    sum_ns_ = sum_ns;
    max_ns_ = max_ns;
  }

 private:
  std::array<std::uint64_t, kBucketCount> buckets_{};
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace benchfs
