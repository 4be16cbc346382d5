// Goal: whatever server crashes at whatever moment of a change, and starts again, the change has
// happened or not: no file has two names or none, nothing of a removed file stays, and what was
// acknowledged is there. Method: one change at a time over 1, 2, 3 and 5 servers; it is repeated
// with a crash of each server after the first message, the second, ... until it needs no more of
// them; the server starts again at once or after the change has ended.

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/fake_user.h"

namespace benchfs::test {
namespace {

constexpr std::uint16_t kServerCounts[] = {1, 2, 3, 5};
constexpr std::uint32_t kCreateNew =
    wire::kOpenRead | wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive;
constexpr std::uint64_t kFileBytes = 5 * kMiB;  ///< A chunk on each server, at least.

enum class Restart { kAtOnce, kAfterwards };

/// Everything of one run: servers, a client, and the files of the change.
class Story {
 public:
  Story(std::uint16_t servers, std::uint64_t seed)
      : server_count(servers), cluster(servers, 1, seed) {}

  std::string name_on(std::uint16_t server, const std::string& prefix,
                      InodeId parent = kRootInode) {
    for (int i = 0;; ++i) {
      std::string name = prefix + std::to_string(i);
      if (cluster.server_of(key_of(parent, name)) ==
          ServerId{static_cast<std::uint16_t>(server % server_count)}) {
        return name;
      }
    }
  }
  /// With data on every server.
  InodeId make_file(const wire::EntryKey& key) {
    const auto opened = cluster.run(user.open(key, kCreateNew));
    BENCHFS_ASSERT(opened.has_value());
    const wire::Attributes& file = opened->entry.attributes;
    const placement::Striping striping{.file = file.inode,
                                       .chunk_bytes = file.layout.chunk_bytes,
                                       .stripe_count = file.layout.stripe_count,
                                       .server_count = server_count};
    for (std::uint64_t chunk = 0; chunk < server_count; ++chunk) {
      FakeServer& server = cluster.server(placement::chunk_server(striping, chunk));
      const std::vector<store::Piece> pieces{
          {.offset_bytes = chunk * file.layout.chunk_bytes, .size_bytes = 4096}};
      io::PoolBuffer buffer = server.pool->try_acquire(4096);
      std::memset(buffer.bytes().data(), 'x', 4096);
      auto writing = server.store.write(file.inode, pieces, std::move(buffer));
      const Status written = cluster.run(std::move(writing));
      BENCHFS_ASSERT(written.has_value());
    }
    const auto closed = cluster.run(user.close_written(*opened, kFileBytes));
    BENCHFS_ASSERT(closed.has_value());
    return file.inode;
  }

  InodeId make_directory(const wire::EntryKey& key) {
    const auto made = cluster.run(user.mkdir(key));
    BENCHFS_ASSERT(made.has_value());
    return made->attributes.inode;
  }
  InodeId make_link(const wire::EntryKey& key, const std::string& target) {
    const auto made = cluster.run(user.symlink(key, target));
    BENCHFS_ASSERT(made.has_value());
    return made->attributes.inode;
  }

  /// Runs `change`; crashes `victim` when `after` messages have been sent. Returns false if the
  /// change, and what it leaves to be done, needs fewer.
  template <typename Reply>
  bool run_with_crash(coro::Task<Result<Reply>> change, ServerId victim, std::uint64_t after,
                      Restart restart) {
    cluster.settle();
    const std::uint64_t until_count = cluster.message_count() + after;
    const std::uint64_t until_ns = cluster.clock.now_ns() + 5 * kNsPerSec;
    change.start();
    while (cluster.message_count() < until_count && cluster.clock.now_ns() < until_ns) {
      cluster.loop.run_once(until_ns);
    }
    const bool in_time = cluster.message_count() >= until_count;
    cluster.crash(victim);
    if (restart == Restart::kAtOnce) {
      cluster.restart(victim);
    }
    run_to_end(change);
    if (restart == Restart::kAfterwards) {
      cluster.settle();
      cluster.restart(victim);
    }
    const Result<Reply> result = change.take();
    succeeded = result.has_value();
    error = succeeded ? Errc{} : result.error().code;
    cluster.settle_debts();
    return in_time;
  }

  void run_for(std::uint64_t duration_ns) {
    const std::uint64_t until_ns = cluster.clock.now_ns() + duration_ns;
    while (cluster.clock.now_ns() < until_ns) {
      cluster.loop.run_once(until_ns);
    }
  }

  template <typename T>
  void run_to_end(const coro::Task<T>& begun) {
    while (!begun.done()) {
      cluster.loop.run_once(UINT64_MAX);
    }
  }

  /// The inode under the name; kNoInode if there is none.
  InodeId find(const wire::EntryKey& key) {
    const auto found = cluster.run(user.lookup(key));
    if (!found.has_value()) {
      EXPECT_EQ(found.error().code, Errc::kNotFound) << key.name;
      return kNoInode;
    }
    return found->attributes.inode;
  }

  /// So many inodes are there, and nobody owes or holds anything.
  void check_rest(std::size_t inodes) {
    std::size_t inode_count = 0;
    for (const auto& server : cluster.servers) {
      inode_count += server->names->inode_count();
      EXPECT_EQ(server->names->lock_count(), 0U);
      EXPECT_EQ(server->names->owed_count(), 0U);
      EXPECT_EQ(server->names->prepared_count(), 0U);
      EXPECT_EQ(server->names->background_count(), 0U);
    }
    EXPECT_EQ(inode_count, inodes);
  }
  /// Exactly these files are there, with their data, besides the root.
  void check_files(const std::set<InodeId>& files) {
    check_rest(1 + files.size());
    for (const InodeId file : files) {
      const auto attributes = cluster.run(user.stat(file));
      ASSERT_TRUE(attributes.has_value());
      EXPECT_EQ(attributes->link_count, 1U);
    }
  }
  std::uint64_t stored_file_count() {
    std::uint64_t count = 0;
    for (const auto& server : cluster.servers) {
      count += server->store.usage().file_count;
    }
    return count;
  }

  const std::uint16_t server_count;
  FakeCluster cluster;
  FakeUser user{cluster, *cluster.clients[0]};
  bool succeeded = false;
  Errc error{};
};

/// Calls `tell(story, victim, after, restart)` for every victim and every number of messages, until
/// that returns false.
template <typename Tell>
void for_every_crash(Tell tell) {
  for (const std::uint16_t servers : kServerCounts) {
    for (std::uint16_t victim = 0; victim < servers; ++victim) {
      for (const Restart restart : {Restart::kAtOnce, Restart::kAfterwards}) {
        bool again = true;
        for (std::uint64_t after = 0; again; ++after) {
          SCOPED_TRACE(testing::Message()
                       << servers << " servers: server " << victim << " crashes after " << after
                       << " messages, restarts "
                       << (restart == Restart::kAtOnce ? "at once" : "afterwards"));
          ASSERT_LT(after, 200U) << "it does not end";
          Story story(servers, after + 1);
          again = tell(story, ServerId{victim}, after, restart);
          if (testing::Test::HasFailure()) {
            return;
          }
        }
      }
    }
  }
}

/// From a name on `source` to one on `target`, over an older file or not.
void rename_with_crashes(std::uint16_t source, std::uint16_t target, const char* from_prefix,
                         bool replaces) {
  for_every_crash([=](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
    const wire::EntryKey from = key_of(kRootInode, story.name_on(source, from_prefix));
    const wire::EntryKey to = key_of(kRootInode, story.name_on(target, "m"));
    const InodeId moved = story.make_file(from);
    const InodeId old = replaces ? story.make_file(to) : kNoInode;
    const bool again = story.run_with_crash(story.user.rename(from, to), victim, after, restart);
    const InodeId at_from = story.find(from);
    const InodeId at_to = story.find(to);
    const bool happened = at_from == kNoInode && at_to == moved;
    const bool did_not = at_from == moved && at_to == old;
    EXPECT_TRUE(happened || did_not) << to_integer(at_from) << ' ' << to_integer(at_to);
    EXPECT_TRUE(happened || !story.succeeded) << "what was acknowledged is not there";
    std::set<InodeId> files{moved};
    if (did_not && replaces) {
      files.insert(old);
    }
    story.check_files(files);
    EXPECT_EQ(story.stored_file_count(), files.size() * story.server_count);
    return again;
  });
}

TEST(NamespaceCrash, ARenameBetweenServersHappensOrNot) {
  rename_with_crashes(0, 1, "a", false);  // Its source is locked first.
  rename_with_crashes(1, 2, "z", false);  // Its target is.
}

TEST(NamespaceCrash, ARenameThatReplacesAFileLeavesNothingOfIt) {
  rename_with_crashes(0, 2, "a", true);
  rename_with_crashes(2, 0, "z", true);
}

TEST(NamespaceCrash, ARenameOnOneServerHappensOrNot) {
  rename_with_crashes(1, 1, "a", true);
}

TEST(NamespaceCrash, AnUnlinkLeavesNothingOfTheFileWhereverItLives) {
  for (const bool moved_before : {false, true}) {
    for_every_crash([=](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
      wire::EntryKey key = key_of(kRootInode, story.name_on(1, "f"));
      const InodeId file = story.make_file(key);
      if (moved_before) {  // So that its home is another server than its name's.
        const wire::EntryKey to = key_of(kRootInode, story.name_on(2, "g"));
        EXPECT_TRUE(story.cluster.run(story.user.rename(key, to)).has_value());
        key = to;
      }
      const bool again = story.run_with_crash(story.user.unlink(key), victim, after, restart);
      const InodeId found = story.find(key);
      EXPECT_TRUE(found == kNoInode || (found == file && !story.succeeded));
      story.check_files(found == kNoInode ? std::set<InodeId>() : std::set<InodeId>{file});
      EXPECT_EQ(story.stored_file_count(), found == kNoInode ? 0U : story.server_count);
      return again;
    });
  }
}

TEST(NamespaceCrash, ACreatedFileIsThereOnceItIsAcknowledged) {
  for_every_crash([](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
    const wire::EntryKey key = key_of(kRootInode, story.name_on(1, "f"));
    const bool again =
        story.run_with_crash(story.user.open(key, kCreateNew), victim, after, restart);
    const InodeId found = story.find(key);
    EXPECT_TRUE(found != kNoInode || !story.succeeded);
    story.check_files(found == kNoInode ? std::set<InodeId>() : std::set<InodeId>{found});
    return again;
  });
}

TEST(NamespaceCrash, ALinkIsThereWithAllThatItSaysOnceItIsAcknowledged) {
  const std::string target(wire::kLinkTargetBytesMax, 't');
  for_every_crash([&](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
    const wire::EntryKey key = key_of(kRootInode, story.name_on(1, "l"));
    const bool again =
        story.run_with_crash(story.user.symlink(key, target), victim, after, restart);
    const InodeId found = story.find(key);
    EXPECT_TRUE(found != kNoInode || !story.succeeded);
    if (found != kNoInode) {
      const auto told = story.cluster.run(story.user.read_link(found));
      EXPECT_TRUE(told.has_value());
      EXPECT_EQ(told->target, target);
    }
    story.check_files(found == kNoInode ? std::set<InodeId>() : std::set<InodeId>{found});
    return again;
  });
}

TEST(NamespaceCrash, ALinkIsMovedReplacedAndRemovedOnceOrNotAtAll) {
  for_every_crash([](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
    const wire::EntryKey from = key_of(kRootInode, story.name_on(0, "a"));
    const wire::EntryKey to = key_of(kRootInode, story.name_on(1, "z"));
    const InodeId moved = story.make_link(from, "moved");
    const InodeId old = story.make_link(to, "old");
    const bool again = story.run_with_crash(story.user.rename(from, to), victim, after, restart);
    const InodeId at_from = story.find(from);
    const InodeId at_to = story.find(to);
    const bool happened = at_from == kNoInode && at_to == moved;
    EXPECT_TRUE(happened || (at_from == moved && at_to == old));
    EXPECT_TRUE(happened || !story.succeeded);
    story.check_files(happened ? std::set<InodeId>{moved} : std::set<InodeId>{moved, old});
    // Its home is another server than its name's by now.
    EXPECT_TRUE(story.cluster.run(story.user.unlink(to)).has_value());
    story.cluster.settle_debts();
    story.check_files(happened ? std::set<InodeId>() : std::set<InodeId>{moved});
    return again;
  });
}

/// A directory with a file in it, from a name on `source` to one on `target`; below another
/// directory or not, over an empty one or not.
void move_with_crashes(std::uint16_t source, std::uint16_t target, const char* from_prefix,
                       bool into_other, bool replaces) {
  for_every_crash([=](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
    const wire::EntryKey other_key = key_of(kRootInode, story.name_on(1, "o"));
    const InodeId other = story.make_directory(other_key);
    const InodeId parent = into_other ? other : kRootInode;
    const wire::EntryKey from = key_of(kRootInode, story.name_on(source, from_prefix));
    const wire::EntryKey to = key_of(parent, story.name_on(target, "m", parent));
    const InodeId moved = story.make_directory(from);
    const wire::EntryKey inside = key_of(moved, "inside");
    const InodeId file = story.make_file(inside);
    const InodeId old = replaces ? story.make_directory(to) : kNoInode;
    const bool again = story.run_with_crash(story.user.rename(from, to), victim, after, restart);
    const InodeId at_from = story.find(from);
    const InodeId at_to = story.find(to);
    const bool happened = at_from == kNoInode && at_to == moved;
    const bool did_not = at_from == moved && at_to == old;
    EXPECT_TRUE(happened || did_not) << to_integer(at_from) << ' ' << to_integer(at_to);
    EXPECT_TRUE(happened || !story.succeeded) << "what was acknowledged is not there";
    EXPECT_EQ(story.find(inside), file);
    story.check_rest(4 + (did_not && replaces ? 1 : 0));
    const auto& home = story.cluster.server(home_of(moved)).names->state();
    EXPECT_EQ(home.find_directory(moved)->parent, happened ? parent : kRootInode);
    // What was replaced takes nothing any more; what was not still does.
    if (replaces) {
      const auto made = story.cluster.run(story.user.mkdir(key_of(old, "x")));
      EXPECT_EQ(made.has_value() ? Errc{} : made.error().code, happened ? Errc::kStale : Errc{});
    }
    return again;
  });
}

TEST(NamespaceCrash, ARenameOfADirectoryHappensOrNot) {
  move_with_crashes(1, 2, "a", false, false);
  move_with_crashes(2, 1, "z", true, false);
}

TEST(NamespaceCrash, ARenameOfADirectoryToAnotherOneHappensOrNot) {
  move_with_crashes(0, 1, "z", true, false);
  move_with_crashes(1, 1, "a", true, false);
}

TEST(NamespaceCrash, ARenameOfADirectoryThatReplacesAnotherLeavesNothingOfThat) {
  move_with_crashes(1, 2, "a", true, true);
  move_with_crashes(2, 0, "z", false, true);
  move_with_crashes(0, 0, "z", true, true);
}

TEST(NamespaceCrash, WhatAHomeHasNotHeardYetOfEarlierMovesMakesNoCircle) {
  for (const bool hears_between : {false, true}) {
    Story story(3, 1);
    const auto name = [&](std::uint16_t server, const char* prefix, InodeId parent = kRootInode) {
      return key_of(parent, story.name_on(server, prefix, parent));
    };
    const auto rename = [&](const wire::EntryKey& from, const wire::EntryKey& to) {
      const auto renamed = story.cluster.run(story.user.rename(from, to));
      return renamed.has_value() ? Errc{} : renamed.error().code;
    };
    const wire::EntryKey a_key = name(0, "a");
    const wire::EntryKey b_key = name(0, "b");
    const InodeId a = story.make_directory(a_key);
    const InodeId b = story.make_directory(b_key);
    // The home of what moves is server 2, and no name of it is there.
    const wire::EntryKey made = name(2, "m");
    const InodeId moved = story.make_directory(made);
    const wire::EntryKey first = name(1, "m");
    ASSERT_EQ(rename(made, first), Errc{});
    const wire::EntryKey inside_a = name(1, "m", a);
    const wire::EntryKey inside_b = name(1, "m", b);
    const wire::EntryKey below = name(1, "x", moved);
    story.make_file(name(1, "f", moved));  // So that server 1 is attached to it.
    story.cluster.crash(ServerId{2});
    ASSERT_EQ(rename(first, inside_a), Errc{});
    if (hears_between) {
      story.cluster.restart(ServerId{2});
    }
    EXPECT_EQ(rename(a_key, below), Errc::kInvalid) << "it is below a";
    ASSERT_EQ(rename(inside_a, inside_b), Errc{});
    EXPECT_EQ(rename(b_key, below), Errc::kInvalid) << "it is below b";
    if (!hears_between) {
      story.cluster.restart(ServerId{2});
    }
    EXPECT_EQ(rename(b_key, below), Errc::kInvalid) << "it is below b";
    EXPECT_EQ(rename(a_key, below), Errc{});
    story.cluster.settle_debts();
    const auto& home = story.cluster.server(ServerId{2}).names->state();
    EXPECT_EQ(home.find_directory(moved)->parent, b);
    story.check_rest(5);
  }
}

/// A foreign server that holds an entry of `server`, so that renames to it wait.
class Holder {
 public:
  Holder(Story& story, ServerId server, const wire::EntryKey& key)
      : story_(story),
        server_(server),
        peer_(story.cluster.network, {.role = net::PeerIdentity::Role::kServer, .id = 77}) {
    std::vector<std::vector<std::byte>> addresses;
    for (const auto& each : story.cluster.servers) {
      addresses.push_back(each->transport.address());
    }
    peer_.meet(addresses);
    const wire::RenamePrepareRequest lock{.key = key, .rename_id = 1};
    EXPECT_TRUE(story.cluster.run(peer_.ask(server, lock, 8 * kNsPerSec)).has_value());
  }
  ~Holder() {
    peer_.transport.kill();
    story_.cluster.settle();
  }
  void let_go() {
    const wire::RenameCommitRequest unlock{.rename_id = 1};
    EXPECT_TRUE(story_.cluster.run(peer_.ask(server_, unlock)).has_value());
  }

 private:
  Story& story_;
  const ServerId server_;
  FakePeer peer_;
};

TEST(NamespaceCrash, ARenameOfADirectoryThatSomebodyWasToldIsGivenUpIsNotDoneLater) {
  Story story(3, 1);
  const wire::EntryKey from = key_of(kRootInode, story.name_on(1, "a"));
  const wire::EntryKey to = key_of(kRootInode, story.name_on(2, "z"));
  ASSERT_LT(from, to) << "its source is prepared first";
  const InodeId moved = story.make_directory(from);
  Holder holder(story, ServerId{2}, to);  // The rename stops between its two entries.
  auto change = story.user.rename(from, to);
  change.start();
  story.run_for(500 * kNsPerMs);
  EXPECT_EQ(story.cluster.server(ServerId{1}).names->prepared_count(), 1U);
  story.cluster.crash(ServerId{1});
  story.cluster.restart(ServerId{1});
  story.run_for(2 * kNsPerSec);
  EXPECT_EQ(story.cluster.server(ServerId{1}).names->prepared_count(), 0U) << "it has asked";
  holder.let_go();
  story.run_to_end(change);
  story.cluster.settle_debts();
  EXPECT_EQ(story.find(from), moved);
  EXPECT_EQ(story.find(to), kNoInode);
  story.check_rest(2);
}

TEST(NamespaceCrash, ARenameThatHasFailedIsNotDoneByWhatEarlierRunsOfItsServerHaveAskedFor) {
  Story story(3, 1);
  const wire::EntryKey held = key_of(kRootInode, story.name_on(2, "z"));
  const wire::EntryKey first = key_of(kRootInode, story.name_on(2, "f"));
  const wire::EntryKey from = key_of(kRootInode, story.name_on(1, "a"));
  const wire::EntryKey to = key_of(kRootInode, story.name_on(2, "b"));
  story.make_directory(first);
  story.make_directory(from);
  Holder holder(story, ServerId{2}, held);
  // It holds the lock of the moves at the root, and the next one waits for that.
  auto before = story.user.rename(first, held);
  before.start();
  story.run_for(100 * kNsPerMs);
  const auto ask = [&](std::uint64_t number) {
    return story.cluster.clients[0]->ask(ServerId{1}, wire::RenameRequest{.from = from, .to = to},
                                         kPatienceNs, {}, {.number = number, .answered_below = 1});
  };
  auto waiting = ask(1);
  waiting.start();
  story.run_for(100 * kNsPerMs);
  EXPECT_FALSE(waiting.done());
  const auto start_again = [&story] {
    story.cluster.crash(ServerId{1});
    story.cluster.restart(ServerId{1});
  };
  start_again();
  story.run_to_end(waiting);
  EXPECT_EQ(waiting.take().error().code, Errc::kPeerLost);
  ASSERT_TRUE(story.cluster.run(story.user.rmdir(from)).has_value());
  EXPECT_EQ(story.cluster.run(ask(1)).error().code, Errc::kNotFound) << "told, and for good";
  start_again();
  const InodeId newer = story.make_directory(from);
  holder.let_go();
  story.run_to_end(before);
  EXPECT_TRUE(before.take().has_value()) << "in time for who waits behind it";
  story.cluster.settle_debts();
  EXPECT_EQ(story.find(from), newer);
  EXPECT_EQ(story.find(to), kNoInode);
  story.check_rest(3);
}

/// Server 2 stands still until it is let go. Names are on server 1, and server 0, which has moved a
/// directory already, is connected to both.
struct SlowToHear : Story {
  SlowToHear() : Story(4, 1) {
    const wire::EntryKey before = key("f");
    make_directory(before);
    EXPECT_TRUE(cluster.run(user.rename(before, key("g"))).has_value());
    slow().transport.hang();
  }
  FakeServer& slow() { return cluster.server(ServerId{2}); }
  wire::EntryKey key(const char* prefix, InodeId parent = kRootInode) {
    return key_of(parent, name_on(1, prefix, parent));
  }
  /// Server 3 goes, and server 0 tries again and again to tell it something.
  void owe_to_one_who_is_away() {
    const wire::EntryKey made = key_of(kRootInode, name_on(3, "h"));
    const wire::EntryKey here = key_of(kRootInode, name_on(0, "h"));
    make_link(made, "x");
    EXPECT_TRUE(cluster.run(user.rename(made, here)).has_value());
    cluster.crash(ServerId{3});
    EXPECT_TRUE(cluster.run(user.unlink(here)).has_value());
    EXPECT_EQ(cluster.server(ServerId{0}).names->owed_count(), 1U);
  }
  std::size_t prepared_count() { return cluster.server(ServerId{1}).names->prepared_count(); }
};

TEST(NamespaceCrash, ARenameOfADirectoryIsSeenByNobodyBeforeAllServersKnow) {
  SlowToHear story;
  const wire::EntryKey from = story.key("a");
  const wire::EntryKey to = story.key("z");
  const InodeId moved = story.make_directory(from);
  story.owe_to_one_who_is_away();
  auto change = story.user.rename(from, to);
  change.start();
  story.run_for(2 * kNsPerSec);
  EXPECT_EQ(story.prepared_count(), 2U);
  // Who has the names asks what has become of it, and must not be told yet.
  story.cluster.server(ServerId{0}).transport.cut(story.cluster.server(ServerId{1}).transport);
  story.run_for(kNsPerSec);
  EXPECT_EQ(story.prepared_count(), 2U);
  story.slow().transport.resume();
  story.run_to_end(change);
  story.cluster.restart(ServerId{3});
  story.cluster.settle_debts();
  EXPECT_EQ(story.slow().names->state().moves(), 2U);
  EXPECT_EQ(story.find(from), kNoInode);
  EXPECT_EQ(story.find(to), moved);
  story.check_rest(3);
}

TEST(NamespaceCrash, ARenameOfADirectoryDoesNotWaitForeverForThoseWhoCannotHear) {
  SlowToHear story;
  const wire::EntryKey from = story.key("a");
  const wire::EntryKey to = story.key("z");
  const InodeId moved = story.make_directory(from);
  const auto renamed = story.cluster.run(story.user.rename(from, to));
  EXPECT_TRUE(renamed.has_value()) << "in time";
  EXPECT_EQ(story.prepared_count(), 0U);
  EXPECT_EQ(story.find(to), moved);
  story.slow().transport.resume();
  story.check_rest(3);
}

TEST(NamespaceCrash, WhatComesOfAMoveIsToldToNobodyBeforeAllServersKnowOfThat) {
  SlowToHear story;
  const wire::EntryKey above = story.key("a");
  const wire::EntryKey below = story.key("b");
  const InodeId a = story.make_directory(above);
  const InodeId b = story.make_directory(below);
  auto first = story.user.rename(below, story.key("x", a));
  first.start();
  story.run_for(kNsPerSec);
  auto second = story.user.rename(above, story.key("y", b));
  second.start();
  story.run_for(kNsPerSec);
  EXPECT_FALSE(first.done());
  EXPECT_FALSE(second.done());
  story.slow().transport.resume();
  story.run_to_end(second);
  EXPECT_EQ(second.take().error().code, Errc::kInvalid) << "it is below a";
  EXPECT_EQ(story.slow().names->state().moves(), 2U);
  story.run_to_end(first);
  EXPECT_TRUE(first.take().has_value());
  story.check_rest(4);
}

TEST(NamespaceCrash, ADirectoryIsRemovedWithItsNameOrNotAtAll) {
  for (const bool moved_before : {false, true}) {
    for_every_crash([=](Story& story, ServerId victim, std::uint64_t after, Restart restart) {
      wire::EntryKey key = key_of(kRootInode, story.name_on(1, "d"));
      const InodeId directory = story.make_directory(key);
      if (moved_before) {  // So that its home is another server than its name's.
        const wire::EntryKey to = key_of(kRootInode, story.name_on(2, "e"));
        EXPECT_TRUE(story.cluster.run(story.user.rename(key, to)).has_value());
        key = to;
      }
      // All servers were attached to it.
      for (std::uint16_t i = 0; i < story.server_count; ++i) {
        const wire::EntryKey inside = key_of(directory, story.name_on(i, "f", directory));
        EXPECT_TRUE(story.cluster.run(story.user.mkdir(inside)).has_value());
        EXPECT_TRUE(story.cluster.run(story.user.rmdir(inside)).has_value());
      }
      const bool again = story.run_with_crash(story.user.rmdir(key), victim, after, restart);
      const InodeId found = story.find(key);
      EXPECT_TRUE(found == kNoInode || (found == directory && !story.succeeded));
      story.check_rest(found == kNoInode ? 1 : 2);
      const auto made = story.cluster.run(story.user.mkdir(key_of(directory, "x")));
      EXPECT_EQ(made.has_value() ? Errc{} : made.error().code,
                found == kNoInode ? Errc::kStale : Errc{});
      return again;
    });
  }
}

TEST(NamespaceCrash, ADirectoryAndWhatIsInItSurviveTheRestartOfAllServers) {
  Story story(3, 1);
  const wire::EntryKey key = key_of(kRootInode, "d");
  const auto made = story.cluster.run(story.user.mkdir(key));
  ASSERT_TRUE(made.has_value());
  const InodeId directory = made->attributes.inode;
  std::vector<std::string> names;
  for (int i = 10; i < 40; ++i) {
    names.push_back("f" + std::to_string(i));
    story.make_file(key_of(directory, names.back()));
  }
  for (std::uint16_t i = 0; i < story.server_count; ++i) {
    story.cluster.crash(ServerId{i});
  }
  for (std::uint16_t i = 0; i < story.server_count; ++i) {
    story.cluster.restart(ServerId{i});
  }
  EXPECT_EQ(story.find(key), directory);
  EXPECT_EQ(*story.cluster.run(story.user.list(directory)), names);
  const auto found = story.cluster.run(story.user.lookup(key_of(directory, "f20")));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->attributes.size_bytes, kFileBytes);
  EXPECT_EQ(story.cluster.run(story.user.rmdir(key)).error().code, Errc::kNotEmpty);
  for (const std::string& name : names) {
    EXPECT_TRUE(story.cluster.run(story.user.unlink(key_of(directory, name))).has_value());
  }
  EXPECT_TRUE(story.cluster.run(story.user.rmdir(key)).has_value());
  story.cluster.settle();  // Until nobody may come back who had them open before the restart.
  story.check_files({});
  EXPECT_EQ(story.stored_file_count(), 0U);
}

TEST(NamespaceCrash, AFileWithoutANameIsRemovedWhenItsOpenersDoNotComeBackAfterARestart) {
  Story story(3, 1);
  const wire::EntryKey key = key_of(kRootInode, story.name_on(1, "f"));
  story.make_file(key);
  ASSERT_TRUE(story.cluster.run(story.user.open(key, wire::kOpenRead)).has_value());
  ASSERT_TRUE(story.cluster.run(story.user.unlink(key)).has_value());
  story.cluster.settle();
  EXPECT_EQ(story.stored_file_count(), story.server_count);
  story.cluster.crash(ServerId{1});
  story.cluster.restart(ServerId{1});
  EXPECT_EQ(story.stored_file_count(), story.server_count) << "they may come back";
  story.cluster.settle();
  story.check_files({});
  EXPECT_EQ(story.stored_file_count(), 0U);
}

TEST(NamespaceCrash, DataOfAServerThatIsAwayAreRemovedWhenItIsBack) {
  Story story(3, 1);
  const wire::EntryKey key = key_of(kRootInode, story.name_on(1, "f"));
  story.make_file(key);
  story.cluster.crash(ServerId{2});
  EXPECT_TRUE(story.cluster.run(story.user.unlink(key)).has_value());
  EXPECT_EQ(story.cluster.server(ServerId{2}).store.usage().file_count, 1U);
  story.cluster.crash(ServerId{1});  // Who owes it forgets nothing either.
  story.cluster.restart(ServerId{1});
  story.cluster.restart(ServerId{2});
  story.cluster.settle_debts();
  story.check_files({});
  EXPECT_EQ(story.stored_file_count(), 0U);
}

}  // namespace
}  // namespace benchfs::test
