#include "wire/metrics.h"

namespace benchfs::wire {

Latencies to_wire(const LatencyHistogram& histogram) {
  Latencies latencies = {.sum_ns = histogram.sum_ns(), .max_ns = histogram.max_ns(), .buckets = {}};
  for (std::uint64_t i = 0; i < LatencyHistogram::kBucketCount; ++i) {
    if (const std::uint64_t count = histogram.count_in(i); count > 0) {
      latencies.buckets.push_back(i << kBucketCountBits | count);
    }
  }
  return latencies;
}

bool from_wire(const Latencies& latencies, LatencyHistogram& histogram) {
  histogram = {};
  std::size_t next = 0;
  for (const std::uint64_t bucket : latencies.buckets) {
    const std::size_t index = bucket >> kBucketCountBits;
    if (index < next || index >= LatencyHistogram::kBucketCount) {
      histogram = {};
      return false;
    }
    histogram.restore(index, bucket & ((std::uint64_t{1} << kBucketCountBits) - 1));
    next = index + 1;
  }
  histogram.restore_totals(latencies.sum_ns, latencies.max_ns);
  return true;
}

}  // namespace benchfs::wire
