// Goal: a server whose drive fails says so to whom it concerns, in words that name the file and the
// server, and to nobody else; what it has acknowledged is there when the drive is well again; it
// never answers with bytes that are not those that were written.
// Method: real servers and clients; the drive of server 1 fails operations when the test says so
// (support/faulty_server.cpp), or the test damages the store behind the server's back. Each fault
// is counted, so no test passes for want of one.

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/cluster.h"
#include "support/drive_faults.h"
#include "support/live.h"
#include "support/placed_files.h"

namespace {

using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::comes_true;
using benchfs::test::CommandResult;
using benchfs::test::contains;
using benchfs::test::content;
using benchfs::test::DriveArea;
using benchfs::test::DriveCall;
using benchfs::test::Failed;
using benchfs::test::failure_of;
using benchfs::test::holds;
using benchfs::test::kill_and_wait;
using benchfs::test::SharedDriveFaults;

constexpr std::size_t kMiB = 1 << 20;
/// Large enough for blocks of their own: 8 KiB and less go into the journal.
constexpr std::size_t kFileBytes = 2 * kMiB;

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class Drive : public testing::TestWithParam<const char*> {
 protected:
  Drive() : environment_(variables(faults_directory_.path())) {}

  void bring_up(const std::string& capacity = "64M") {
    faults_ = std::make_unique<SharedDriveFaults>(faults_directory_.file("server-1"));
    cluster_ = std::make_unique<Cluster>(benchfs::test::ClusterOptions{
        .server_count = 2,
        .capacity = capacity,
        .tls = "shm",
        .up_options = {"--backend", GetParam(), "--benchfsd", BENCHFS_FAULTY_SERVER}});
    const auto up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  }

  Session join() { return Session(cluster_->session_directory()); }

  void bring_down() {
    faults_->end_all();
    const auto processes = cluster_->processes();
    const auto down = cluster_->down();
    EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
    for (const pid_t pid : processes) {
      EXPECT_FALSE(benchfs::test::is_running(pid)) << "process " << pid;
    }
    // Who finds the directory of the stores there does not remove it.
    std::filesystem::remove(cluster_->store_directory());
    EXPECT_TRUE(std::filesystem::is_empty(cluster_->place().path()));
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
  std::string data_path() const { return cluster_->store_directory() + "/server-1/data"; }

  void kill_server() { ASSERT_TRUE(kill_and_wait(cluster_->server_pids().at(1), SIGKILL)); }
  void restart_server() {
    const CommandResult restart = cluster_->benchfs({"restart", "1"});
    ASSERT_EQ(restart.exit_status, 0) << restart.out << restart.err;
  }

  /// Whether a call failed for the drive of server 1, and said what and where.
  static void expect_failed(const Failed& failed, const std::string& path, int code = EIO) {
    EXPECT_EQ(failed.code, code) << path << ": " << failed.text;
    EXPECT_TRUE(contains(failed.text, path)) << failed.text;
    EXPECT_TRUE(contains(failed.text, "server 1")) << failed.text;
    EXPECT_LT(failed.took, std::chrono::seconds(5)) << "a failure is no reason to wait";
  }

  /// The other server knows of nothing.
  void expect_server_0_works(Session& session) {
    const std::string path = placer_.make_file(session, 0, kFileBytes, 77);
    EXPECT_TRUE(holds(session, path, kFileBytes, 77));
    session.unlink(path);
  }

  /// Whether `benchfs status` says that server 1, and no other, refuses changes.
  void expect_told_read_only(bool is) {
    Session session = join();
    EXPECT_EQ(benchfs::test::status_of(session, 0).read_only, 0);
    EXPECT_EQ(benchfs::test::status_of(session, 1).read_only, is ? 1 : 0);
    const CommandResult status = cluster_->benchfs({"status"});
    EXPECT_EQ(contains(status.out, "server 1: its log cannot be written"), is) << status.out;
    EXPECT_FALSE(contains(status.out, "server 0: its log")) << status.out;
  }

  std::uint64_t used_bytes(Session& session) { return benchfs::test::status_of(session, 1).used; }

  benchfs::test::TempDir faults_directory_;
  benchfs::test::FilePlacer placer_{2};
  std::unique_ptr<SharedDriveFaults> faults_;  ///< Of server 1.
  std::unique_ptr<Cluster> cluster_;

 private:
  static benchfs::test::Variables variables(const std::string& faults_directory) {
    auto variables = benchfs::test::transport_variables("shm");
    variables.emplace_back("BENCHFS_TIMEOUT", "8s");
    variables.emplace_back(benchfs::test::kDriveFaultsVariable, faults_directory);
    return variables;
  }
  benchfs::test::Environment environment_;
};

INSTANTIATE_TEST_SUITE_P(Over, Drive, testing::Values("uring", "posix"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(Drive, AReadThatFailsIsEioOfItsFileAndOtherFilesGoOn) {
  bring_up();
  {
    Session session = join();
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    auto file = session.open(path, O_RDWR);
    faults_->begin(DriveCall::kRead, DriveArea::kData, EIO);
    std::vector<std::byte> bytes(kFileBytes);
    expect_failed(failure_of([&] { file.read(bytes, 0); }), path);
    expect_failed(failure_of([&] { file.read(std::span(bytes).first(100), kMiB + 5); }), path);
    auto request = file.read_async(bytes, 0);
    expect_failed(failure_of([&] { request.wait(); }), path);
    EXPECT_GE(faults_->count(DriveCall::kRead, DriveArea::kData), 3U);
    EXPECT_TRUE(log_gets(data_path() + ": read of ")) << log();
    expect_server_0_works(session);
    // What asks nothing of the drive goes on, and so do writes: they read nothing.
    EXPECT_EQ(session.stat(path).st_size, static_cast<off_t>(kFileBytes));
    const std::string other = placer_.make_file(session, 1, kFileBytes, 2);
    expect_failed(failure_of([&] { session.open(other, O_RDONLY).read(bytes, 0); }), other);
    faults_->end_all();
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
    EXPECT_TRUE(holds(session, other, kFileBytes, 2));
  }
  bring_down();
}

/// A write that fails, with each error that a drive may answer it with.
void write_fails(Session& session, const std::string& path, int code,
                 const std::function<void(const Failed&, const std::string&, int)>& expect) {
  auto file = session.open(path, O_RDWR);
  const auto newer = content(0, kMiB, 9);
  expect(failure_of([&] { file.write(newer, 0); }), path, code);
  expect(failure_of([&] { file.write(newer, kFileBytes); }), path, code);
  auto request = file.write_async(newer, kMiB / 2);
  expect(failure_of([&] { request.wait(); }), path, code);
  EXPECT_EQ(file.size(), kFileBytes) << "a write that failed has made the file longer";
  EXPECT_TRUE(holds(session, path, kFileBytes, 1)) << "a write that failed has been read";
}

TEST_P(Drive, AWriteThatFailsFailsAndNothingOfItIsEverRead) {
  bring_up();
  {
    Session session = join();
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    const std::uint64_t used = used_bytes(session);
    for (const int code : {EIO, ENOSPC}) {
      faults_->begin(DriveCall::kWrite, DriveArea::kData, code);
      const std::uint64_t before = faults_->count(DriveCall::kWrite, DriveArea::kData);
      write_fails(session, path, code, &expect_failed);
      EXPECT_GE(faults_->count(DriveCall::kWrite, DriveArea::kData), before + 3);
      expect_server_0_works(session);
    }
    EXPECT_TRUE(log_gets(data_path() + ": write of ")) << log();
    EXPECT_EQ(used_bytes(session), used) << "a write that failed keeps blocks";
    faults_->end_all();
    // The journal is well: the server goes on as if nothing had been.
    const std::string other = placer_.make_file(session, 1, kFileBytes, 2);
    auto file = session.open(path, O_RDWR);
    file.write(content(kFileBytes, kMiB, 1), kFileBytes);
    file.sync();
    kill_server();
    restart_server();
    EXPECT_TRUE(holds(session, path, kFileBytes + kMiB, 1));
    EXPECT_TRUE(holds(session, other, kFileBytes, 2));
  }
  bring_down();
}

using ExpectFailed = std::function<void(const Failed&, const std::string&)>;

/// Everything that changes something on server 1 fails. `file` is open on `path`.
void expect_refuses_changes(Session& session, benchfs::File& file, const std::string& path,
                            const std::string& free_name, const ExpectFailed& expect) {
  const auto small = content(0, 100, 9);
  const auto large = content(0, kMiB, 9);
  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {path, [&] { file.write(small, 0); }},
      {path, [&] { file.write(large, 0); }},
      {path, [&] { file.truncate(5); }},
      {path, [&] { file.sync(); }},
      {path, [&] { session.open(path, O_RDWR); }},
      {path, [&] { session.truncate(path, 5); }},
      {path, [&] { session.chmod(path, 0600); }},
      {path, [&] { session.unlink(path); }},
      {path, [&] { session.rename(path, free_name); }},
      {free_name, [&] { session.open(free_name, O_RDWR | O_CREAT); }},
      {free_name, [&] { session.mkdir(free_name); }}};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE("change " + std::to_string(i));
    expect(failure_of(changes[i].second), changes[i].first);
  }
}

/// What an open file holds, without asking for its name.
testing::AssertionResult still_holds(benchfs::File& file, std::size_t size, std::uint64_t seed) {
  std::vector<std::byte> bytes(size);
  const Failed failed = failure_of([&] { bytes.resize(file.read(bytes, 0)); });
  if (failed.code != 0) {
    return testing::AssertionFailure() << failed.text;
  }
  return bytes == content(0, size, seed) ? testing::AssertionSuccess()
                                         : testing::AssertionFailure() << "other bytes";
}

TEST_P(Drive, AJournalThatCannotBeWrittenRefusesAllChangesAndServesData) {
  bring_up();
  {
    Session session = join();
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    const std::string unsynced = placer_.make_file(session, 1, kFileBytes, 2);
    constexpr std::size_t kUnsyncedBytes = kFileBytes + 5000 + kMiB;
    auto file = session.open(path, O_RDWR);
    auto unsynced_file = session.open(unsynced, O_RDWR);
    unsynced_file.write(content(kFileBytes, 5000, 2), kFileBytes);  // Into the journal.
    unsynced_file.write(content(kFileBytes + 5000, kMiB, 2), kFileBytes + 5000);
    faults_->begin(DriveCall::kWrite, DriveArea::kJournal, EIO);
    const std::string in_doubt = placer_.free_name(1, "in-doubt");
    expect_failed(failure_of([&] { session.open(in_doubt, O_RDWR | O_CREAT); }), in_doubt);
    EXPECT_EQ(faults_->count(DriveCall::kWrite, DriveArea::kJournal), 1U);
    // Also when the drive is well again: what it has lost nobody knows.
    for (int round = 0; round < 2; ++round) {
      expect_refuses_changes(
          session, file, path, placer_.free_name(1, "free"),
          [](const Failed& failed, const std::string& about) { expect_failed(failed, about); });
      EXPECT_TRUE(still_holds(file, kFileBytes, 1));
      EXPECT_TRUE(still_holds(unsynced_file, kUnsyncedBytes, 2));
      // Names may be ahead of the drive, so they are not told.
      expect_failed(failure_of([&] { session.stat(in_doubt); }), in_doubt);
      expect_server_0_works(session);
      expect_told_read_only(true);
      faults_->end_all();
    }
    EXPECT_EQ(occurrences(log(), "the drive has failed"), 1U) << log();
    kill_server();
    restart_server();
    expect_told_read_only(false);
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
    EXPECT_TRUE(holds(session, unsynced, kUnsyncedBytes, 2));
    file.close();
    unsynced_file.close();
    const std::string fresh = placer_.make_file(session, 1, kFileBytes, 3);
    EXPECT_TRUE(holds(session, fresh, kFileBytes, 3));
  }
  bring_down();
}

TEST_P(Drive, AnFsyncThatFailsNeverSucceedsLaterAndReadsGoOn) {
  bring_up();
  {
    Session session = join();
    const std::string synced = placer_.make_file(session, 1, kFileBytes, 1);
    const std::string path = placer_.make_file(session, 1, kFileBytes, 2);
    auto file = session.open(path, O_RDWR);
    file.write(content(kFileBytes, kMiB, 2), kFileBytes);
    faults_->begin(DriveCall::kFsync, DriveArea::kJournal, EIO);
    expect_failed(failure_of([&] { file.sync(); }), path);
    EXPECT_GE(faults_->count(DriveCall::kFsync, DriveArea::kJournal), 1U);
    faults_->end_all();
    for (int round = 0; round < 3; ++round) {
      expect_failed(failure_of([&] { file.sync(); }), path);
      auto again = session.open(synced, O_RDONLY);
      expect_failed(failure_of([&] { again.sync(); }), synced);
    }
    expect_refuses_changes(
        session, file, path, placer_.free_name(1, "free"),
        [](const Failed& failed, const std::string& about) { expect_failed(failed, about); });
    EXPECT_TRUE(holds(session, synced, kFileBytes, 1));
    EXPECT_TRUE(still_holds(file, kFileBytes + kMiB, 2));
    EXPECT_EQ(session.stat(synced).st_mode & 07777U, 0644U);
    std::size_t listed = 0;
    for (auto list = session.list("/"); list.next();) {
      ++listed;
    }
    EXPECT_GE(listed, 2U);
    expect_server_0_works(session);
    EXPECT_EQ(occurrences(log(), "the drive has failed"), 1U) << log();
    kill_server();
    restart_server();
    EXPECT_TRUE(holds(session, synced, kFileBytes, 1));
    EXPECT_TRUE(holds(session, path, kFileBytes + kMiB, 2)) << "acknowledged, and the drive has it";
    file.sync();
    file.close();
  }
  bring_down();
}

TEST_P(Drive, ServersOfWhichOneHasGivenUpStopInOrderAndComeBack) {
  bring_up();
  std::string path;
  {
    Session session = join();
    path = placer_.make_file(session, 1, kFileBytes, 1);
    faults_->begin(DriveCall::kWrite, DriveArea::kJournal, EIO);
    expect_failed(failure_of([&] { session.chmod(path, 0600); }), path);
  }
  const CommandResult down = cluster_->benchfs({"down", "--keep"});
  EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
  faults_->end_all();
  const auto up = cluster_->benchfs({"up", "-n", "2", "--store", cluster_->store_directory(),
                                     "--benchfsd", BENCHFS_FAULTY_SERVER});
  ASSERT_EQ(up.exit_status, 0) << up.err;
  {
    Session session = join();
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
    session.chmod(path, 0600);
  }
  bring_down();
}

TEST_P(Drive, AStoreThatCannotBeReadAtTheStartIsRefusedAndStays) {
  bring_up();
  {
    Session session = join();
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    const std::string other = placer_.make_file(session, 0, kFileBytes, 2);
    kill_server();
    faults_->begin(DriveCall::kRead, DriveArea::kJournal, EIO);
    const CommandResult refused = cluster_->benchfs({"restart", "1"});
    EXPECT_NE(refused.exit_status, 0) << refused.out;
    EXPECT_TRUE(contains(refused.err, data_path() + ": read of ")) << refused.err;
    EXPECT_TRUE(contains(refused.err, "Input/output error")) << refused.err;
    EXPECT_TRUE(contains(refused.err, "server 1 did not come up")) << refused.err;
    EXPECT_TRUE(holds(session, other, kFileBytes, 2));
    faults_->end_all();
    restart_server();
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
  }
  bring_down();
}

/// Writes of 8 KiB, which go into the journal; ends with the first error.
int write_small_pieces(benchfs::File& file, std::size_t begin, std::size_t count,
                       std::uint64_t seed) {
  constexpr std::size_t kPiece = 8192;
  for (std::size_t i = begin; i < begin + count; ++i) {
    const int code =
        failure_of([&] { file.write(content(i * kPiece, kPiece, seed), i * kPiece); }).code;
    if (code != 0) {
      return code;
    }
  }
  return 0;
}

// They are in the journal, from where they are moved in the background, and before a snapshot.
TEST_P(Drive, SmallWritesThatCannotBeMovedAreKeptAndTheNextIsEio) {
  bring_up();  // With 4 MiB for the log.
  std::string path;
  constexpr std::size_t kBytes = std::size_t{128} * 8192;
  {
    Session session = join();
    path = placer_.make_file(session, 1, 1, 1);
    auto file = session.open(path, O_RDWR);
    faults_->begin(DriveCall::kWrite, DriveArea::kData, EIO);
    EXPECT_EQ(write_small_pieces(file, 0, 128, 1), 0);
    // With nowhere to go the log becomes full, but no store is.
    auto other = session.open(placer_.make_file(session, 1, 1, 2), O_RDWR);
    EXPECT_EQ(write_small_pieces(other, 0, 1024, 2), EIO);
    EXPECT_GT(faults_->count(DriveCall::kWrite, DriveArea::kData), 0U);
    EXPECT_TRUE(holds(session, path, kBytes, 1));
    faults_->end_all();
    // What has kept the log full is over, and nothing is lost.
    EXPECT_TRUE(comes_true([&] { return write_small_pieces(other, 0, 1, 2) == 0; },
                           std::chrono::seconds(10)));
    faults_->begin(DriveCall::kWrite, DriveArea::kData, EIO);
    EXPECT_EQ(write_small_pieces(file, 0, 128, 1), 0);
  }
  const CommandResult down = cluster_->benchfs({"down", "--keep"});
  EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
  faults_->end_all();
  const auto up = cluster_->benchfs({"up", "-n", "2", "--store", cluster_->store_directory(),
                                     "--benchfsd", BENCHFS_FAULTY_SERVER});
  ASSERT_EQ(up.exit_status, 0) << up.err;
  {
    Session session = join();
    EXPECT_TRUE(holds(session, path, kBytes, 1));
  }
  bring_down();
}

/// Where `bytes` begin in a file; they are looked for at the beginnings of blocks.
std::uint64_t find_in(const std::string& path, const std::vector<std::byte>& bytes) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> block(4096);
  for (std::uint64_t at = 0; file.read(block.data(), 4096); at += 4096) {
    if (std::memcmp(block.data(), bytes.data(), std::min<std::size_t>(4096, bytes.size())) == 0) {
      return at;
    }
  }
  ADD_FAILURE() << "the store has no such block";
  return 0;
}

/// Turns one bit around, on the drive.
void rot(const std::string& path, std::uint64_t offset) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  std::uint8_t byte = 0;
  ASSERT_EQ(::pread(fd, &byte, 1, static_cast<off_t>(offset)), 1);
  byte ^= 0x10;
  ASSERT_EQ(::pwrite(fd, &byte, 1, static_cast<off_t>(offset)), 1);
  ASSERT_EQ(::fsync(fd), 0);
  ::close(fd);
}

TEST_P(Drive, BitsThatRotAreEioAndNeverWrongBytes) {
  bring_up();
  {
    Session session = join();
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    const std::string stopped = placer_.make_file(session, 1, kFileBytes, 2);
    const std::string well = placer_.make_file(session, 1, kFileBytes, 3);
    constexpr std::size_t kBlock = 4096;
    constexpr std::size_t kAt = kMiB + 5 * kBlock;  // Of the file, and of the one below.
    std::vector<std::byte> bytes(kFileBytes);
    const auto expect_damaged = [&](const std::string& damaged, std::uint64_t seed) {
      auto file = session.open(damaged, O_RDWR);
      for (const std::size_t offset : {std::size_t{0}, kAt - 10, kAt, kAt + kBlock - 1}) {
        const Failed failed = failure_of([&] { file.read(bytes, offset); });
        expect_failed(failed, damaged);
        EXPECT_TRUE(contains(failed.text, "damaged")) << failed.text;
      }
      // Its other blocks are as they were.
      for (const auto& [begin, size] :
           {std::pair(std::size_t{0}, kAt), std::pair(kAt + kBlock, kFileBytes - kAt - kBlock)}) {
        ASSERT_EQ(file.read(std::span(bytes).first(size), begin), size);
        ASSERT_TRUE(std::memcmp(bytes.data(), content(begin, size, seed).data(), size) == 0);
      }
      EXPECT_TRUE(holds(session, well, kFileBytes, 3));
      // Who writes it anew has it.
      file.write(content(kAt, kBlock, seed), kAt);
      file.sync();
      EXPECT_TRUE(holds(session, damaged, kFileBytes, seed));
    };
    rot(data_path(), find_in(data_path(), content(kAt, kBlock, 1)) + 1234);
    expect_damaged(path, 1);
    EXPECT_TRUE(log_gets("are not what was written")) << log();

    kill_server();
    rot(data_path(), find_in(data_path(), content(kAt, kBlock, 2)));
    restart_server();
    expect_damaged(stopped, 2);
    expect_server_0_works(session);
  }
  bring_down();
}

/// With the backend that makes its system calls where a test can cut them short.
class PosixDrive : public Drive {};
INSTANTIATE_TEST_SUITE_P(Over, PosixDrive, testing::Values("posix"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(PosixDrive, TransfersThatEndEarlyGoOn) {
  bring_up();
  {
    Session session = join();
    (*faults_)->short_transfers = 1;
    const std::string path = placer_.make_file(session, 1, kFileBytes, 1);
    EXPECT_GT((*faults_)->short_count, 0U);
    const std::uint64_t before = (*faults_)->short_count;
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
    EXPECT_GT((*faults_)->short_count, before);
    kill_server();
    restart_server();
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
    (*faults_)->short_transfers = 0;
    EXPECT_TRUE(holds(session, path, kFileBytes, 1));
  }
  bring_down();
}

}  // namespace
