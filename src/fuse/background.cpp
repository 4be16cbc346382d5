#include "fuse/background.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchfs::fuse {
namespace {

constexpr char kReady = 'r';

/// Waits for the child's word. It has complained itself if it gives none.
[[noreturn]] void leave_with(int pipe) {
  char word = 0;
  ssize_t count = 0;
  do {
    count = ::read(pipe, &word, 1);
  } while (count < 0 && errno == EINTR);
  ::_exit(count == 1 && word == kReady ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace

bool Background::enter(bool stay) {
  if (stay) {
    return true;
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return false;
  }
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return false;
  }
  if (child > 0) {
    ::close(ends[1]);
    leave_with(ends[0]);
  }
  ::close(ends[0]);
  pipe_ = ends[1];
  ::setsid();
  return true;
}

void Background::tell_ready() {
  if (pipe_ < 0) {
    return;
  }
  // From here on nobody reads what it says, and it must not keep the caller's terminal or pipes
  // open.
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere >= 0) {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(nowhere, standard);
    }
    ::close(nowhere);
  }
  ssize_t written = 0;
  do {
    written = ::write(pipe_, &kReady, 1);
  } while (written < 0 && errno == EINTR);
  ::close(std::exchange(pipe_, -1));
}

int Background::fail(const std::string& sentence) {
  std::fprintf(stderr, "benchfs: %s\n", sentence.c_str());
  return EXIT_FAILURE;  // The end of the pipe is the caller's answer.
}

}  // namespace benchfs::fuse
