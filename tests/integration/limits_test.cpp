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

}  // namespace
