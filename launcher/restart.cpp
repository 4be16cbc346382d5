#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "launcher/commands.h"
#include "launcher/servers.h"
#include "launcher/session_place.h"
#include "launcher/startup.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

using tools::complain;
using tools::in_quotes;
using tools::say;

constexpr std::chrono::milliseconds kProbeTime{2'000};

/// Starting servers again, one after the other, in a session that is up.
class Restart {
 public:
  Restart(const RestartOptions& options, const Surroundings& surroundings, SessionPlace place,
          StartWatch watch)
      : options_(options),
        surroundings_(surroundings),
        place_(std::move(place)),
        watch_(std::move(watch)) {}

  int run(const std::vector<std::size_t>& servers) {
    const Deadline deadline = std::chrono::steady_clock::now() + options_.time_max;
    bool fine = true;
    for (const std::size_t server : servers) {
      const auto outcome = start(server, deadline);
      if (outcome == StartWatch::Outcome::kInterrupted) {
        complain("interrupted");
        return tools::kExitInterrupted;
      }
      fine = outcome == StartWatch::Outcome::kPublished && fine;
    }
    return fine ? tools::kExitOk : tools::kExitFailure;
  }

 private:
  std::string server_program() const {
    if (!options_.server_program.empty()) {
      return options_.server_program;
    }
    return place_.record ? place_.record->server_program : find_server_program(surroundings_);
  }

  SpawnRequest request_for(std::size_t server, int output_fd) const {
    const std::string& store = place_.session->servers[server].store_directory;
    SpawnRequest request;
    request.argv = {server_program(),
                    "--rejoin",
                    std::to_string(server),
                    "--session",
                    place_.directory,
                    "--store",
                    std::filesystem::path(store).parent_path().string()};
    request.environment = surroundings_.environment;
    request.output_fd = output_fd;
    if (place_.record) {
      const std::string marked = std::string(kLaunchIdVariable) + "=";
      std::erase_if(request.environment, [&marked](const std::string& variable) {
        return variable.compare(0, marked.size(), marked) == 0;
      });
      request.environment.push_back(place_.record->launch_variable());
      for (const std::string& word : place_.record->server_options) {
        if (word != "--discard") {
          request.argv.push_back(word);
        }
      }
    }
    return request;
  }

  StartWatch::Outcome start(std::size_t server, Deadline deadline) {
    const std::string log_path = place_.directory + "/" + kLogFileName;
    const tools::Descriptor log(
        ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log.valid()) {
      complain("cannot write {}: {}", in_quotes(log_path), tools::errno_text(errno));
      return StartWatch::Outcome::kEnded;
    }
    const SpawnRequest request = request_for(server, log.get());
    const Spawned spawned = spawn_detached(request);
    if (spawned.error != 0) {
      complain("cannot start {}: {}", in_quotes(request.argv.front()),
               tools::errno_text(spawned.error));
      return StartWatch::Outcome::kEnded;
    }
    // It is a child that nobody has waited for, so the pid is its own even if it has ended already.
    const auto process = identify(spawned.pid);
    const auto held = process ? HeldProcess::hold(*process) : std::nullopt;
    const std::uint64_t before = place_.session->servers[server].incarnation;
    const auto outcome = watch_.wait(
        [server, before](const session::Session& session) {
          return server < session.servers.size() && session.servers[server].incarnation > before;
        },
        held, deadline);
    if (outcome == StartWatch::Outcome::kPublished) {
      note(server, process);
      say("benchfs: server {} is up again: pid {}, store {}\n", server, spawned.pid,
          place_.session->servers[server].store_directory);
      return outcome;
    }
    complain(
        "server {} {}; the end of the log says:", server,
        outcome == StartWatch::Outcome::kTimedOut ? "was not ready in time" : "did not come up");
    show_log_tail(place_.directory);
    if (held) {
      held->signal(SIGKILL);  // It has published nothing, so nobody knows it.
    }
    return outcome;
  }

  /// So that `down` and `status` tell its process from others.
  void note(std::size_t server, const std::optional<ProcessId>& process) {
    if (!place_.record || server >= place_.record->servers.size() || !process) {
      return;
    }
    place_.record->servers[server].process = *process;
    place_.record->servers[server].host = host_name();
    const Status saved = write_record(place_.directory, *place_.record);
    if (!saved.has_value()) {
      complain("{}/{}: cannot write: {}", place_.directory, kRecordFileName,
               tools::errno_text(to_errno(saved.error().code)));
    }
  }

  const RestartOptions& options_;
  const Surroundings& surroundings_;
  SessionPlace place_;
  StartWatch watch_;
};

/// Which servers to start; nothing if that makes no sense, which has been said then.
std::optional<std::vector<std::size_t>> choose(const RestartOptions& options,
                                               const SessionPlace& place, const Survey& survey) {
  const std::size_t count = survey.reports.size();
  std::vector<std::size_t> chosen(options.servers.begin(), options.servers.end());
  const bool all_that_died = chosen.empty();
  for (std::size_t i = 0; all_that_died && i < count; ++i) {
    if (survey.reports[i].state == ServerState::kDown) {
      chosen.push_back(i);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  for (const std::size_t server : chosen) {
    if (server >= count) {
      complain("there is no server {}: the session has {}, the last one is {}", server, count,
               count - 1);
      return std::nullopt;
    }
    if (!is_local(place.session->servers[server])) {
      complain("server {} was on {}: call benchfs restart {} there", server,
               place.session->servers[server].host, server);
      return std::nullopt;
    }
    if (survey.reports[server].state != ServerState::kDown) {
      complain("server {} is {}: only one whose process is gone can be started again", server,
               name_of(survey.reports[server].state));
      return std::nullopt;
    }
  }
  return chosen;
}

}  // namespace

int restart(const RestartOptions& given, const Surroundings& surroundings) {
  RestartOptions options = given;
  // The server runs in another working directory.
  options.session = std::filesystem::absolute(given.session).lexically_normal().string();
  const auto session = session::read_session(options.session);
  if (!session.has_value()) {
    complain("{}", session.error().text);
    return tools::kExitFailure;
  }
  PlaceLock lock;
  const auto locked = lock.take(options.session);
  if (locked != PlaceLock::Outcome::kHeld) {
    complain("{}: {}", options.session,
             locked == PlaceLock::Outcome::kTaken
                 ? "another benchfs up, down or restart is at work on it"
                 : tools::errno_text(errno));
    return tools::kExitFailure;
  }
  SessionPlace place = inspect(options.session);
  if (!place.session) {
    complain("{}: the session has gone meanwhile", options.session);
    return tools::kExitFailure;
  }
  const Survey survey = ask_servers(options.session, *place.session, place.record_or_null(),
                                    Question::kStatus, kProbeTime);
  const auto chosen = choose(options, place, survey);
  int exit_status = tools::kExitFailure;
  if (chosen && chosen->empty()) {
    say("benchfs: no server of this host is down: nothing to do\n");
    exit_status = tools::kExitOk;
  } else if (chosen) {
    auto watch = StartWatch::begin(options.session);
    if (watch) {
      exit_status =
          Restart(options, surroundings, std::move(place), std::move(*watch)).run(*chosen);
    }
  }
  if (survey.threads_left) {
    leave_process(exit_status);
  }
  return exit_status;
}

}  // namespace benchfs::launcher
