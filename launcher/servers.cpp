#include "launcher/servers.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <unistd.h>

#include "base/units.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

/// Threads that ask at once; more servers than that take turns.
constexpr std::size_t kAskersMax = 64;

/// How long a process that was killed may take to end, with all its memory.
constexpr std::chrono::milliseconds kDyingTime{1'000};

/// Shared with threads that may outlive the caller's patience.
struct Inquiry {
  benchfs_mount* mount = nullptr;
  Question question{};
  std::vector<std::size_t> to_ask;

  std::mutex mutex;
  std::condition_variable changed;
  std::size_t next = 0;  ///< Index into to_ask.
  std::size_t answered = 0;
  std::vector<ServerReport> reports;
};

ServerReport ask_one(benchfs_mount* mount, std::size_t server, Question question) {
  ServerReport report;
  const int index = static_cast<int>(server);
  const int result =
      question == Question::kStatus
          ? benchfs_server_status_get(mount, index, &report.status)
          : benchfs_server_shutdown(mount, index, question == Question::kShutdownAndKeep ? 1 : 0);
  if (result == 0) {
    report.state = ServerState::kUp;
    return report;
  }
  report.state = errno == EHOSTDOWN ? ServerState::kDown : ServerState::kNotAnswering;
  report.trouble = benchfs_error_text();
  return report;
}

void ask_in_turn(const std::shared_ptr<Inquiry>& inquiry) {
  std::unique_lock lock(inquiry->mutex);
  while (inquiry->next < inquiry->to_ask.size()) {
    const std::size_t server = inquiry->to_ask[inquiry->next++];
    lock.unlock();
    ServerReport report = ask_one(inquiry->mount, server, inquiry->question);
    lock.lock();
    inquiry->reports[server] = std::move(report);
    ++inquiry->answered;
    inquiry->changed.notify_all();
  }
}

/// Those whose process is not known to be gone.
std::vector<std::size_t> candidates(const session::Session& session, const LaunchRecord* record,
                                    std::vector<ServerReport>& reports) {
  std::vector<std::size_t> to_ask;
  for (std::size_t i = 0; i < session.servers.size(); ++i) {
    const session::Server& server = session.servers[i];
    if (is_local(server) && !local_process(session, record, i).has_value()) {
      reports[i].state = ServerState::kDown;
      reports[i].trouble = fmt::format("process {} is gone", server.pid);
    } else {
      reports[i].trouble = "no answer in time";
      to_ask.push_back(i);
    }
  }
  return to_ask;
}

/// That no connection comes about does not say that a server is gone, where its process can be
/// seen: this command may use other transports of UCX, or the server may have no descriptor left.
void look_at_processes(const session::Session& session, const LaunchRecord* record,
                       std::vector<ServerReport>& reports) {
  const Deadline deadline = std::chrono::steady_clock::now() + kDyingTime;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (reports[i].state != ServerState::kDown) {
      continue;
    }
    const auto process = local_process(session, record, i);
    if (process && !wait_for_end(hold_all({*process}), deadline)) {
      reports[i].state = ServerState::kNotAnswering;
      reports[i].trouble = fmt::format(
          "process {} lives, but this command gets no connection to it (do UCX_TLS and "
          "UCX_NET_DEVICES differ from those of benchfs up?)",
          process->pid);
    }
  }
}

}  // namespace

const char* name_of(ServerState state) noexcept {
  switch (state) {
    case ServerState::kUp:
      return "up";
    case ServerState::kDown:
      return "down";
    case ServerState::kNotAnswering:
      break;
  }
  return "not answering";
}

std::size_t Survey::count(ServerState state) const {
  return static_cast<std::size_t>(
      std::count_if(reports.begin(), reports.end(),
                    [state](const ServerReport& report) { return report.state == state; }));
}

bool is_local(const session::Server& server) {
  return server.host == host_name();
}

std::optional<ProcessId> local_process(const session::Session& session, const LaunchRecord* record,
                                       std::size_t index) {
  const session::Server& server = session.servers[index];
  if (!is_local(server)) {
    return std::nullopt;
  }
  const auto process = identify(static_cast<pid_t>(server.pid));
  if (!process.has_value() || owner_of(process->pid) != session.uid) {
    return std::nullopt;
  }
  if (record != nullptr && index < record->servers.size() &&
      record->servers[index].process.pid == process->pid) {
    return record->servers[index].process == *process ? process : std::nullopt;
  }
  // Nobody wrote down when it started but the server itself, soon after; what is younger has merely
  // been given its pid. The slack covers a clock that was set meanwhile.
  constexpr std::uint64_t kSlackNs = 5 * kNsPerSec;
  return started_at_ns(*process) <= server.started_ns + kSlackNs ? process : std::nullopt;
}

Survey ask_servers(const std::string& session_directory, const session::Session& session,
                   const LaunchRecord* record, Question question,
                   std::chrono::milliseconds time_max) {
  const Deadline deadline = std::chrono::steady_clock::now() + time_max;
  Survey survey;
  survey.reports.resize(session.servers.size());
  auto inquiry = std::make_shared<Inquiry>();
  inquiry->to_ask = candidates(session, record, survey.reports);
  if (inquiry->to_ask.empty()) {
    return survey;
  }
  inquiry->question = question;
  inquiry->reports = survey.reports;
  inquiry->mount = benchfs_mount_open(session_directory.c_str());
  if (inquiry->mount == nullptr) {
    const int saved = errno;
    survey.trouble = benchfs_error_text();
    if (survey.trouble.empty()) {
      survey.trouble = tools::errno_text(saved);
    }
    return survey;
  }

  std::vector<std::thread> askers;
  for (std::size_t i = 0; i < std::min(kAskersMax, inquiry->to_ask.size()); ++i) {
    askers.emplace_back(ask_in_turn, inquiry);
  }
  {
    std::unique_lock lock(inquiry->mutex);
    const bool all = inquiry->changed.wait_until(
        lock, deadline, [&] { return inquiry->answered == inquiry->to_ask.size(); });
    inquiry->next = inquiry->to_ask.size();
    survey.reports = inquiry->reports;
    survey.threads_left = !all;
  }
  for (std::thread& asker : askers) {
    if (survey.threads_left) {
      asker.detach();
    } else {
      asker.join();
    }
  }
  if (!survey.threads_left) {
    benchfs_mount_close(inquiry->mount);
  }
  look_at_processes(session, record, survey.reports);
  return survey;
}

void leave_process(int exit_status) {
  std::fflush(stderr);
  ::_exit(tools::finish_output(exit_status));
}

}  // namespace benchfs::launcher
