#include "launcher/status_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/parse.h"
#include "base/units.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

using nlohmann::json;

struct Totals {
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;
  std::uint64_t cpu_ns = 0;
  std::uint64_t memory = 0;
};

Totals totals_of(const Survey& survey) {
  Totals totals;
  for (const ServerReport& report : survey.reports) {
    if (report.state == ServerState::kUp) {
      totals.capacity += report.status.capacity;
      totals.used += report.status.used;
      totals.cpu_ns += report.status.cpu_ns;
      totals.memory += report.status.memory_bytes;
    }
  }
  return totals;
}

std::string seconds(std::uint64_t ns) {
  return fmt::format("{:.2f} s", static_cast<double>(ns) / static_cast<double>(kNsPerSec));
}

}  // namespace

std::string format_age(std::uint64_t ns) {
  const std::uint64_t total = ns / kNsPerSec;
  if (total < 60) {
    return fmt::format("{:.1f} s", static_cast<double>(ns) / static_cast<double>(kNsPerSec));
  }
  const std::uint64_t days = total / 86400;
  const std::uint64_t hours = total / 3600 % 24;
  const std::uint64_t minutes = total / 60 % 60;
  if (days > 0) {
    return fmt::format("{} d {:02}:{:02}", days, hours, minutes);
  }
  return fmt::format("{:02}:{:02}:{:02}", hours, minutes, total % 60);
}

std::string as_table(const StatusReport& report) {
  const session::Session& session = *report.session;
  const Survey& survey = *report.survey;
  std::vector<std::vector<std::string>> rows = {{"SERVER", "HOST", "PID", "STATE", "UPTIME",
                                                 "CAPACITY", "USED", "FILES", "CLIENTS", "CPU",
                                                 "MEMORY", "BACKEND"}};
  std::string troubles;
  for (std::size_t i = 0; i < session.servers.size(); ++i) {
    const ServerReport& server = survey.reports[i];
    std::vector<std::string> row = {std::to_string(i), session.servers[i].host,
                                    std::to_string(session.servers[i].pid), name_of(server.state)};
    if (server.state == ServerState::kUp) {
      const benchfs_server_status& status = server.status;
      if (status.read_only != 0) {
        row.back() = "read-only";
        troubles += fmt::format(
            "server {}: its log cannot be written: it refuses all changes until it starts again "
            "(benchfs restart {})\n",
            i, i);
      }
      const std::string backend =
          std::string(status.disk_backend) + (status.direct_io != 0 ? "" : " (buffered)");
      row.insert(row.end(), {format_age(status.uptime_ns), format_size(status.capacity),
                             format_size(status.used), std::to_string(status.inode_count),
                             std::to_string(status.client_count), seconds(status.cpu_ns),
                             format_size(status.memory_bytes), backend});
    } else {
      row.insert(row.end(), {"-", format_size(session.servers[i].capacity_bytes), "-", "-", "-",
                             "-", "-", "-"});
      troubles += fmt::format("server {}: {}\n", i, server.trouble);
    }
    rows.push_back(std::move(row));
  }
  const Totals totals = totals_of(survey);
  const std::uint64_t age_ns =
      report.now_ns > session.created_ns ? report.now_ns - session.created_ns : 0;
  return fmt::format("session {}, up {}, {} of {} servers answer, {} of {} used\n",
                     report.session_directory, format_age(age_ns), survey.count(ServerState::kUp),
                     session.servers.size(), format_size(totals.used),
                     format_size(totals.capacity)) +
         tools::format_table(rows, "rlrlrrrrrrrl") + troubles;
}

std::string as_json(const StatusReport& report) {
  const session::Session& session = *report.session;
  const Survey& survey = *report.survey;
  json servers = json::array();
  for (std::size_t i = 0; i < session.servers.size(); ++i) {
    const ServerReport& server = survey.reports[i];
    json object = {{"server", i},
                   {"host", session.servers[i].host},
                   {"pid", session.servers[i].pid},
                   {"state", name_of(server.state)},
                   {"store_directory", session.servers[i].store_directory}};
    if (server.state == ServerState::kUp) {
      const benchfs_server_status& status = server.status;
      object.update({{"version", status.version},
                     {"disk_backend", status.disk_backend},
                     {"direct_io", status.direct_io != 0},
                     {"read_only", status.read_only != 0},
                     {"uptime_ns", status.uptime_ns},
                     {"capacity", status.capacity},
                     {"used", status.used},
                     {"inode_count", status.inode_count},
                     {"open_count", status.open_count},
                     {"client_count", status.client_count},
                     {"written_bytes", status.written_bytes},
                     {"read_bytes", status.read_bytes},
                     {"cpu_ns", status.cpu_ns},
                     {"memory_bytes", status.memory_bytes},
                     {"memory_peak_bytes", status.memory_peak_bytes},
                     {"pool_bytes", status.pool_bytes},
                     {"pool_used_bytes", status.pool_used_bytes}});
    } else {
      object["trouble"] = server.trouble;
    }
    servers.push_back(std::move(object));
  }
  const Totals totals = totals_of(survey);
  const json root = {{"session", report.session_directory},
                     {"session_id", fmt::format("{:016x}", session.session_id)},
                     {"created_ns", session.created_ns},
                     {"server_count", session.servers.size()},
                     {"up_count", survey.count(ServerState::kUp)},
                     {"capacity", totals.capacity},
                     {"used", totals.used},
                     {"cpu_ns", totals.cpu_ns},
                     {"memory_bytes", totals.memory},
                     {"servers", servers}};
  return root.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace benchfs::launcher
