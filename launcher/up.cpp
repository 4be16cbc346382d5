#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <random>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "launcher/commands.h"
#include "launcher/mpirun.h"
#include "launcher/servers.h"
#include "launcher/slurm_job.h"
#include "launcher/startup.h"
#include "launcher/teardown.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

using tools::complain;
using tools::Descriptor;
using tools::in_quotes;
using tools::say;

constexpr std::chrono::milliseconds kProbeTime{2'000};
constexpr std::chrono::milliseconds kClearingTime{20'000};

std::string new_launch_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

/// Whether the data of a session is given up, and not gone on with.
bool gives_up_data(const UpOptions& options) {
  const auto& words = options.server_options;
  return options.replace || std::find(words.begin(), words.end(), "--discard") != words.end();
}

/// Whether stores of a dead session are left on this host; what others have is seen there.
bool has_stores(const session::Session& session) {
  return std::any_of(session.servers.begin(), session.servers.end(), [](const auto& server) {
    return !is_local(server) || ::access((server.store_directory + "/data").c_str(), F_OK) == 0;
  });
}

/// The same where servers that a signal stopped have taken the session's file with them: the record
/// of a launch names its servers once they were up.
bool has_stores(const LaunchRecord& record) {
  return std::any_of(record.servers.begin(), record.servers.end(), [](const auto& server) {
    return server.host != host_name() ||
           ::access((server.store_directory + "/data").c_str(), F_OK) == 0;
  });
}

/// What is there does not let a new session begin. Says why, and returns the exit status.
int refuse(const UpOptions& options, const std::string& why) {
  complain("{}: {}", options.session, why);
  return tools::kExitFailure;
}

/// Whether a server of the published session may be alive. Says so.
bool is_in_use(const UpOptions& options, const SessionPlace& place) {
  const Survey survey = ask_servers(options.session, *place.session, place.record_or_null(),
                                    Question::kStatus, kProbeTime);
  const std::size_t down = survey.count(ServerState::kDown);
  const std::size_t total = survey.reports.size();
  if (down == total) {
    return false;
  }
  refuse(
      options,
      fmt::format("a session with {} server{} is already up here{}; benchfs down stops it{}", total,
                  total == 1 ? "" : "s", down > 0 ? fmt::format(" ({} of them down)", down) : "",
                  down > 0 ? ", benchfs restart starts what is down" : ""));
  if (survey.threads_left) {
    leave_process(tools::kExitFailure);
  }
  return true;
}

/// Makes room for servers in the session directory: ends what is left of an earlier launch. What it
/// returns is the session to go on with, if there is one; nothing: there is no room.
std::optional<SessionPlace> make_room(const UpOptions& options) {
  SessionPlace place = inspect(options.session);
  for (const std::string& trouble : {place.session_trouble, place.record_trouble}) {
    if (!trouble.empty()) {
      complain("{}; benchfs down clears it", trouble);
      return std::nullopt;
    }
  }
  if (place.is_empty()) {
    return place;
  }
  Remains remains = Remains::kNothing;
  if (place.session) {
    if (is_in_use(options, place)) {
      return std::nullopt;
    }
    if (!gives_up_data(options)) {
      remains = Remains::kStoresAndSession;
      if (!has_stores(*place.session)) {
        refuse(options,
               "a stale session is here: its servers are gone, and their stores with them. benchfs "
               "down clears it, and so does benchfs up --replace");
        return std::nullopt;
      }
    }
  } else if (!living_processes(place).empty() && !options.replace) {
    refuse(options, "servers of an interrupted benchfs up still run here; benchfs down stops them");
    return std::nullopt;
  } else if (!gives_up_data(options) && place.record && has_stores(*place.record)) {
    remains = Remains::kStoresAndSession;
    if (place.record->store != options.store) {
      refuse(options,
             fmt::format("the servers of a session were stopped, and its files are still in {}: "
                         "name it with --store to go on with them, or give them up with --replace",
                         place.record->store));
      return std::nullopt;
    }
  }
  const TeardownResult cleared =
      tear_down(place, Manner::kForced, std::chrono::milliseconds(0), remains);
  for (const std::string& failure : cleared.failures) {
    complain("{}", failure);
  }
  if (!cleared.failures.empty()) {
    return std::nullopt;
  }
  if (remains == Remains::kNothing) {
    place = SessionPlace();
    // The directory itself may have gone with the rest.
    if (!session::prepare_directory(options.session).has_value()) {
      return std::nullopt;
    }
  }
  return place;
}

/// One launch from its record to its last line of output.
class Launch {
 public:
  /// `before`: the session that was there, whose servers are gone and whose stores the new ones go
  /// on from; with the record of who started them, if there is one.
  Launch(const UpOptions& options, const Surroundings& surroundings, SessionPlace before)
      : options_(options),
        surroundings_(surroundings),
        begun_(std::chrono::steady_clock::now()),
        before_(std::move(before.session)) {
    record_.store_made =
        before.record && before.record->store == options_.store && before.record->store_made;
  }

  int run() {
    const auto watch = StartWatch::begin(options_.session);
    if (!watch || !prepare() || !start()) {
      return give_up();
    }
    const Deadline deadline = begun_ + options_.time_max;
    const auto is_ours = [this](const session::Session& session) {
      return !before_ || session.epoch > before_->epoch;
    };
    switch (watch->wait(is_ours, mpirun_, deadline)) {
      case StartWatch::Outcome::kPublished:
        return confirm(deadline) ? tools::kExitOk : give_up();
      case StartWatch::Outcome::kEnded:
        complain("the servers did not come up; the end of their log says:");
        show_log_tail(options_.session);
        break;
      case StartWatch::Outcome::kInterrupted:
        complain("interrupted; stopping what was started");
        give_up();
        return tools::kExitInterrupted;
      case StartWatch::Outcome::kTimedOut:
        complain("the servers were not ready within {} s; the end of their log says:",
                 std::chrono::duration<double>(options_.time_max).count());
        show_log_tail(options_.session);
        break;
    }
    return give_up();
  }

 private:
  std::string mpi_directory() const {
    return options_.session + "/" + kMpiDirectoryPrefix + record_.launch_id;
  }

  std::string server_program() const {
    return options_.server_program.empty() ? find_server_program(surroundings_)
                                           : options_.server_program;
  }

  bool save_record() {
    const Status saved = write_record(options_.session, record_);
    if (!saved.has_value()) {
      complain("{}/{}: cannot write: {}", options_.session, kRecordFileName,
               tools::errno_text(to_errno(saved.error().code)));
    }
    return saved.has_value();
  }

  /// Writes down what is about to be made, before anything is.
  bool prepare() {
    const auto hosts = options_.hostfile.empty() ? options_.hosts
                                                 : hosts_of_hostfile(read_text(options_.hostfile));
    if (!options_.hostfile.empty() && hosts.empty()) {
      complain("{}: cannot be read, or names no host", options_.hostfile);
      return false;
    }
    several_hosts_ = hosts.size() > 1 || (hosts.empty() && find_slurm_job(surroundings_));
    record_.launch_id = new_launch_id();
    record_.host = host_name();
    record_.boot = boot_id();
    record_.started_ns =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count());
    record_.store = options_.store;
    record_.server_count = default_server_count(options_, hosts, surroundings_);
    record_.server_program = server_program();
    record_.server_options = options_.server_options;
    const bool makes_store = ::access(options_.store.c_str(), F_OK) != 0 && errno == ENOENT;
    record_.store_made = record_.store_made || makes_store;
    if (!save_record()) {
      return false;
    }
    if (makes_store && ::mkdir(options_.store.c_str(), 0700) != 0) {
      complain("cannot create the store directory {}: {}", in_quotes(options_.store),
               tools::errno_text(errno));
      return false;
    }
    if (::mkdir(mpi_directory().c_str(), 0700) != 0) {
      complain("cannot create {}: {}", in_quotes(mpi_directory()), tools::errno_text(errno));
      return false;
    }
    return true;
  }

  bool start() {
    const MpirunInput input{.options = &options_,
                            .surroundings = &surroundings_,
                            .server_count = static_cast<unsigned>(record_.server_count),
                            .server_program = record_.server_program,
                            .launch_variable = record_.launch_variable(),
                            .mpi_directory = mpi_directory(),
                            .makes_store = record_.store_made,
                            .several_hosts = several_hosts_,
                            .as_root = ::geteuid() == 0};
    const MpirunPlan plan = plan_mpirun(input);
    const std::string log_path = options_.session + "/" + kLogFileName;
    const Descriptor log(::open(
        log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log.valid()) {
      complain("cannot create {}: {}", in_quotes(log_path), tools::errno_text(errno));
      return false;
    }
    const Spawned spawned = spawn_detached(
        {.argv = plan.argv, .environment = plan.environment, .output_fd = log.get()});
    if (spawned.error != 0) {
      complain("cannot start {}: {}", in_quotes(options_.mpirun), tools::errno_text(spawned.error));
      return false;
    }
    // It is a child that nobody has waited for, so the pid is its own even if it has ended already.
    if (const auto process = identify(spawned.pid)) {
      record_.mpirun = *process;
      mpirun_ = HeldProcess::hold(*process);
    }
    return save_record();
  }

  /// Asks every server that the published session names, and says what it answers.
  bool confirm(Deadline deadline) {
    const auto session = session::read_session(options_.session);
    if (!session.has_value()) {
      complain("{}", session.error().text);
      return false;
    }
    for (const session::Server& server : session->servers) {
      RecordedServer recorded{.host = server.host,
                              .process = {.pid = static_cast<pid_t>(server.pid)},
                              .store_directory = server.store_directory};
      if (is_local(server)) {
        recorded.process = identify(recorded.process.pid).value_or(recorded.process);
      }
      record_.servers.push_back(std::move(recorded));
    }
    if (!save_record()) {
      return false;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::max(deadline - std::chrono::steady_clock::now(), Deadline::duration::zero()));
    const Survey survey =
        ask_servers(options_.session, *session, &record_, Question::kStatus, left);
    threads_left_ = survey.threads_left;
    if (survey.count(ServerState::kUp) == survey.reports.size() && survey.trouble.empty()) {
      announce(*session, survey);
      return true;
    }
    if (!survey.trouble.empty()) {
      complain("{}", survey.trouble);
    }
    for (std::size_t i = 0; i < survey.reports.size(); ++i) {
      if (survey.reports[i].state != ServerState::kUp) {
        complain("server {} ({}, pid {}) does not answer: {}", i, session->servers[i].host,
                 session->servers[i].pid, survey.reports[i].trouble);
      }
    }
    complain("the end of the servers' log says:");
    show_log_tail(options_.session);
    return false;
  }

  void announce(const session::Session& session, const Survey& survey) const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun_;
    say("benchfs: {} server{} up in {:.2f} s; session {}{}\n", session.servers.size(),
        session.servers.size() == 1 ? "" : "s", took.count(), options_.session,
        session.epoch > 1 ? fmt::format(" goes on, epoch {}", session.epoch) : "");
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < session.servers.size(); ++i) {
      const benchfs_server_status& status = survey.reports[i].status;
      rows.push_back({fmt::format("  server {}", i), session.servers[i].host,
                      fmt::format("pid {}", session.servers[i].pid), format_size(status.capacity),
                      status.disk_backend, status.direct_io != 0 ? "direct" : "buffered",
                      session.servers[i].store_directory});
    }
    say("{}", tools::format_table(rows, "lllrlll"));
  }

  /// Ends what was started and removes what was made; what was there before stays.
  int give_up() {
    const SessionPlace place = inspect(options_.session);
    const bool goes_on = place.session && place.session->epoch > 1;
    const Remains remains = before_   ? Remains::kStoresAndSession
                            : goes_on ? Remains::kStores
                                      : Remains::kNothing;
    const TeardownResult result = tear_down(place, Manner::kForced, std::chrono::milliseconds(0),
                                            remains, other_nodes(remains));
    for (const std::string& failure : result.failures) {
      complain("{}", failure);
    }
    if (threads_left_) {
      leave_process(tools::kExitFailure);
    }
    return tools::kExitFailure;
  }

  /// What was started on them goes; a session that was there before is left to its clients.
  OtherNodes other_nodes(Remains remains) const {
    const auto job = find_slurm_job(surroundings_);
    if (!job || !mpirun_ || remains == Remains::kStoresAndSession) {
      return {};
    }
    const Clearing clearing{.session = options_.session,
                            .launch_id = record_.launch_id,
                            .store = record_.store_made ? record_.store : "",
                            .keep_stores = remains == Remains::kStores};
    return {.clear =
                [this, job = *job, clearing](TeardownResult& result) {
                  clear_other_nodes(job, clearing, surroundings_, kClearingTime, result);
                },
            .concern_us = true};
  }

  const UpOptions& options_;
  const Surroundings& surroundings_;
  std::chrono::steady_clock::time_point begun_;
  std::optional<session::Session> before_;
  LaunchRecord record_;
  std::optional<HeldProcess> mpirun_;
  bool several_hosts_ = false;
  bool threads_left_ = false;
};

}  // namespace

int up(const UpOptions& given, const Surroundings& surroundings) {
  UpOptions options = given;
  // The servers run in mpirun's working directory or another node's.
  options.session = std::filesystem::absolute(given.session).lexically_normal().string();
  options.store = std::filesystem::absolute(given.store).lexically_normal().string();
  const auto prepared = session::prepare_directory(options.session);
  if (!prepared.has_value() && prepared.error().error.code != Errc::kExists) {
    complain("{}", prepared.error().text);
    return tools::kExitFailure;
  }
  PlaceLock lock;
  const auto locked = lock.take(options.session);
  if (locked != PlaceLock::Outcome::kHeld) {
    complain("{}: {}", options.session,
             locked == PlaceLock::Outcome::kTaken ? "another benchfs up or down is at work on it"
                                                  : tools::errno_text(errno));
    return tools::kExitFailure;
  }
  const auto strangers = strangers_in(options.session);
  if (!strangers.empty()) {
    complain("{}: holds {}, which is not of benchfs; name a directory for the session alone",
             options.session, in_quotes(strangers.front()));
    return tools::kExitFailure;
  }
  auto before = make_room(options);
  // Clearing may have replaced the directory, and with it what the lock is on.
  if (!before || lock.take(options.session) != PlaceLock::Outcome::kHeld) {
    return tools::kExitFailure;
  }
  if (before->session) {
    // Who says nothing else means the same again.
    if (!given.store_given && before->record) {
      options.store = before->record->store;
    }
    if (given.server_count == 0) {
      options.server_count = static_cast<unsigned>(before->session->servers.size());
    }
  }
  return Launch(options, surroundings, std::move(*before)).run();
}

}  // namespace benchfs::launcher
