#include "base/latency_histogram.h"

#include <cmath>
#include <numeric>

namespace benchfs {

static_assert(LatencyHistogram::bucket_of(0) == 0);
static_assert(LatencyHistogram::bucket_of(std::uint64_t{1} << LatencyHistogram::kRangeBits) ==
              LatencyHistogram::kBucketCount - 1);
static_assert(LatencyHistogram::begin_of(LatencyHistogram::kBucketCount - 1) <
              std::uint64_t{1} << LatencyHistogram::kRangeBits);

std::uint64_t LatencyHistogram::count() const noexcept {
  return std::accumulate(buckets_.begin(), buckets_.end(), std::uint64_t{0});
}

std::uint64_t LatencyHistogram::count_below(std::uint64_t time_ns) const noexcept {
  const auto end = buckets_.begin() + static_cast<std::ptrdiff_t>(bucket_of(time_ns));
  return std::accumulate(buckets_.begin(), end, std::uint64_t{0});
}

std::uint64_t LatencyHistogram::mean_ns() const noexcept {
  const std::uint64_t total = count();
  return total == 0 ? 0 : sum_ns_ / total;
}

std::uint64_t LatencyHistogram::percentile_ns(double fraction) const noexcept {
  const std::uint64_t total = count();
  if (total == 0) {
    return 0;
  }
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, total);
  std::uint64_t seen = 0;
  std::size_t index = 0;
  for (; index < kBucketCount; ++index) {
    seen += buckets_[index];
    if (seen >= rank) {
      break;
    }
  }
  return std::min(end_of(index) - 1, max_ns_);
}

void LatencyHistogram::add(const LatencyHistogram& other) noexcept {
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    buckets_[i] += other.buckets_[i];
  }
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

LatencyHistogram LatencyHistogram::since(const LatencyHistogram& before) const noexcept {
  LatencyHistogram between;
  std::uint64_t highest_ns = 0;
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    between.buckets_[i] = buckets_[i] - before.buckets_[i];
    if (between.buckets_[i] > 0) {
      highest_ns = end_of(i) - 1;
    }
  }
  between.sum_ns_ = sum_ns_ - before.sum_ns_;
  between.max_ns_ = max_ns_ > before.max_ns_ ? max_ns_ : std::min(highest_ns, max_ns_);
  return between;
}

}  // namespace benchfs
