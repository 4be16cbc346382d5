// Goal: whatever server crashes and starts again, or loses the client's connection, at whatever
// moment of a call, the call succeeds, and what it asked for has been done exactly once. Method:
// the client's own operations over three servers; each story is told with the blow after the first
// message, the second, ... until it needs no more of them, for every server and kind of blow;
// names, sizes and what servers hold are compared with what one undisturbed call leaves.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "client/cluster.h"
#include "placement/placement.h"
#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;

constexpr std::uint16_t kServerCount = 3;
constexpr std::uint32_t kReadWrite = wire::kOpenRead | wire::kOpenWrite;
constexpr std::uint32_t kCreateNew = kReadWrite | wire::kOpenCreate | wire::kOpenExclusive;

enum class Blow {
  kCrash,       ///< The server starts again at once.
  kCrashLater,  ///< The server starts again after a second.
  kCut,         ///< The client's connection to the server is lost.
  kCutTwice,    ///< And the next one too.
};

const char* name_of_blow(Blow blow) {
  switch (blow) {
    case Blow::kCrash:
      return "crashes";
    case Blow::kCrashLater:
      return "crashes for a second";
    case Blow::kCut:
      return "loses the client";
    case Blow::kCutTwice:
      return "loses the client twice";
  }
  return "";
}

/// Three servers, the client whose call is disturbed, and one that looks on.
class Story {
 public:
  explicit Story(std::uint64_t seed) : session(kServerCount, 2, seed) {
    for (const auto& mount : session.mounts) {
      mount->servers.follow([] { return News{}; });
    }
  }

  /// A path in the root whose entry is on `server`.
  std::string path_on(std::uint16_t server, const std::string& prefix) {
    for (int i = 0;; ++i) {
      std::string name = prefix + std::to_string(i);
      if (placement::entry_server(kRootInode, name, kServerCount) == ServerId{server}) {
        return "/" + name;
      }
    }
  }
  void make_file(const std::string& path, std::size_t size) {
    auto file = watcher().open(path, kCreateNew, {.chunk_bytes = 4096, .stripe_count = 0});
    BENCHFS_ASSERT(file.has_value());
    if (size > 0) {
      std::vector<char> data(size, 'o');
      const auto written = watcher().write(**file, data, 0);
      BENCHFS_ASSERT(written.has_value());
    }
    const Status closed = watcher().close(**file);
    BENCHFS_ASSERT(closed.has_value());
  }

  void strike() {
    switch (blow) {
      case Blow::kCrash:
        session.cluster.crash(victim);
        return restart();
      case Blow::kCrashLater:
        session.cluster.crash(victim);
        return later(kNsPerSec, &restart_due_);
      case Blow::kCut:
        return cut();
      case Blow::kCutTwice:
        cut();
        return later(300'000, &cut_due_);
    }
  }
  void later(std::uint64_t time_ns, bool* due) {
    session.cluster.network.at(session.cluster.clock.now_ns() + time_ns, [due] { *due = true; });
  }
  void cut() {
    session.cluster.clients[0]->transport.cut(session.cluster.server(victim).transport);
  }
  void restart() {
    session.cluster.restart(victim);
    test::FakeServer& begun = session.cluster.server(victim);
    session.data.push_back(std::make_unique<server::DataService>(
        begun.dispatcher, *begun.pool, begun.store, &begun.exchange->outcomes()));
  }
  /// Until something happens, and does what is due then.
  void turn() {
    session.cluster.loop.run_once(UINT64_MAX);
    if (std::exchange(restart_due_, false)) {
      restart();
    }
    if (std::exchange(cut_due_, false)) {
      cut();
    }
  }

  /// Runs `call`, which must succeed; strikes when `after` messages have been sent. `in_time` is
  /// false afterwards if it needed fewer.
  template <typename T>
  Result<T> run(coro::Task<Result<T>> call) {
    session.cluster.settle();
    const std::uint64_t until_count = session.cluster.message_count() + after;
    const std::uint64_t begin_ns = session.cluster.clock.now_ns();
    call.start();
    while (session.cluster.message_count() < until_count && !call.done()) {
      turn();
    }
    const bool struck = session.cluster.message_count() >= until_count;
    if (struck) {
      strike();
    }
    while (!call.done()) {
      turn();
    }
    EXPECT_LE(session.cluster.clock.now_ns() - begin_ns, test::kFakeTimeoutNs);
    Result<T> result = call.take();
    EXPECT_TRUE(result.has_value()) << benchfs::to_string(result.error());
    while (session.cluster.server(victim).transport.dead()) {
      turn();
    }
    in_time = in_time || struck;
    return result;
  }
  FakeMount& actor() { return session.mount(0); }
  FakeMount& watcher() { return session.mount(1); }
  Context& context() { return actor().fresh("/"); }

  /// When all has come to rest, nothing is held, and there are so many inodes besides the root.
  void check_rest(std::size_t inodes) {
    session.cluster.settle_debts();
    std::size_t found = 0;
    for (const auto& server : session.cluster.servers) {
      found += server->names->inode_count();
      EXPECT_EQ(server->names->lock_count(), 0U);
      EXPECT_EQ(server->names->open_count(), 0U);
      EXPECT_EQ(server->names->range_lock_count(), 0U);
      EXPECT_EQ(server->names->counter_count(), 0U);
      EXPECT_EQ(server->names->owed_count(), 0U);
      EXPECT_EQ(server->names->prepared_count(), 0U);
      EXPECT_EQ(server->names->background_count(), 0U);
      EXPECT_EQ(server->exchange->outcomes().running_count(), 0U);
      EXPECT_EQ(server->pool->used_bytes(), 0U);
    }
    EXPECT_EQ(found, inodes + 1);
  }
  bool exists(const std::string& path) {
    const auto found = watcher().stat(path);
    EXPECT_TRUE(found.has_value() || found.error().code == Errc::kNotFound);
    return found.has_value();
  }

  FakeSession session;
  ServerId victim{};
  Blow blow{};
  std::uint64_t after = 0;
  bool in_time = false;

 private:
  bool restart_due_ = false;
  bool cut_due_ = false;
};

/// Calls `tell(story)` for every victim, blow and number of messages, until the blow comes too
/// late.
template <typename Tell>
void for_every_blow(Tell tell) {
  std::uint64_t blows = 0;
  for (std::uint16_t victim = 0; victim < kServerCount; ++victim) {
    for (const Blow blow : {Blow::kCrash, Blow::kCrashLater, Blow::kCut, Blow::kCutTwice}) {
      bool again = true;
      for (std::uint64_t after = 0; again; ++after) {
        SCOPED_TRACE(testing::Message() << "server " << victim << ' ' << name_of_blow(blow)
                                        << " after " << after << " messages");
        ASSERT_LT(after, 200U) << "it does not end";
        Story story(after + 1);
        story.victim = ServerId{victim};
        story.blow = blow;
        story.after = after;
        tell(story);
        again = story.in_time;
        blows += again ? 1 : 0;
        if (testing::Test::HasFailure()) {
          return;
        }
      }
    }
  }
  EXPECT_GT(blows, 3U * 4U);
}

TEST(Repeat, AFileIsCreatedOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    FakeMount& mount = story.actor();
    const auto opened =
        story.run(mount.names.open(story.context(), FakeMount::path(path), kCreateNew, 0600, {}));
    ASSERT_TRUE(opened.has_value());
    EXPECT_TRUE(opened->created);
    // The handle works, and its close finds it.
    auto file = mount.make_file(path, *opened, kCreateNew);
    std::vector<char> data(100, 'x');
    EXPECT_TRUE(mount.write(*file, data, 0).has_value());
    const Status closed = mount.close(*file);
    EXPECT_TRUE(closed.has_value()) << benchfs::to_string(closed.error());
    EXPECT_EQ(story.watcher().stat(path)->size_bytes, 100U);
    story.check_rest(1);
  });
}

TEST(Repeat, ADirectoryIsMadeOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "d");
    story.run(story.actor().names.mkdir(story.context(), FakeMount::path(path), 0700));
    EXPECT_TRUE(story.exists(path));
    story.check_rest(1);
  });
}

TEST(Repeat, ADirectoryIsRemovedOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "d");
    EXPECT_TRUE(story.watcher().mkdir(path).has_value());
    EXPECT_TRUE(story.watcher().mkdir(path + "/in").has_value());
    EXPECT_TRUE(story.watcher().rmdir(path + "/in").has_value());
    story.run(story.actor().names.rmdir(story.context(), FakeMount::path(path)));
    EXPECT_FALSE(story.exists(path));
    story.check_rest(0);
  });
}

TEST(Repeat, ADirectoryIsRemovedOnceAlsoByTheServerOfANameThatIsNotItsHome) {
  for_every_blow([](Story& story) {
    const std::string made = story.path_on(1, "d");
    const std::string path = story.path_on(2, "e");
    EXPECT_TRUE(story.watcher().mkdir(made).has_value());
    EXPECT_TRUE(story.watcher().rename(made, path).has_value());
    story.run(story.actor().names.rmdir(story.context(), FakeMount::path(path)));
    EXPECT_FALSE(story.exists(path));
    story.check_rest(0);
  });
}

TEST(Repeat, ADirectoryIsRenamedOnceAlsoOverAnotherAndToAnotherServer) {
  for (const std::uint16_t target : {std::uint16_t{1}, std::uint16_t{2}}) {
    for (const bool replaces : {false, true}) {
      for_every_blow([=](Story& story) {
        const std::string from = story.path_on(1, "from");
        const std::string to = story.path_on(target, "to");
        EXPECT_TRUE(story.watcher().mkdir(from).has_value());
        story.make_file(from + "/in", 100);
        if (replaces) {
          EXPECT_TRUE(story.watcher().mkdir(to).has_value());
        }
        story.run(story.actor().names.rename(story.context(), FakeMount::path(from),
                                             FakeMount::path(to)));
        story.session.cluster.settle_debts();
        EXPECT_FALSE(story.exists(from));
        EXPECT_TRUE(story.exists(to + "/in"));
        story.check_rest(2);
      });
    }
  }
}

TEST(Repeat, ADirectoryIsRenamedIntoAnotherOnce) {
  for_every_blow([](Story& story) {
    const std::string parent = story.path_on(2, "parent");
    const std::string from = story.path_on(1, "from");
    EXPECT_TRUE(story.watcher().mkdir(parent).has_value());
    EXPECT_TRUE(story.watcher().mkdir(from).has_value());
    story.run(story.actor().names.rename(story.context(), FakeMount::path(from),
                                         FakeMount::path(parent + "/to")));
    story.session.cluster.settle_debts();
    EXPECT_FALSE(story.exists(from));
    EXPECT_TRUE(story.exists(parent + "/to"));
    story.check_rest(2);
  });
}

TEST(Repeat, ASymbolicLinkIsMadeRenamedAndRemovedOnce) {
  const std::string target(4095, 't');  // Fetched by the server, not sent along.
  for_every_blow([&target](Story& story) {
    const std::string path = story.path_on(1, "l");
    story.run(story.actor().names.symlink(story.context(), target, FakeMount::path(path)));
    const auto found = story.watcher().run(
        story.watcher().names.read_link(story.watcher().fresh(path), FakeMount::path(path)));
    EXPECT_EQ(found.value_or(""), target);
    story.check_rest(1);
  });
  for_every_blow([](Story& story) {
    const std::string from = story.path_on(1, "from");
    const std::string to = story.path_on(2, "to");
    EXPECT_TRUE(story.watcher().symlink("there", from).has_value());
    EXPECT_TRUE(story.watcher().symlink("elsewhere", to).has_value());
    story.run(
        story.actor().names.rename(story.context(), FakeMount::path(from), FakeMount::path(to)));
    story.session.cluster.settle_debts();
    const auto said = story.actor().run(
        story.actor().names.read_link(story.actor().fresh(to), FakeMount::path(to)));
    EXPECT_EQ(said.value_or(""), "there");
    story.check_rest(1);
    story.run(story.actor().names.unlink(story.context(), FakeMount::path(to)));
    story.check_rest(0);
  });
}

TEST(Repeat, AFileIsRemovedOnceWhereverItLives) {
  for (const bool moved_before : {false, true}) {
    for_every_blow([=](Story& story) {
      std::string path = story.path_on(1, "f");
      story.make_file(path, 20'000);
      if (moved_before) {  // So that its home is another server than its name's.
        const std::string to = story.path_on(2, "g");
        EXPECT_TRUE(story.watcher().rename(path, to).has_value());
        path = to;
      }
      story.run(story.actor().names.unlink(story.context(), FakeMount::path(path)));
      EXPECT_FALSE(story.exists(path));
      story.check_rest(0);
      for (const auto& server : story.session.cluster.servers) {
        EXPECT_EQ(server->store.usage().file_count, 0U);
      }
    });
  }
}

TEST(Repeat, AFileIsRenamedOnceAlsoOverAnotherAndToAnotherServer) {
  for (const std::uint16_t target : {std::uint16_t{1}, std::uint16_t{2}}) {
    for (const bool replaces : {false, true}) {
      for_every_blow([=](Story& story) {
        const std::string from = story.path_on(1, "from");
        const std::string to = story.path_on(target, "to");
        story.make_file(from, 100);
        if (replaces) {
          story.make_file(to, 5000);
        }
        story.run(story.actor().names.rename(story.context(), FakeMount::path(from),
                                             FakeMount::path(to)));
        story.session.cluster.settle_debts();
        EXPECT_FALSE(story.exists(from));
        EXPECT_EQ(story.watcher().stat(to)->size_bytes, 100U);
        story.check_rest(1);
      });
    }
  }
}

/// Opened before anything is disturbed.
std::unique_ptr<File> open_file(Story& story, const std::string& path, std::uint32_t flags) {
  auto file = story.actor().open(path, flags, {.chunk_bytes = 4096, .stripe_count = 0});
  BENCHFS_ASSERT(file.has_value());
  return std::move(*file);
}

void expect_content(Story& story, const std::string& path, const std::string& expected) {
  auto file = story.watcher().open(path, wire::kOpenRead);
  ASSERT_TRUE(file.has_value());
  std::vector<char> data(expected.size() + 100, '?');
  const auto count = story.watcher().read(**file, data, 0);
  ASSERT_TRUE(count.has_value());
  EXPECT_EQ(*count, expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), data.begin())) << path;
  EXPECT_TRUE(story.watcher().close(**file).has_value());
}

TEST(Repeat, AWriteLandsOnAllServersAndTheCloseSettlesIt) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    auto file = open_file(story, path, kCreateNew);
    std::vector<char> data(30'000, 'w');
    const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
    const Extent extent{.offset_bytes = 10, .size_bytes = data.size()};
    const auto written =
        story.run(file->write(story.context(), std::span(&memory, 1), std::span(&extent, 1)));
    EXPECT_EQ(written.value_or(0), data.size());
    EXPECT_EQ(story.watcher().stat(path)->size_bytes, 30'010U);
    EXPECT_TRUE(story.actor().close(*file).has_value());
    expect_content(story, path, std::string(10, '\0') + std::string(30'000, 'w'));
    story.check_rest(1);
  });
}

TEST(Repeat, AnAppendGoesToTheEndOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 1000);
    auto file = open_file(story, path, kReadWrite | wire::kOpenAppend);
    std::vector<char> data(9000, 'a');
    const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
    const auto written = story.run(file->write_next(story.context(), memory));
    EXPECT_EQ(written.value_or(0), data.size());
    auto other = story.watcher().open(path, wire::kOpenWrite | wire::kOpenAppend);
    ASSERT_TRUE(other.has_value());
    std::vector<char> tail(500, 'b');
    const iovec tail_memory{.iov_base = tail.data(), .iov_len = tail.size()};
    FakeMount& watcher = story.watcher();
    EXPECT_TRUE(watcher.run((*other)->write_next(watcher.fresh(path), tail_memory)).has_value());
    EXPECT_TRUE(watcher.close(**other).has_value());
    EXPECT_TRUE(story.actor().close(*file).has_value());
    expect_content(story, path,
                   std::string(1000, 'o') + std::string(9000, 'a') + std::string(500, 'b'));
    story.check_rest(1);
  });
}

TEST(Repeat, ACloseSettlesTheSizeOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    auto file = open_file(story, path, kCreateNew);
    std::vector<char> data(9000, 'w');
    EXPECT_TRUE(story.actor().write(*file, data, 0).has_value());
    story.run(file->close(story.context()));
    EXPECT_EQ(story.watcher().stat(path)->size_bytes, 9000U);
    story.check_rest(1);
  });
}

TEST(Repeat, ATruncateCutsOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 20'000);
    auto file = open_file(story, path, kReadWrite);
    story.run(file->truncate(story.context(), 5000));
    EXPECT_EQ(story.watcher().stat(path)->size_bytes, 5000U);
    EXPECT_TRUE(story.actor().close(*file).has_value());
    expect_content(story, path, std::string(5000, 'o'));
    story.check_rest(1);
  });
}

TEST(Repeat, AnOpenThatCutsLeavesOneOpen) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 20'000);
    FakeMount& mount = story.actor();
    const std::uint32_t flags = kReadWrite | wire::kOpenTruncate;
    const auto opened =
        story.run(mount.names.open(story.context(), FakeMount::path(path), flags, 0600, {}));
    ASSERT_TRUE(opened.has_value());
    EXPECT_FALSE(opened->created);
    EXPECT_EQ(story.watcher().stat(path)->size_bytes, 0U);
    auto file = mount.make_file(path, *opened, flags);
    EXPECT_TRUE(mount.close(*file).has_value());
    story.check_rest(1);
  });
}

TEST(Repeat, AnOpenForReadingLeavesOneOpen) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 100);
    FakeMount& mount = story.actor();
    const auto opened = story.run(
        mount.names.open(story.context(), FakeMount::path(path), wire::kOpenRead, 0600, {}));
    ASSERT_TRUE(opened.has_value());
    auto file = mount.make_file(path, *opened, wire::kOpenRead);
    EXPECT_TRUE(story.watcher().unlink(path).has_value());
    std::vector<char> data(100, '?');
    EXPECT_EQ(mount.read(*file, data, 0).value_or(0), 100U) << "it is open";
    EXPECT_TRUE(mount.close(*file).has_value());
    story.check_rest(0);
  });
}

TEST(Repeat, AttributesAreSetOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 100);
    const wire::SetAttrRequest change{.mask = wire::kSetMode, .mode = 0123};
    story.run(story.actor().names.set_attributes(story.context(), FakeMount::path(path), change));
    EXPECT_EQ(story.watcher().stat(path)->mode, 0123U);
    story.check_rest(1);
  });
}

TEST(Repeat, AFileThatIsOpenStaysThereForWhoComesBackInTime) {
  Story story(1);
  const std::string path = story.path_on(1, "f");
  story.make_file(path, 100);
  auto file = open_file(story, path, kReadWrite);
  story.victim = ServerId{1};
  story.cut();
  EXPECT_TRUE(story.watcher().unlink(path).has_value());
  story.session.cluster.clock.advance(test::kFakeTimeoutNs / 2);
  std::vector<char> data(100, '?');
  EXPECT_EQ(story.actor().read(*file, data, 0).value_or(0), 100U);
  EXPECT_EQ(story.session.cluster.server(ServerId{1}).names->open_count(), 1U);
  story.session.cluster.settle();
  EXPECT_EQ(story.session.cluster.server(ServerId{1}).names->open_count(), 1U) << "it is back";
  EXPECT_TRUE(story.actor().close(*file).has_value());
  story.check_rest(0);
}

TEST(Repeat, AServerThatRefusesAtFirstIsTriedAgain) {
  // As one that starts, and is known before it serves.
  for (const std::uint64_t refusals : {1U, 2U, 5U}) {
    SCOPED_TRACE(refusals);
    Story story(refusals);
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 100);
    ASSERT_TRUE(story.actor().stat(path).has_value()) << "it is connected";
    story.session.cluster.crash(ServerId{1});
    story.victim = ServerId{1};
    story.restart();
    story.session.cluster.server(ServerId{1}).transport.refuse(refusals);
    const std::uint64_t begin_ns = story.session.cluster.clock.now_ns();
    ASSERT_TRUE(story.actor().stat(path).has_value());
    EXPECT_LE(story.session.cluster.clock.now_ns() - begin_ns, (refusals + 1) * 400 * kNsPerMs);
  }
}

/// What a server answers elsewhere: pings, and what it knows of the others.
class Membership {
 public:
  explicit Membership(test::FakeCluster& cluster) : cluster_(cluster) {}

  void serve(test::FakeServer& server) {
    server.exchange->on<wire::PingRequest>(*this, &Membership::ping);
    server.exchange->on<wire::GetServerRequest>(*this, &Membership::tell);
  }

 private:
  coro::Task<Result<wire::EmptyReply>> ping(server::Context /*context*/, wire::PingRequest) {
    co_return wire::EmptyReply{};
  }
  coro::Task<Result<wire::ServerEntry>> tell(server::Context /*context*/,
                                             wire::GetServerRequest request) {
    const test::FakeServer& server = cluster_.server(request.server);
    const std::vector<std::byte> address = server.transport.address();
    wire::ServerEntry entry;
    entry.server = request.server;
    entry.incarnation = test::kFakeEpoch + server.run_number;
    entry.address.assign(reinterpret_cast<const char*>(address.data()), address.size());
    co_return entry;
  }

  test::FakeCluster& cluster_;
};

TEST(Repeat, APingReachesAServerThatHasStartedAgainAndWaitsForNoneThatHasNot) {
  Story story(1);
  test::FakeCluster& cluster = story.session.cluster;
  constexpr ServerId kVictim{1};
  Membership membership(cluster);
  for (const auto& server : cluster.servers) {
    membership.serve(*server);
  }
  const auto ping_it = [&story] {
    return story.actor().run(ping(story.actor().servers, story.context(), kVictim));
  };
  ASSERT_TRUE(ping_it().has_value()) << "it is connected";

  cluster.crash(kVictim);
  cluster.restart(kVictim, test::FakeCluster::Hears::kServers);
  membership.serve(cluster.server(kVictim));
  EXPECT_TRUE(ping_it().has_value());

  cluster.crash(kVictim);
  const std::uint64_t begin_ns = cluster.clock.now_ns();
  const Status lost = ping_it();
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Errc::kPeerLost);
  EXPECT_LE(cluster.clock.now_ns() - begin_ns, kNsPerSec);
}

TEST(Repeat, ALockIsHeldOnceAndEndedOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 10);
    auto file = std::move(*story.actor().open(path, kReadWrite));
    const auto lock = story.run(file->lock(story.context(), {0, 10}, false));
    ASSERT_TRUE(lock.has_value());
    // It comes back before anything else: who stays away loses the lock.
    EXPECT_TRUE(story.actor().run(file->stat(story.context())).has_value());
    EXPECT_EQ(story.session.cluster.server(ServerId{1}).names->range_lock_count(), 1U);
    story.run(file->unlock(story.context(), *lock));
    EXPECT_TRUE(story.actor().close(*file).has_value());
    story.check_rest(1);
  });
}

TEST(Repeat, ACounterCountsOnce) {
  for_every_blow([](Story& story) {
    const std::string path = story.path_on(1, "f");
    story.make_file(path, 10);
    auto file = std::move(*story.actor().open(path, kReadWrite));
    EXPECT_EQ(story.actor().count(*file, 3).value_or(99), 0U);
    const auto before = story.run(file->count(story.context(), 4, false));
    EXPECT_EQ(before.value_or(99), 3U);
    EXPECT_EQ(story.actor().count(*file, 0).value_or(99), 7U);
    EXPECT_TRUE(story.actor().close(*file).has_value());
    story.check_rest(1);
  });
}

TEST(Repeat, AFileThatIsOpenStaysThereWhileItsHomeStartsAgain) {
  Story story(1);
  const std::string path = story.path_on(1, "f");
  story.make_file(path, 100);
  auto file = open_file(story, path, wire::kOpenRead);
  story.victim = ServerId{1};
  story.session.cluster.crash(story.victim);
  story.restart();
  EXPECT_TRUE(story.watcher().unlink(path).has_value());
  std::vector<char> data(100, '?');
  EXPECT_EQ(story.actor().read(*file, data, 0).value_or(0), 100U);
  EXPECT_TRUE(story.actor().close(*file).has_value());
  story.check_rest(0);
}

}  // namespace
}  // namespace benchfs::client
