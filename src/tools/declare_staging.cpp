// stage-in, stage-out.

#include "base/limits.h"
#include "base/parse.h"
#include "tools/console.h"
#include "tools/declaration.h"
#include "tools/workers.h"

namespace benchfs::tools {
namespace {

void set_rate(StageOptions& options, std::string text) {
  if (text.ends_with("/s")) {
    text.resize(text.size() - 2);
  }
  const auto rate = parse_size(text);
  if (!rate.has_value() || *rate == 0) {
    throw CLI::ValidationError("--rate-limit", in_quotes(text) + " is not a rate such as 500M/s");
  }
  options.rate = *rate;
}

Command<StageOptions> declare_stage(Declaration& declaration, const char* name, const char* help) {
  const auto command = declaration.add<StageOptions>(name, help, stage);
  command.add_paths("path",
                    "Sources, then the directory that they are to be in; of a source that ends in\n"
                    "'/', what it holds",
                    1);
  command.add_flag("--resume", &StageOptions::resume,
                   "Leave out what the manifest of an earlier run says is done, and is unchanged");
  command.add_flag("--verify", &StageOptions::verify,
                   "Read every copy back and compare checksums before it gets its name; with\n"
                   "--resume, also those of earlier runs");
  command.add_flag("--newer", &StageOptions::newer,
                   "Only files that are newer than what is at the destination");
  command.app
      ->add_option_function<std::vector<std::string>>(
          "--include",
          [options = command.options](const std::vector<std::string>& patterns) {
            options->include = patterns;
          },
          "Only files that match this pattern of a shell, or another one of these")
      ->type_name("PATTERN")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.app
      ->add_option_function<std::vector<std::string>>(
          "--exclude",
          [options = command.options](const std::vector<std::string>& patterns) {
            options->exclude = patterns;
          },
          "Nothing that matches this pattern, such as '*.tmp', 'scratch/' or 'run/*.log'")
      ->type_name("PATTERN")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_text("--manifest", &StageOptions::manifest, "FILE",
                   "Where what is done is written down (default: in the destination)");
  command.add_parsed(
      "--rate-limit", "SIZE/s", "No more than so many bytes a second, of all servers",
      [](StageOptions& options, const std::string& text) { set_rate(options, text); });
  command.app->add_option("-j,--jobs", command.options->jobs, "Large files at once (default: 4)")
      ->check(CLI::Range(1U, Workers::kCountMax))
      ->type_name("N");
  command.add_flag("-v,--verbose", &StageOptions::verbose, "Say at the end what was done");
  command.add_flag("--progress", &StageOptions::progress,
                   "Tell how far it is, also if standard error is no terminal");
  command.add_json();
  return command;
}

}  // namespace

void declare_staging(Declaration& declaration) {
  const auto in =
      declare_stage(declaration, "stage-in",
                    "Have the servers copy files and trees into benchfs, each what it will hold");
  in.options->direction = StageManifest::Direction::kIn;
  in.add_parsed("--chunk-size", "SIZE", "Chunk size of the files (default: 1M)",
                [](StageOptions& options, const std::string& text) {
                  options.chunk_size = size_argument("--chunk-size", text);
                  if (options.chunk_size < 4096) {
                    throw CLI::ValidationError("--chunk-size", "must be 4096 or more");
                  }
                });
  in.app
      ->add_option("--stripe-count", in.options->stripe_count,
                   "Servers that each file is spread over (default: all)")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{kServerCountMax}))
      ->type_name("N");
  const auto out = declare_stage(
      declaration, "stage-out",
      "Have the servers copy files and trees out of benchfs; what is told done is on the drive");
  out.options->direction = StageManifest::Direction::kOut;
}

}  // namespace benchfs::tools
