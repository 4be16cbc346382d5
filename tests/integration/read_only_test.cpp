// Goal: a store on a file system that is, or becomes, read-only: who starts on it hears why not and
// what to do; a server that runs on it refuses changes, serves the data of open files, and loses
// nothing.
// Method: real servers on an ext4 file system of their own, which is mounted read-only between
// runs, or which the kernel makes read-only under a server, as it does on an error of the drive.

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "support/cluster.h"
#include "support/live.h"
#include "support/loop_drive.h"

namespace {

using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::CommandResult;
using benchfs::test::contains;
using benchfs::test::content;
using benchfs::test::Failed;
using benchfs::test::failure_of;
using benchfs::test::holds;
using benchfs::test::LoopDrive;

constexpr std::size_t kFileBytes = 3 << 20;

class ReadOnly : public testing::Test {
 protected:
  ReadOnly() : environment_(benchfs::test::transport_variables("shm")) {}

  void SetUp() override {
    const std::string why_not = LoopDrive::why_not();
    if (!why_not.empty()) {
      GTEST_SKIP() << why_not;
    }
    cluster_ = std::make_unique<Cluster>(
        benchfs::test::ClusterOptions{.server_count = 1, .capacity = "64M", .tls = "shm"});
    std::filesystem::create_directory(cluster_->store_directory());
    drive_ = std::make_unique<LoopDrive>(cluster_->store_directory(), 128);
  }

  Session join() { return Session(cluster_->session_directory()); }

  void expect_refused(const std::vector<std::string>& parts) {
    const CommandResult up = cluster_->up();
    EXPECT_NE(up.exit_status, 0) << up.out;
    for (const std::string& part : parts) {
      EXPECT_TRUE(contains(up.err, part)) << "'" << part << "' is not in: " << up.err;
    }
    EXPECT_FALSE(std::filesystem::exists(cluster_->session_directory() + "/session"));
  }

  void expect_up() {
    const CommandResult up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  }

  void stop_and_keep() {
    const CommandResult down = cluster_->benchfs({"down", "--keep"});
    ASSERT_EQ(down.exit_status, 0) << down.out << down.err;
  }

  std::string log() const {
    std::ifstream file(cluster_->session_directory() + "/servers.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// What a server says comes through mpirun, a moment later.
  bool log_gets(const std::string& text) const {
    return benchfs::test::comes_true([&] { return contains(log(), text); },
                                     std::chrono::seconds(20));
  }

  void bring_down() {
    const CommandResult down = cluster_->down();
    EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
    drive_.reset();
    std::filesystem::remove(cluster_->store_directory());
    EXPECT_TRUE(std::filesystem::is_empty(cluster_->place().path()));
  }

  benchfs::test::Environment environment_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<LoopDrive> drive_;
};

TEST_F(ReadOnly, AStoreAtTheStartIsRefusedWithWhatToDoAndStays) {
  const std::string store = cluster_->store_directory();
  drive_->make_read_only();
  expect_refused({store, "not writable", "--store", "Read-only file system"});
  drive_->make_writable();
  ASSERT_NO_FATAL_FAILURE(expect_up());
  join().open("/kept", O_RDWR | O_CREAT).write(content(0, kFileBytes, 1), 0);
  ASSERT_NO_FATAL_FAILURE(stop_and_keep());
  drive_->make_read_only();
  expect_refused(
      {store + "/server-0/data", "cannot write", "mount it writable", "Read-only file system"});
  drive_->make_writable();
  ASSERT_NO_FATAL_FAILURE(expect_up());
  {
    Session session = join();
    EXPECT_TRUE(holds(session, "/kept", kFileBytes, 1));
  }
  bring_down();
}

TEST_F(ReadOnly, AStoreUnderAServerRefusesChangesAndServesData) {
  ASSERT_NO_FATAL_FAILURE(expect_up());
  {
    Session session = join();
    auto file = session.open("/kept", O_RDWR | O_CREAT);
    file.write(content(0, kFileBytes, 1), 0);
    file.sync();
    drive_->stop_writes();
    const auto expect_failed = [](const Failed& failed) {
      EXPECT_EQ(failed.code, EIO) << failed.text;
      EXPECT_TRUE(contains(failed.text, "/kept")) << failed.text;
      EXPECT_TRUE(contains(failed.text, "server 0")) << failed.text;
    };
    expect_failed(failure_of([&] { file.write(content(0, kFileBytes, 2), 0); }));
    EXPECT_TRUE(log_gets(cluster_->store_directory() + "/server-0/data: write of ")) << log();
    EXPECT_TRUE(log_gets("Read-only file system")) << log();
    expect_failed(failure_of([&] { file.sync(); }));
    expect_failed(failure_of([&] { file.write(content(0, 100, 2), 0); }));
    expect_failed(failure_of([&] { session.unlink("/kept"); }));
    expect_failed(failure_of([&] { file.sync(); }));
    // Names may be ahead of the drive (src/journal/README.md, promise 6), data are not.
    std::vector<std::byte> bytes(kFileBytes);
    EXPECT_EQ(file.read(bytes, 0), kFileBytes);
    EXPECT_TRUE(bytes == content(0, kFileBytes, 1));
  }
  ASSERT_NO_FATAL_FAILURE(stop_and_keep());
  expect_refused({cluster_->store_directory() + "/server-0/data", "Read-only file system"});
  drive_->mount_again();
  ASSERT_NO_FATAL_FAILURE(expect_up());
  {
    Session session = join();
    EXPECT_TRUE(holds(session, "/kept", kFileBytes, 1));
    session.unlink("/kept");
  }
  bring_down();
}

}  // namespace
