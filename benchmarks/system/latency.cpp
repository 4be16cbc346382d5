#include "latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <mpi.h>

namespace benchfs::bench {

std::size_t Latencies::bucket_of(std::uint64_t latency_ns) {
  if (latency_ns < (std::uint64_t{1} << kStepBits)) {
    return latency_ns;
  }
  const auto power = static_cast<unsigned>(std::bit_width(latency_ns)) - 1;
  const std::uint64_t step = (latency_ns >> (power - kStepBits)) - (std::uint64_t{1} << kStepBits);
  return (std::size_t{power - kStepBits + 1} << kStepBits) + step;
}

std::uint64_t Latencies::upper_ns(std::size_t bucket) {
  if (bucket < (std::size_t{1} << kStepBits)) {
    return bucket;
  }
  const auto shift = static_cast<unsigned>(bucket >> kStepBits) - 1;
  const std::uint64_t step =
      (bucket & ((std::size_t{1} << kStepBits) - 1)) + (std::uint64_t{1} << kStepBits);
  return ((step + 1) << shift) - 1;
}

void Latencies::add_ns(std::uint64_t latency_ns) {
  ++buckets_[bucket_of(latency_ns)];
  ++count_;
  max_ns_ = std::max(max_ns_, latency_ns);
}

void Latencies::merge(const Latencies& other) {
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    buckets_[i] += other.buckets_[i];
  }
  count_ += other.count_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

std::uint64_t Latencies::percentile_ns(double fraction) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) {
      return std::min(upper_ns(i), max_ns_);
    }
  }
  return max_ns_;
}

void Latencies::gather() {
  std::array<std::uint64_t, kBucketCount> sums{};
  std::uint64_t count = 0;
  std::uint64_t max_ns = 0;
  MPI_Reduce(buckets_.data(), sums.data(), static_cast<int>(kBucketCount), MPI_UINT64_T, MPI_SUM, 0,
             MPI_COMM_WORLD);
  MPI_Reduce(&count_, &count, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  MPI_Reduce(&max_ns_, &max_ns, 1, MPI_UINT64_T, MPI_MAX, 0, MPI_COMM_WORLD);
  buckets_ = sums;
  count_ = count;
  max_ns_ = max_ns;
}

}  // namespace benchfs::bench
