// cp, cat, tail, truncate, sync.

#include "base/limits.h"
#include "base/parse.h"
#include "tools/console.h"
#include "tools/declaration.h"
#include "tools/workers.h"

namespace benchfs::tools {
namespace {

/// Commands that take nothing but paths.
struct PathsOnly {
  std::vector<std::string> paths;
};

int run_cat(const std::string& session, const PathsOnly& options) {
  return concatenate(session, options.paths);
}

void declare_cp(Declaration& declaration) {
  const auto cp = declaration.add<CopyOptions>(
      "cp", "Copy into, out of or within benchfs; paths in benchfs are written benchfs:/path",
      copy);
  cp.add_paths("path", "Sources, then the destination", 1);
  cp.add_flag("-r,-R,--recursive", &CopyOptions::recursive,
              "Directories and all they hold; symbolic links below them as such");
  cp.add_flag("-p,--preserve", &CopyOptions::owners,
              "Owner and group too; mode and times always are");
  cp.app->add_flag_callback(
      "-a,--archive",
      [options = cp.options] {
        options->recursive = true;
        options->owners = true;
      },
      "The same as -r -p");
  cp.add_flag("-f,--force", &CopyOptions::force, "Replace what is there, as always");
  cp.add_flag("-n,--no-clobber", &CopyOptions::no_clobber, "Leave what is there as it is");
  cp.add_flag("-u,--update", &CopyOptions::update, "Likewise, unless it is older");
  cp.add_text("-t,--target-directory", &CopyOptions::into, "DIR", "Copy all of them into DIR");
  cp.add_flag("-T,--no-target-directory", &CopyOptions::no_directory,
              "The destination is the new name, even if it is a directory");
  cp.add_flag("--resume", &CopyOptions::resume,
              "Keep what is unfinished if it ends early, and go on with it the next time; leave\n"
              "out files of the same size and time of modification");
  cp.add_flag("--verify", &CopyOptions::verify,
              "Read every copy back and compare checksums before it gets its name");
  cp.app->add_option("-j,--jobs", cp.options->jobs, "Files at once (default: 4)")
      ->check(CLI::Range(1U, Workers::kCountMax))
      ->type_name("N");
  cp.add_flag("-v,--verbose", &CopyOptions::verbose, "Say what is copied");
  cp.add_flag("--progress", &CopyOptions::progress,
              "Tell how far it is, also if standard error is no terminal");
  cp.add_parsed("--chunk-size", "SIZE", "Chunk size of files made in benchfs (default: 1M)",
                [](CopyOptions& options, const std::string& text) {
                  options.chunk_size = size_argument("--chunk-size", text);
                  if (options.chunk_size == 0) {
                    throw CLI::ValidationError("--chunk-size", "must not be 0");
                  }
                });
  cp.app
      ->add_option("--stripe-count", cp.options->stripe_count,
                   "Servers that files made in benchfs are spread over (default: all)")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{kServerCountMax}))
      ->type_name("N");
}

void set_count(TailOptions& options, const char* name, std::string text, bool bytes) {
  options.bytes = bytes;
  options.from_start = !text.empty() && text.front() == '+';
  if (options.from_start || (!text.empty() && text.front() == '-')) {
    text.erase(0, 1);
  }
  const auto count = parse_size(text);
  if (!count.has_value()) {
    throw CLI::ValidationError(name, in_quotes(text) + " is not a number such as 10, +5 or 64K");
  }
  options.count = *count;
}

void declare_tail(Declaration& declaration) {
  const auto tail =
      declaration.add<TailOptions>("tail", "Show the end of files, and what is added", show_tail);
  tail.add_paths("path", "Files", 1);
  tail.add_parsed("-n,--lines", "[+]N", "Last N lines (default: 10), or all from line N on",
                  [](TailOptions& options, const std::string& text) {
                    set_count(options, "--lines", text, false);
                  });
  tail.add_parsed("-c,--bytes", "[+]N", "Last N bytes, or all from byte N on",
                  [](TailOptions& options, const std::string& text) {
                    set_count(options, "--bytes", text, true);
                  });
  tail.add_flag("-f", &TailOptions::follow, "Go on with what is added to the file");
  tail.app->add_flag_callback(
      "-F",
      [options = tail.options] {
        options->follow = true;
        options->by_name = true;
      },
      "Likewise, also if another file gets the name");
  tail.add_flag("-q,--quiet", &TailOptions::quiet, "No names above what is shown");
  tail.add_flag("-v,--verbose", &TailOptions::verbose, "Names also above one file");
  tail.app
      ->add_option("-s,--sleep-interval", tail.options->interval_s,
                   "Seconds between two looks at a file (default: 1)")
      ->check(CLI::Range(0.01, 3600.0))
      ->type_name("N");
  tail.app->add_option("--pid", tail.options->pid, "With -f: end when this process has ended")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{INT32_MAX}))
      ->type_name("PID");
}

void set_size(TruncateOptions& options, std::string text) {
  constexpr std::string_view kRelations = "+-<>/%";
  if (!text.empty() && kRelations.find(text.front()) != std::string_view::npos) {
    options.relation = text.front();
    text.erase(0, 1);
  }
  options.size = size_argument("--size", text);
  options.has_size = true;
  if (options.size == 0 && (options.relation == '/' || options.relation == '%')) {
    throw CLI::ValidationError("--size", "division by zero");
  }
}

void declare_truncate(Declaration& declaration) {
  const auto command = declaration.add<TruncateOptions>(
      "truncate", "Set the size of files; make files that are not there", truncate);
  command.add_paths("path", "Files", 1);
  command.add_flag("-c,--no-create", &TruncateOptions::no_create, "Make none");
  command.add_parsed(
      "-s,--size", "SIZE",
      "New size, such as 4096 or 1G; +SIZE: by so much more, -SIZE: less, <SIZE: at most,\n"
      ">SIZE: at least, /SIZE: down to a multiple, %SIZE: up to one",
      [](TruncateOptions& options, const std::string& text) { set_size(options, text); });
  command.add_text("-r,--reference", &TruncateOptions::reference, "FILE",
                   "The size of this file, or relative to it");
}

}  // namespace

void declare_contents(Declaration& declaration) {
  declare_cp(declaration);
  const auto cat = declaration.add<PathsOnly>("cat", "Write files to standard output", run_cat);
  cat.add_paths("path", "Files", 1);
  declare_tail(declaration);
  declare_truncate(declaration);
  const auto sync_command = declaration.add<SyncOptions>(
      "sync", "Wait until files and their names are on the servers' drives", synchronise);
  sync_command.add_paths("path", "Files, or directories with all they hold (default: /)", 0);
}

}  // namespace benchfs::tools
