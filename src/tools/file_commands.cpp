#include "tools/file_commands.h"

#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/limits.h"
#include "base/parse.h"
#include "tools/commands.h"
#include "tools/console.h"

namespace benchfs::tools {
namespace {

/// One command: its options live as long as the action that uses them.
template <typename Options>
struct Command {
  CLI::App* app;
  std::shared_ptr<Options> options;

  CLI::Option* add_paths(const char* name, const char* help, int count_min) const {
    CLI::Option* option = app->add_option(name, options->paths, help);
    return count_min > 0 ? option->required()->expected(count_min, INT32_MAX) : option;
  }
  void add_flag(const char* names, bool Options::*member, const char* help) const {
    app->add_flag(names, (*options).*member, help);
  }
  void add_json() const {
    app->add_flag_callback(
        "--json", [kept = options] { kept->format = Format::kJson; }, "Say it as JSON");
  }
};

class Declaration {
 public:
  Declaration(CLI::App& app, std::string& session, Action& chosen)
      : app_(app), session_(session), chosen_(chosen) {}

  template <typename Options>
  Command<Options> add(const char* name, const char* help,
                       int (*function)(const std::string&, const Options&)) {
    CLI::App* command = app_.add_subcommand(name, help)->group("Files");
    auto options = std::make_shared<Options>();
    add_session_option(*command, session_);
    command->callback([this_session = &session_, chosen = &chosen_, options, function] {
      *chosen = [this_session, options, function] { return function(*this_session, *options); };
    });
    return {.app = command, .options = std::move(options)};
  }

 private:
  CLI::App& app_;
  std::string& session_;
  Action& chosen_;
};

/// Commands that take nothing but paths.
struct PathsOnly {
  std::vector<std::string> paths;
};

int run_rmdir(const std::string& session, const PathsOnly& options) {
  return remove_directories(session, options.paths);
}

int run_cat(const std::string& session, const PathsOnly& options) {
  return concatenate(session, options.paths);
}

mode_t mode_argument(const std::string& text) {
  std::size_t used = 0;
  unsigned long mode = 010000;
  if (!text.empty() && text.find_first_not_of("01234567") == std::string::npos &&
      text.size() <= 5) {
    mode = std::stoul(text, &used, 8);
  }
  if (mode > 07777) {
    throw CLI::ValidationError("--mode", "'" + text + "' is not an octal mode such as 0755");
  }
  return static_cast<mode_t>(mode);
}

void declare_looking(Declaration& declaration) {
  const auto ls = declaration.add<ListOptions>("ls", "List directories", list);
  ls.add_paths("path", "What to list (default: /)", 0);
  ls.add_flag("-l", &ListOptions::long_format, "With mode, owner, size and time");
  ls.add_flag("-R,--recursive", &ListOptions::recursive, "And all directories below");
  ls.add_flag("-a,--all", &ListOptions::all, "Also names that begin with a dot");
  ls.add_flag("-d,--directory", &ListOptions::directories_too,
              "Directories themselves, not what they hold");
  ls.add_flag("-h,--human-readable", &ListOptions::human_sizes, "Sizes such as 1.5G");
  ls.add_json();

  const auto stat =
      declaration.add<StatOptions>("stat", "Show the attributes of files", show_status);
  stat.add_paths("path", "Files and directories", 1);
  stat.add_json();

  const auto cat = declaration.add<PathsOnly>("cat", "Write files to standard output", run_cat);
  cat.add_paths("path", "Files", 1);

  const auto df =
      declaration.add<FreeSpaceOptions>("df", "Show how much space is free", show_free_space);
  df.add_flag("-h,--human-readable", &FreeSpaceOptions::human_sizes, "Sizes such as 1.5G");
  df.add_json();

  const auto du =
      declaration.add<UsageOptions>("du", "Show the space that directories take", show_usage);
  du.add_paths("path", "Where to begin (default: /)", 0);
  du.add_flag("-s,--summarize", &UsageOptions::summarize, "Only the totals of what was named");
  du.add_flag("-a,--all", &UsageOptions::all, "Files as well");
  du.add_flag("-b,--apparent-size", &UsageOptions::apparent, "Sizes of files, not space taken");
  du.add_flag("-h,--human-readable", &UsageOptions::human_sizes, "Sizes such as 1.5G");
}

void declare_names(Declaration& declaration) {
  const auto mkdir =
      declaration.add<MakeDirectoryOptions>("mkdir", "Make directories", make_directories);
  mkdir.add_paths("path", "Directories to make", 1);
  mkdir.add_flag("-p,--parents", &MakeDirectoryOptions::parents,
                 "Also what is missing above; no error if it is there");
  mkdir.app
      ->add_option_function<std::string>(
          "-m,--mode",
          [options = mkdir.options](const std::string& text) {
            options->mode = mode_argument(text);
          },
          "Mode, octal (default: 0777 less the umask)")
      ->type_name("MODE");

  const auto rm = declaration.add<RemoveOptions>("rm", "Remove files", remove);
  rm.add_paths("path", "Files to remove", 1);
  rm.add_flag("-r,-R,--recursive", &RemoveOptions::recursive, "Directories and all they hold");
  rm.add_flag("-f,--force", &RemoveOptions::force, "What is not there is no error");
  rm.add_flag("-v,--verbose", &RemoveOptions::verbose, "Say what is removed");

  const auto rmdir = declaration.add<PathsOnly>("rmdir", "Remove empty directories", run_rmdir);
  rmdir.add_paths("path", "Directories", 1);

  const auto mv = declaration.add<MoveOptions>("mv", "Rename or move files within benchfs", move);
  mv.add_paths("path", "Sources, then the destination", 2);
  mv.add_flag("-v,--verbose", &MoveOptions::verbose, "Say what is moved");
}

void declare_contents(Declaration& declaration) {
  const auto cp = declaration.add<CopyOptions>(
      "cp", "Copy into, out of or within benchfs; paths in benchfs are written benchfs:/path",
      copy);
  cp.add_paths("path", "Sources, then the destination", 2);
  cp.add_flag("-r,-R,--recursive", &CopyOptions::recursive, "Directories and all they hold");
  cp.add_flag("-v,--verbose", &CopyOptions::verbose, "Say what is copied");
  cp.add_flag("--progress", &CopyOptions::progress,
              "Tell how far it is, also if standard error is no terminal");
  cp.app
      ->add_option_function<std::string>(
          "--chunk-size",
          [options = cp.options](const std::string& text) {
            options->chunk_size = size_argument("--chunk-size", text);
            if (options->chunk_size == 0) {
              throw CLI::ValidationError("--chunk-size", "must not be 0");
            }
          },
          "Chunk size of files made in benchfs (default: 1M)")
      ->type_name("SIZE");
  cp.app
      ->add_option("--stripe-count", cp.options->stripe_count,
                   "Servers that files made in benchfs are spread over (default: all)")
      ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{kServerCountMax}))
      ->type_name("N");

  const auto touch_command = declaration.add<TouchOptions>(
      "touch", "Set times to now; make files that are not there", touch);
  touch_command.add_paths("path", "Files", 1);
  touch_command.add_flag("-c,--no-create", &TouchOptions::no_create, "Make none");

  const auto truncate_command = declaration.add<TruncateOptions>(
      "truncate", "Set the size of files; make files that are not there", truncate);
  truncate_command.add_paths("path", "Files", 1);
  truncate_command.add_flag("-c,--no-create", &TruncateOptions::no_create, "Make none");
  truncate_command.app
      ->add_option_function<std::string>(
          "-s,--size",
          [options = truncate_command.options](const std::string& text) {
            options->size = size_argument("--size", text);
          },
          "New size, such as 4096 or 1G")
      ->required()
      ->type_name("SIZE");
}

}  // namespace

void add_session_option(CLI::App& command, std::string& session) {
  command.add_option("--session", session, "Directory of the session (default: $BENCHFS_SESSION)")
      ->type_name("DIR");
}

std::uint64_t size_argument(const std::string& option, const std::string& text) {
  const auto size = parse_size(text);
  if (!size.has_value()) {
    throw CLI::ValidationError(option, "'" + text + "' is not a size such as 4096, 64M or 1.5G");
  }
  return *size;
}

void declare_file_commands(CLI::App& app, std::string& session, Action& chosen) {
  Declaration declaration(app, session, chosen);
  declare_looking(declaration);
  declare_names(declaration);
  declare_contents(declaration);
}

}  // namespace benchfs::tools
