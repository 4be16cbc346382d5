#include "fuse/arguments.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "base/parse.h"
#include "base/units.h"

namespace benchfs::fuse {

std::optional<Arguments> parse_arguments(const std::vector<std::string>& words, int& exit_status) {
  Arguments arguments;
  CLI::App app("Mounts a benchfs session on a directory. `benchfs mount` is the command for users.",
               "benchfs-fuse");
  app.add_option("--session", arguments.session,
                 "Directory of the session (default: $BENCHFS_SESSION)")
      ->type_name("DIR");
  app.add_flag("--foreground", arguments.foreground, "Stay, until it is unmounted");
  app.add_flag("--allow-other", arguments.allow_other, "Let other users in");
  app.add_flag("--read-only", arguments.read_only, "Refuse changes");
  app.add_option_function<std::string>(
         "--cache",
         [&arguments](const std::string& text) {
           const auto time_ns = parse_duration_ns(text);
           if (!time_ns.has_value()) {
             throw CLI::ValidationError("--cache",
                                        "'" + text + "' is not a time such as 500ms or 10s");
           }
           arguments.cache_seconds = static_cast<double>(*time_ns) / static_cast<double>(kNsPerSec);
         },
         "How old names and attributes may be (default: 0)")
      ->type_name("TIME");
  app.add_option("directory", arguments.directory, "Where to mount it")->required();
  try {
    // CLI11 takes the arguments from the back.
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    exit_status = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return arguments;
}

}  // namespace benchfs::fuse
