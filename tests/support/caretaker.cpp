#include "support/caretaker.h"

#include <array>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchfs::test {
namespace {

constexpr char kDismissed[] = "dismissed\n";
/// $0: the directory; the rest: the command. The line comes if it is dismissed, else the end.
constexpr char kScript[] = R"(read -r line || { "$@"; rm -rf "$0"; })";

}  // namespace

Caretaker::Caretaker(const std::vector<std::string>& command, const Variables& variables,
                     const std::string& directory) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    std::perror("socketpair");
    std::abort();
  }
  std::vector<std::string> words = {"/bin/sh", "-c", kScript, directory};
  words.insert(words.end(), command.begin(), command.end());
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("fork");
    std::abort();
  }
  if (child == 0) {
    ::setsid();
    if (::fork() == 0) {
      // Nobody shall wait for its output.
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(ends[1], STDIN_FILENO);
      ::dup2(nowhere, STDOUT_FILENO);
      ::dup2(nowhere, STDERR_FILENO);
      become_command(words, variables);
    }
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ::close(ends[1]);
  fd_ = ends[0];
}

Caretaker::~Caretaker() {
  [[maybe_unused]] const ssize_t sent =
      ::send(fd_, kDismissed, sizeof(kDismissed) - 1, MSG_NOSIGNAL);
  ::close(fd_);
}

}  // namespace benchfs::test
