#include "server/guard.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "server/job_watch.h"
#include "session/session_file.h"

namespace benchfs::server {
namespace {

constexpr char kGuardName[] = "bfs-guard";

/// How often a server that crashes is started again; more of them would only hide what is wrong.
constexpr int kRestartsMax = 16;

/// What a server may take to end in order when its job is over.
constexpr std::time_t kEndPatienceSeconds = 30;

std::time_t seconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

/// `benchfs down` for this node, by a process that outlives the launcher of this one.
void clear_this_node(const std::string& session_directory) noexcept {
  std::string program(4096, '\0');
  const ssize_t length = ::readlink("/proc/self/exe", program.data(), program.size());
  const std::size_t slash = length > 0 ? program.rfind('/', static_cast<std::size_t>(length)) : 0;
  if (slash == 0 || slash == std::string::npos || ::fork() != 0) {
    return;
  }
  program.resize(slash);
  program += "/benchfs";
  ::setsid();
  ::unsetenv("BENCHFS_LAUNCH_ID");  // It would be taken for a part of what it clears.
  ::execl(program.c_str(), program.c_str(), "down", "--here", "--session",
          session_directory.c_str(), nullptr);
  ::_exit(127);
}

/// What a program that finds itself in error does to itself. SIGKILL is somebody's will.
bool is_crash(int number) noexcept {
  return number == SIGABRT || number == SIGSEGV || number == SIGBUS || number == SIGILL ||
         number == SIGFPE;
}

/// What every server process does first, as a child of its guard `parent`.
void become_server(pid_t parent, const sigset_t& signals) noexcept {
  // A group of its own: mpirun kills the rank's group a second after it asked it to stop, and
  // cleaning up the store may take longer than that.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) {
    ::_exit(1);  // The guard died before we asked to be told.
  }
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
}

/// So that who looks for servers by name finds servers only.
void rename_process(int argc, char** argv) noexcept {
  ::prctl(PR_SET_NAME, kGuardName);
  if (argc < 1) {
    return;
  }
  // The arguments lie one behind the other; what /proc shows ends with the last one.
  char* const begin = argv[0];
  char* const end = argv[argc - 1] + std::strlen(argv[argc - 1]);
  const auto room = static_cast<std::size_t>(end - begin);
  std::memset(begin, 0, room);
  std::memcpy(begin, kGuardName, std::min(room, sizeof(kGuardName) - 1));
}

class GuardProcess {
 public:
  struct Descriptors {
    int ready = -1;
    int signals = -1;
  };
  GuardProcess(pid_t server, Descriptors descriptors, const sigset_t& server_signals,
               const Config& config, std::vector<std::string> arguments)
      : server_(server),
        ready_fd_(descriptors.ready),
        signals_fd_(descriptors.signals),
        server_signals_(server_signals),
        session_directory_(config.session_directory),
        is_temporary_(config.temporary),
        watch_({.session_directory = config.session_directory,
                .job = variable("SLURM_JOB_ID"),
                .interval_ns = config.job_check_ns}),
        arguments_(std::move(arguments)) {}

  [[noreturn]] void run() noexcept {
    while (true) {
      wait_for_signal();
      int status = 0;
      if (::waitpid(server_, &status, WNOHANG) == server_) {
        if (is_ending()) {
          end_with_the_job();
        }
        server_ended(status);
      }
      watch_the_job();
    }
  }

 private:
  static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
  }

  bool is_ending() const noexcept { return end_at_ != 0; }

  void watch_the_job() noexcept {
    if (is_ending()) {
      if (seconds() >= end_at_) {
        ::kill(server_, SIGKILL);
      }
      return;
    }
    if (const auto reason = watch_.look()) {
      log_error("{}: the server (pid {}) ends", *reason, server_);
      end_at_ = seconds() + kEndPatienceSeconds;
      ::kill(server_, SIGTERM);
    }
  }

  [[noreturn]] void end_with_the_job() noexcept {
    if (is_temporary_) {
      clear_this_node(session_directory_);
    }
    ::_exit(1);
  }

  /// Hands signals to stop on; returns on every signal, and when there may be news of the job.
  void wait_for_signal() noexcept {
    std::array<pollfd, 3> fds = {{{signals_fd_, POLLIN, 0},
                                  {is_ending() ? -1 : watch_.step_fd(), POLLIN, 0},
                                  {is_ending() ? -1 : watch_.answer_fd(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), is_ending() ? 1000 : watch_.wait_ms());
    if (fds[0].revents == 0) {
      return;
    }
    signalfd_siginfo info{};
    if (::read(signals_fd_, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGCHLD) {
      ::kill(server_, static_cast<int>(info.ssi_signo));
    }
  }

  void server_ended(int status) noexcept {
    std::uint16_t number = 0;
    const bool was_ready =
        restarts_ > 0 || ::read(ready_fd_, &number, sizeof(number)) == sizeof(number);
    if (WIFEXITED(status)) {
      if (was_ready && WEXITSTATUS(status) != 0) {
        // mpirun would end the others for it.
        log_error("the server (pid {}) has given up with status {}; the others go on without it",
                  server_, WEXITSTATUS(status));
        outlast_the_session();
      }
      ::_exit(WEXITSTATUS(status));
    }
    if (restarts_ == 0 && was_ready) {
      arguments_.insert(arguments_.end(), {"--rejoin", std::to_string(number)});
    }
    if (was_ready && is_crash(WTERMSIG(status)) && start_again(WTERMSIG(status))) {
      return;
    }
    log_error("the server (pid {}) was killed by signal {}{}", server_, WTERMSIG(status),
              was_ready ? "; the others go on without it" : " before it was ready");
    if (was_ready) {
      outlast_the_session();
    }
    ::_exit(was_ready ? 1 : 128 + WTERMSIG(status));
  }

  /// On its store, as `benchfs restart` does.
  bool start_again(int number) noexcept {
    if (restarts_++ == kRestartsMax) {
      return false;
    }
    log_error("the server (pid {}) has crashed with signal {}; starting it again on its store",
              server_, number);
    std::vector<char*> words;
    for (std::string& argument : arguments_) {
      words.push_back(argument.data());
    }
    words.push_back(nullptr);
    const pid_t guard = ::getpid();
    const pid_t server = ::fork();
    if (server == 0) {
      become_server(guard, server_signals_);
      ::execv("/proc/self/exe", words.data());
      ::_exit(127);
    }
    if (server > 0) {
      server_ = server;
    }
    return server > 0;
  }

  /// Until somebody stops us or the session's file is gone.
  void outlast_the_session() noexcept {
    const int watch = ::inotify_init1(IN_CLOEXEC);
    ::inotify_add_watch(watch, session_directory_.c_str(),
                        IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF);
    const std::string file = session_directory_ + "/" + session::kFileName;
    while (::access(file.c_str(), F_OK) == 0) {
      std::array<pollfd, 4> fds = {{{signals_fd_, POLLIN, 0},
                                    {watch, POLLIN, 0},
                                    {watch_.step_fd(), POLLIN, 0},
                                    {watch_.answer_fd(), POLLIN, 0}}};
      ::poll(fds.data(), fds.size(), watch_.wait_ms());
      signalfd_siginfo info{};
      if ((fds[0].revents & POLLIN) != 0 &&
          ::read(signals_fd_, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGCHLD) {
        return;
      }
      if (watch_.look()) {
        end_with_the_job();
      }
      if (fds[1].revents == 0) {
        continue;
      }
      alignas(inotify_event) std::array<char, 4096> events;
      [[maybe_unused]] const ssize_t got = ::read(watch, events.data(), events.size());
    }
  }

  pid_t server_;
  int ready_fd_;
  int signals_fd_;
  sigset_t server_signals_;
  std::string session_directory_;
  bool is_temporary_;
  JobWatch watch_;
  std::time_t end_at_ = 0;  ///< When the server is killed, since its job is over; 0: it is not.
  std::vector<std::string> arguments_;  ///< Of the server, with which it would start again.
  int restarts_ = 0;
};

}  // namespace

Guard Guard::enter(int argc, char** argv, const Config& config) {
  sigset_t guarded;
  ::sigemptyset(&guarded);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
    ::sigaddset(&guarded, number);
  }
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &guarded, &before);
  std::array<int, 2> ready{};
  const bool piped = ::pipe2(ready.data(), O_CLOEXEC) == 0;
  const pid_t parent = ::getpid();
  const pid_t server = piped ? ::fork() : -1;
  if (server < 0) {
    log_warning("cannot fork a guard ({}): if this server is killed, mpirun will end the others",
                std::strerror(errno));
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return Guard(-1);
  }
  if (server == 0) {
    ::close(ready[0]);
    become_server(parent, before);
    return Guard(ready[1]);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::close(ready[1]);
  std::vector<std::string> arguments;
  for (int i = 0; i < argc; ++i) {
    if (std::strcmp(argv[i], "--discard") != 0) {
      arguments.emplace_back(argv[i]);
    }
  }
  rename_process(argc, argv);
  const int signals_fd = ::signalfd(-1, &guarded, SFD_CLOEXEC);
  GuardProcess(server, {.ready = ready[0], .signals = signals_fd}, before, config,
               std::move(arguments))
      .run();
}

void Guard::server_is_ready(ServerId server) noexcept {
  if (ready_fd_ >= 0) {
    const std::uint16_t number = to_integer(server);
    [[maybe_unused]] const ssize_t written = ::write(ready_fd_, &number, sizeof(number));
  }
}

}  // namespace benchfs::server
