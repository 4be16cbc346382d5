#pragma once

// How long operations took: a histogram whose buckets are 3 % wide, so that percentiles of any
// number of operations of all ranks cost a few KiB.

#include <array>
#include <cstddef>
#include <cstdint>

namespace benchfs::bench {

class Latencies {
 public:
  void add_ns(std::uint64_t latency_ns);
  void merge(const Latencies& other);

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t max_ns() const noexcept { return max_ns_; }
  /// The latency that `fraction` (0 to 1) of the operations did not exceed; 0 without operations.
  std::uint64_t percentile_ns(double fraction) const;

  /// Adds up what all ranks of MPI_COMM_WORLD have; every rank calls it, rank 0 gets the sum.
  void gather();

 private:
  static constexpr unsigned kStepBits = 5;  ///< 32 buckets for each power of two.
  static constexpr std::size_t kBucketCount = std::size_t{64} << kStepBits;
  static std::size_t bucket_of(std::uint64_t latency_ns);
  static std::uint64_t upper_ns(std::size_t bucket);

  std::array<std::uint64_t, kBucketCount> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace benchfs::bench
