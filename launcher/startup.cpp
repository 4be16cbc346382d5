#include "launcher/startup.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "launcher/launch_record.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

using tools::complain;
using tools::Descriptor;

constexpr std::size_t kLogTailLines = 30;

}  // namespace

std::string find_server_program(const Surroundings& surroundings) {
  const std::string here = std::filesystem::path(surroundings.program).parent_path().string();
  for (const char* place : {"/benchfsd", "/../src/server/benchfsd", "/../bin/benchfsd"}) {
    if (::access((here + place).c_str(), X_OK) == 0) {
      return std::filesystem::path(here + place).lexically_normal().string();
    }
  }
  return "benchfsd";
}

void show_log_tail(const std::string& session_directory) {
  const std::string text = read_text(session_directory + "/" + kLogFileName);
  std::size_t begin = text.size();
  for (std::size_t lines = 0; begin > 0 && lines <= kLogTailLines; ++lines) {
    const std::size_t newline = text.rfind('\n', begin - 1);
    if (newline == std::string::npos || lines == kLogTailLines) {
      begin = newline == std::string::npos ? 0 : newline + 1;
      break;
    }
    begin = newline;
  }
  const std::size_t first = text.find_first_not_of('\n', begin);
  if (first == std::string::npos) {
    std::fputs("  (the servers wrote nothing)\n", stderr);
    return;
  }
  std::string line;
  for (const char c : text.substr(first)) {
    if (c != '\n') {
      line += c;
    } else {
      std::fprintf(stderr, "  | %s\n", line.c_str());
      line.clear();
    }
  }
  if (!line.empty()) {
    std::fprintf(stderr, "  | %s\n", line.c_str());
  }
}

std::optional<StartWatch> StartWatch::begin(const std::string& session_directory) {
  StartWatch watch;
  watch.directory_ = session_directory;
  watch.names_ = Descriptor(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    ::sigaddset(&wanted, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  watch.signals_ = Descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!watch.names_.valid() || !watch.signals_.valid() ||
      ::inotify_add_watch(watch.names_.get(), session_directory.c_str(), IN_MOVED_TO | IN_CREATE) <
          0) {
    complain("cannot watch {}: {}", session_directory, tools::errno_text(errno));
    return std::nullopt;
  }
  return watch;
}

bool StartWatch::is_published(const std::function<bool(const session::Session&)>& awaited) const {
  const auto session = session::read_session(directory_);
  return session.has_value() && awaited(*session);
}

StartWatch::Outcome StartWatch::wait(const std::function<bool(const session::Session&)>& awaited,
                                     const std::optional<HeldProcess>& process,
                                     Deadline deadline) const {
  while (true) {
    // The file first: servers that publish and then end did publish.
    if (is_published(awaited)) {
      return Outcome::kPublished;
    }
    if (!process) {
      return Outcome::kEnded;
    }
    std::array<pollfd, 3> events{
        {{names_.get(), POLLIN, 0}, {process->poll_fd(), POLLIN, 0}, {signals_.get(), POLLIN, 0}}};
    const int ready = ::poll(events.data(), events.size(), poll_timeout_ms(deadline));
    if (ready == 0) {
      return Outcome::kTimedOut;
    }
    if (events[2].revents != 0) {
      return Outcome::kInterrupted;
    }
    if (events[1].revents != 0) {
      return is_published(awaited) ? Outcome::kPublished : Outcome::kEnded;
    }
    std::array<char, 4096> ignored;
    while (::read(names_.get(), ignored.data(), ignored.size()) > 0) {
    }
  }
}

}  // namespace benchfs::launcher
