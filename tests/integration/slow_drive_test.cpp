// Goal: of three servers the one whose drive is slow stands out, in `top`, in `report` and in what
// `down --report` leaves; the others do not. Method: real servers, of which one has a drive that
// takes 30 ms longer for everything, and a client that writes to all three alike.

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <benchfs/benchfs.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/drive_faults.h"
#include "support/live.h"
#include "support/temp_dir.h"

namespace {

using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::CommandResult;
using benchfs::test::contains;
using benchfs::test::SharedDriveFaults;
using nlohmann::json;

constexpr std::size_t kServers = 3;
constexpr std::size_t kSlow = 1;
constexpr std::size_t kPieceBytes = 64 << 10;
/// To each server.
constexpr std::size_t kPieces = 16;
constexpr std::uint64_t kDelayUs = 30'000;

class SlowDrive : public testing::Test {
 protected:
  SlowDrive() : environment_(variables(faults_directory_.path())) {
    faults_ = std::make_unique<SharedDriveFaults>(faults_directory_.file("server-1"));
    cluster_ = std::make_unique<Cluster>(
        benchfs::test::ClusterOptions{.server_count = kServers,
                                      .capacity = "64M",
                                      .tls = "shm",
                                      .up_options = {"--benchfsd", BENCHFS_FAULTY_SERVER}});
  }

  /// The same number of requests to each server, one after the other.
  static void write_to_all(Session& session, const std::string& path) {
    benchfs_layout layout{};
    layout.chunk_size = kPieceBytes;
    auto file = session.open(path, O_RDWR | O_CREAT, 0600, layout);
    for (std::size_t i = 0; i < kServers * kPieces; ++i) {
      const auto piece = benchfs::test::content(i * kPieceBytes, kPieceBytes, 5);
      file.write(piece, i * kPieceBytes);
    }
    file.close();
    EXPECT_TRUE(benchfs::test::holds(session, path, kServers * kPieces * kPieceBytes, 5));
  }

  static bool stands_out(const json& server, const std::string& what) {
    for (const json& outlier : server.at("stands_out")) {
      if (outlier.at("what") == what) {
        EXPECT_GE(outlier.at("own_ns").get<std::uint64_t>(), kDelayUs * 1000);
        EXPECT_LT(outlier.at("others_ns").get<std::uint64_t>(), kDelayUs * 1000);
        return true;
      }
    }
    return false;
  }
  static void expect_only_the_slow_one(const json& figures) {
    ASSERT_EQ(figures.at("up_count"), kServers);
    for (std::size_t i = 0; i < kServers; ++i) {
      const json& server = figures.at("servers").at(i);
      EXPECT_EQ(stands_out(server, "drive.write"), i == kSlow) << server.dump(2);
      EXPECT_EQ(stands_out(server, "request.write"), i == kSlow) << server.dump(2);
    }
  }

  benchfs::test::TempDir faults_directory_;
  std::unique_ptr<SharedDriveFaults> faults_;
  std::unique_ptr<Cluster> cluster_;

 private:
  static benchfs::test::Variables variables(const std::string& faults_directory) {
    auto variables = benchfs::test::transport_variables("shm");
    variables.emplace_back(benchfs::test::kDriveFaultsVariable, faults_directory);
    return variables;
  }
  benchfs::test::Environment environment_;
};

TEST_F(SlowDrive, StandsOutInTopInTheReportAndInWhatDownLeaves) {
  const auto up = cluster_->up();
  ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  (*faults_)->delay_us = kDelayUs;
  {
    Session session(cluster_->session_directory());
    write_to_all(session, "/report");
    const CommandResult report = cluster_->benchfs({"report", "--json"});
    ASSERT_EQ(report.exit_status, 0) << report.err;
    expect_only_the_slow_one(json::parse(report.out));
    const CommandResult page = cluster_->benchfs({"report"});
    EXPECT_TRUE(contains(page.out, "stands out: drive write: p50 ")) << page.out;
    EXPECT_TRUE(contains(page.out, "server 1 (device ")) << page.out;
    EXPECT_FALSE(contains(page.out, "server 0 (device ")) << page.out;

    // The interval has to have the work in it, so it goes on until top has ended.
    std::atomic<bool> over = false;
    std::thread worker([&] {
      for (int i = 0; !over; ++i) {
        write_to_all(session, "/top" + std::to_string(i % 2));
      }
    });
    const CommandResult top = cluster_->benchfs({"top", "--once", "--json", "--interval", "3s"});
    over = true;
    worker.join();
    ASSERT_EQ(top.exit_status, 0) << top.err;
    expect_only_the_slow_one(json::parse(top.out));
  }
  (*faults_)->delay_us = 0;
  const std::string file = faults_directory_.file("report.json");
  const CommandResult down = cluster_->benchfs({"down", "--report", file});
  ASSERT_EQ(down.exit_status, 0) << down.out << down.err;
  std::ifstream written(file);
  const json left = json::parse(written);
  EXPECT_TRUE(stands_out(left.at("servers").at(kSlow), "drive.write"));
  EXPECT_GE(left.at("total").at("written_bytes").get<std::uint64_t>(),
            2 * kServers * kPieces * kPieceBytes);

  const CommandResult again = cluster_->benchfs({"down", "--report", file});
  EXPECT_EQ(again.exit_status, 1) << "nobody is there to report about";
  EXPECT_TRUE(contains(again.err, "no servers to write a report about")) << again.err;
}

}  // namespace
