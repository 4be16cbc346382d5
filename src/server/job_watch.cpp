#include "server/job_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "session/session_file.h"

namespace benchfs::server {
namespace {

constexpr char kStepName[] = "(slurmstepd)";
constexpr int kAncestorsMax = 64;
/// Between two looks at the directory.
constexpr std::uint64_t kLookNs = 2 * kNsPerSec;
/// Bad news that have to come in a row: a session that starts again, a job that is just ending and
/// has its epilog on the way, look like it once.
constexpr int kTimesInARow = 2;

std::uint64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSec +
         static_cast<std::uint64_t>(now.tv_nsec);
}

/// The parent of a process, and whether that process is a slurmstepd; 0 if it cannot be seen.
std::pair<pid_t, bool> look_at_process(pid_t pid) {
  std::array<char, 512> text{};
  const int fd = ::open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd >= 0 ? ::read(fd, text.data(), text.size() - 1) : -1;
  if (fd >= 0) {
    ::close(fd);
  }
  // The name may hold anything; what follows its last parenthesis is fixed: state, parent.
  const std::string_view line(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t name_end = line.rfind(") ");
  if (name_end == std::string_view::npos || name_end + 4 >= line.size()) {
    return {0, false};
  }
  return {static_cast<pid_t>(std::atoi(line.data() + name_end + 4)),
          line.find(kStepName) != std::string_view::npos};
}

/// A descriptor of the slurmstepd that this process descends from; -1 if there is none.
int hold_step() {
  pid_t pid = ::getppid();
  for (int i = 0; pid > 1 && i < kAncestorsMax; ++i) {
    const auto [parent, is_step] = look_at_process(pid);
    if (is_step) {
      return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    }
    pid = parent;
  }
  return -1;
}

bool is_missing(const std::string& path) noexcept {
  return ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

}  // namespace

JobState judge(const std::string& output, int exit_status, std::string& start) {
  if (exit_status != 0) {
    return output.find("Invalid job id") != std::string::npos ? JobState::kOver
                                                              : JobState::kUnknown;
  }
  const std::string line = output.substr(0, output.find('\n'));
  const std::size_t bar = line.find('|');
  const std::string state = line.substr(0, bar);
  // A completing job whose epilog does not come is over as well.
  constexpr std::array<std::string_view, 6> kLiving = {"RUNNING", "CONFIGURING", "SUSPENDED",
                                                       "STOPPED", "SIGNALING",   "RESIZING"};
  if (std::find(kLiving.begin(), kLiving.end(), state) == kLiving.end()) {
    return JobState::kOver;
  }
  // A job that is configured again may get another time of start.
  if (state == "RUNNING" && bar != std::string::npos) {
    if (start.empty()) {
      start = line.substr(bar + 1);
    } else if (start != line.substr(bar + 1)) {
      return JobState::kOver;
    }
  }
  return JobState::kAlive;
}

JobWatch::JobWatch(WatchSettings settings) : settings_(std::move(settings)), step_fd_(hold_step()) {
  next_question_ns_ = now_ns() + settings_.interval_ns;
}

JobWatch::~JobWatch() {
  forget_question();
  if (step_fd_ >= 0) {
    ::close(step_fd_);
  }
}

int JobWatch::wait_ms() const noexcept {
  const std::uint64_t now = now_ns();
  return next_look_ns_ > now ? static_cast<int>((next_look_ns_ - now) / kNsPerMs) + 1 : 0;
}

std::optional<std::string> JobWatch::look() {
  if (step_fd_ >= 0) {
    // A process that has ended, and was waited for or not, takes no signal.
    if (::syscall(SYS_pidfd_send_signal, step_fd_, 0, nullptr, 0) != 0 && errno == ESRCH) {
      return "the Slurm step that the server was started in has ended";
    }
  } else if (job_is_over()) {
    return fmt::format("job {} is over", settings_.job);
  }
  if (now_ns() >= next_look_ns_) {
    next_look_ns_ = now_ns() + kLookNs;
    if (session_is_gone()) {
      return fmt::format("the session is gone from {}", settings_.session_directory);
    }
  }
  return std::nullopt;
}

bool JobWatch::session_is_gone() {
  const std::string file = settings_.session_directory + "/" + session::kFileName;
  const bool is_gone =
      is_missing(file) && (was_published_ || is_missing(settings_.session_directory));
  was_published_ = was_published_ || !is_missing(file);
  times_gone_ = is_gone ? times_gone_ + 1 : 0;
  return times_gone_ >= kTimesInARow;
}

bool JobWatch::job_is_over() {
  if (settings_.job.empty() || settings_.interval_ns == 0) {
    return false;
  }
  if (answer_fd_ >= 0) {
    const JobState state = take_answer();
    if (state != JobState::kUnknown) {
      times_over_ = state == JobState::kOver ? times_over_ + 1 : 0;
    }
  }
  if (now_ns() >= next_question_ns_) {
    next_question_ns_ = now_ns() + settings_.interval_ns;
    forget_question();  // One that was never answered.
    ask();
  }
  return times_over_ >= kTimesInARow;
}

void JobWatch::ask() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return;
  }
  const std::string jobs = "--jobs=" + settings_.job;
  asked_ = ::fork();
  if (asked_ == 0) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::execlp("squeue", "squeue", "--noheader", jobs.c_str(), "--format=%T|%S", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  if (asked_ < 0) {
    ::close(ends[0]);
    return;
  }
  answer_fd_ = ends[0];
}

JobState JobWatch::take_answer() {
  std::array<char, 1024> bytes;
  ssize_t got = 0;
  while ((got = ::read(answer_fd_, bytes.data(), bytes.size())) > 0) {
    answer_.append(bytes.data(), static_cast<std::size_t>(got));
  }
  if (got < 0) {
    return JobState::kUnknown;  // There is more to come.
  }
  int status = 0;
  ::waitpid(std::exchange(asked_, -1), &status, 0);
  ::close(std::exchange(answer_fd_, -1));
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return judge(std::exchange(answer_, {}), exit_status, start_);
}

void JobWatch::forget_question() noexcept {
  if (asked_ > 0) {
    ::kill(asked_, SIGKILL);
    ::waitpid(std::exchange(asked_, -1), nullptr, 0);
  }
  if (answer_fd_ >= 0) {
    ::close(std::exchange(answer_fd_, -1));
  }
  answer_.clear();
}

}  // namespace benchfs::server
