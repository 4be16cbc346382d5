#pragma once

// `benchfs status` as people and as programs read it. Pure.

#include <string>

#include "launcher/servers.h"

namespace benchfs::launcher {

struct StatusReport {
  std::string session_directory;
  const session::Session* session = nullptr;
  const Survey* survey = nullptr;
  std::uint64_t now_ns = 0;  ///< Since the Unix epoch.
};

std::string as_table(const StatusReport& report);

/// One object, ended by a newline: {"session": …, "servers": [{"server": 0, "state": "up", …}, …]}.
/// Sizes are bytes, times nanoseconds; a server that did not answer has no figures.
std::string as_json(const StatusReport& report);

/// "3 d 04:05", "04:05:06", "12.3 s"
std::string format_age(std::uint64_t ns);

}  // namespace benchfs::launcher
