#include "launcher/figures_page.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/parse.h"
#include "base/units.h"
#include "launcher/status_report.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

using Row = std::vector<std::string>;

constexpr char kReverse[] = "\x1b[7m";
constexpr char kPlain[] = "\x1b[0m";
constexpr char kMark[] = "<- stands out";

double seconds_of(std::uint64_t ns) {
  return static_cast<double>(ns) / static_cast<double>(kNsPerSec);
}

double per_second(std::uint64_t count, std::uint64_t time_ns) {
  return time_ns == 0 ? 0 : static_cast<double>(count) / seconds_of(time_ns);
}

std::string rate(std::uint64_t count, std::uint64_t time_ns) {
  return fmt::format("{:.0f}", per_second(count, time_ns));
}

std::string speed(std::uint64_t bytes, std::uint64_t time_ns) {
  return format_size(static_cast<std::uint64_t>(per_second(bytes, time_ns))) + "/s";
}

std::string percentile(const LatencyHistogram& latency, double fraction) {
  return format_latency(latency.percentile_ns(fraction));
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0
             ? "-"
             : fmt::format("{:.0f}%", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

void add_latencies(Row& row, const LatencyHistogram& latency) {
  row.insert(row.end(), {percentile(latency, 0.5), percentile(latency, 0.99),
                         percentile(latency, 0.999), format_latency(latency.max_ns())});
}

std::string words_of(const Outlier& outlier) {
  if (outlier.figure == "stalled") {
    return "its drive has ended nothing all the time, and has something to do";
  }
  const std::size_t dot = outlier.what.find('.');
  return fmt::format("{} {}: {} {}, the others {}", outlier.what.substr(0, dot),
                     outlier.what.substr(dot + 1), outlier.figure, format_latency(outlier.own_ns),
                     format_latency(outlier.others_ns));
}

/// What stands out and what does not answer, a line each.
std::string remarks(const Figures& figures) {
  std::string text;
  for (std::size_t i = 0; i < figures.servers.size(); ++i) {
    const ServerFigures& server = figures.servers[i];
    if (!server.is_up()) {
      text += fmt::format("server {}: {}: {}\n", i, name_of(server.state), server.trouble);
      continue;
    }
    for (const Outlier& outlier : server.outliers) {
      text += fmt::format("server {} (device {} of {}) stands out: {}\n", i, server.now.device,
                          server.host, words_of(outlier));
    }
    if (server.now.read_only) {
      text += fmt::format("server {}: its log cannot be written: it refuses all changes\n", i);
    }
    if (server.checksum_failures > 0) {
      text += fmt::format("server {}: its drive has brought wrong bytes {} times\n", i,
                          server.checksum_failures);
    }
  }
  return text;
}

std::string queue(std::uint64_t now, std::uint64_t max) {
  return fmt::format("{}/{}", now, max);
}

Row top_row(std::string name, const ServerFigures& server) {
  const OpFigures requests = all_requests(server);
  Row row = {std::move(name), server.host, rate(requests.count, server.time_ns),
             speed(server.read_bytes, server.time_ns), speed(server.written_bytes, server.time_ns)};
  add_latencies(row, requests.latency);
  row.insert(row.end(),
             {queue(server.now.requests_in_flight, server.now.requests_in_flight_max),
              queue(server.now.drive_in_flight, server.now.drive_in_flight_max),
              percentile(server.drive[0].latency, 0.5), percentile(server.drive[1].latency, 0.5),
              percentile(server.drive[2].latency, 0.5), percent(server.cpu_ns, server.time_ns),
              format_size(server.now.memory_bytes),
              percent(server.now.used_bytes, server.now.capacity_bytes),
              std::to_string(server.now.client_count)});
  return row;
}

std::string requests_table(const ServerFigures& total) {
  std::vector<Row> rows = {
      {"REQUEST", "COUNT", "PER S", "ERRORS", "BYTES", "BYTES/S", "P50", "P99", "P99.9", "MAX"}};
  for (const auto& [name, figures] : total.requests) {
    Row row = {name,
               std::to_string(figures.count),
               rate(figures.count, total.time_ns),
               std::to_string(figures.error_count),
               format_size(figures.bytes),
               speed(figures.bytes, total.time_ns)};
    add_latencies(row, figures.latency);
    rows.push_back(std::move(row));
  }
  return tools::format_table(rows, "lrrrrrrrrr");
}

std::size_t up_count(const Figures& figures) {
  return static_cast<std::size_t>(
      std::count_if(figures.servers.begin(), figures.servers.end(),
                    [](const ServerFigures& server) { return server.is_up(); }));
}

/// Line `number` of the text in reverse video.
std::string emphasise(const std::string& text, const std::vector<std::size_t>& lines) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t number = 0; at < text.size(); ++number) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    const bool marked = std::find(lines.begin(), lines.end(), number) != lines.end();
    out += marked ? kReverse + line + kPlain + "\n" : line + "\n";
    at = end + 1;
  }
  return out;
}

void add_device(const DeviceFigures& device, std::vector<Row>& rows) {
  std::string servers;
  for (const std::size_t server : device.servers) {
    servers += (servers.empty() ? "" : ",") + std::to_string(server);
  }
  for (std::size_t kind = 0; kind < kDriveKinds.size(); ++kind) {
    const OpFigures& drive = device.drive[kind];
    if (drive.count == 0) {
      continue;
    }
    Row row = {device.device,
               device.host,
               servers,
               std::string(kDriveKinds[kind]),
               std::to_string(drive.count),
               std::to_string(drive.error_count),
               format_size(drive.bytes)};
    add_latencies(row, drive.latency);
    row.emplace_back(device.stands_out[kind] ? kMark : "");
    rows.push_back(std::move(row));
  }
}

std::string devices_table(const Figures& figures) {
  std::vector<Row> rows = {{"DEVICE", "HOST", "SERVERS", "KIND", "COUNT", "ERRORS", "BYTES", "P50",
                            "P99", "P99.9", "MAX", ""}};
  for (const DeviceFigures& device : devices_of(figures)) {
    add_device(device, rows);
  }
  return tools::format_table(rows, "lllrrrrrrrrl");
}

Row report_row(std::string name, const ServerFigures& server) {
  const OpFigures requests = all_requests(server);
  Row row = {std::move(name),
             server.host,
             format_age(server.time_ns),
             std::to_string(requests.count),
             std::to_string(requests.error_count),
             format_size(server.written_bytes),
             format_size(server.read_bytes)};
  add_latencies(row, requests.latency);
  row.insert(row.end(), {fmt::format("{:.1f} s", seconds_of(server.cpu_ns)),
                         format_size(server.now.memory_peak_bytes),
                         format_size(server.now.used_bytes), server.outliers.empty() ? "" : kMark});
  return row;
}

}  // namespace

std::string format_latency(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns == 0) {
    return "-";
  }
  if (ns < kNsPerUs) {
    return fmt::format("{} ns", ns);
  }
  if (ns < kNsPerMs) {
    return fmt::format("{:.{}f} us", value / 1e3, ns < 100 * kNsPerUs ? 1 : 0);
  }
  if (ns < kNsPerSec) {
    return fmt::format("{:.{}f} ms", value / 1e6, ns < 100 * kNsPerMs ? 1 : 0);
  }
  return fmt::format("{:.2f} s", value / 1e9);
}

std::string top_page(const Figures& figures, Emphasis emphasis) {
  std::vector<Row> rows = {{"SERVER", "HOST", "REQ/S", "READ", "WRITTEN", "P50", "P99", "P99.9",
                            "MAX", "QUEUE", "DRIVE Q", "D-READ", "D-WRITE", "D-FSYNC", "CPU",
                            "MEMORY", "FULL", "CLIENTS"}};
  std::vector<std::size_t> marked;
  for (std::size_t i = 0; i < figures.servers.size(); ++i) {
    const ServerFigures& server = figures.servers[i];
    if (server.is_up()) {
      rows.push_back(top_row(std::to_string(i), server));
    } else {
      rows.push_back({std::to_string(i), server.host, name_of(server.state)});
    }
    if (!server.is_up() || !server.outliers.empty()) {
      marked.push_back(i + 1);
    }
  }
  rows.push_back(top_row("all", figures.total));
  const std::string table = tools::format_table(rows, "rlrrrrrrrrrrrrrrrr");
  return fmt::format("session {}, {} of {} servers answer, the last {}\n\n",
                     figures.session_directory, up_count(figures), figures.servers.size(),
                     format_age(figures.time_ns)) +
         (emphasis == Emphasis::kTerminal ? emphasise(table, marked) : table) + "\n" +
         requests_table(figures.total) + remarks(figures);
}

std::string report_page(const Figures& figures) {
  std::vector<Row> rows = {{"SERVER", "HOST", "SINCE", "REQUESTS", "ERRORS", "WRITTEN", "READ",
                            "P50", "P99", "P99.9", "MAX", "CPU", "MEMORY", "USED", ""}};
  std::string restarts;
  for (std::size_t i = 0; i < figures.servers.size(); ++i) {
    const ServerFigures& server = figures.servers[i];
    if (server.is_up()) {
      rows.push_back(report_row(std::to_string(i), server));
    } else {
      rows.push_back({std::to_string(i), server.host, name_of(server.state)});
    }
    if (server.is_up() && server.now.incarnation > 1) {
      restarts += fmt::format("server {}: start number {}: what it did before is not counted\n", i,
                              server.now.incarnation);
    }
  }
  rows.push_back(report_row("all", figures.total));
  std::string errors;
  for (const auto& [name, count] : figures.total.errors) {
    errors +=
        fmt::format("{}{} {}", errors.empty() ? "answered with an error: " : ", ", count, name);
  }
  return fmt::format("benchfs report: session {}, {} of {} servers answer\n\n",
                     figures.session_directory, up_count(figures), figures.servers.size()) +
         tools::format_table(rows, "rlrrrrrrrrrrrrl") + "\n" + requests_table(figures.total) +
         "\n" + devices_table(figures) + "\n" + errors + (errors.empty() ? "" : "\n") + restarts +
         remarks(figures);
}

}  // namespace benchfs::launcher
