#include "server/config.h"

#include <cstdlib>
#include <map>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/limits.h"
#include "base/parse.h"
#include "base/units.h"

namespace benchfs::server {
namespace {

constexpr std::uint64_t kPoolBytesDefault = 64 * kMiB;
constexpr std::uint64_t kPoolBytesMin = 8 * kMiB;
constexpr std::uint64_t kJobCheckNsDefault = 60 * kNsPerSec;
constexpr std::uint64_t kSpinNsDefault = 30 * kNsPerUs;

/// What a number looks like, in the help and in a complaint.
struct Shape {
  std::string name;
  std::string words;
};
const Shape kSize = {"SIZE", "a size such as 4096, 64M or 100G"};
const Shape kTime = {"TIME", "a time such as 30us, 10ms or 2s"};

/// A CLI11 option that holds a number parsed by `parse`.
template <typename Parse>
CLI::Option* add_number(CLI::App& app, const std::string& name, std::uint64_t& value, Parse parse,
                        const std::string& help, const Shape& shape) {
  return app
      .add_option_function<std::string>(
          name,
          [&value, parse, name, shape](const std::string& text) {
            const auto parsed = parse(text);
            if (!parsed.has_value()) {
              throw CLI::ValidationError(name, fmt::format("'{}' is not {}", text, shape.words));
            }
            value = *parsed;
          },
          help)
      ->type_name(shape.name);
}

void declare(CLI::App& app, Config& config) {
  const auto not_empty = CLI::Validator(
      [](const std::string& text) { return text.empty() ? "must not be empty" : std::string(); },
      "", "not_empty");
  app.set_version_flag("--version", BENCHFS_VERSION);
  app.set_config("--config", "", "Read options from a TOML file; its keys are the options' names")
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--session", config.session_directory,
                 "Directory of the session file (default: $BENCHFS_SESSION)")
      ->envname("BENCHFS_SESSION")
      ->required()
      ->check(not_empty)
      ->type_name("DIR");
  app.add_option("--store", config.store_directory,
                 "Directory on the node-local drive; server N uses DIR/server-N")
      ->required()
      ->check(not_empty)
      ->type_name("DIR");
  add_number(app, "--capacity", config.capacity_bytes, parse_size,
             "Space of each server (default: 80 % of what is free, shared by the node's servers)",
             kSize);
  add_number(app, "--pool", config.pool_bytes, parse_size,
             "Memory for data in flight, of each server (default: 64M)", kSize);
  add_number(app, "--spin", config.spin_ns, parse_duration_ns,
             "How long an idle server spins before it sleeps (default: 30us; 0: not at all)",
             kTime);
  add_number(app, "--job-check", config.job_check_ns, parse_duration_ns,
             "How often Slurm's controller is asked whether the job lives, where no step of it is "
             "around the server (default: 60s; 0: never)",
             kTime);
  const std::map<std::string, io::DiskBackend> backends = {
      {"auto", io::DiskBackend::kAuto},
      {"uring", io::DiskBackend::kUring},
      {"posix", io::DiskBackend::kPosix},
      {"memory", io::DiskBackend::kMemory},
  };
  app.add_option("--backend", config.backend,
                 "How the drive is accessed: auto, uring, posix, or memory (for tests)")
      ->transform(CLI::CheckedTransformer(backends).description(""))
      ->type_name("NAME");
  const std::map<std::string, LogLevel> levels = {
      {"error", LogLevel::kError},
      {"warning", LogLevel::kWarning},
      {"info", LogLevel::kInfo},
      {"debug", LogLevel::kDebug},
  };
  app.add_option("--log", config.log_level, "What is logged: error, warning, info or debug")
      ->transform(CLI::CheckedTransformer(levels).description(""))
      ->type_name("LEVEL");
  app.add_option_function<std::string>(
         "--metrics",
         [&config](const std::string& text) {
           const auto address = HttpAddress::parse(text);
           if (!address.has_value()) {
             throw CLI::ValidationError(
                 "--metrics",
                 fmt::format("'{}' is not a port, or an address in numbers with a port, "
                             "such as 9400, 10.0.0.7:9400 or [::1]:9400",
                             text));
           }
           config.metrics = *address;
         },
         "Serve metrics to Prometheus by HTTP; server N at PORT + N, or each at any free one if "
         "PORT is 0 (default: $BENCHFS_METRICS, else not at all; address: 127.0.0.1)")
      ->envname("BENCHFS_METRICS")
      ->type_name("[ADDRESS:]PORT");
  app.add_flag(
      "--make-store", config.make_store,
      "Make the directory of --store if it is missing; remove it at the end if it is empty");
  app.add_flag("--temporary", config.temporary,
               "Remove the store also when a signal stops the server, as at the end of a job");
  app.add_flag("--discard", config.discard,
               "Remove what dead servers left in the stores, instead of going on from it");
  app.add_option_function<std::uint16_t>(
         "--rejoin", [&config](std::uint16_t server) { config.rejoin = server; },
         "Start only server N, which has died, on its store, in the session that is up (no MPI)")
      ->check(CLI::Range(std::uint16_t{0}, static_cast<std::uint16_t>(kServerCountMax - 1)))
      ->type_name("N");
}

}  // namespace

ConfigOutcome read_config(const std::vector<std::string>& arguments) {
  ConfigOutcome outcome;
  outcome.config.pool_bytes = kPoolBytesDefault;
  outcome.config.spin_ns = kSpinNsDefault;
  outcome.config.job_check_ns = kJobCheckNsDefault;
  CLI::App app(
      "One server of a benchfs session. Start one per drive as MPI ranks:\n"
      "  mpirun -n N benchfsd --session DIR --store DIR",
      "benchfsd");
  declare(app, outcome.config);
  try {
    // CLI11 takes the arguments from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    if (outcome.config.pool_bytes < kPoolBytesMin) {
      throw CLI::ValidationError(
          "--pool", fmt::format("is {}, must be {} or more", format_size(outcome.config.pool_bytes),
                                format_size(kPoolBytesMin)));
    }
    outcome.go_on = true;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    outcome.exit_code = app.exit(error, out, err) == 0 ? 0 : 2;
    outcome.text = outcome.exit_code == 0 ? out.str() : "benchfsd: " + err.str();
  }
  return outcome;
}

}  // namespace benchfs::server
