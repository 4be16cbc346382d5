#pragma once

// Runs a piece of a test in a process of its own, which may spoil what it likes: limits,
// capabilities, system calls that are forbidden from then on.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchfs::test {

struct ChildResult {
  bool passed = false;  ///< The body ran to its end and no expectation of it failed.
  std::string log;      ///< What it wrote to standard error.
};

/// Forks; `body` runs in the child, with the usual EXPECT_ macros.
template <typename Body>
ChildResult run_in_child(Body body) {
  int fds[2];
  if (::pipe(fds) != 0) {
    return {};
  }
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(fds[1], STDERR_FILENO);
    ::close(fds[0]);
    ::close(fds[1]);
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  ::close(fds[1]);
  ChildResult result;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fds[0], buffer, sizeof(buffer))) > 0;) {
    result.log.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  result.passed = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return result;
}

inline std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) {
    ++count;
  }
  return count;
}

/// From now on system call `number` answers `error_code` in this process; if `argument` is not
/// negative, only if that argument has all bits of `mask`. Returns whether the kernel took the
/// filter.
inline bool deny_syscall(long number, int error_code, int argument = -1, std::uint32_t mask = 0) {
  std::vector<sock_filter> program;
  const auto load = [&program](std::size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  };
  load(offsetof(seccomp_data, nr));
  const bool with_argument = argument >= 0;
  // Jumps count from the next instruction to the last but one: allow.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0,
                             static_cast<std::uint8_t>(with_argument ? 4 : 1)));
  if (with_argument) {
    load(offsetof(seccomp_data, args) + static_cast<std::size_t>(argument) * 8);
    program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mask, 0, 1));
  }
  program.push_back(BPF_STMT(
      BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error_code) & 0xffffU)));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// Gives up all capabilities, so that limits hold for root as well.
inline bool drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[2]{};
  return ::syscall(SYS_capset, &header, none) == 0;
}

}  // namespace benchfs::test
