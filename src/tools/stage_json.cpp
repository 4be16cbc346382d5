#include <nlohmann/json.hpp>

#include "tools/mount.h"
#include "tools/stager.h"

namespace benchfs::tools {

std::string stage_report_json(const StageOptions& options, const StageReport& report) {
  using nlohmann::json;
  json failed = json::array();
  for (const StageReport::Failed& one : report.failed) {
    failed.push_back({{"path", one.path}, {"reason", one.reason}});
  }
  const json all = {
      {"direction", options.direction == StageManifest::Direction::kIn ? "in" : "out"},
      {"files", report.files},
      {"bytes", report.bytes},
      {"directories", report.directories},
      {"links", report.links},
      {"complete_before", report.complete},
      {"not_newer", report.older},
      {"failed", failed},
      {"interrupted", was_interrupted()},
      {"seconds", report.seconds},
  };
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace benchfs::tools
