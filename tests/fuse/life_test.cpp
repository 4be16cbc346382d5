// Goal: a mount comes and goes as its commands say, in whatever state its process and the servers
// are, and leaves nothing behind. Method: real processes, killed.

#include <chrono>
#include <csignal>

#include <sys/wait.h>

#include "fuse/mounted.h"

namespace benchfs::test {
namespace {

using std::chrono::steady_clock;

TEST(FuseLife, UnmountEndsTheProcessToo) {
  const Mounted world(1);
  EXPECT_NE(world.process("a"), 0);
  ASSERT_EQ(world.cluster.benchfs({"unmount", world.at("a")}).exit_status, 0);
  EXPECT_EQ(world.process("a"), 0);
  EXPECT_FALSE(world.is_mounted("a"));
  EXPECT_NE(world.cluster.benchfs({"unmount", world.at("a")}).exit_status, 0);
}

TEST(FuseLife, WhatCannotBeMountedIsSaidInASentence) {
  const Mounted world(1);
  const auto says = [&](const std::string& directory, const std::string& what) {
    const auto result = world.cluster.benchfs({"mount", directory});
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_NE(result.err.find(what), std::string::npos) << result.err;
  };
  says("/etc/passwd", "is not a directory");
  says(world.at("none"), "No such file or directory");
  says(world.at("a"), "is mounted there already");
  ::mkdir(world.at("b").c_str(), 0755);
  const auto result = run_command(
      {benchfs_program(), "mount", "--session", world.at("nowhere"), world.at("b")}, {});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_NE(result.err.find("no session"), std::string::npos) << result.err;
}

TEST(FuseLife, AMountWhoseProcessWasKilledIsClearedByMountAndByDown) {
  Mounted world(1);
  { const Fd fd(world.at("a", "/f"), O_CREAT | O_WRONLY); }
  ASSERT_TRUE(kill_and_wait(world.process("a"), SIGKILL));
  struct stat status {};
  EXPECT_EQ(or_errno(::stat(world.at("a", "/f").c_str(), &status)), -ENOTCONN);
  ASSERT_EQ(world.cluster.benchfs({"mount", world.at("a")}).exit_status, 0);
  EXPECT_EQ(::stat(world.at("a", "/f").c_str(), &status), 0);
  ASSERT_TRUE(kill_and_wait(world.process("a"), SIGKILL));
  const auto down = world.cluster.down();
  EXPECT_EQ(down.exit_status, 0) << down.err;
  EXPECT_NE(down.out.find("unmounted"), std::string::npos) << down.out;
  EXPECT_FALSE(world.is_mounted("a"));
}

TEST(FuseLife, DownUnmountsAlsoWhatIsInUse) {
  Mounted world(2, {"a", "b"});
  const Fd fd(world.at("a", "/f"), O_CREAT | O_RDWR);
  EXPECT_NE(world.cluster.benchfs({"unmount", world.at("a")}).exit_status, 0) << "it is in use";
  EXPECT_TRUE(world.is_mounted("a"));
  const auto down = world.cluster.down();
  EXPECT_EQ(down.exit_status, 0) << down.err;
  for (const char* name : {"a", "b"}) {
    EXPECT_FALSE(world.is_mounted(name));
    EXPECT_EQ(world.process(name), 0);
  }
  EXPECT_LT(or_errno(::write(fd, "x", 1)), 0) << "of what is gone nothing is pretended";
}

TEST(FuseLife, ALostServerIsAnErrorInTime) {
  const Mounted world(2, {});
  ::mkdir(world.at("a").c_str(), 0755);
  Variables variables = world.cluster.variables();
  variables.emplace_back("BENCHFS_TIMEOUT", "2s");
  ASSERT_EQ(run_command({benchfs_program(), "mount", world.at("a")}, variables).exit_status, 0);
  const Fd fd(world.at("a", "/f"), O_CREAT | O_RDWR);
  const auto bytes = content(0, 3U << 20U, 1);  // On both servers.
  ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ASSERT_TRUE(kill_and_wait(world.cluster.server_pids()[1], SIGKILL));
  const auto begin = steady_clock::now();
  std::vector<std::byte> got(1U << 20U);
  ssize_t failed = 0;
  for (off_t offset = 0; offset < 3 << 20 && failed >= 0; offset += 1 << 20) {
    failed = or_errno(::pread(fd, got.data(), got.size(), offset));
  }
  EXPECT_EQ(failed, -EIO);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(8));
}

}  // namespace
}  // namespace benchfs::test
