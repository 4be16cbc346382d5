#include "launcher/figures.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace benchfs::launcher {
namespace {

/// How long such a request takes says nothing of the server.
bool is_comparable(std::string_view name) {
  return name != "lock_range" && name != "metrics" && name != "status" && name != "ping";
}

LatencyHistogram histogram_of(const wire::Latencies& latencies) {
  LatencyHistogram histogram;
  (void)wire::from_wire(latencies, histogram);  // One that makes no sense is empty.
  return histogram;
}

/// The same for a request and for a kind of operation of the drive.
template <typename Metrics>
OpFigures between(const Metrics& now, const Metrics* before) {
  OpFigures figures{.count = now.count,
                    .error_count = now.error_count,
                    .bytes = now.bytes,
                    .latency = histogram_of(now.latency)};
  if (before != nullptr) {
    figures.count -= before->count;
    figures.error_count -= before->error_count;
    figures.bytes -= before->bytes;
    figures.latency = figures.latency.since(histogram_of(before->latency));
  }
  return figures;
}

void take_counters(const wire::MetricsReply& now, const wire::MetricsReply& before,
                   ServerFigures& figures) {
  figures.written_bytes = now.written_bytes - before.written_bytes;
  figures.read_bytes = now.read_bytes - before.read_bytes;
  figures.cpu_ns = now.cpu_ns - before.cpu_ns;
  figures.journal_bytes = now.journal_bytes - before.journal_bytes;
  figures.checksum_failures = now.checksum_failures - before.checksum_failures;
  figures.drive = {between(now.drive_read, &before.drive_read),
                   between(now.drive_write, &before.drive_write),
                   between(now.drive_fsync, &before.drive_fsync)};
  for (const wire::OpMetrics& op : now.ops) {
    const auto was = std::find_if(before.ops.begin(), before.ops.end(),
                                  [&](const wire::OpMetrics& old) { return old.op == op.op; });
    const OpFigures done = between(op, was == before.ops.end() ? nullptr : &*was);
    if (done.count > 0 || done.latency.count() > 0) {
      figures.requests.emplace(wire::name_of(op.op), done);
    }
  }
  for (const wire::ErrorCount& error : now.errors) {
    const auto was =
        std::find_if(before.errors.begin(), before.errors.end(),
                     [&](const wire::ErrorCount& old) { return old.code == error.code; });
    const std::uint64_t count = error.count - (was == before.errors.end() ? 0 : was->count);
    if (count > 0) {
      figures.errors.emplace(name_of(static_cast<Errc>(error.code)), count);
    }
  }
}

/// Its counters go on from `before`.
bool is_same_process(const wire::MetricsReply& now, const wire::MetricsReply& before) {
  return now.pid == before.pid && now.incarnation == before.incarnation &&
         now.uptime_ns >= before.uptime_ns;
}

ServerFigures figures_of(const MetricsAnswer& now, const MetricsAnswer* before) {
  ServerFigures figures;
  figures.state = now.state;
  figures.trouble = now.trouble;
  if (!figures.is_up()) {
    return figures;
  }
  figures.now = now.metrics;
  const bool goes_on = before != nullptr && before->state == ServerState::kUp &&
                       is_same_process(now.metrics, before->metrics);
  figures.restarted = before != nullptr && !goes_on;
  figures.time_ns = now.metrics.uptime_ns - (goes_on ? before->metrics.uptime_ns : 0);
  take_counters(now.metrics, goes_on ? before->metrics : wire::MetricsReply(), figures);
  if (goes_on && now.metrics.drive_in_flight > 0 && before->metrics.drive_in_flight > 0 &&
      std::all_of(figures.drive.begin(), figures.drive.end(),
                  [](const OpFigures& kind) { return kind.count == 0; })) {
    figures.outliers.push_back({.what = "drive", .figure = "stalled"});
  }
  return figures;
}

/// One server's latency of the kind that is compared.
struct Sample {
  ServerFigures* server;
  const LatencyHistogram* latency;
};

struct Rule {
  std::string_view figure;
  double fraction;
  std::uint64_t count_min;
  std::uint64_t factor;
  std::uint64_t excess_ns;
  std::uint64_t mean_factor;  ///< 0: whatever the mean is.
};

constexpr std::array<Rule, 2> kRules = {
    Rule{"p50", 0.5, kMedianCountMin, kMedianFactor, kMedianExcessNs, kMeanFactor},
    Rule{"p99", 0.99, kTailCountMin, kTailFactor, kTailExcessNs, 0},
};

/// Of an even number, the mean of the two in the middle.
std::uint64_t median_of(std::vector<std::uint64_t> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The median of all `values` but one.
std::uint64_t median_without(std::vector<std::uint64_t> values, std::size_t index) {
  values.erase(values.begin() + static_cast<std::ptrdiff_t>(index));
  return median_of(std::move(values));
}

void compare(const std::string& what, const std::vector<Sample>& samples) {
  for (const Rule& rule : kRules) {
    std::vector<Sample> compared;
    std::vector<std::uint64_t> values;
    std::vector<std::uint64_t> means;
    for (const Sample& sample : samples) {
      if (sample.latency->count() >= rule.count_min) {
        compared.push_back(sample);
        values.push_back(sample.latency->percentile_ns(rule.fraction));
        means.push_back(sample.latency->mean_ns());
      }
    }
    for (std::size_t i = 0; compared.size() > 1 && i < compared.size(); ++i) {
      const std::uint64_t others_ns = median_without(values, i);
      if (values[i] >= rule.factor * others_ns && values[i] >= others_ns + rule.excess_ns &&
          means[i] >= rule.mean_factor * median_without(means, i)) {
        compared[i].server->outliers.push_back({.what = what,
                                                .figure = std::string(rule.figure),
                                                .own_ns = values[i],
                                                .others_ns = others_ns});
      }
    }
  }
}

void find_outliers(std::vector<ServerFigures>& servers) {
  for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
    std::vector<Sample> samples;
    for (ServerFigures& server : servers) {
      samples.push_back({.server = &server, .latency = &server.drive[kind].latency});
    }
    compare("drive." + std::string(kDriveKinds[kind]), samples);
  }
  std::map<std::string, std::vector<Sample>> requests;
  for (ServerFigures& server : servers) {
    for (const auto& [name, figures] : server.requests) {
      if (is_comparable(name)) {
        requests[name].push_back({.server = &server, .latency = &figures.latency});
      }
    }
  }
  for (const auto& [name, samples] : requests) {
    compare("request." + name, samples);
  }
}

void add_to_total(const ServerFigures& server, ServerFigures& total) {
  total.time_ns = std::max(total.time_ns, server.time_ns);
  for (const auto& [name, figures] : server.requests) {
    total.requests[name].add(figures);
  }
  for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
    total.drive[kind].add(server.drive[kind]);
  }
  for (const auto& [name, count] : server.errors) {
    total.errors[name] += count;
  }
  total.written_bytes += server.written_bytes;
  total.read_bytes += server.read_bytes;
  total.cpu_ns += server.cpu_ns;
  total.journal_bytes += server.journal_bytes;
  total.checksum_failures += server.checksum_failures;
  for (const auto member :
       {&wire::MetricsReply::capacity_bytes, &wire::MetricsReply::used_bytes,
        &wire::MetricsReply::inode_count, &wire::MetricsReply::open_count,
        &wire::MetricsReply::memory_bytes, &wire::MetricsReply::memory_peak_bytes,
        &wire::MetricsReply::pool_bytes, &wire::MetricsReply::pool_used_bytes,
        &wire::MetricsReply::requests_in_flight, &wire::MetricsReply::drive_in_flight}) {
    total.now.*member += server.now.*member;
  }
  // Not sums: every client is connected to many servers, and the maxima were not at one time.
  for (const auto member :
       {&wire::MetricsReply::client_count, &wire::MetricsReply::requests_in_flight_max,
        &wire::MetricsReply::drive_in_flight_max}) {
    total.now.*member = std::max(total.now.*member, server.now.*member);
  }
}

}  // namespace

void OpFigures::add(const OpFigures& other) noexcept {
  count += other.count;
  error_count += other.error_count;
  bytes += other.bytes;
  latency.add(other.latency);
}

Figures make_figures(const session::Session& session, const std::vector<MetricsAnswer>& now,
                     const std::vector<MetricsAnswer>& before) {
  Figures figures;
  figures.wall_ns = static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  for (std::size_t i = 0; i < now.size(); ++i) {
    figures.servers.push_back(figures_of(now[i], i < before.size() ? &before[i] : nullptr));
    figures.servers.back().host = i < session.servers.size() ? session.servers[i].host : "";
  }
  find_outliers(figures.servers);
  for (const ServerFigures& server : figures.servers) {
    if (server.is_up()) {
      add_to_total(server, figures.total);
    }
  }
  figures.time_ns = figures.total.time_ns;
  return figures;
}

OpFigures all_requests(const ServerFigures& server) {
  OpFigures sum;
  for (const auto& [name, figures] : server.requests) {
    if (is_comparable(name)) {
      sum.add(figures);
    }
  }
  return sum;
}

std::vector<DeviceFigures> devices_of(const Figures& figures) {
  std::vector<DeviceFigures> devices;
  for (std::size_t i = 0; i < figures.servers.size(); ++i) {
    const ServerFigures& server = figures.servers[i];
    if (!server.is_up()) {
      continue;
    }
    auto found = std::find_if(devices.begin(), devices.end(), [&](const DeviceFigures& device) {
      return device.host == server.host && device.device == server.now.device;
    });
    if (found == devices.end()) {
      found = devices.insert(devices.end(), {.host = server.host,
                                             .device = server.now.device,
                                             .servers = {},
                                             .drive = {},
                                             .stands_out = {}});
    }
    found->servers.push_back(i);
    for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
      found->drive[kind].add(server.drive[kind]);
    }
    for (const Outlier& outlier : server.outliers) {
      for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
        found->stands_out[kind] |= outlier.what == "drive." + std::string(kDriveKinds[kind]);
      }
    }
  }
  return devices;
}

}  // namespace benchfs::launcher
