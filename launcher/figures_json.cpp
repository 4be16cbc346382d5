#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "launcher/figures_page.h"

namespace benchfs::launcher {
namespace {

using nlohmann::json;

json latency_json(const LatencyHistogram& latency) {
  return {{"count", latency.count()},
          {"mean", latency.mean_ns()},
          {"p50", latency.percentile_ns(0.5)},
          {"p99", latency.percentile_ns(0.99)},
          {"p999", latency.percentile_ns(0.999)},
          {"max", latency.max_ns()}};
}

double per_second(std::uint64_t count, std::uint64_t time_ns) {
  return time_ns == 0 ? 0
                      : static_cast<double>(count) * static_cast<double>(kNsPerSec) /
                            static_cast<double>(time_ns);
}

json op_json(const OpFigures& figures, std::uint64_t time_ns) {
  return {{"count", figures.count},
          {"error_count", figures.error_count},
          {"bytes", figures.bytes},
          {"per_second", per_second(figures.count, time_ns)},
          {"bytes_per_second", per_second(figures.bytes, time_ns)},
          {"latency_ns", latency_json(figures.latency)}};
}

json drive_json(const std::array<OpFigures, 3>& drive, std::uint64_t time_ns) {
  json object = json::object();
  for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
    object[std::string(kDriveKinds[kind])] = op_json(drive[kind], time_ns);
  }
  return object;
}

/// What a server and all together have.
json work_json(const ServerFigures& server) {
  json requests = json::object();
  for (const auto& [name, figures] : server.requests) {
    requests[name] = op_json(figures, server.time_ns);
  }
  json drive = drive_json(server.drive, server.time_ns);
  drive["in_flight"] = server.now.drive_in_flight;
  drive["in_flight_max"] = server.now.drive_in_flight_max;
  return {{"time_ns", server.time_ns},
          {"requests", requests},
          {"all_requests", op_json(all_requests(server), server.time_ns)},
          {"requests_in_flight", server.now.requests_in_flight},
          {"requests_in_flight_max", server.now.requests_in_flight_max},
          {"drive", drive},
          {"errors", server.errors},
          {"written_bytes", server.written_bytes},
          {"read_bytes", server.read_bytes},
          {"journal_bytes", server.journal_bytes},
          {"checksum_failures", server.checksum_failures},
          {"cpu_ns", server.cpu_ns},
          {"cpu", server.time_ns == 0
                      ? 0.0
                      : static_cast<double>(server.cpu_ns) / static_cast<double>(server.time_ns)},
          {"memory_bytes", server.now.memory_bytes},
          {"memory_peak_bytes", server.now.memory_peak_bytes},
          {"pool_bytes", server.now.pool_bytes},
          {"pool_used_bytes", server.now.pool_used_bytes},
          {"capacity", server.now.capacity_bytes},
          {"used", server.now.used_bytes},
          {"inode_count", server.now.inode_count},
          {"open_count", server.now.open_count},
          {"client_count", server.now.client_count}};
}

json outliers_json(const ServerFigures& server) {
  json outliers = json::array();
  for (const Outlier& outlier : server.outliers) {
    outliers.push_back({{"what", outlier.what},
                        {"figure", outlier.figure},
                        {"own_ns", outlier.own_ns},
                        {"others_ns", outlier.others_ns}});
  }
  return outliers;
}

json server_json(std::size_t number, const ServerFigures& server) {
  json object = {{"server", number}, {"host", server.host}, {"state", name_of(server.state)}};
  if (!server.is_up()) {
    object["trouble"] = server.trouble;
    return object;
  }
  object.update({{"pid", server.now.pid},
                 {"incarnation", server.now.incarnation},
                 {"restarted", server.restarted},
                 {"uptime_ns", server.now.uptime_ns},
                 {"read_only", server.now.read_only},
                 {"store_directory", server.now.store_directory},
                 {"device", server.now.device},
                 {"metrics_endpoint", server.now.endpoint},
                 {"stands_out", outliers_json(server)}});
  object.update(work_json(server));
  return object;
}

}  // namespace

std::string figures_json(const Figures& figures) {
  json servers = json::array();
  std::size_t up_count = 0;
  for (std::size_t i = 0; i < figures.servers.size(); ++i) {
    servers.push_back(server_json(i, figures.servers[i]));
    up_count += figures.servers[i].is_up() ? 1 : 0;
  }
  json devices = json::array();
  for (const DeviceFigures& device : devices_of(figures)) {
    json object = {{"host", device.host}, {"device", device.device}, {"servers", device.servers}};
    object.update(drive_json(device.drive, figures.time_ns));
    for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
      object[std::string(kDriveKinds[kind])]["stands_out"] = device.stands_out[kind];
    }
    devices.push_back(std::move(object));
  }
  const json root = {{"session", figures.session_directory},
                     {"wall_ns", figures.wall_ns},
                     {"time_ns", figures.time_ns},
                     {"server_count", figures.servers.size()},
                     {"up_count", up_count},
                     {"servers", servers},
                     {"devices", devices},
                     {"total", work_json(figures.total)}};
  return root.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace benchfs::launcher
