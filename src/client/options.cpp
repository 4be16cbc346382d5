#include "client/options.h"

#include <cstdlib>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "base/parse.h"

namespace benchfs::client {
namespace {

/// Whether this process may use one processor only: then whoever it waits for needs that one.
bool has_one_processor() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) == 1;
}

}  // namespace

tl::expected<Options, std::string> read_options(const char* session_directory,
                                                GetVariable get_variable) {
  Options options;
  if (session_directory == nullptr) {
    session_directory = get_variable("BENCHFS_SESSION");
  }
  if (session_directory == nullptr || *session_directory == '\0') {
    return tl::unexpected<std::string>(
        "no session directory: name one, or set BENCHFS_SESSION to it");
  }
  options.session_directory = session_directory;
  if (const char* const text = get_variable("BENCHFS_TIMEOUT"); text != nullptr) {
    const auto timeout_ns = parse_duration_ns(text);
    if (!timeout_ns.has_value() || *timeout_ns < kTimeoutNsMin || *timeout_ns > kTimeoutNsMax) {
      return tl::unexpected<std::string>(fmt::format(
          "BENCHFS_TIMEOUT=\"{}\" is not a time between 10ms and 3600s (such as \"10s\")", text));
    }
    options.timeout_ns = *timeout_ns;
  }
  return options;
}

tl::expected<Options, std::string> read_options(const char* session_directory) {
  auto options = read_options(session_directory,
                              [](const char* name) -> const char* { return std::getenv(name); });
  if (options.has_value()) {
    options->uid = ::geteuid();
    options->gid = ::getegid();
    if (has_one_processor()) {
      options->spin_ns_max = 0;
    }
  }
  return options;
}

}  // namespace benchfs::client
