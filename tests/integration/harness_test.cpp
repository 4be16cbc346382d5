// Goal: a test that is killed, as ctest does at a time-out, leaves no server and no file behind.
// Method: a process brings a session up and is killed; its servers and its directory must go.

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cluster.h"

namespace {

using benchfs::test::Cluster;
using benchfs::test::is_running;

constexpr unsigned kServerCount = 2;

struct Seen {
  std::array<pid_t, kServerCount> servers;
  pid_t mpirun;
  std::array<char, 512> place;
};

/// In a child: tells what it has brought up, and waits.
[[noreturn]] void bring_up_and_wait(int fd) {
  Cluster cluster({.server_count = kServerCount, .capacity = "64M", .tls = "shm"});
  Seen seen{};
  if (cluster.up().exit_status == 0) {
    const std::vector<pid_t> pids = cluster.server_pids();
    std::copy(pids.begin(), pids.end(), seen.servers.begin());
    seen.mpirun = cluster.mpirun_pid();
    cluster.place().path().string().copy(seen.place.data(), seen.place.size() - 1);
  }
  [[maybe_unused]] const ssize_t told = ::write(fd, &seen, sizeof(seen));
  for (;;) {
    ::pause();
  }
}

TEST(Harness, ATestThatIsKilledLeavesNothingBehind) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const pid_t test = ::fork();
  ASSERT_GE(test, 0);
  if (test == 0) {
    bring_up_and_wait(ends[1]);
  }
  ::close(ends[1]);
  Seen seen{};
  const ssize_t got = ::read(ends[0], &seen, sizeof(seen));
  ::close(ends[0]);
  ::kill(test, SIGKILL);
  ::waitpid(test, nullptr, 0);
  ASSERT_EQ(got, static_cast<ssize_t>(sizeof(seen)));
  ASSERT_GT(seen.mpirun, 0) << "it came up";
  const std::string place = seen.place.data();
  ASSERT_NE(place, "");

  const auto is_left = [&seen, &place] {
    bool left = is_running(seen.mpirun) || std::filesystem::exists(place);
    for (const pid_t server : seen.servers) {
      left = left || is_running(server);
    }
    return left;
  };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (is_left() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_FALSE(is_left()) << place;
}

}  // namespace
