#include "launcher/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/units.h"

namespace benchfs::launcher {
namespace {

// glibc 2.36 has these two calls only in C headers that not every supported system carries.
int open_pidfd(pid_t pid) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

std::string proc_path(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

int poll_timeout_ms(Deadline deadline) noexcept {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
}

std::string read_text(const std::string& path) {
  const tools::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> buffer;
  while (file.valid()) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::optional<ProcessId> identify(pid_t pid) {
  if (pid <= 0) {
    return std::nullopt;
  }
  const std::string text = read_text(proc_path(pid, "stat"));
  // The name of the program is in parentheses and may hold anything, so count from its end.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) {
    return std::nullopt;
  }
  const char state = text[name_end + 2];
  if (state == 'Z' || state == 'X') {
    return std::nullopt;
  }
  std::size_t at = name_end + 2;
  for (int field = 3; field < 22; ++field) {
    at = text.find(' ', at);
    if (at == std::string::npos) {
      return std::nullopt;
    }
    ++at;
  }
  return ProcessId{.pid = pid, .start_ticks = std::strtoull(text.c_str() + at, nullptr, 10)};
}

std::uint64_t started_at_ns(ProcessId process) {
  timespec real{};
  timespec since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &real);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto to_ns = [](const timespec& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSec +
           static_cast<std::uint64_t>(time.tv_nsec);
  };
  const auto ticks_per_sec = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return to_ns(real) - to_ns(since_boot) + process.start_ticks * (kNsPerSec / ticks_per_sec);
}

std::optional<uid_t> owner_of(pid_t pid) {
  struct stat status {};
  if (::stat(("/proc/" + std::to_string(pid)).c_str(), &status) != 0) {
    return std::nullopt;
  }
  return status.st_uid;
}

std::string boot_id() {
  std::string text = read_text("/proc/sys/kernel/random/boot_id");
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::vector<ProcessId> processes_with_variable(const std::string& variable) {
  std::vector<ProcessId> found;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) {
    return found;
  }
  const std::string wanted = std::string(1, '\0') + variable + '\0';
  while (const dirent* entry = ::readdir(proc)) {
    const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 0 || pid == ::getpid()) {
      continue;
    }
    // Identified before its environment is read and again after it: so both are of one process.
    const auto before = identify(pid);
    if (!before.has_value() || owner_of(pid) != ::geteuid()) {
      continue;
    }
    const std::string environment = std::string(1, '\0') + read_text(proc_path(pid, "environ"));
    if (environment.find(wanted) != std::string::npos && is_alive(*before)) {
      found.push_back(*before);
    }
  }
  ::closedir(proc);
  return found;
}

std::optional<HeldProcess> HeldProcess::hold(ProcessId process) {
  tools::Descriptor fd(open_pidfd(process.pid));
  // The descriptor is fixed to whatever has the pid now; the check after it tells whether it is the
  // one.
  if (!fd.valid() || !is_alive(process)) {
    return std::nullopt;
  }
  return HeldProcess(process, std::move(fd));
}

void HeldProcess::signal(int number) const noexcept {
  ::syscall(SYS_pidfd_send_signal, fd_.get(), number, nullptr, 0);
}

std::vector<HeldProcess> hold_all(const std::vector<ProcessId>& processes) {
  std::vector<HeldProcess> held;
  for (const ProcessId process : processes) {
    if (auto one = HeldProcess::hold(process)) {
      held.push_back(std::move(*one));
    }
  }
  return held;
}

bool wait_for_end(const std::vector<HeldProcess>& processes, Deadline deadline) {
  for (const HeldProcess& process : processes) {
    while (true) {
      pollfd wanted{.fd = process.poll_fd(), .events = POLLIN, .revents = 0};
      const int ready = ::poll(&wanted, 1, poll_timeout_ms(deadline));
      if (ready > 0) {
        break;
      }
      if (ready == 0) {
        return false;
      }
    }
  }
  return true;
}

Spawned spawn_detached(const SpawnRequest& request) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, request.output_fd, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, request.output_fd, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);

  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  const std::vector<char*> argv = pointers_to(request.argv);
  const std::vector<char*> environment = pointers_to(request.environment);
  Spawned spawned;
  spawned.error =
      ::posix_spawnp(&spawned.pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return spawned;
}

}  // namespace benchfs::launcher
