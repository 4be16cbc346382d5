#pragma once

// A server's metrics in Prometheus' text format, version 0.0.4. Names begin with "benchfs_" and end
// with their unit; all have the label server="N". Pure.

#include <string>

#include "wire/metrics.h"

namespace benchfs::server {

/// Buckets of the histograms shown: powers of two from 2^12 to 2^34 ns (4.1 µs to 17 s).
inline constexpr unsigned kShownBitsMin = 12;
inline constexpr unsigned kShownBitsMax = 34;

std::string metrics_page(const wire::MetricsReply& metrics);

}  // namespace benchfs::server
