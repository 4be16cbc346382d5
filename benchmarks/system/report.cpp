#include "report.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace benchfs::bench {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kMiB = 1 << 20;
constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

double microseconds(std::uint64_t ns) {
  return static_cast<double>(ns) * 1e-3;
}
double per_second(double amount, double seconds) {
  return seconds > 0 ? amount / seconds : 0;
}

double server_cpu_s(const PhaseResult& result) {
  return static_cast<double>(result.after.cpu_ns - result.before.cpu_ns) * 1e-9;
}

Json latencies_json(const Latencies& latencies) {
  Json json;
  for (const auto& [name, fraction] : kPercentiles) {
    json[name] = microseconds(latencies.percentile_ns(fraction));
  }
  json["max"] = microseconds(latencies.max_ns());
  return json;
}

Json phase_json(const Run& run, const PhaseResult& result) {
  const Tally& tally = result.tally;
  Json json = {
      {"phase", result.phase},
      {"seconds", result.seconds},
      {"operations", tally.operations},
      {"bytes", tally.bytes},
      {"operations_per_s", per_second(static_cast<double>(tally.operations), result.seconds)},
      {"mib_per_s", per_second(static_cast<double>(tally.bytes) / kMiB, result.seconds)},
      {"wrong", tally.wrong},
      {"client_cpu_s", result.client_cpu_s}};
  if (tally.latencies.count() > 0) {
    json["latency_us"] = latencies_json(tally.latencies);
  }
  if (tally.stonewall_s > 0) {
    json["stonewall"] = {{"seconds", tally.stonewall_s},
                         {"operations", tally.stonewall_operations}};
  }
  if (!run.options.watch.empty()) {
    json["server_cpu_s"] = server_cpu_s(result);
    json["server_memory_bytes"] = {result.before.memory_bytes, result.after.memory_bytes};
    json["server_memory_peak_bytes"] = result.after.memory_peak_bytes;
  }
  return json;
}

}  // namespace

std::string table_of(const std::vector<PhaseResult>& results) {
  std::string text =
      fmt::format("{:15} {:>9} {:>10} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "phase", "s",
                  "MiB/s", "op/s", "p50 us", "p99 us", "p99.9 us", "max us", "server s");
  for (const PhaseResult& result : results) {
    const Tally& tally = result.tally;
    text += fmt::format("{:15} {:9.3f} {:10.1f} {:11.0f}", result.phase, result.seconds,
                        per_second(static_cast<double>(tally.bytes) / kMiB, result.seconds),
                        per_second(static_cast<double>(tally.operations), result.seconds));
    for (const double fraction : {0.5, 0.99, 0.999, 1.0}) {
      text += fmt::format(" {:9.1f}", microseconds(tally.latencies.percentile_ns(fraction)));
    }
    text += fmt::format(" {:9.3f}", server_cpu_s(result));
    if (tally.stonewall_s > 0) {
      text += fmt::format("  stonewall: {} operations in {:.3f} s", tally.stonewall_operations,
                          tally.stonewall_s);
    }
    text += tally.wrong == 0 ? "\n" : fmt::format("  {} WRONG\n", tally.wrong);
  }
  return text;
}

std::string json_of(const Run& run, const std::vector<PhaseResult>& results) {
  const Options& options = run.options;
  Json json = {{"backend", options.backend},
               {"path", options.path},
               {"ranks", run.job.size},
               {"depth", options.depth},
               {"transfer_bytes", options.transfer_bytes},
               {"check", options.check == Check::kEvery ? "every" : "ends"},
               {"direct", options.direct},
               {"shift", options.shift},
               {"clients", options.clients},
               {"phases", Json::array()}};
  for (const PhaseResult& result : results) {
    json["phases"].push_back(phase_json(run, result));
  }
  return json.dump(1) + "\n";
}

}  // namespace benchfs::bench
