// Goal: servers live with what a batch system hands on of a user's limits, or say what is wrong;
// and with a drive that their predecessors have filled. Method: `benchfs up` under limits that a
// shell sets; the kernel tells what the servers have. A small drive of its own, by a loop device.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "support/cluster.h"
#include "support/loop_drive.h"

namespace {

using benchfs::test::Cluster;
using benchfs::test::CommandResult;

/// `benchfs up` in `cluster`, in a shell that has set a limit first.
CommandResult up_with_limit(const Cluster& cluster, const std::string& limit,
                            const std::string& capacity) {
  return benchfs::test::run_command(
      {"/bin/sh", "-c", "ulimit " + limit + " && exec \"$@\"", "sh",
       benchfs::test::benchfs_program(), "up", "--servers", "1", "--store",
       cluster.store_directory(), "--benchfsd", BENCHFS_SERVER, "--mpirun", BENCHFS_MPIRUN,
       "--capacity", capacity},
      cluster.variables());
}

struct Limits {
  std::string soft;
  std::string hard;
};

Limits descriptors_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/limits");
  const std::string name = "Max open files";
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name, 0) == 0) {
      Limits limits;
      std::istringstream(line.substr(name.size())) >> limits.soft >> limits.hard;
      return limits;
    }
  }
  return {};
}

TEST(Limits, AServerHasAllTheDescriptorsThatItMayHave) {
  Cluster cluster({.server_count = 1});
  const CommandResult up = up_with_limit(cluster, "-S -n 200", "64M");
  ASSERT_EQ(up.exit_status, 0) << up.err;
  const Limits limits = descriptors_of(cluster.server_pids().at(0));
  EXPECT_NE(limits.hard, "200") << "the test cannot tell anything here";
  EXPECT_EQ(limits.soft, limits.hard);
}

TEST(Limits, ACapacityAboveTheLargestFileIsRefusedWithAReason) {
  Cluster cluster({.server_count = 1});
  const CommandResult up = up_with_limit(cluster, "-f 40960", "64M");
  EXPECT_EQ(up.exit_status, 1);
  EXPECT_NE(up.err.find("cannot reserve a capacity of 64.0 MiB: File too large"), std::string::npos)
      << up.err;
}

std::uintmax_t data_bytes(const Cluster& cluster, int server) {
  return std::filesystem::file_size(cluster.store_directory() + "/server-" +
                                    std::to_string(server) + "/data");
}

/// Each `benchfs up --discard` would have less, if what it discards did not count.
TEST(Limits, WhatIsDiscardedIsRoomForWhatComes) {
  const std::string why_not = benchfs::test::LoopDrive::why_not();
  if (!why_not.empty()) {
    GTEST_SKIP() << why_not;
  }
  Cluster cluster({.server_count = 2, .capacity = ""});
  std::filesystem::create_directory(cluster.store_directory());
  const benchfs::test::LoopDrive drive(cluster.store_directory(), 256);
  const CommandResult first = cluster.up();
  ASSERT_EQ(first.exit_status, 0) << first.err;
  const std::uintmax_t bytes = data_bytes(cluster, 0);
  EXPECT_EQ(data_bytes(cluster, 1), bytes);
  const CommandResult kept = cluster.benchfs({"down", "--keep"});
  ASSERT_EQ(kept.exit_status, 0) << kept.err;
  const CommandResult second = cluster.up({"--discard"});
  ASSERT_EQ(second.exit_status, 0) << second.err;
  for (const int server : {0, 1}) {
    EXPECT_NEAR(static_cast<double>(data_bytes(cluster, server)), static_cast<double>(bytes),
                0.02 * static_cast<double>(bytes));
  }
  EXPECT_EQ(cluster.down().exit_status, 0);
}

}  // namespace
