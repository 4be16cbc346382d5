#include "server/metrics_page.h"

#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace benchfs::server {
namespace {

/// A label's value: backslash, quote and newline are escaped; what is no UTF-8 text is not shown.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
  }
  return out;
}

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / static_cast<double>(kNsPerSec);
}

class Page {
 public:
  explicit Page(ServerId server) : server_(fmt::format("server=\"{}\"", to_integer(server))) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP benchfs_{} {}\n# TYPE benchfs_{} {}\n", name,
                   help, name, type);
  }
  template <typename Value>
  void sample(Value value, std::string_view labels = {}) {
    line("", labels, fmt::format("{}", value));
  }
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "gauge", help);
    sample(value);
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "counter", help);
    sample(value);
  }
  void histogram(const wire::Latencies& latencies, std::string_view labels) {
    LatencyHistogram latency;
    // Our own, so it can be read.
    (void)wire::from_wire(latencies, latency);
    for (unsigned bits = kShownBitsMin; bits <= kShownBitsMax; ++bits) {
      const std::uint64_t edge_ns = std::uint64_t{1} << bits;
      line("_bucket", fmt::format("{},le=\"{}\"", labels, seconds(edge_ns)),
           std::to_string(latency.count_below(edge_ns)));
    }
    const std::string count = std::to_string(latency.count());
    line("_bucket", fmt::format("{},le=\"+Inf\"", labels), count);
    line("_sum", labels, fmt::format("{}", seconds(latency.sum_ns())));
    line("_count", labels, count);
  }

  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, std::string_view labels, std::string_view value) {
    fmt::format_to(std::back_inserter(text_), "benchfs_{}{}{{{}{}{}}} {}\n", name_, suffix, server_,
                   labels.empty() ? "" : ",", labels, value);
  }

  const std::string server_;
  std::string_view name_;
  std::string text_;
};

void add_server(Page& page, const wire::MetricsReply& metrics) {
  page.family("server_info", "gauge", "What the server is; always 1.");
  page.sample(
      1, fmt::format("host=\"{}\",version=\"{}\",backend=\"{}\",device=\"{}\",store=\"{}\"",
                     escaped(metrics.host), escaped(metrics.version), escaped(metrics.disk_backend),
                     escaped(metrics.device), escaped(metrics.store_directory)));
  page.family("uptime_seconds", "gauge", "Time since the server started.");
  page.sample(seconds(metrics.uptime_ns));
  page.gauge("incarnation", "How often the server was started on its store.", metrics.incarnation);
  page.gauge("read_only", "1 if the log cannot be written and changes are refused.",
             metrics.read_only ? 1 : 0);
  page.gauge("clients", "Clients that are connected.", metrics.client_count);
  page.gauge("inodes", "Files, directories and links whose home is here.", metrics.inode_count);
  page.gauge("open_files", "Handles that clients have on files whose home is here.",
             metrics.open_count);
  page.gauge("store_capacity_bytes", "Space of the store.", metrics.capacity_bytes);
  page.gauge("store_used_bytes", "Space of the store that is in use.", metrics.used_bytes);
  page.counter("written_bytes_total", "Bytes of files that clients have written.",
               metrics.written_bytes);
  page.counter("read_bytes_total", "Bytes of files that clients have read, holes too.",
               metrics.read_bytes);
  page.family("cpu_seconds_total", "counter", "User and system time of the process.");
  page.sample(seconds(metrics.cpu_ns));
  page.gauge("resident_memory_bytes", "Memory of the process.", metrics.memory_bytes);
  page.gauge("resident_memory_peak_bytes", "The most that it was.", metrics.memory_peak_bytes);
  page.gauge("pool_bytes", "Memory for data in flight.", metrics.pool_bytes);
  page.gauge("pool_used_bytes", "Memory for data in flight that is in use.",
             metrics.pool_used_bytes);
}

void add_requests(Page& page, const wire::MetricsReply& metrics) {
  const auto each = [&](auto show) {
    for (const wire::OpMetrics& op : metrics.ops) {
      show(op, fmt::format("op=\"{}\"", wire::name_of(op.op)));
    }
  };
  page.gauge("requests_in_flight", "Requests that are being worked on.",
             metrics.requests_in_flight);
  page.gauge("requests_in_flight_max", "The most that there were at once.",
             metrics.requests_in_flight_max);
  page.family("requests_total", "counter", "Requests begun.");
  each([&](const wire::OpMetrics& op, std::string_view label) { page.sample(op.count, label); });
  page.family("request_errors_total", "counter", "Requests begun that have failed.");
  each([&](const wire::OpMetrics& op, std::string_view label) {
    page.sample(op.error_count, label);
  });
  page.family("request_payload_bytes_total", "counter",
              "Bulk data of the requests that succeeded, there and back.");
  each([&](const wire::OpMetrics& op, std::string_view label) { page.sample(op.bytes, label); });
  page.family("request_duration_seconds", "histogram",
              "From the arrival of a request until its reply goes out.");
  each([&](const wire::OpMetrics& op, std::string_view label) {
    page.histogram(op.latency, label);
  });
  page.family("error_replies_total", "counter", "Requests answered with an error, by its kind.");
  for (const wire::ErrorCount& error : metrics.errors) {
    page.sample(error.count, fmt::format("error=\"{}\"", name_of(static_cast<Errc>(error.code))));
  }
}

void add_drive(Page& page, const wire::MetricsReply& metrics) {
  const std::vector<std::pair<std::string_view, const wire::DriveMetrics*>> kinds = {
      {"op=\"read\"", &metrics.drive_read},
      {"op=\"write\"", &metrics.drive_write},
      {"op=\"fsync\"", &metrics.drive_fsync},
  };
  page.gauge("drive_in_flight", "Operations that wait for the drive or are in it.",
             metrics.drive_in_flight);
  page.gauge("drive_in_flight_max", "The most that there were at once.",
             metrics.drive_in_flight_max);
  page.family("drive_operations_total", "counter", "Operations of the drive that have ended.");
  for (const auto& [label, drive] : kinds) {
    page.sample(drive->count, label);
  }
  page.family("drive_errors_total", "counter", "Operations of the drive that have failed.");
  for (const auto& [label, drive] : kinds) {
    page.sample(drive->error_count, label);
  }
  page.family("drive_bytes_total", "counter", "Bytes that went to the drive or came from it.");
  for (const auto& [label, drive] : kinds) {
    page.sample(drive->bytes, label);
  }
  page.family("drive_duration_seconds", "histogram",
              "From the submission of an operation of the drive until its end.");
  for (const auto& [label, drive] : kinds) {
    page.histogram(drive->latency, label);
  }
}

void add_journal(Page& page, const wire::MetricsReply& metrics) {
  page.counter("journal_record_bytes_total", "Bytes of records.", metrics.journal_bytes);
  page.counter("journal_commits_total", "Batches of records.", metrics.journal_commits);
  page.counter("journal_syncs_total", "Times that the log was made durable.",
               metrics.journal_syncs);
  page.counter("journal_snapshots_total", "Snapshots.", metrics.journal_snapshots);
  page.gauge("journal_ring_bytes", "Space of the log.", metrics.journal_ring_bytes);
  page.gauge("journal_ring_used_bytes", "Space of the log that is in use.",
             metrics.journal_ring_used_bytes);
  page.counter("checksum_failures_total", "Reads of the drive that brought wrong bytes.",
               metrics.checksum_failures);
}

}  // namespace

std::string metrics_page(const wire::MetricsReply& metrics) {
  Page page(metrics.server);
  add_server(page, metrics);
  add_requests(page, metrics);
  add_drive(page, metrics);
  add_journal(page, metrics);
  return page.take();
}

}  // namespace benchfs::server
