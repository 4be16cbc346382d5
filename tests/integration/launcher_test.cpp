// Goal: `benchfs up`, `down`, `status` and `run` do what launcher/README.md says, also after any
// part was
//       killed, and leave nothing behind: no process, no file, no shared memory.
// Method: the real command and real servers, on this machine; each test looks at the machine before
// and after.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/cluster.h"

namespace {

using benchfs::test::Cluster;
using benchfs::test::CommandResult;
using benchfs::test::kill_and_wait;

/// Lax, for a machine that does other work meanwhile; the figure itself is printed.
constexpr std::chrono::seconds kUpTimeMax{15};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What servers could leave in shared memory, besides what was there before.
std::set<std::string> shared_memory() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    const std::string name = entry.path().filename();
    if (name.rfind("ucx_shm_posix_", 0) == 0) {
      names.insert(name);
    }
  }
  return names;
}

class Launcher : public testing::Test {
 protected:
  void bring_up(unsigned server_count) {
    shared_before_ = shared_memory();
    const CommandResult up = cluster(server_count).up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
    processes_ = cluster_->processes();
    ASSERT_GT(processes_.size(), server_count);
  }

  Cluster& cluster(unsigned server_count = 1) {
    if (cluster_ == nullptr) {
      cluster_ = std::make_unique<Cluster>(
          benchfs::test::ClusterOptions{.server_count = server_count, .capacity = "64M"});
    }
    return *cluster_;
  }

  /// Servers first: without mpirun or a guard they would stop in order.
  void kill_everything() {
    for (const pid_t pid : cluster_->server_pids()) {
      ASSERT_TRUE(kill_and_wait(pid, SIGKILL));
    }
    for (const pid_t pid : cluster_->processes()) {
      ASSERT_TRUE(kill_and_wait(pid, SIGKILL));
    }
  }

  void expect_no_trace() {
    for (const pid_t pid : processes_) {
      EXPECT_FALSE(benchfs::test::is_running(pid)) << "process " << pid;
    }
    EXPECT_TRUE(std::filesystem::is_empty(cluster_->place().path()));
    for (const std::string& name : shared_memory()) {
      EXPECT_TRUE(shared_before_.count(name) == 1) << "/dev/shm/" << name;
    }
  }

  void bring_down() {
    const CommandResult down = cluster_->down();
    EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
    expect_no_trace();
  }

  std::unique_ptr<Cluster> cluster_;
  std::vector<pid_t> processes_;
  std::set<std::string> shared_before_;
};

TEST_F(Launcher, BringsFourServersUpAndLeavesNothingBehind) {
  const auto begun = std::chrono::steady_clock::now();
  bring_up(4);
  const auto took = std::chrono::steady_clock::now() - begun;
  RecordProperty("up_ms", static_cast<int>(
                              std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  std::printf("4 servers up in %.2f s\n", std::chrono::duration<double>(took).count());
  EXPECT_LT(took, kUpTimeMax);
  const CommandResult status = cluster().benchfs({"status"});
  EXPECT_EQ(status.exit_status, 0) << status.err;
  EXPECT_TRUE(contains(status.out, "4 of 4 servers answer")) << status.out;
  bring_down();
}

TEST_F(Launcher, DownIsIdempotent) {
  const CommandResult nothing = cluster().down();
  EXPECT_EQ(nothing.exit_status, 0) << nothing.err;
  EXPECT_TRUE(contains(nothing.out, "nothing to do")) << nothing.out;
  bring_up(1);
  bring_down();
  EXPECT_EQ(cluster().down().exit_status, 0);
}

TEST_F(Launcher, SecondUpSaysSoAndLeavesTheFirstAlone) {
  bring_up(1);
  const auto pids = cluster().server_pids();
  const CommandResult again = cluster().up();
  EXPECT_EQ(again.exit_status, 1);
  EXPECT_TRUE(contains(again.err, "already up")) << again.err;
  EXPECT_EQ(cluster().server_pids(), pids);
  EXPECT_EQ(cluster().benchfs({"status"}).exit_status, 0);
  bring_down();
}

/// What goes over other transports than the servers reaches none of them.
TEST_F(Launcher, LivingServersThatCannotBeReachedAreNotTakenForDead) {
  cluster_ = std::make_unique<Cluster>(
      benchfs::test::ClusterOptions{.server_count = 2, .capacity = "64M", .tls = "tcp"});
  bring_up(2);
  const auto pids = cluster().server_pids();
  auto elsewhere = cluster().variables();
  elsewhere.emplace_back("UCX_TLS", "posix,self");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), benchfs::test::benchfs_program());
    return benchfs::test::run_command(words, elsewhere);
  };
  const CommandResult status = run({"status"});
  EXPECT_EQ(status.exit_status, 1);
  EXPECT_TRUE(contains(status.out, "not answering")) << status.out;
  EXPECT_TRUE(contains(status.out, "UCX_TLS")) << status.out;
  EXPECT_FALSE(contains(status.err, "stale")) << status.err;
  for (const char* const option : {"--discard", "--replace"}) {
    const CommandResult again =
        run({"up", "--servers", "2", "--store", cluster().store_directory(), option});
    EXPECT_EQ(again.exit_status, 1) << option;
    EXPECT_TRUE(contains(again.err, "already up")) << again.err;
  }
  EXPECT_EQ(run({"restart"}).exit_status, 0);
  EXPECT_EQ(cluster().server_pids(), pids);
  const CommandResult up = cluster().benchfs({"status"});
  EXPECT_EQ(up.exit_status, 0) << up.err;
  EXPECT_TRUE(contains(up.out, "2 of 2 servers answer")) << up.out;
  bring_down();
}

TEST_F(Launcher, StaleSessionIsToldAndGoesOnOrIsReplaced) {
  bring_up(2);
  kill_everything();
  ASSERT_TRUE(std::filesystem::exists(cluster().store_directory() + "/server-1/data"));
  const CommandResult status = cluster().benchfs({"status"});
  EXPECT_EQ(status.exit_status, 1);
  EXPECT_TRUE(contains(status.err, "stale")) << status.err;
  const CommandResult again = cluster().up();
  EXPECT_EQ(again.exit_status, 0) << again.err;
  EXPECT_TRUE(contains(again.out, "goes on, epoch 2")) << again.out;
  kill_everything();
  const CommandResult replaced = cluster().up({"--replace"});
  EXPECT_EQ(replaced.exit_status, 0) << replaced.err;
  EXPECT_FALSE(contains(replaced.out, "goes on")) << replaced.out;
  kill_everything();
  std::filesystem::remove_all(cluster().store_directory());
  const CommandResult lost = cluster().up();
  EXPECT_EQ(lost.exit_status, 1);
  EXPECT_TRUE(contains(lost.err, "stores with them")) << lost.err;
  bring_down();
}

TEST_F(Launcher, DownClearsAfterEverythingWasKilled) {
  bring_up(2);
  kill_everything();
  ASSERT_TRUE(std::filesystem::exists(cluster().store_directory() + "/server-1/data"));
  bring_down();
}

TEST_F(Launcher, KilledServerIsShownAndTheOthersGoOn) {
  bring_up(3);
  const auto pids = cluster().server_pids();
  ASSERT_TRUE(kill_and_wait(pids.at(1), SIGKILL));
  const CommandResult status = cluster().benchfs({"status"});
  EXPECT_EQ(status.exit_status, 1);
  EXPECT_TRUE(contains(status.out, "2 of 3 servers answer")) << status.out << status.err;
  EXPECT_TRUE(contains(status.out, "server 1: process")) << status.out;
  EXPECT_TRUE(benchfs::test::is_running(pids.at(0)));
  EXPECT_TRUE(benchfs::test::is_running(pids.at(2)));
  bring_down();
}

TEST_F(Launcher, DownClearsAfterMpirunWasKilled) {
  bring_up(2);
  ASSERT_TRUE(kill_and_wait(cluster().mpirun_pid(), SIGKILL));
  bring_down();
}

TEST_F(Launcher, DownClearsAfterGuardsWereKilled) {
  bring_up(2);
  const auto servers = cluster().server_pids();
  for (const pid_t pid : cluster().processes()) {
    const bool is_guard = pid != cluster().mpirun_pid() &&
                          std::find(servers.begin(), servers.end(), pid) == servers.end();
    ASSERT_TRUE(!is_guard || kill_and_wait(pid, SIGKILL));
  }
  bring_down();
}

TEST_F(Launcher, TermStopsTheServersInOrder) {
  bring_up(2);
  ASSERT_TRUE(kill_and_wait(cluster().mpirun_pid(), SIGTERM));
  for (const pid_t pid : processes_) {
    EXPECT_TRUE(kill_and_wait(pid, 0)) << "process " << pid << " did not end";
  }
  EXPECT_FALSE(std::filesystem::exists(cluster().session_directory() + "/session"));
  EXPECT_TRUE(std::filesystem::exists(cluster().store_directory() + "/server-0/data"))
      << "nobody has said that the data may go";
  bring_down();
}

TEST_F(Launcher, UpGoesOnWithTheStoresOfServersThatASignalStopped) {
  bring_up(2);
  ASSERT_EQ(cluster().benchfs({"mkdir", "benchfs:/kept"}).exit_status, 0);
  const auto stop = [&] {
    for (const pid_t pid : cluster().server_pids()) {
      ASSERT_EQ(::kill(pid, SIGTERM), 0);
    }
    for (const pid_t pid : cluster().processes()) {
      EXPECT_TRUE(kill_and_wait(pid, 0)) << "process " << pid << " did not end";
    }
    EXPECT_FALSE(std::filesystem::exists(cluster().session_directory() + "/session"));
  };
  ASSERT_NO_FATAL_FAILURE(stop());
  const CommandResult elsewhere = cluster().benchfs(
      {"up", "--servers", "2", "--store", cluster().place().file("another_store")});
  EXPECT_EQ(elsewhere.exit_status, 1);
  EXPECT_TRUE(contains(elsewhere.err, cluster().store_directory())) << elsewhere.err;
  const CommandResult again = cluster().up();
  ASSERT_EQ(again.exit_status, 0) << again.err;
  EXPECT_TRUE(contains(again.out, "goes on")) << again.out;
  const CommandResult list = cluster().benchfs({"ls", "benchfs:/"});
  EXPECT_EQ(list.out, "kept\n") << list.err;
  ASSERT_NO_FATAL_FAILURE(stop());
  const CommandResult anew = cluster().up({"--replace"});
  ASSERT_EQ(anew.exit_status, 0) << anew.err;
  EXPECT_EQ(cluster().benchfs({"ls", "benchfs:/"}).out, "");
  bring_down();
}

TEST_F(Launcher, SessionOpenToOthersIsRefusedAndStillCleared) {
  bring_up(1);
  const std::string file = cluster().session_directory() + "/session";
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  for (const char* command : {"status", "ls"}) {
    const CommandResult refused = cluster().benchfs({command});
    EXPECT_NE(refused.exit_status, 0);
    EXPECT_TRUE(contains(refused.err, "0644")) << command << ": " << refused.err;
  }
  bring_down();
}

TEST_F(Launcher, FailedUpSaysWhyAndLeavesNothingBehind) {
  const CommandResult up = cluster().up({"--pool", "1K"});
  EXPECT_EQ(up.exit_status, 1);
  EXPECT_TRUE(contains(up.err, "--pool")) << up.err;
  EXPECT_TRUE(std::filesystem::is_empty(cluster().place().path()));
  const CommandResult missing = cluster().up({"--benchfsd", "/nonexistent/benchfsd"});
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_TRUE(contains(missing.err, "/nonexistent/benchfsd")) << missing.err;
  EXPECT_TRUE(std::filesystem::is_empty(cluster().place().path()));
}

TEST_F(Launcher, UpRefusesDirectoriesOfOthers) {
  std::filesystem::create_directory(cluster().session_directory());
  ASSERT_EQ(::chmod(cluster().session_directory().c_str(), 0700), 0);
  std::ofstream(cluster().session_directory() + "/thesis.tex") << "irreplaceable";
  const CommandResult up = cluster().up();
  EXPECT_EQ(up.exit_status, 1);
  EXPECT_TRUE(contains(up.err, "thesis.tex")) << up.err;
  EXPECT_EQ(cluster().down().exit_status, 0);
  EXPECT_TRUE(std::filesystem::exists(cluster().session_directory() + "/thesis.tex"));
}

TEST_F(Launcher, RunHandsTheSessionOnAndKeepsTheStatus) {
  bring_up(1);
  const CommandResult ran =
      cluster().benchfs({"run", "--", "sh", "-c", "echo \"$BENCHFS_SESSION\"; exit 7"});
  EXPECT_EQ(ran.exit_status, 7);
  EXPECT_EQ(ran.out, cluster().session_directory() + "\n");
  EXPECT_EQ(cluster().benchfs({"run", "--", "/nonexistent/program"}).exit_status, 127);
  EXPECT_EQ(cluster().benchfs({"run"}).exit_status, 2);
  bring_down();
  const CommandResult none = cluster().benchfs({"run", "--", "true"});
  EXPECT_EQ(none.exit_status, 1);
  EXPECT_TRUE(contains(none.err, "not up")) << none.err;
}

TEST_F(Launcher, MistakesOnTheCommandLineAreTold) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes = {
      {{"frobnicate"}, "frobnicate"},   {{"up", "--capacity", "12Q"}, "12Q"},
      {{"up", "--wrong"}, "--wrong"},   {{"ls", "--wrong"}, "--wrong"},
      {{"truncate", "/x"}, "--size"},   {{"up", "--servers", "0"}, "--servers"},
      {{"cp", "only-one"}, "only-one"}, {{}, "subcommand"}};
  for (const auto& [words, named] : mistakes) {
    const CommandResult result = cluster().benchfs(words);
    EXPECT_EQ(result.exit_status, 2) << named;
    EXPECT_TRUE(contains(result.err, named)) << result.err;
  }
}

TEST_F(Launcher, CopiesTreesInAndOutUnchanged) {
  bring_up(2);
  const auto& place = cluster().place();
  std::filesystem::create_directories(place.file("in/deep"));
  std::string noise(9 * 1024 * 1024 + 17, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) {
    noise[i] = static_cast<char>(i * 2654435761U >> 13U);
  }
  std::ofstream(place.file("in/noise")) << noise;
  std::ofstream(place.file("in/deep/empty"));
  ASSERT_EQ(::chmod(place.file("in/noise").c_str(), 0640), 0);
  const CommandResult in = cluster().benchfs({"cp", "-r", place.file("in"), "benchfs:/"});
  ASSERT_EQ(in.exit_status, 0) << in.err;
  const CommandResult within = cluster().benchfs({"cp", "-r", "benchfs:/in", "benchfs:/two"});
  ASSERT_EQ(within.exit_status, 0) << within.err;
  const CommandResult out = cluster().benchfs({"cp", "-r", "benchfs:/two", place.file("out")});
  ASSERT_EQ(out.exit_status, 0) << out.err;
  EXPECT_EQ(cluster().benchfs({"cat", "/two/noise"}).out, noise);
  const CommandResult same =
      benchfs::test::run_command({"diff", "-r", place.file("in"), place.file("out")});
  EXPECT_EQ(same.exit_status, 0) << same.out;
  struct stat status {};
  ASSERT_EQ(::stat(place.file("out/noise").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  EXPECT_EQ(std::filesystem::last_write_time(place.file("out/noise")),
            std::filesystem::last_write_time(place.file("in/noise")));
  EXPECT_EQ(cluster().benchfs({"rm", "-r", "/in", "/two"}).exit_status, 0);
  EXPECT_EQ(cluster().benchfs({"ls", "-a"}).out, "");
  std::filesystem::remove_all(place.file("in"));
  std::filesystem::remove_all(place.file("out"));
  bring_down();
}

}  // namespace
