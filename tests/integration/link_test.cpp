// Goal: when the network to a server fails, what needs the server waits for it no longer than the
// time-out and then fails; everything else goes on; and when the network is back, so are the server
// and everything that it has acknowledged, for the same clients.
// Method: server 1 on a node of its own, which is a network namespace; the test takes its cable out
// of the switch while threads do all kinds of work. Nobody hears of that: no connection is closed.

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "support/cluster.h"
#include "support/live.h"
#include "support/mixed_load.h"
#include "support/nodes.h"
#include "support/placed_files.h"
#include "support/sanitizer_reports.h"

namespace {

using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::comes_true;
using benchfs::test::contains;
using benchfs::test::content;
using benchfs::test::Environment;
using benchfs::test::Failed;
using benchfs::test::failure_of;
using benchfs::test::holds;
using benchfs::test::Nodes;
using std::chrono::seconds;

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kFileBytes = 4 * kMiB;
/// On top of the time-out, for a machine that does other work meanwhile.
constexpr seconds kSlack{2};

class Link : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why_not = Nodes::why_not();
    if (!why_not.empty()) {
      GTEST_SKIP() << why_not;
    }
  }

  void bring_up(seconds timeout) {
    timeout_ = timeout;
    cluster_ = std::make_unique<Cluster>(benchfs::test::ClusterOptions{
        .server_count = 2, .capacity = "2G", .up_options = {"--hosts", "head,node-0"}});
    nodes_ = std::make_unique<Nodes>(1, cluster_->place().path().string());
    // `benchfs up` makes it where it runs, and nowhere else.
    std::filesystem::create_directory(nodes_->place_of(0) + "/store");
    auto variables = nodes_->variables();
    variables.emplace_back("BENCHFS_TIMEOUT", std::to_string(timeout.count()) + "s");
    environment_ = std::make_unique<Environment>(variables);
    const auto up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  }

  Session join() { return Session(cluster_->session_directory()); }

  /// Whether server 1 answers within what TCP's pauses may take.
  void expect_back(Session& session) {
    EXPECT_TRUE(
        comes_true([&] { return failure_of([&] { session.ping(1); }).code == 0; }, seconds(30)));
  }

  void bring_down() {
    const auto processes = cluster_->processes();
    const auto down = cluster_->down();
    EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
    for (const pid_t pid : processes) {
      EXPECT_TRUE(comes_true([pid] { return !benchfs::test::is_running(pid); }, seconds(5)))
          << "process " << pid;
    }
    const std::string away = nodes_->place_of(0);
    EXPECT_EQ(benchfs::test::sanitizer_reports(away), "");
    EXPECT_FALSE(std::filesystem::exists(away + "/store/server-1"));
    EXPECT_FALSE(std::filesystem::exists(away + "/session/session"));
    nodes_.reset();
    std::filesystem::remove(cluster_->store_directory());
    EXPECT_TRUE(std::filesystem::is_empty(cluster_->place().path()));
  }

  void expect_lost_in_time(const Failed& failed, const std::string& what) const {
    EXPECT_TRUE(failed.code == EIO || failed.code == EHOSTDOWN)
        << what << ": errno " << failed.code << " " << failed.text;
    EXPECT_TRUE(contains(failed.text, "server ")) << what << ": " << failed.text;
    EXPECT_LT(failed.took, timeout_ + kSlack) << what;
  }

  /// Everything that needs server 1, at once.
  void expect_all_lost(Session& session, const std::string& path, const std::string& elsewhere) {
    auto file = session.open(path, O_RDWR);
    nodes_->set_link(0, false);
    const auto small = content(0, 4096, 90);
    const auto large = content(0, 3 * kMiB, 91);
    std::vector<std::byte> in(kMiB);
    const std::string fresh = placer_.free_name(1, "fresh");
    const std::string folder = placer_.free_name(1, "folder");
    const std::vector<std::pair<std::string, std::function<void()>>> calls = {
        {"small write", [&] { file.write(small, 5000); }},
        {"large write", [&] { file.write(large, kMiB); }},
        {"read", [&] { file.read(in, 0); }},
        {"fsync", [&] { file.sync(); }},
        {"fstat", [&] { file.stat(); }},
        {"ftruncate", [&] { file.truncate(17); }},
        {"stat", [&] { session.stat(path); }},
        {"open", [&] { session.open(path, O_RDONLY); }},
        {"create", [&] { session.open(fresh, O_RDWR | O_CREAT); }},
        {"mkdir", [&] { session.mkdir(folder); }},
        {"rename from there", [&] { session.rename(path, elsewhere + "-2"); }},
        {"rename to there", [&] { session.rename(elsewhere, path); }},
        {"list", [&] {
           auto list = session.list("/");
           while (list.next()) {
           }
         }}};
    std::vector<std::future<Failed>> ends;
    ends.reserve(calls.size());
    for (const auto& [what, call] : calls) {
      ends.push_back(std::async(std::launch::async, [call = call] { return failure_of(call); }));
    }
    for (std::size_t i = 0; i < calls.size(); ++i) {
      expect_lost_in_time(ends[i].get(), calls[i].first);
    }
    EXPECT_LT(failure_of([&] { file.close(); }).took, timeout_ + kSlack);
  }

  seconds timeout_{};
  benchfs::test::FilePlacer placer_{2};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Nodes> nodes_;
  std::unique_ptr<Environment> environment_;
};

TEST_F(Link, ThatIsAwayForAMomentCostsTimeAndNothingElse) {
  ASSERT_NO_FATAL_FAILURE(bring_up(seconds(10)));
  {
    Session session = join();
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    benchfs::test::MixedLoad load(cluster_->session_directory(), 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // Of load.
    for (int times = 0; times < 2; ++times) {
      nodes_->set_link(0, false);
      auto reading =
          std::async(std::launch::async, [&] { return holds(session, path, kFileBytes, 1); });
      std::this_thread::sleep_for(seconds(1));
      EXPECT_EQ(reading.wait_for(seconds(0)), std::future_status::timeout)
          << "the server was never away";
      nodes_->set_link(0, true);
      EXPECT_TRUE(reading.get());
    }
    const auto tally = load.stop();
    EXPECT_GT(tally.acknowledged, 20U);
    EXPECT_TRUE(tally.failed.empty());
    load.verify();
  }
  bring_down();
}

TEST_F(Link, ThatIsDownFailsInTimeWhatNeedsItAndLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(bring_up(seconds(2)));
  {
    Session session = join();
    const std::string safe = placer_.make_file(session, 0, kFileBytes, 1);
    const std::string away = placer_.make_file(session, 1, kFileBytes, 2);
    const std::string held = placer_.make_file(session, 1, kFileBytes, 3);
    const std::string elsewhere = placer_.make_file(session, 0, kFileBytes, 4);
    auto open_before = session.open(held, O_RDWR);
    open_before.write(content(kFileBytes, kMiB, 3), kFileBytes);
    benchfs::test::MixedLoad load(cluster_->session_directory(), 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // Of load.
    Session stricken = join();
    expect_all_lost(stricken, away, elsewhere);
    for (int round = 0; round < 3; ++round) {
      const Failed write = failure_of([&] {
        auto file = session.open(safe, O_RDWR);
        file.write(content(0, kFileBytes, 1), 0);
        file.sync();
        file.close();
      });
      EXPECT_EQ(write.code, 0) << write.text;
      EXPECT_LT(write.took, timeout_) << "the other server was waited for";
      EXPECT_TRUE(holds(session, safe, kFileBytes, 1));
    }
    Session newcomer = join();
    EXPECT_TRUE(holds(newcomer, safe, kFileBytes, 1));
    expect_lost_in_time(failure_of([&] { newcomer.open(away, O_RDONLY); }), "newcomer");
    const auto status = cluster_->benchfs({"status"});
    EXPECT_EQ(status.exit_status, 1);
    EXPECT_TRUE(contains(status.out, "1 of 2 servers answer")) << status.out << status.err;

    nodes_->set_link(0, true);
    for (Session* const client : {&session, &stricken, &newcomer}) {
      expect_back(*client);
      EXPECT_TRUE(holds(*client, safe, kFileBytes, 1));
    }
    open_before.write(content(kFileBytes + kMiB, kMiB, 3), kFileBytes + kMiB);
    open_before.sync();
    open_before.close();
    EXPECT_TRUE(holds(newcomer, held, kFileBytes + 2 * kMiB, 3));
    const std::string fresh = placer_.make_file(newcomer, 1, kFileBytes, 5);
    EXPECT_TRUE(holds(stricken, fresh, kFileBytes, 5));
    std::this_thread::sleep_for(seconds(1));  // Of load with both servers.
    const auto tally = load.stop();
    EXPECT_GT(tally.acknowledged, 20U);
    EXPECT_LT(tally.slowest, 2 * timeout_ + kSlack) << "a file is opened, written and closed";
    load.expect_all_reached();
    load.verify();
  }
  bring_down();
}

}  // namespace
