#include "launcher/cli.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/limits.h"
#include "base/parse.h"
#include "base/units.h"
#include "launcher/manual.h"
#include "tools/console.h"
#include "tools/file_commands.h"

namespace benchfs::launcher {
namespace {

using tools::Action;

constexpr char kDescription[] =
    "benchfs: one file system from the drives of a job's nodes, for as long as the job lasts.";
constexpr char kFooter[] =
    "The session is named by --session or $BENCHFS_SESSION.\n"
    "'benchfs COMMAND --help' tells about a command.";

constexpr char kStandsOut[] =
    "A server stands out if the median latency of a kind of request, or of its drive, is three\n"
    "times that of the others and 100 us more, and the mean twice theirs; or p99 five times "
    "theirs\n"
    "and 1 ms more; or if its drive has ended nothing although it had something to do.";

/// Of `top`: servers have something else to do than to answer it.
constexpr std::chrono::milliseconds kIntervalMin{50};

std::chrono::milliseconds time_argument(const std::string& option, const std::string& text) {
  const auto time_ns = parse_duration_ns(text);
  if (!time_ns.has_value()) {
    throw CLI::ValidationError(option, "'" + text + "' is not a time such as 500ms or 10s");
  }
  return std::chrono::milliseconds((*time_ns + kNsPerMs - 1) / kNsPerMs);
}

void add_time(CLI::App& command, const std::string& name, std::chrono::milliseconds& value,
              const std::string& help) {
  command
      .add_option_function<std::string>(
          name, [&value, name](const std::string& text) { value = time_argument(name, text); },
          help)
      ->type_name("TIME");
}

/// An option that every benchfsd gets as it is, once `check` has found nothing wrong with it.
template <typename Check>
void add_server_option(CLI::App& command, UpOptions& up, const std::string& name,
                       const std::string& shape, const std::string& help, Check check) {
  command
      .add_option_function<std::string>(
          name,
          [&up, name, check](const std::string& text) {
            check(name, text);
            up.server_options.push_back(name);
            up.server_options.push_back(text);
          },
          help)
      ->type_name(shape);
}

void check_size(const std::string& option, const std::string& text) {
  tools::size_argument(option, text);
}
void check_time(const std::string& option, const std::string& text) {
  time_argument(option, text);
}

template <typename... Words>
auto check_one_of(Words... words) {
  return [allowed = std::vector<std::string>{words...}](const std::string& option,
                                                        const std::string& text) {
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
      std::string list;
      for (const std::string& word : allowed) {
        list += (list.empty() ? "" : ", ") + word;
      }
      throw CLI::ValidationError(option, "'" + text + "' is not one of: " + list);
    }
  };
}

/// All commands and what they were told.
class CommandLine {
 public:
  explicit CommandLine(const Surroundings& surroundings)
      : surroundings_(surroundings),
        app_(kDescription, "benchfs"),
        session_(default_session_directory(surroundings)) {
    app_.set_help_flag("--help", "Show this help and exit");
    app_.set_version_flag("--version", "benchfs " BENCHFS_VERSION);
    app_.footer(kFooter);
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(32);
    up_.store = default_store_directory(surroundings);
    if (const std::string mpirun = surroundings.variable("BENCHFS_MPIRUN"); !mpirun.empty()) {
      up_.mpirun = mpirun;
    }
    declare_up();
    declare_down();
    declare_restart();
    declare_status();
    declare_top();
    declare_report();
    declare_run();
    declare_mount();
    declare_unmount();
    tools::declare_file_commands(app_, session_, chosen_);
    declare_documentation();
    declare_end();
  }

  int run(std::vector<std::string> arguments) {
    take_command(arguments);
    tools::arrange_words(app_, arguments);
    try {
      check_command_name(arguments);
      // CLI11 takes the arguments from the back.
      std::reverse(arguments.begin(), arguments.end());
      app_.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      return report(error);
    }
    return chosen_();
  }

 private:
  CLI::App* add(const char* name, const char* help, Action action) {
    CLI::App* command = app_.add_subcommand(name, help)->group("Session");
    tools::add_session_option(*command, session_);
    command->callback([this, action] { chosen_ = action; });
    return command;
  }

  void declare_up() {
    CLI::App& command = *add("up", "Start servers; return when all of them answer", [this] {
      up_.session = session_;
      return up(up_, surroundings_);
    });
    command
        .add_option("-n,--servers", up_.server_count,
                    "How many (default: one per host named, or per node of a Slurm job; else 1)")
        ->check(CLI::Range(1U, unsigned{kServerCountMax}))
        ->type_name("N");
    auto* hostfile = command.add_option("--hostfile", up_.hostfile, "Hosts, as for mpirun")
                         ->check(CLI::ExistingFile)
                         ->type_name("FILE");
    command.add_option("--hosts", up_.hosts, "Hosts, as a list")
        ->delimiter(',')
        ->excludes(hostfile)
        ->type_name("A,B");
    command
        .add_option_function<std::string>(
            "--store",
            [this](const std::string& directory) {
              up_.store = directory;
              up_.store_given = true;
            },
            "Directory on the node-local drives; server N uses DIR/server-N")
        ->type_name("DIR")
        ->default_str(up_.store);
    add_server_option(command, up_, "--capacity", "SIZE", "Space of each server", check_size);
    add_server_option(command, up_, "--pool", "SIZE", "Memory for data in flight, of each server",
                      check_size);
    add_server_option(command, up_, "--spin", "TIME",
                      "How long an idle server spins before it sleeps", check_time);
    add_server_option(command, up_, "--job-check", "TIME",
                      "How often Slurm is asked whether the job lives, where no step is around "
                      "the servers",
                      check_time);
    add_server_option(command, up_, "--backend", "NAME",
                      "How drives are accessed: auto, uring, posix or memory",
                      check_one_of("auto", "uring", "posix", "memory"));
    add_server_option(command, up_, "--log", "LEVEL",
                      "What servers log: error, warning, info or debug",
                      check_one_of("error", "warning", "info", "debug"));
    add_server_option(command, up_, "--metrics", "[ADDRESS:]PORT",
                      "Serve metrics to Prometheus by HTTP: server N at PORT + N",
                      [](const std::string&, const std::string&) {});
    command
        .add_option_function<std::string>(
            "--config",
            [this](const std::string& file) {
              up_.server_options.insert(
                  up_.server_options.end(),
                  {"--config", std::filesystem::absolute(file).lexically_normal().string()});
            },
            "Configuration file (TOML) of the servers")
        ->check(CLI::ExistingFile)
        ->type_name("FILE");
    command.add_flag_callback(
        "--temporary", [this] { up_.server_options.emplace_back("--temporary"); },
        "Servers that a signal stops remove their stores too: for jobs that may be cancelled");
    command.add_flag_callback(
        "--discard", [this] { up_.server_options.emplace_back("--discard"); },
        "Remove what dead servers left in the stores, instead of going on with it");
    command.add_flag("--replace", up_.replace, "Clear a stale session first, with its data");
    add_time(command, "--timeout", up_.time_max, "How long to wait for the servers (default: 60s)");
    command.add_option("--benchfsd", up_.server_program, "The server program")->type_name("FILE");
    command
        .add_option("--mpirun", up_.mpirun,
                    "Open MPI's mpirun (default: $BENCHFS_MPIRUN or mpirun)")
        ->type_name("FILE");
  }

  void declare_down() {
    CLI::App& command =
        *add("down", "Stop the servers and remove what is left of the session", [this] {
          down_.session = session_;
          return down(down_, surroundings_);
        });
    command.add_flag("--force", down_.force, "Kill at once");
    command.add_flag("--keep", down_.keep,
                     "Leave the stores: benchfs up goes on with the session's files");
    command.add_flag("--here", down_.here,
                     "Only what is on this node, by force: for a node that is leaving the job");
    command.add_option("--launch", down_.launch_id, "With --here: what `up` called the launch")
        ->group("");
    command
        .add_option("--report", down_.report,
                    "Write what the servers have done to FILE before they stop, as benchfs report "
                    "(as JSON if its name ends with .json)")
        ->type_name("FILE");
    command
        .add_option("--store", down_.store,
                    "Remove the stores of dead servers in this directory too, whosever they are")
        ->type_name("DIR");
    add_time(command, "--timeout", down_.patience,
             "How long servers may take to stop in order before they are killed (default: 10s)");
  }

  void declare_restart() {
    CLI::App& command =
        *add("restart", "Start servers again that have died, on their stores", [this] {
          restart_.session = session_;
          return restart(restart_, surroundings_);
        });
    command
        .add_option("server", restart_.servers,
                    "Which ones (default: all of this host whose processes are gone)")
        ->check(CLI::Range(0U, unsigned{kServerCountMax} - 1))
        ->type_name("N");
    add_time(command, "--timeout", restart_.time_max,
             "How long to wait for the servers (default: 60s)");
    command.add_option("--benchfsd", restart_.server_program, "The server program")
        ->type_name("FILE");
  }

  void declare_status() {
    CLI::App& command = *add("status", "Show the servers; fail unless all of them answer", [this] {
      status_.session = session_;
      return status(status_);
    });
    command.add_flag("--json", status_.json, "Say it as JSON");
    add_time(command, "--timeout", status_.time_max, "How long to wait for answers (default: 2s)");
  }

  void declare_top() {
    CLI::App& command = *add("top", "Show what the servers do, as it happens", [this] {
      top_.session = session_;
      return top(top_);
    });
    command
        .add_option_function<std::string>(
            "--interval",
            [this](const std::string& text) {
              top_.interval = time_argument("--interval", text);
              if (top_.interval < kIntervalMin) {
                throw CLI::ValidationError("--interval", "'" + text + "' is less than 50ms");
              }
            },
            "From one look to the next (default: 1s)")
        ->type_name("TIME");
    auto* once = command.add_flag_callback(
        "--once", [this] { top_.count = 1; }, "Show one interval and exit");
    command.add_option("--count", top_.count, "Show so many intervals and exit")
        ->check(CLI::Range(1U, UINT32_MAX))
        ->excludes(once)
        ->type_name("N");
    command.add_flag("--json", top_.json, "Say it as JSON, one line for each interval");
    add_time(command, "--timeout", top_.time_max,
             "How long a server may take to answer before it is shown as not answering "
             "(default: 2s)");
    command.footer(kStandsOut);
  }

  void declare_report() {
    CLI::App& command =
        *add("report", "Show what the servers have done since they started", [this] {
          report_.session = session_;
          return launcher::report(report_);
        });
    command.add_flag("--json", report_.json, "Say it as JSON");
    add_time(command, "--timeout", report_.time_max,
             "How long a server may take to answer (default: 2s)");
  }

  void declare_run() {
    add("run", "Run a command in the session: benchfs run [--session DIR] -- COMMAND...", [this] {
      run_.session = std::filesystem::absolute(session_).lexically_normal().string();
      return launcher::run(run_, surroundings_);
    });
  }

  void declare_mount() {
    CLI::App& command =
        *add("mount", "Mount the session on a directory; return when it can be used", [this] {
          mount_.session = session_;
          return launcher::mount(mount_, surroundings_);
        });
    command.add_option("directory", mount_.directory, "Where")->required()->type_name("DIR");
    command.add_flag("--foreground", mount_.foreground, "Stay, until it is unmounted");
    command.add_flag("--allow-other", mount_.allow_other, "Let other users in");
    command.add_flag("--read-only", mount_.read_only, "Refuse changes");
    add_time(command, "--cache", mount_.cache,
             "How old the names and attributes may be that programs see (default: 0, not at all)");
  }

  void declare_unmount() {
    CLI::App& command = *add("unmount", "Undo benchfs mount", [this] {
      unmount_.session = session_;
      return launcher::unmount(unmount_);
    });
    command.add_option("directory", unmount_.directories, "Where")->required()->type_name("DIR");
    command.add_flag("--force", unmount_.force, "Also if somebody works in it");
  }

  /// For the build: hidden, as nobody else needs it.
  /// For the epilog of a Slurm job.
  void declare_end() {
    CLI::App* command =
        app_.add_subcommand("end", "Kill this user's processes that carry a variable");
    command->group("");
    command->add_option("variable", end_.variable, "NAME=value")->required();
    add_time(*command, "--timeout", end_.time_max, "How long they may take to be gone");
    command->callback([this] { chosen_ = [this] { return end_marked(end_); }; });
  }

  void declare_documentation() {
    CLI::App* command = app_.add_subcommand("documentation", "Write manual pages and completion");
    command->group("");
    command->add_option("directory", documentation_.directory, "Where to")->required();
    command->add_option("functions", documentation_.completion_functions, "Functions for bash")
        ->required();
    command->callback(
        [this] { chosen_ = [this] { return write_documentation(app_, documentation_); }; });
  }

  /// Cuts the command off that `run` runs: its words are not options of ours.
  void take_command(std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front() != "run") {
      return;
    }
    auto word = arguments.begin() + 1;
    while (word != arguments.end() && !word->empty() && word->front() == '-' && *word != "--") {
      word += *word == "--session" && word + 1 != arguments.end() ? 2 : 1;
    }
    const auto end = word;
    if (word != arguments.end() && *word == "--") {
      ++word;
    }
    run_.command.assign(word, arguments.end());
    arguments.erase(end, arguments.end());
    const bool asks_for_help =
        std::find(arguments.begin(), arguments.end(), "--help") != arguments.end();
    lacks_command_ = run_.command.empty() && !asks_for_help;
  }

  void check_command_name(const std::vector<std::string>& arguments) const {
    if (lacks_command_) {
      throw CLI::ParseError("run: no command given: benchfs run -- COMMAND",
                            CLI::ExitCodes::RequiredError);
    }
    if (arguments.empty() || arguments.front().empty() || arguments.front().front() == '-') {
      return;
    }
    const auto known = app_.get_subcommands([](const CLI::App*) { return true; });
    if (std::none_of(known.begin(), known.end(), [&](const CLI::App* command) {
          return command->get_name() == arguments.front();
        })) {
      throw CLI::ParseError("unknown command '" + arguments.front() + "'",
                            CLI::ExitCodes::ExtrasError);
    }
  }

  /// Help and version go to standard output, with status 0; everything else is a mistake.
  int report(const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream ignored;
    if (app_.exit(error, out, ignored) == 0) {
      tools::say_text(out.str());
      return tools::kExitOk;
    }
    const auto named = app_.get_subcommands();
    const std::string command = named.empty() ? "benchfs" : "benchfs " + named.front()->get_name();
    tools::complain("{}\nTry '{} --help'.", error.what(), command);
    return tools::kExitUsage;
  }

  const Surroundings& surroundings_;
  CLI::App app_;
  std::string session_;
  UpOptions up_;
  DownOptions down_;
  EndOptions end_;
  RestartOptions restart_;
  StatusOptions status_;
  TopOptions top_;
  ReportOptions report_;
  RunOptions run_;
  MountOptions mount_;
  UnmountOptions unmount_;
  bool lacks_command_ = false;
  DocumentationOptions documentation_;
  Action chosen_;
};

}  // namespace

int run_command_line(std::vector<std::string> arguments, const Surroundings& surroundings) {
  return CommandLine(surroundings).run(std::move(arguments));
}

}  // namespace benchfs::launcher
