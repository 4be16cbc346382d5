// Goal: operations on names have exactly one outcome, cost one request in a known directory, and
// survive what other clients do to the path meanwhile. Method: the servers' real handlers on a
// network in memory; the servers' counters tell the cost.

#include "client/names.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;

constexpr std::uint32_t kReadWrite = wire::kOpenRead | wire::kOpenWrite;

Errc code_of(const Status& status) {
  EXPECT_FALSE(status.has_value());
  return status.has_value() ? Errc{} : status.error().code;
}
template <typename T>
Errc code_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? Errc{} : result.error().code;
}

void make_file(FakeMount& mount, const std::string& path) {
  auto file = mount.open(path, kReadWrite | wire::kOpenCreate);
  ASSERT_TRUE(file.has_value()) << path;
  ASSERT_TRUE(mount.close(**file).has_value());
}

TEST(Names, CostsOneRequestInAKnownDirectory) {
  FakeSession session(3);
  ASSERT_TRUE(session.mount().mkdir("/a").has_value());
  ASSERT_TRUE(session.mount().mkdir("/a/b").has_value());
  make_file(session.mount(), "/a/b/first");
  const std::uint64_t lookups = session.asked(wire::Op::kLookup);
  for (int i = 0; i < 20; ++i) {
    make_file(session.mount(), "/a/b/f" + std::to_string(i));
  }
  EXPECT_EQ(session.asked(wire::Op::kLookup), lookups);
  EXPECT_EQ(session.asked(wire::Op::kOpen), 21u);
}

TEST(Names, LooksADirectoryUpAgainWhenItsLeaseIsOver) {
  FakeSession session(2);
  ASSERT_TRUE(session.mount().mkdir("/a").has_value());
  make_file(session.mount(), "/a/x");
  const std::uint64_t lookups = session.asked(wire::Op::kLookup);
  session.cluster.clock.advance(kDirectoryLeaseNs + 1);
  make_file(session.mount(), "/a/y");
  EXPECT_EQ(session.asked(wire::Op::kLookup), lookups + 1);
}

TEST(Names, FindsADirectoryThatAnotherClientMadeAnew) {
  FakeSession session(3, 2);
  FakeMount& here = session.mount(0);
  FakeMount& there = session.mount(1);
  ASSERT_TRUE(here.mkdir("/a").has_value());
  ASSERT_TRUE(here.mkdir("/a/b").has_value());
  make_file(here, "/a/b/old");
  ASSERT_TRUE(there.unlink("/a/b/old").has_value());
  ASSERT_TRUE(there.rmdir("/a/b").has_value());
  ASSERT_TRUE(there.mkdir("/a/b").has_value());
  make_file(here, "/a/b/new");
  EXPECT_TRUE(there.stat("/a/b/new").has_value());
}

TEST(Names, SaysNotFoundBelowADirectoryThatAnotherClientRemoved) {
  FakeSession session(3, 2);
  ASSERT_TRUE(session.mount(0).mkdir("/a").has_value());
  make_file(session.mount(0), "/a/x");
  ASSERT_TRUE(session.mount(1).unlink("/a/x").has_value());
  ASSERT_TRUE(session.mount(1).rmdir("/a").has_value());
  EXPECT_EQ(code_of(session.mount(0).open("/a/y", kReadWrite | wire::kOpenCreate)),
            Errc::kNotFound);
  EXPECT_EQ(code_of(session.mount(0).stat("/a")), Errc::kNotFound);
}

TEST(Names, UsesARemovedNameAgainAtOnce) {
  FakeSession session(3);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(session.mount().mkdir("/a").has_value());
    make_file(session.mount(), "/a/x");
    ASSERT_TRUE(session.mount().unlink("/a/x").has_value());
    ASSERT_TRUE(session.mount().rmdir("/a").has_value());
  }
}

TEST(Names, LetsExactlyOneOfManyCreateExclusively) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeSession session(3, 4, seed);
    std::vector<coro::Task<Result<wire::OpenReply>>> opening;
    for (std::size_t i = 0; i < 4; ++i) {
      FakeMount& mount = session.mount(i);
      opening.push_back(mount.names.open(mount.fresh("/x"), FakeMount::path("/x"),
                                         kReadWrite | wire::kOpenCreate | wire::kOpenExclusive,
                                         0644, wire::Layout()));
    }
    const auto opened = session.cluster.run(coro::when_all(std::move(opening)));
    int created = 0;
    for (const auto& outcome : opened) {
      created += outcome.has_value() ? 1 : 0;
      EXPECT_TRUE(outcome.has_value() || outcome.error().code == Errc::kExists);
    }
    EXPECT_EQ(created, 1);
  }
}

TEST(Names, TellsFilesAndDirectoriesApart) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  ASSERT_TRUE(mount.mkdir("/dir").has_value());
  make_file(mount, "/file");
  EXPECT_EQ(code_of(mount.mkdir("/dir")), Errc::kExists);
  EXPECT_EQ(code_of(mount.mkdir("/file")), Errc::kExists);
  EXPECT_EQ(code_of(mount.mkdir("/")), Errc::kExists);
  EXPECT_EQ(code_of(mount.rmdir("/file")), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.rmdir("/")), Errc::kBusy);
  EXPECT_EQ(code_of(mount.unlink("/dir")), Errc::kIsDirectory);
  EXPECT_EQ(code_of(mount.unlink("/")), Errc::kIsDirectory);
  EXPECT_EQ(code_of(mount.unlink("/file/")), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.stat("/file/")), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.stat("/file/x")), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.open("/file/x", wire::kOpenRead)), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.open("/file/", wire::kOpenRead)), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.open("/new/", kReadWrite | wire::kOpenCreate)), Errc::kIsDirectory);
  for (const std::string name : {"/dir", "/dir/", "/"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(code_of(mount.open(name, wire::kOpenRead)), Errc::kIsDirectory);
    EXPECT_EQ(code_of(mount.open(name, wire::kOpenRead | wire::kOpenDirectory)),
              Errc::kIsDirectory);
  }
  EXPECT_EQ(code_of(mount.open("/file", wire::kOpenRead | wire::kOpenDirectory)),
            Errc::kNotDirectory);
  EXPECT_EQ(mount.stat("/dir/")->type, wire::FileType::kDirectory);
  EXPECT_EQ(mount.stat("/")->inode, kRootInode);
}

TEST(Names, RefusesToRemoveADirectoryThatIsNotEmpty) {
  FakeSession session(3);
  ASSERT_TRUE(session.mount().mkdir("/a").has_value());
  make_file(session.mount(), "/a/x");
  EXPECT_EQ(code_of(session.mount().rmdir("/a")), Errc::kNotEmpty);
  EXPECT_TRUE(session.mount().stat("/a/x").has_value());
}

TEST(Names, ChangesNothingByAPathThatEndsInDots) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  EXPECT_EQ(code_of(mount.mkdir("/a/.")), Errc::kNotFound);
  ASSERT_TRUE(mount.mkdir("/a").has_value());
  ASSERT_TRUE(mount.mkdir("/a/b").has_value());
  EXPECT_EQ(code_of(mount.mkdir("/a/.")), Errc::kExists);
  EXPECT_EQ(code_of(mount.rmdir("/a/b/.")), Errc::kInvalid);
  EXPECT_EQ(code_of(mount.rmdir("/a/b/..")), Errc::kNotEmpty);
  EXPECT_EQ(code_of(mount.rmdir("/no/.")), Errc::kNotFound);
  EXPECT_EQ(code_of(mount.rename("/a/b/.", "/c")), Errc::kBusy);
  EXPECT_EQ(code_of(mount.rename("/a/b", "/a/..")), Errc::kBusy);
  EXPECT_TRUE(mount.stat("/a/b").has_value());
}

TEST(Names, RenamesOntoNamesOnAnyServer) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  ASSERT_TRUE(mount.mkdir("/d").has_value());
  for (int i = 0; i < 12; ++i) {
    const std::string from = "/from" + std::to_string(i);
    const std::string to = "/d/to" + std::to_string(i);
    make_file(mount, from);
    const InodeId inode = mount.stat(from)->inode;
    ASSERT_TRUE(mount.rename(from, to).has_value()) << i;
    EXPECT_EQ(mount.stat(to)->inode, inode);
    EXPECT_EQ(code_of(mount.stat(from)), Errc::kNotFound);
    // Where the entry is not with the inode, it opens and is changed all the same.
    auto file = mount.open(to, kReadWrite);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ((*file)->identity().inode, inode);
    EXPECT_TRUE(mount.close(**file).has_value());
    wire::SetAttrRequest change;
    change.mask = wire::kSetMode;
    change.mode = 0600;
    EXPECT_TRUE(mount.run(mount.names.set_attributes(mount.fresh(to), FakeMount::path(to), change))
                    .has_value());
    EXPECT_EQ(mount.stat(to)->mode, 0600u);
    EXPECT_TRUE(mount.unlink(to).has_value());
  }
  EXPECT_EQ(code_of(mount.rename("/none", "/d/x")), Errc::kNotFound);
  EXPECT_EQ(code_of(mount.rename("/d", "/d/e")), Errc::kInvalid);
  EXPECT_EQ(code_of(mount.rename("/", "/e")), Errc::kBusy);
  make_file(mount, "/f");
  EXPECT_EQ(code_of(mount.rename("/f/", "/g")), Errc::kNotDirectory);
}

TEST(Names, KeepsWhatACreatorAskedFor) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  auto file =
      mount.open("/x", kReadWrite | wire::kOpenCreate, {.chunk_bytes = 3902, .stripe_count = 2});
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ((*file)->identity().layout.chunk_bytes, 3902u);
  EXPECT_EQ((*file)->identity().layout.stripe_count, 2u);
  EXPECT_TRUE(mount.close(**file).has_value());
  const auto attributes = mount.stat("/x");
  ASSERT_TRUE(attributes.has_value());
  EXPECT_EQ(attributes->uid, 10u);
  EXPECT_EQ(attributes->gid, 20u);
  EXPECT_EQ(attributes->mode, 0644u);
}

TEST(Names, NamesTheServerThatIsLostWithinTheTimeout) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  session.cluster.servers[2]->transport.kill();
  int lost = 0;
  for (int i = 0; i < 30; ++i) {
    const std::string path = "/f" + std::to_string(i);
    const ServerId server =
        session.cluster.server_of({.parent = kRootInode, .name = path.substr(1)});
    const std::uint64_t begin_ns = session.cluster.clock.now_ns();
    auto file = mount.open(path, kReadWrite | wire::kOpenCreate);
    EXPECT_LE(session.cluster.clock.now_ns() - begin_ns, test::kFakeTimeoutNs + kNsPerSec);
    EXPECT_EQ(file.has_value(), server != ServerId{2}) << path;
    if (file.has_value()) {
      EXPECT_TRUE(mount.close(**file).has_value());
    } else {
      ++lost;
      EXPECT_TRUE(file.error().code == Errc::kPeerLost || file.error().code == Errc::kTimedOut);
      EXPECT_EQ(mount.context.server, ServerId{2});
    }
  }
  EXPECT_GT(lost, 0);
}

TEST(Names, KnowsAtOnceThatADirectoryWasMovedByAnotherClient) {
  for (const int servers : {1, 2, 3, 5}) {
    FakeSession session(static_cast<std::uint16_t>(servers), 2);
    FakeMount& here = session.mount(0);
    FakeMount& there = session.mount(1);
    ASSERT_TRUE(here.mkdir("/a").has_value());
    ASSERT_TRUE(here.mkdir("/a/b").has_value());
    for (int i = 0; i < 10; ++i) {
      make_file(there, "/a/b/f" + std::to_string(i));  // It has the way in its cache.
    }
    ASSERT_TRUE(here.rename("/a", "/z").has_value());
    for (int i = 0; i < 10; ++i) {
      const std::string name = "f" + std::to_string(i);
      EXPECT_EQ(code_of(there.stat("/a/b/" + name)), Errc::kNotFound);
      EXPECT_TRUE(there.stat("/z/b/" + name).has_value());
      EXPECT_EQ(code_of(there.open("/a/b/new" + name, kReadWrite | wire::kOpenCreate)),
                Errc::kNotFound);
    }
    // Its place is taken by another.
    ASSERT_TRUE(here.mkdir("/a").has_value());
    ASSERT_TRUE(here.mkdir("/a/b").has_value());
    make_file(there, "/a/b/f");
    EXPECT_TRUE(here.stat("/a/b/f").has_value());
    EXPECT_EQ(code_of(here.stat("/z/b/f")), Errc::kNotFound);
  }
}

coro::Task<int> move_around(FakeMount& mount, std::string path, int turns) {
  int failed = 0;
  std::string from = path;
  for (int turn = 0; turn < turns; ++turn) {
    std::string to = path + "-" + std::to_string(turn);
    auto moving = mount.names.rename(mount.fresh(from), FakeMount::path(from), FakeMount::path(to));
    const auto moved = co_await moving;
    failed += moved.has_value() ? 0 : 1;
    from = to;
  }
  co_return failed;
}

TEST(Names, MovesDirectoriesHoweverManyOthersMoveTheirs) {
  constexpr int kMounts = 12;
  constexpr int kTurns = 30;
  for (const int servers : {1, 3}) {
    FakeSession session(static_cast<std::uint16_t>(servers), kMounts);
    ASSERT_TRUE(session.mount(0).mkdir("/a").has_value());
    ASSERT_TRUE(session.mount(0).mkdir("/a/b").has_value());
    std::vector<coro::Task<int>> moving;
    for (int i = 0; i < kMounts; ++i) {
      const std::string path = "/a/b/d" + std::to_string(i);
      FakeMount& mount = session.mount(static_cast<std::size_t>(i));
      ASSERT_TRUE(mount.mkdir(path).has_value());
      moving.push_back(move_around(mount, path, kTurns));
    }
    for (const int failed : session.cluster.run(coro::when_all(std::move(moving)))) {
      EXPECT_EQ(failed, 0) << servers << " servers";
    }
  }
}

TEST(Names, CostsOneRequestAgainAfterADirectoryHasMoved) {
  FakeSession session(3, 2);
  FakeMount& mount = session.mount(1);
  ASSERT_TRUE(mount.mkdir("/a").has_value());
  ASSERT_TRUE(mount.mkdir("/b").has_value());
  make_file(mount, "/a/f");
  ASSERT_TRUE(session.mount(0).rename("/b", "/c").has_value());
  make_file(mount, "/a/g");
  const std::uint64_t lookups = session.asked(wire::Op::kLookup);
  const std::uint64_t moves = session.asked(wire::Op::kMoves);
  EXPECT_EQ(moves, 1U);
  for (int i = 0; i < 20; ++i) {
    make_file(mount, "/a/h" + std::to_string(i));
  }
  EXPECT_EQ(session.asked(wire::Op::kLookup), lookups);
  EXPECT_EQ(session.asked(wire::Op::kMoves), moves);
}

TEST(Names, FollowsLinksOverAllServers) {
  for (const int servers : {1, 2, 3, 5}) {
    FakeSession session(static_cast<std::uint16_t>(servers));
    FakeMount& mount = session.mount();
    ASSERT_TRUE(mount.mkdir("/d").has_value());
    ASSERT_TRUE(mount.mkdir("/d/e").has_value());
    make_file(mount, "/d/f");
    ASSERT_TRUE(mount.symlink("../f", "/d/e/up").has_value());
    ASSERT_TRUE(mount.symlink("/d/e", "/e").has_value());
    const InodeId file = mount.stat("/d/f")->inode;
    for (const char* path : {"/e/up", "/d/e/up", "/e/../f", "/e/../../d/e/./up"}) {
      EXPECT_EQ(mount.stat(path)->inode, file) << path;
    }
    EXPECT_EQ(mount.lstat("/e/up")->type, wire::FileType::kSymlink);
    EXPECT_EQ(mount.lstat("/e/up")->size_bytes, 4U);
    EXPECT_EQ(*mount.read_link("/e"), "/d/e");
    EXPECT_EQ(code_of(mount.read_link("/e/")), Errc::kInvalid);
    EXPECT_EQ(code_of(mount.symlink("x", "/e")), Errc::kExists);
  }
}

TEST(Names, KeepsATargetOfAnyLengthAndBytes) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  for (const std::size_t bytes : {1U, 100U, 2000U, 4095U}) {
    std::string target;
    for (std::size_t i = 0; i < bytes; ++i) {
      target += static_cast<char>(1 + i % 255);
    }
    const std::string path = "/l" + std::to_string(bytes);
    ASSERT_TRUE(mount.symlink(target, path).has_value());
    EXPECT_EQ(*mount.read_link(path), target);
  }
}

TEST(Names, EndsInACircleOfLinks) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  ASSERT_TRUE(mount.symlink("b", "/a").has_value());
  ASSERT_TRUE(mount.symlink("a", "/b").has_value());
  const std::uint64_t asked = session.asked(wire::Op::kReadLink);
  EXPECT_EQ(code_of(mount.stat("/a")), Errc::kSymlinkLoop);
  EXPECT_EQ(code_of(mount.open("/a/x", kReadWrite | wire::kOpenCreate)), Errc::kSymlinkLoop);
  EXPECT_EQ(session.asked(wire::Op::kReadLink), asked + 80) << "40 for each path";
}

TEST(Names, SeesAtOnceThatAnotherClientTurnedALink) {
  FakeSession session(3, 2);
  FakeMount& here = session.mount(0);
  FakeMount& there = session.mount(1);
  for (const char* path : {"/v1", "/v2"}) {
    ASSERT_TRUE(here.mkdir(path).has_value());
    make_file(here, std::string(path) + "/f");
  }
  ASSERT_TRUE(here.symlink("v1", "/now").has_value());
  EXPECT_EQ(there.stat("/now/f")->inode, here.stat("/v1/f")->inode);
  ASSERT_TRUE(here.symlink("v2", "/next").has_value());
  ASSERT_TRUE(here.rename("/next", "/now").has_value());
  EXPECT_EQ(there.stat("/now/f")->inode, here.stat("/v2/f")->inode);
}

TEST(Names, WalksBackByTheWayThatItCame) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  ASSERT_TRUE(mount.mkdir("/a").has_value());
  ASSERT_TRUE(mount.mkdir("/a/b").has_value());
  make_file(mount, "/f");
  EXPECT_TRUE(mount.stat("/a/b/../../f").has_value());
  EXPECT_TRUE(mount.stat("/../../f").has_value());
  EXPECT_EQ(mount.stat("/a/b/..")->inode, mount.stat("/a")->inode);
  EXPECT_EQ(code_of(mount.stat("/no/../f")), Errc::kNotFound);
  EXPECT_EQ(code_of(mount.stat("/f/../f")), Errc::kNotDirectory);
  EXPECT_EQ(code_of(mount.unlink("/a/..")), Errc::kIsDirectory);
  EXPECT_EQ(code_of(mount.rmdir("/a/b/..")), Errc::kNotEmpty);
}

}  // namespace
}  // namespace benchfs::client
