#include "support/command.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchfs::test {
namespace {

constexpr int kExitNotStarted = 127;

/// Reads both pipes until their writers have closed them.
void read_all(int out_fd, int err_fd, CommandResult& result) {
  std::array<pollfd, 2> pipes{{{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}}};
  std::array<char, 65536> buffer;
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    if (::poll(pipes.data(), pipes.size(), -1) < 0) {
      continue;
    }
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) {
        continue;
      }
      const ssize_t got = ::read(pipes[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        (i == 0 ? result.out : result.err).append(buffer.data(), static_cast<std::size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        pipes[i].fd = -1;
      }
    }
  }
}

}  // namespace

void become_command(const std::vector<std::string>& argv, const Variables& variables) {
  for (const auto& [name, value] : variables) {
    if (value.empty()) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  std::vector<char*> words;
  for (const std::string& word : argv) {
    words.push_back(const_cast<char*>(word.c_str()));
  }
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(kExitNotStarted);
}

CommandResult run_command(const std::vector<std::string>& argv, const Variables& variables,
                          bool keep_output) {
  CommandResult result;
  std::array<int, 2> out{-1, -1};
  std::array<int, 2> err{-1, -1};
  if (keep_output && (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0)) {
    return result;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    if (keep_output) {
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(err[1], STDERR_FILENO);
    }
    become_command(argv, variables);
  }
  if (keep_output) {
    ::close(out[1]);
    ::close(err[1]);
    if (child > 0) {
      read_all(out[0], err[0], result);
    }
    ::close(out[0]);
    ::close(err[0]);
  }
  int status = 0;
  if (child < 0) {
    return result;
  }
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace benchfs::test
