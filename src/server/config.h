#pragma once

// What a server is told: options and the configuration file, read once, in main. Every key of the
// file is the name of an option without its dashes; an option on the command line wins.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "io/data_file.h"
#include "server/http_address.h"

namespace benchfs::server {

struct Config {
  std::string session_directory;
  std::string store_directory;  ///< Of all servers; each uses the subdirectory server-<number>.
  std::uint64_t capacity_bytes =
      0;  ///< Of each server. 0: by what is free; see default_capacity().
  std::uint64_t pool_bytes = 0;
  std::uint64_t spin_ns = 0;
  io::DiskBackend backend = io::DiskBackend::kAuto;
  std::uint64_t job_check_ns = 0;       ///< Between two questions to Slurm's controller. 0: none.
  bool make_store = false;              ///< Makes store_directory if missing; removed when empty.
  bool temporary = false;               ///< A signal to stop gives the store up, as `down` does.
  bool discard = false;                 ///< Removes what a dead server left in the store.
  std::optional<std::uint16_t> rejoin;  ///< Start this server again, in the session that is up.
  std::optional<HttpAddress> metrics;   ///< Where server 0 serves its metrics; see Process.
  LogLevel log_level = LogLevel::kInfo;
};

/// How reading the configuration ended: go on with `config`, or print `text` and exit with
/// `exit_code`.
struct ConfigOutcome {
  Config config;
  bool go_on = false;
  int exit_code = 0;
  std::string text;
};

/// `arguments` without the program's name.
ConfigOutcome read_config(const std::vector<std::string>& arguments);

}  // namespace benchfs::server
