// Goal: when a server dies or stands still, or a client dies, whoever waits gets an error within
// the time-out, what does not need the dead goes on, nothing acknowledged is damaged, nothing that
// was given up lands later, and what the dead client held is given back.
// Method: real servers and processes; SIGKILL and SIGSTOP while requests are certain to be in
// flight: a server is stopped before it is asked, so that no request can end before the blow.

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cluster.h"
#include "support/live.h"
#include "support/mixed_load.h"
#include "support/placed_files.h"

namespace {

using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::comes_true;
using benchfs::test::contains;
using benchfs::test::content;
using benchfs::test::Failed;
using benchfs::test::failure_of;
using benchfs::test::holds;
using benchfs::test::kill_and_wait;

constexpr std::chrono::seconds kTimeout{3};
/// On top of the time-out, for a machine that does other work meanwhile.
constexpr std::chrono::seconds kSlack{2};
constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kFileBytes = 8 * kMiB;

/// Whether the call told in time of the lost server, or of `who` waited for it.
void expect_lost_in_time(const Failed& failed, const std::string& what,
                         const std::string& who = "server 1") {
  EXPECT_TRUE(failed.code == EIO || failed.code == EHOSTDOWN)
      << what << ": errno " << failed.code << " " << failed.text;
  EXPECT_TRUE(contains(failed.text, who)) << what << ": " << failed.text;
  EXPECT_LT(failed.took, kTimeout + kSlack) << what;
}

class Faults : public testing::TestWithParam<const char*> {
 protected:
  Faults() : environment_(variables()) {}

  void bring_up(unsigned server_count, const std::string& capacity = "256M") {
    cluster_ = std::make_unique<Cluster>(benchfs::test::ClusterOptions{
        .server_count = server_count, .capacity = capacity, .tls = GetParam()});
    const auto up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
  }

  Session join() { return Session(cluster_->session_directory()); }

  /// Of 8 MiB.
  std::string make_file_on(Session& session, std::uint16_t server, std::uint64_t seed) {
    return placer_.make_file(session, server, kFileBytes, seed);
  }

  /// Until the victim, which goes on again, has seen all that `session` asked it before: requests
  /// of one connection arrive in order.
  static void wait_until_served(Session& session) {
    ASSERT_TRUE(comes_true([&] { return failure_of([&] { session.ping(1); }).code == 0; },
                           std::chrono::seconds(10)));
  }

  /// Takes it down and looks whether anything is left.
  void bring_down() {
    const auto processes = cluster_->processes();
    const auto down = cluster_->down();
    EXPECT_EQ(down.exit_status, 0) << down.out << down.err;
    for (const pid_t pid : processes) {
      EXPECT_FALSE(benchfs::test::is_running(pid)) << "process " << pid;
    }
    EXPECT_TRUE(std::filesystem::is_empty(cluster_->place().path()));
  }

  /// One call of each kind that needs server 1, each in a thread of its own on the same mount;
  /// `blow` falls while they wait.
  void expect_all_lost(Session& session, const std::string& path,
                       const std::function<void()>& blow) {
    auto file = session.open(path, O_RDWR);
    const auto small = content(0, 4096, 90);
    const auto large = content(0, 3 * kMiB, 91);
    std::vector<std::byte> in(3 * kMiB);
    ASSERT_EQ(::kill(victim(), SIGSTOP), 0);
    const auto begin = [](const std::function<void()>& call) {
      return std::async(std::launch::async, [call] { return failure_of(call); });
    };
    std::vector<std::pair<std::string, std::future<Failed>>> calls;
    calls.emplace_back("small write", begin([&] { file.write(small, 5000); }));
    calls.emplace_back("large write", begin([&] { file.write(large, kMiB); }));
    calls.emplace_back("read", begin([&] { file.read(in, 4 * kMiB); }));
    calls.emplace_back("fsync", begin([&] { file.sync(); }));
    calls.emplace_back("fstat", begin([&] { file.stat(); }));
    calls.emplace_back("stat", begin([&] { session.stat(path); }));
    calls.emplace_back("open", begin([&] { session.open(path, O_RDONLY); }));
    calls.emplace_back("list", begin([&] { session.list("/").next(); }));
    std::vector<std::vector<std::byte>> buffers(6, content(0, kMiB, 92));
    std::vector<benchfs::Request> requests;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      requests.push_back(file.write_async(buffers[i], i * kMiB));
    }
    blow();
    for (auto& [what, call] : calls) {
      expect_lost_in_time(call.get(), what);
    }
    for (auto& request : requests) {
      expect_lost_in_time(failure_of([&] { request.wait(); }), "asynchronous write");
    }
    const Failed closing = failure_of([&] { file.close(); });
    EXPECT_LT(closing.took, kTimeout + kSlack) << closing.text;
  }

  pid_t victim() const { return cluster_->server_pids().at(1); }

  std::unique_ptr<Cluster> cluster_;
  benchfs::test::FilePlacer placer_{2};

 private:
  static benchfs::test::Variables variables() {
    auto variables = benchfs::test::transport_variables(GetParam());
    variables.emplace_back("BENCHFS_TIMEOUT", "3s");
    return variables;
  }
  benchfs::test::Environment environment_;
};

INSTANTIATE_TEST_SUITE_P(Over, Faults, testing::Values("shm", "tcp"),
                         [](const auto& which) { return std::string(which.param); });

TEST_P(Faults, KilledServerFailsWhatWaitsForItAndNothingElse) {
  bring_up(2);
  {
    Session session = join();
    const std::string safe = make_file_on(session, 0, 1);
    const std::string lost = make_file_on(session, 1, 2);
    auto open_before = session.open(safe, O_RDWR);
    expect_all_lost(session, lost, [&] { EXPECT_TRUE(kill_and_wait(victim(), SIGKILL)); });

    EXPECT_TRUE(holds(session, safe, kFileBytes, 1));
    open_before.write(content(0, kFileBytes, 3), 0);
    open_before.sync();
    EXPECT_EQ(open_before.size(), kFileBytes);
    open_before.close();
    Session fresh = join();
    EXPECT_TRUE(holds(fresh, safe, kFileBytes, 3));
    // A new client hears it at once: nobody is there.
    expect_lost_in_time(failure_of([&] { fresh.open(lost, O_RDONLY); }), "new client");
    // A list that lacks a server's names is never a success.
    expect_lost_in_time(failure_of([&] {
                          auto list = fresh.list("/");
                          while (list.next()) {
                          }
                        }),
                        "list");
  }
  const auto status = cluster_->benchfs({"status"});
  EXPECT_EQ(status.exit_status, 1);
  EXPECT_TRUE(contains(status.out, "1 of 2 servers answer")) << status.out << status.err;
  EXPECT_TRUE(contains(status.out, "server 1: process")) << status.out << status.err;
  bring_down();
}

TEST_P(Faults, KilledServerFailsRequestsThatItWorksOn) {
  bring_up(2);
  {
    Session session = join();
    auto file = session.open("/striped", O_RDWR | O_CREAT, 0644, {kMiB, 2});
    const auto bytes = content(0, 16 * kMiB, 1);
    auto writer = std::async(std::launch::async, [&] {
      return failure_of([&] {
        while (true) {
          file.write(bytes, 0);
        }
      });
    });
    Session watcher = join();
    ASSERT_TRUE(
        comes_true([&] { return benchfs::test::status_of(watcher, 1).written_bytes > 32 * kMiB; },
                   std::chrono::seconds(30)));
    ASSERT_TRUE(kill_and_wait(victim(), SIGKILL));
    ASSERT_EQ(writer.wait_for(kTimeout + kSlack), std::future_status::ready);
    const Failed failed = writer.get();
    EXPECT_TRUE(failed.code == EIO || failed.code == EHOSTDOWN) << failed.text;
    EXPECT_TRUE(contains(failed.text, "server 1")) << failed.text;
    EXPECT_LT(failure_of([&] { file.close(); }).took, kTimeout + kSlack);
  }
  bring_down();
}

TEST_P(Faults, StoppedServerFailsInTimeAndNothingGivenUpLandsLater) {
  bring_up(2);
  {
    Session session = join();
    const std::string safe = make_file_on(session, 0, 1);
    const std::string path = make_file_on(session, 1, 2);
    Session other = join();
    auto other_file = other.open(path, O_RDWR);
    const Failed before = failure_of([&] { other.ping(1); });
    EXPECT_EQ(before.code, 0) << before.text;
    expect_all_lost(session, path, [] {});
    EXPECT_TRUE(holds(session, safe, kFileBytes, 1));

    ASSERT_EQ(::kill(victim(), SIGCONT), 0);
    const auto newer = content(kMiB, kMiB, 5);
    EXPECT_EQ(failure_of([&] { other_file.write(newer, kMiB); }).code, 0);
    // Whatever was still under way has arrived when a later request of the same client is answered.
    ASSERT_TRUE(comes_true([&] { return failure_of([&] { session.ping(1); }).code == 0; },
                           std::chrono::seconds(10)));
    for (int round = 0; round < 3; ++round) {
      other_file.sync();
      session.ping(1);
      std::vector<std::byte> bytes(kFileBytes);
      ASSERT_EQ(other_file.read(bytes, 0), kFileBytes);
      auto expected = content(0, kFileBytes, 2);
      std::copy(newer.begin(), newer.end(), expected.begin() + kMiB);
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        ASSERT_EQ(bytes[i], expected[i]) << "a write that was given up landed at byte " << i;
      }
    }
    other_file.write(content(0, kFileBytes, 6), 0);
    other_file.close();
    EXPECT_TRUE(holds(other, path, kFileBytes, 6));
  }
  const auto status = cluster_->benchfs({"status"});
  EXPECT_EQ(status.exit_status, 0) << status.out << status.err;
  bring_down();
}

// Between, the client has tried to connect and given that up, of which the server hears part.
TEST_P(Faults, StoppedServerServesTheSameClientAgain) {
  bring_up(2);
  {
    Session session = join();
    const std::string safe = make_file_on(session, 0, 1);
    const std::string path = make_file_on(session, 1, 2);
    expect_all_lost(session, path, [] {});
    EXPECT_TRUE(holds(session, safe, kFileBytes, 1));
    ASSERT_EQ(::kill(victim(), SIGCONT), 0);
    ASSERT_TRUE(comes_true([&] { return failure_of([&] { session.ping(1); }).code == 0; },
                           std::chrono::seconds(10)));
    EXPECT_TRUE(holds(session, path, kFileBytes, 2));
  }
  bring_down();
}

TEST_P(Faults, SmallWriteThatWasGivenUpNeverLands) {
  bring_up(2);
  {
    Session session = join();
    const std::string path = make_file_on(session, 1, 2);
    auto file = session.open(path, O_RDWR);
    file.write(content(0, 4096, 2), 0);  // So that the connection is warm.
    ASSERT_EQ(::kill(victim(), SIGSTOP), 0);
    expect_lost_in_time(failure_of([&] { file.write(content(0, 4096, 3), 8192); }), "small write");
    ASSERT_EQ(::kill(victim(), SIGCONT), 0);
    wait_until_served(session);
    file.sync();
    EXPECT_TRUE(holds(session, path, kFileBytes, 2));
    file.close();
  }
  bring_down();
}

TEST_P(Faults, ChangesOfNamesAndSizesThatWereGivenUpNeverHappen) {
  bring_up(2);
  {
    Session session = join();
    const std::string kept = make_file_on(session, 1, 2);
    const std::string target = make_file_on(session, 1, 3);
    const std::string elsewhere = make_file_on(session, 0, 4);
    const std::string fresh = placer_.free_name(1, "fresh");
    const std::string folder = placer_.free_name(1, "folder");
    auto file = session.open(kept, O_RDWR);
    ASSERT_EQ(::kill(victim(), SIGSTOP), 0);
    // All at once: the first that times out costs none of the others its connection.
    const std::vector<std::pair<std::string, std::function<void()>>> changes = {
        {"ftruncate", [&] { file.truncate(4096); }},
        {"truncate", [&] { session.truncate(target, 0); }},
        {"unlink", [&] { session.unlink(target); }},
        {"rename", [&] { session.rename(kept, target); }},
        {"create", [&] { session.open(fresh, O_RDWR | O_CREAT); }},
        {"mkdir", [&] { session.mkdir(folder); }},
        {"chmod", [&] { session.chmod(kept, 0600); }}};
    std::vector<std::future<Failed>> calls;
    calls.reserve(changes.size());
    for (const auto& [what, change] : changes) {
      calls.push_back(std::async(std::launch::async, [call = change] { return failure_of(call); }));
    }
    auto across = std::async(
        std::launch::async, [&] { return failure_of([&] { session.rename(elsewhere, target); }); });
    for (std::size_t i = 0; i < calls.size(); ++i) {
      expect_lost_in_time(calls[i].get(), changes[i].first);
    }
    expect_lost_in_time(across.get(), "rename to a stopped server", "server 0");
    ASSERT_EQ(::kill(victim(), SIGCONT), 0);
    wait_until_served(session);
    Session other = join();
    EXPECT_TRUE(holds(other, kept, kFileBytes, 2));
    EXPECT_TRUE(holds(other, target, kFileBytes, 3));
    EXPECT_TRUE(holds(other, elsewhere, kFileBytes, 4));
    EXPECT_EQ(other.stat(kept).st_mode & 0777U, 0644U);
    EXPECT_EQ(failure_of([&] { other.stat(fresh); }).code, ENOENT);
    EXPECT_EQ(failure_of([&] { other.stat(folder); }).code, ENOENT);
    file.close();
  }
  bring_down();
}

/// What a store without a file keeps free for its snapshots: two regions, src/store/README.md.
constexpr std::uint64_t kEmptyStoreBytes = std::uint64_t{2} * 128 * 1024;

TEST_P(Faults, KilledClientGivesBackWhatItHeld) {
  bring_up(2);
  {
    std::array<int, 2> started{-1, -1};
    ASSERT_EQ(::pipe(started.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Session session = join();
      auto file = session.open("/large", O_RDWR | O_CREAT, 0644, {kMiB, 2});
      auto gone = session.open("/gone", O_RDWR | O_CREAT);
      gone.write(content(0, 4 * kMiB, 8), 0);
      session.unlink("/gone");
      const auto bytes = content(0, 16 * kMiB, 7);
      for (bool first = true;; first = false) {
        std::vector<benchfs::Request> requests;
        for (std::size_t i = 0; i < 8; ++i) {
          requests.push_back(file.write_async(bytes, i * bytes.size() / 4));
        }
        if (first) {
          [[maybe_unused]] const ssize_t told = ::write(started[1], "x", 1);
        }
      }
    }
    ::close(started[1]);
    char byte = 0;
    ASSERT_EQ(::read(started[0], &byte, 1), 1);
    ::close(started[0]);
    Session session = join();
    const std::string kept = make_file_on(session, 1, 1);
    EXPECT_EQ(benchfs::test::status_of(session, 0).open_count +
                  benchfs::test::status_of(session, 1).open_count,
              2U);
    ASSERT_TRUE(kill_and_wait(child, SIGKILL));
    ::waitpid(child, nullptr, 0);
    benchfs_server_status last{};
    for (int server = 0; server < 2; ++server) {
      EXPECT_TRUE(comes_true(
          [&] {
            last = benchfs::test::status_of(session, server);
            return last.open_count == 0 && last.pool_used_bytes == 0 && last.client_count == 1;
          },
          std::chrono::seconds(25)))  // A client that may come back keeps its files for 10 s.
          << "server " << server << ": " << last.open_count << " open, " << last.pool_used_bytes
          << " bytes of the pool in use, " << last.client_count << " clients";
    }
    EXPECT_TRUE(holds(session, kept, kFileBytes, 1));
    session.unlink("/large");
    session.unlink(kept);
    const auto usage = [&] {
      return benchfs::test::status_of(session, 0).used + benchfs::test::status_of(session, 1).used;
    };
    // Over shared memory the client may have been killed while it put something into a server's
    // queue. Such a server begins again, and keeps files that lose their names for 30 s then.
    EXPECT_TRUE(
        comes_true([&] { return usage() == 2 * kEmptyStoreBytes; }, std::chrono::seconds(45)))
        << usage();
  }
  bring_down();
}

TEST_P(Faults, KilledClientGivesBackItsLocks) {
  bring_up(2);
  {
    Session session = join();
    const std::string path = make_file_on(session, 1, 1);
    std::array<int, 2> started{-1, -1};
    ASSERT_EQ(::pipe(started.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Session own = join();
      auto file = own.open(path, O_RDWR);
      const auto lock = file.lock(0, 100);
      [[maybe_unused]] const ssize_t told = ::write(started[1], "x", 1);
      ::pause();
    }
    ::close(started[1]);
    char byte = 0;
    ASSERT_EQ(::read(started[0], &byte, 1), 1);
    ::close(started[0]);
    auto file = session.open(path, O_RDWR);
    file.lock(100, 0).unlock();  // What it has not locked.
    auto waiting = std::async(std::launch::async, [&] {
      return failure_of([&] { file.lock_shared(50, 100).unlock(); });
    });
    EXPECT_EQ(waiting.wait_for(std::chrono::seconds(2)), std::future_status::timeout);
    ASSERT_TRUE(kill_and_wait(child, SIGKILL));
    ::waitpid(child, nullptr, 0);
    const Failed failed = waiting.get();
    EXPECT_EQ(failed.code, 0) << failed.text;
    EXPECT_LT(failed.took, std::chrono::seconds(25));  // One that may come back keeps it for 10 s.
    file.close();
  }
  bring_down();
}

TEST_P(Faults, FullStoreKeepsWhatItAcknowledgedAndTakesMoreAfterARemoval) {
  bring_up(2, "32M");
  {
    Session session = join();
    const auto usage = [&] {
      return benchfs::test::status_of(session, 0).used + benchfs::test::status_of(session, 1).used;
    };
    const std::uint64_t used_before = usage();
    constexpr std::size_t kPart = 3 * kMiB + 123;
    std::vector<std::string> whole;
    Failed failed;
    while (failed.code == 0) {
      ASSERT_LT(whole.size(), 64U) << "the store does not end";
      const std::string path = "/part-" + std::to_string(whole.size());
      failed = failure_of([&] {
        auto file = session.open(path, O_RDWR | O_CREAT);
        file.write(content(0, kPart, whole.size()), 0);
        file.sync();
        file.close();
      });
      if (failed.code == 0) {
        whole.push_back(path);
      }
    }
    EXPECT_EQ(failed.code, ENOSPC) << failed.text;
    EXPECT_TRUE(contains(failed.text, "/part-") && contains(failed.text, "server")) << failed.text;
    EXPECT_GT(whole.size() * kPart, 40 * kMiB) << "full long before its capacity";
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(holds(session, whole[i], kPart, i));
    }
    session.unlink("/part-" + std::to_string(whole.size()));
    session.unlink(whole.back());
    auto again = session.open(whole.back(), O_RDWR | O_CREAT | O_EXCL);
    again.write(content(0, kPart, whole.size() - 1), 0);
    again.close();
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_TRUE(holds(session, whole[i], kPart, i));
      session.unlink(whole[i]);
    }
    EXPECT_EQ(usage(), used_before);
  }
  bring_down();
}

TEST_P(Faults, FullStoreUnderLoadGoesOnWhenSomethingIsRemoved) {
  bring_up(2, "64M");
  {
    Session session = join();
    const auto usage = [&] {
      return benchfs::test::status_of(session, 0).used + benchfs::test::status_of(session, 1).used;
    };
    const std::uint64_t used_before = usage();
    {
      auto ballast = session.open("/ballast", O_RDWR | O_CREAT, 0644, {kMiB, 2});
      for (std::uint64_t i = 0; i < 8; ++i) {
        ballast.write(content(i * 8 * kMiB, 8 * kMiB, 1), i * 8 * kMiB);
      }
      ballast.close();
    }
    benchfs::test::MixedLoad load(cluster_->session_directory(), 3, {ENOSPC});
    EXPECT_TRUE(comes_true([&] { return load.failed_so_far() >= 20; }, std::chrono::seconds(60)));
    EXPECT_TRUE(holds(session, "/ballast", 64 * kMiB, 1));
    session.unlink("/ballast");
    const std::size_t acknowledged = load.acknowledged_so_far();
    EXPECT_TRUE(comes_true([&] { return load.acknowledged_so_far() >= acknowledged + 20; },
                           std::chrono::seconds(60)));
    load.stop();
    load.verify();
    load.remove_all();
    EXPECT_TRUE(comes_true([&] { return usage() == used_before; }, std::chrono::seconds(10)))
        << usage() - used_before << " bytes are not given back";
  }
  bring_down();
}

TEST_P(Faults, OneOfManyCreatesAndAllOpenTheSame) {
  bring_up(3, "64M");
  constexpr int kProcesses = 12;
  constexpr int kNames = 20;
  std::array<int, 2> gate{-1, -1};
  std::array<int, 2> told{-1, -1};
  ASSERT_EQ(::pipe(gate.data()), 0);
  ASSERT_EQ(::pipe(told.data()), 0);
  struct Told {
    int name;
    bool made;
    std::uint64_t inode;
  };
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(gate[1]);
      char byte = 0;
      [[maybe_unused]] const ssize_t opened = ::read(gate[0], &byte, 1);
      Session session = join();
      int wrong = 0;
      for (int name = 0; name < kNames; ++name) {
        Told answer{.name = name, .made = false, .inode = 0};
        const Failed exclusive = failure_of(
            [&] { session.open("/exclusive-" + std::to_string(name), O_RDWR | O_CREAT | O_EXCL); });
        answer.made = exclusive.code == 0;
        wrong += exclusive.code != 0 && exclusive.code != EEXIST ? 1 : 0;
        const Failed shared = failure_of([&] {
          answer.inode =
              session.open("/shared-" + std::to_string(name), O_RDWR | O_CREAT).stat().st_ino;
        });
        wrong += shared.code != 0 ? 1 : 0;
        wrong += ::write(told[1], &answer, sizeof(answer)) != sizeof(answer) ? 1 : 0;
      }
      ::_exit(wrong == 0 ? 0 : 1);
    }
    children.push_back(child);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  ::close(told[1]);
  std::array<int, kNames> makers{};
  std::array<std::uint64_t, kNames> inodes{};
  Told answer{};
  int answers = 0;
  while (::read(told[0], &answer, sizeof(answer)) == sizeof(answer)) {
    const auto name = static_cast<std::size_t>(answer.name);
    ++answers;
    makers.at(name) += answer.made ? 1 : 0;
    if (inodes.at(name) == 0) {
      inodes.at(name) = answer.inode;
    }
    EXPECT_EQ(inodes.at(name), answer.inode) << "name " << name;
  }
  ::close(told[0]);
  for (const pid_t child : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(answers, kProcesses * kNames);
  for (int name = 0; name < kNames; ++name) {
    EXPECT_EQ(makers.at(static_cast<std::size_t>(name)), 1) << "name " << name;
  }
  bring_down();
}

}  // namespace
