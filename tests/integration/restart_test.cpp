// Goal: what was acknowledged is there again when servers that were killed start on their stores,
// alone or all together; clients that live on go on; stores that do not belong together are
// refused. Method: real servers, real drives, SIGKILL under load. Every file tells by its name what
// it has to hold; what a call that failed may have done is allowed either way, what succeeded is
// not.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "support/cluster.h"
#include "support/live.h"
#include "support/mixed_load.h"
#include "support/placed_files.h"

namespace {

namespace fs = std::filesystem;
using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::CommandResult;
using benchfs::test::contains;
using benchfs::test::content;
using benchfs::test::failure_of;
using benchfs::test::holds;
using benchfs::test::kill_and_wait;

constexpr std::size_t kMiB = 1 << 20;

class Restart : public testing::TestWithParam<const char*> {
 protected:
  Restart() : environment_(variables()) {}

  static benchfs::test::Variables variables() {
    auto variables = benchfs::test::transport_variables(GetParam());
    variables.emplace_back("BENCHFS_TIMEOUT", "8s");
    return variables;
  }

  void bring_up(unsigned server_count, const std::string& capacity = "512M") {
    cluster_ = std::make_unique<Cluster>(benchfs::test::ClusterOptions{
        .server_count = server_count, .capacity = capacity, .tls = GetParam()});
    const auto up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  }

  Session join() { return Session(cluster_->session_directory()); }

  void kill_servers(const std::vector<std::size_t>& servers) {
    const auto pids = cluster_->server_pids();
    for (const std::size_t server : servers) {
      ASSERT_EQ(::kill(pids.at(server), SIGKILL), 0);
    }
    for (const std::size_t server : servers) {
      ASSERT_TRUE(kill_and_wait(pids.at(server), 0));
    }
  }

  void expect_works(const std::vector<std::string>& words, const std::string& part) {
    const CommandResult result = cluster_->benchfs(words);
    ASSERT_EQ(result.exit_status, 0) << result.out << result.err;
    EXPECT_TRUE(contains(result.out, part)) << result.out;
  }

  /// `benchfs up` in the session, with nothing said but the store.
  CommandResult up_again(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"up", "--store", cluster_->store_directory()};
    words.insert(words.end(), more.begin(), more.end());
    return cluster_->benchfs(words);
  }

  void bring_down() {
    const auto processes = cluster_->processes();
    const auto down = cluster_->down();
    EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
    for (const pid_t pid : processes) {
      EXPECT_FALSE(benchfs::test::is_running(pid)) << "process " << pid;
    }
    // Who finds the directory of the stores there does not remove it.
    fs::remove(cluster_->store_directory());
    EXPECT_TRUE(fs::is_empty(cluster_->place().path()));
  }

  /// Load from four threads; `blow` falls in the middle of it, `mend` follows. Then all is
  /// verified.
  void strike_under_load(const std::function<void()>& blow, const std::function<void()>& mend) {
    benchfs::test::MixedLoad load(cluster_->session_directory(), 4);
    std::this_thread::sleep_for(std::chrono::seconds(1));  // Of load; nothing depends on how much.
    blow();
    mend();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto tally = load.stop();
    load.verify();
    EXPECT_GT(tally.acknowledged, 20U);
  }

  benchfs::test::Environment environment_;
  std::unique_ptr<Cluster> cluster_;
};

INSTANTIATE_TEST_SUITE_P(Over, Restart, testing::Values("shm", "tcp"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(Restart, AKilledServerComesBackWithWhatItHadAndOpenFilesGoOn) {
  bring_up(3);
  {
    Session session = join();
    auto file = session.open("/open", O_RDWR | O_CREAT, 0644, {64 * 1024, 3});
    file.write(content(0, kMiB, 1), 0);
    for (std::size_t victim = 0; victim < 3; ++victim) {
      kill_servers({victim});
      expect_works({"restart"}, "server " + std::to_string(victim) + " is up again");
      file.write(content(kMiB * (victim + 1), kMiB, 1), kMiB * (victim + 1));
      EXPECT_EQ(file.stat().st_size, static_cast<off_t>(kMiB * (victim + 2)));
    }
    file.sync();
    file.close();
    EXPECT_TRUE(holds(session, "/open", 4 * kMiB, 1));
    Session newcomer = join();
    EXPECT_TRUE(holds(newcomer, "/open", 4 * kMiB, 1));
  }
  bring_down();
}

TEST_P(Restart, LocksAndCountersOutliveTheirServer) {
  bring_up(2);
  {
    Session session = join();
    Session other = join();
    benchfs::test::FilePlacer placer(2);
    const std::string path = placer.make_file(session, 1, 1000, 1);
    auto file = session.open(path, O_RDWR);
    auto theirs = other.open(path, O_RDWR);
    EXPECT_EQ(file.counter_add(5), 0U);
    auto lock = file.lock(0, 10);
    auto waiting = std::async(std::launch::async, [&] { theirs.lock(0, 10).unlock(); });
    kill_servers({1});
    expect_works({"restart"}, "server 1 is up again");
    EXPECT_EQ(waiting.wait_for(std::chrono::seconds(2)), std::future_status::timeout);
    EXPECT_EQ(file.counter_add(1), 5U);
    lock.unlock();
    waiting.get();
    file.close();
    theirs.close();
  }
  bring_down();
}

TEST_P(Restart, AllServersAreKilledUnderLoadAndTheSameClientsGoOn) {
  bring_up(3);
  strike_under_load(
      [&] {
        kill_servers({0, 1, 2});
      },
      [&] {
        const auto up = up_again();
        ASSERT_EQ(up.exit_status, 0) << up.err;
        EXPECT_TRUE(contains(up.out, "goes on, epoch 2")) << up.out;
      });
  bring_down();
}

TEST_P(Restart, OneServerIsKilledUnderLoad) {
  bring_up(3);
  strike_under_load([&] { kill_servers({1}); },
                    [&] {
                      expect_works({"restart", "1"}, "server 1");
                    });
  bring_down();
}

TEST_P(Restart, AServerIsKilledAgainAndAgainAlsoWhileItRecovers) {
  bring_up(2);
  strike_under_load(
      [&] {
        for (int i = 0; i < 4; ++i) {
          kill_servers({1});
          expect_works({"restart", "1"}, "server 1");
        }
      },
      [] {});
  bring_down();
}

TEST_P(Restart, ASessionThatWasStoppedInOrderGoesOn) {
  bring_up(2);
  {
    Session session = join();
    session.mkdir("/a");
    session.open("/a/b", O_RDWR | O_CREAT).write(content(0, 3 * kMiB, 5), 0);
    session.open("/empty", O_RDWR | O_CREAT);
    session.chmod("/empty", 0640);
  }
  for (int round = 0; round < 2; ++round) {
    expect_works({"down", "--keep"}, "kept store");
    EXPECT_FALSE(fs::exists(cluster_->session_directory()));
    const auto up = up_again({"-n", "2"});
    ASSERT_EQ(up.exit_status, 0) << up.err;
    Session session = join();
    EXPECT_TRUE(holds(session, "/a/b", 3 * kMiB, 5));
    EXPECT_EQ(session.stat("/empty").st_mode & 07777U, 0640U);
  }
  bring_down();
}

TEST_P(Restart, AServerThatCrashesStartsAgainByItself) {
  bring_up(2);
  {
    Session session = join();
    auto file = session.open("/kept", O_RDWR | O_CREAT, 0644, {64 * 1024, 2});
    file.write(content(0, kMiB, 10), 0);
    for (int times = 0; times < 2; ++times) {
      const pid_t crashed = cluster_->server_pids().at(1);
      ASSERT_TRUE(
          kill_and_wait(crashed, SIGABRT));  // The others make a sanitizer report themselves.
      EXPECT_TRUE(benchfs::test::comes_true(
          [&] { return cluster_->server_pids().at(1) != crashed; }, std::chrono::seconds(10)));
      EXPECT_TRUE(holds(session, "/kept", kMiB, 10));
    }
    file.close();
  }
  bring_down();
}

TEST_P(Restart, ASignalToOneServerLosesNothing) {
  bring_up(2);
  {
    Session session = join();
    session.open("/kept", O_RDWR | O_CREAT, 0644, {64 * 1024, 2}).write(content(0, kMiB, 6), 0);
    ASSERT_TRUE(kill_and_wait(cluster_->server_pids().at(1), SIGTERM));
    EXPECT_TRUE(fs::exists(cluster_->store_directory() + "/server-1/data"));
    ASSERT_TRUE(fs::exists(cluster_->session_directory() + "/session")) << "the other one lives";
    expect_works({"restart"}, "server 1");
    EXPECT_TRUE(holds(session, "/kept", kMiB, 6));
  }
  bring_down();
}

/// What UCX's shared memory begins with that a process receives in: see uct_mm_fifo_ctl of
/// UCX 1.13.
struct FifoControl {
  std::uint64_t head;
  std::uint32_t address_bytes;
  sockaddr_un address;
};

/// Whether the process has the socket by which others wake it up for a queue.
bool owns(pid_t pid, const sockaddr_un& address, std::uint32_t address_bytes) {
  const std::string name(&address.sun_path[1], address_bytes - offsetof(sockaddr_un, sun_path) - 1);
  std::ifstream table("/proc/net/unix");
  for (std::string line; std::getline(table, line);) {
    const std::size_t at = line.rfind(" @" + name);
    if (at == std::string::npos || at + 2 + name.size() != line.size()) {
      continue;
    }
    const std::string inode =
        line.substr(line.rfind(' ', at - 1) + 1, at - line.rfind(' ', at - 1) - 1);
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
      if (fs::read_symlink(entry.path(), ignored).string() == "socket:[" + inode + "]") {
        return true;
      }
    }
  }
  return false;
}

/// Leaves the receive queues of a process's shared memory as a sender does that is killed between
/// taking a place and filling it. `senders` stand still meanwhile. Returns how many were found.
int deafen(pid_t pid, const std::vector<pid_t>& senders) {
  for (const pid_t sender : senders) {
    EXPECT_EQ(::kill(sender, SIGSTOP), 0);
    const std::string stat = "/proc/" + std::to_string(sender) + "/stat";
    EXPECT_TRUE(benchfs::test::comes_true(
        [&] {
          std::ifstream file(stat);
          const std::string text{std::istreambuf_iterator<char>(file), {}};
          return contains(text, ") T ");
        },
        std::chrono::seconds(5)));
  }
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc + "/maps");
  const int memory = ::open((proc + "/mem").c_str(), O_RDWR | O_CLOEXEC);
  int found = 0;
  for (std::string line; std::getline(maps, line);) {
    if (!contains(line, "ucx_shm_posix") && !contains(line, "/SYSV")) {
      continue;
    }
    const auto begin = std::stoull(line.substr(0, line.find('-')), nullptr, 16);
    const auto end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
    for (auto at = begin; at + sizeof(FifoControl) <= std::min(end, begin + 4096); at += 64) {
      FifoControl control{};
      const auto where = static_cast<off_t>(at);
      if (::pread(memory, &control, sizeof(control), where) ==
              static_cast<ssize_t>(sizeof(control)) &&
          control.address.sun_family == AF_UNIX && control.address_bytes > 2 &&
          control.address_bytes <= sizeof(sockaddr_un) &&
          owns(pid, control.address, control.address_bytes)) {
        control.head = (control.head + 1) & ~(std::uint64_t{1} << 63U);
        found += ::pwrite(memory, &control.head, sizeof(control.head), where) == 8 ? 1 : 0;
        break;
      }
    }
  }
  ::close(memory);
  for (const pid_t sender : senders) {
    EXPECT_EQ(::kill(sender, SIGCONT), 0);
  }
  return found;
}

/// Over shared memory alone: only it has queues that others write.
class SharedMemory : public Restart {};
INSTANTIATE_TEST_SUITE_P(Over, SharedMemory, testing::Values("shm"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(SharedMemory, AServerThatAKilledSenderHasDeafenedStartsAgainByItself) {
  bring_up(2);
  {
    Session session = join();
    auto file = session.open("/kept", O_RDWR | O_CREAT, 0644, {64 * 1024, 2});
    file.write(content(0, kMiB, 11), 0);
    const auto pids = cluster_->server_pids();
    ASSERT_GE(deafen(pids.at(1), pids), 1);
    // A connection lost is an error at most for what was under way.
    ASSERT_TRUE(benchfs::test::comes_true(
        [&] { return failure_of([&] { file.write(content(kMiB, kMiB, 11), kMiB); }).code == 0; },
        std::chrono::seconds(20)));
    EXPECT_TRUE(holds(session, "/kept", 2 * kMiB, 11));
    EXPECT_NE(cluster_->server_pids().at(1), pids.at(1));
    std::ifstream log(cluster_->session_directory() + "/servers.log");
    const std::string said{std::istreambuf_iterator<char>(log), {}};
    EXPECT_TRUE(contains(said, "starting again on the store")) << said;
    Session newcomer = join();
    EXPECT_TRUE(holds(newcomer, "/kept", 2 * kMiB, 11));
  }
  bring_down();
}

TEST_P(SharedMemory, AClientThatAKilledSenderHasDeafenedConnectsAgain) {
  bring_up(2);
  {
    Session session = join();
    auto file = session.open("/kept", O_RDWR | O_CREAT, 0644, {64 * 1024, 2});
    file.write(content(0, kMiB, 12), 0);
    ASSERT_GE(deafen(::getpid(), cluster_->server_pids()), 1);
    ASSERT_TRUE(benchfs::test::comes_true(
        [&] { return failure_of([&] { file.write(content(kMiB, kMiB, 12), kMiB); }).code == 0; },
        std::chrono::seconds(20)));
    file.close();
    EXPECT_TRUE(holds(session, "/kept", 2 * kMiB, 12));
  }
  bring_down();
}

/// Does not depend on the transport.
class Stores : public Restart {};
INSTANTIATE_TEST_SUITE_P(Over, Stores, testing::Values("shm"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(Stores, ThatDoNotBelongTogetherAreRefusedAndStay) {
  bring_up(3);
  join().open("/kept", O_RDWR | O_CREAT).write(content(0, 5 * kMiB, 2), 0);
  expect_works({"down", "--keep"}, "kept store");
  const std::string stores = cluster_->store_directory() + "/server-";
  const auto refused = [&](const std::vector<std::string>& more,
                           const std::vector<std::string>& parts) {
    const CommandResult up = up_again(more);
    EXPECT_NE(up.exit_status, 0) << up.out;
    for (const std::string& part : parts) {
      EXPECT_TRUE(contains(up.err, part)) << "'" << part << "' is not in: " << up.err;
    }
    for (const char* const number : {"0", "1", "2"}) {
      EXPECT_TRUE(fs::exists(stores + number + "/data") || fs::exists(stores + "away/data"));
    }
  };
  refused({"-n", "2"}, {"session of 3 servers, but 2 were started"});
  refused({"-n", "4"}, {"session of 3 servers, but 4 were started"});
  refused({"-n", "3", "--capacity", "1G"}, {"capacity", "cannot be changed"});
  fs::rename(stores + "0", stores + "away");
  fs::rename(stores + "1", stores + "0");
  fs::rename(stores + "away", stores + "1");
  refused({"-n", "3"}, {"is of server 1, but server 0 was started there"});
  fs::rename(stores + "1", stores + "away");
  fs::rename(stores + "0", stores + "1");
  refused({"-n", "3"}, {"server 0 has none"});
  fs::rename(stores + "away", stores + "0");
  const auto up = up_again({"-n", "3"});
  ASSERT_EQ(up.exit_status, 0) << up.err;
  Session session = join();
  EXPECT_TRUE(holds(session, "/kept", 5 * kMiB, 2));
}

TEST_P(Stores, AFullStoreComesBackFullAndCanBeEmptied) {
  bring_up(1, "64M");
  {
    Session session = join();
    auto file = session.open("/fill", O_RDWR | O_CREAT);
    std::uint64_t end = 0;
    benchfs::test::Failed failed;
    for (std::size_t step = kMiB; step >= 4096; step /= 2) {
      for (;;) {
        failed = failure_of([&] { file.write(content(end, step, 7), end); });
        if (failed.code != 0) {
          break;
        }
        end += step;
      }
      ASSERT_EQ(failed.code, ENOSPC) << failed.text;
    }
    file.close();
    kill_servers({0});
    const auto up = up_again();
    ASSERT_EQ(up.exit_status, 0) << up.err;
    Session again = join();
    EXPECT_TRUE(holds(again, "/fill", end, 7));
    EXPECT_EQ(failure_of([&] { again.open("/fill", O_RDWR).write(content(0, kMiB, 8), end); }).code,
              ENOSPC);
    EXPECT_TRUE(holds(again, "/fill", end, 7)) << "nothing acknowledged is damaged";
    again.unlink("/fill");
    // After a restart a file without a name stays for 30 s, in case that somebody has it open.
    EXPECT_TRUE(benchfs::test::comes_true(
        [&] {
          return failure_of([&] {
                   again.open("/new", O_RDWR | O_CREAT).write(content(0, 8 * kMiB, 9), 0);
                 }).code == 0;
        },
        std::chrono::seconds(45)));
    EXPECT_TRUE(holds(again, "/new", 8 * kMiB, 9));
  }
  bring_down();
}

TEST_P(Stores, AreGivenUpOnlyWhenThatIsSaid) {
  bring_up(2);
  join().open("/old", O_RDWR | O_CREAT).write(content(0, kMiB, 3), 0);
  kill_servers({0, 1});
  const auto up = up_again({"--discard"});
  ASSERT_EQ(up.exit_status, 0) << up.err;
  {
    Session session = join();
    EXPECT_EQ(failure_of([&] { session.stat("/old"); }).code, ENOENT);
  }
  bring_down();
}

TEST_P(Stores, InMemoryAreGoneWithTheirServerAndTheOthersLive) {
  cluster_ = std::make_unique<Cluster>(
      benchfs::test::ClusterOptions{.server_count = 2,
                                    .capacity = "64M",
                                    .tls = GetParam(),
                                    .up_options = {"--backend", "memory"}});
  const auto up = cluster_->up();
  ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  const auto pids = cluster_->server_pids();
  ASSERT_TRUE(kill_and_wait(pids.at(1), SIGABRT));
  EXPECT_TRUE(benchfs::test::comes_true(
      [&] {
        std::ifstream log(cluster_->session_directory() + "/servers.log");
        const std::string said{std::istreambuf_iterator<char>(log), {}};
        return contains(said, "has given up");
      },
      std::chrono::seconds(10)));
  EXPECT_TRUE(benchfs::test::is_running(pids.at(0)));
  const CommandResult status = cluster_->benchfs({"status"});
  EXPECT_TRUE(contains(status.out, "1 of 2 servers answer")) << status.out << status.err;
  bring_down();
}

/// The store of a server that does not run is from another start of the kernel: as if its node had
/// been without power, and nothing had been lost.
void boot_elsewhere(const std::string& data) {
  std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
  for (std::uint64_t block = 0; block < benchfs::journal::kAnchorBlocks; ++block) {
    std::vector<std::byte> bytes(benchfs::kBlockBytes);
    const auto place = static_cast<std::streamoff>(block * benchfs::kBlockBytes);
    file.seekg(place);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    auto anchor = benchfs::journal::decode_anchor(bytes);
    ASSERT_TRUE(anchor.has_value());
    EXPECT_TRUE(anchor->boot.is_known());
    anchor->boot.bytes[0] ^= std::byte{1};
    benchfs::journal::encode(*anchor, bytes);
    file.seekp(place);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  ASSERT_TRUE(file.good());
}

TEST_P(Stores, OfANodeThatWasWithoutPowerMakeTheNextFsyncOfOpenFilesSaySo) {
  bring_up(2);
  {
    Session session = join();
    auto file = session.open("/unsynced", O_RDWR | O_CREAT, 0644, {64 * 1024, 2});
    auto closed = session.open("/closed", O_RDWR | O_CREAT, 0644, {64 * 1024, 2});
    file.write(content(0, kMiB, 4), 0);
    closed.write(content(0, kMiB, 5), 0);
    kill_servers({1});
    expect_works({"restart"}, "server 1 is up again");
    file.sync();  // Its process died, and nothing else.
    file.write(content(kMiB, kMiB, 4), kMiB);

    kill_servers({1});
    boot_elsewhere(cluster_->store_directory() + "/server-1/data");
    expect_works({"restart"}, "server 1 is up again");
    for (const auto& told :
         {failure_of([&] { file.sync(); }), failure_of([&] { closed.close(); })}) {
      EXPECT_EQ(told.code, EIO);
      EXPECT_TRUE(contains(told.text, "server 1")) << told.text;
      EXPECT_TRUE(contains(told.text, "not synced may be gone")) << told.text;
    }
    file.write(content(0, 2 * kMiB, 4), 0);
    file.sync();
    file.close();
    EXPECT_TRUE(holds(session, "/unsynced", 2 * kMiB, 4));
  }
  bring_down();
}

TEST_P(Stores, WithADamagedJournalAreRefusedAndStay) {
  bring_up(1);
  join().open("/old", O_RDWR | O_CREAT).write(content(0, kMiB, 3), 0);
  kill_servers({0});
  const std::string data = cluster_->store_directory() + "/server-0/data";
  const auto scribble = [&](std::uint64_t offset, std::uint64_t size) {
    std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(data.c_str(), "r+"), &std::fclose);
    const std::vector<char> noise(size, 'x');
    ASSERT_EQ(std::fseek(file.get(), static_cast<long>(offset), SEEK_SET), 0);
    ASSERT_EQ(std::fwrite(noise.data(), 1, size, file.get()), size);
  };
  scribble(0, 2 * 4096);
  const auto up = up_again();
  EXPECT_NE(up.exit_status, 0);
  EXPECT_TRUE(contains(up.err, "no anchor of this store")) << up.err;
  EXPECT_TRUE(fs::exists(data));
  EXPECT_TRUE(fs::exists(cluster_->session_directory() + "/session"));
  bring_down();
}

}  // namespace
