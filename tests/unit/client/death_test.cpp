// Goal: whenever a client dies, nothing of it stays held: no open file, no locked entry, no buffer,
// no answer kept for it; what it had asked for has happened or not, and what it had not finished
// leaves no inode or data without a name. Method: each operation of the client over three servers;
// the client dies after the first message of it, the second, ... until it needs no more of them.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "placement/placement.h"
#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;

constexpr std::uint16_t kServerCount = 3;
constexpr std::uint32_t kReadWrite = wire::kOpenRead | wire::kOpenWrite;
constexpr std::uint32_t kCreateNew = kReadWrite | wire::kOpenCreate | wire::kOpenExclusive;
constexpr wire::Layout kLayout{.chunk_bytes = 4096, .stripe_count = 0};

class Story {
 public:
  Story(std::uint64_t seed, std::uint64_t message_count)
      : session(kServerCount, 2, seed), after(message_count) {}

  /// A path in the root whose entry is on `server`.
  static std::string path_on(std::uint16_t server, const std::string& prefix) {
    for (int i = 0;; ++i) {
      std::string name = prefix + std::to_string(i);
      if (placement::entry_server(kRootInode, name, kServerCount) == ServerId{server}) {
        return "/" + name;
      }
    }
  }
  std::unique_ptr<File> open(const std::string& path, std::uint32_t flags) {
    auto file = mortal().open(path, flags, kLayout);
    BENCHFS_ASSERT(file.has_value());
    return std::move(*file);
  }
  void make_file(const std::string& path, std::size_t size) {
    auto file = survivor().open(path, kCreateNew, kLayout);
    BENCHFS_ASSERT(file.has_value());
    std::vector<char> data(size, 'o');
    BENCHFS_ASSERT(survivor().write(**file, data, 0).has_value());
    BENCHFS_ASSERT(survivor().close(**file).has_value());
  }

  /// Begins `call`; the client dies when `after` messages have been sent.
  template <typename T>
  void die_in(coro::Task<Result<T>> call) {
    const std::uint64_t until_count = session.cluster.message_count() + after;
    call.start();
    while (session.cluster.message_count() < until_count && !call.done()) {
      session.cluster.loop.run_once(UINT64_MAX);
    }
    in_time = session.cluster.message_count() >= until_count;
    session.cluster.clients[0]->transport.kill();
    while (!call.done()) {
      session.cluster.loop.run_once(UINT64_MAX);
    }
    session.cluster.settle_debts();
  }

  /// `paths` are all that there can be besides the root.
  void check(const std::vector<std::string>& paths) {
    std::size_t named = 0;
    std::size_t files = 0;
    for (const std::string& path : paths) {
      const auto found = survivor().lstat(path);
      EXPECT_TRUE(found.has_value() || found.error().code == Errc::kNotFound);
      named += found.has_value() ? 1 : 0;
      files += found.has_value() && found->type == wire::FileType::kFile ? 1 : 0;
    }
    std::size_t inodes = 0;
    for (const auto& server : session.cluster.servers) {
      inodes += server->names->inode_count();
      EXPECT_EQ(server->names->open_count(), 0U);
      EXPECT_EQ(server->names->lock_count(), 0U);
      EXPECT_EQ(server->names->prepared_count(), 0U);
      EXPECT_EQ(server->names->owed_count(), 0U);
      EXPECT_EQ(server->names->background_count(), 0U);
      EXPECT_EQ(server->dispatcher.running_count(), 0U);
      EXPECT_EQ(server->exchange->outcomes().running_count(), 0U);
      for (const ClientId client : server->exchange->outcomes().clients()) {
        EXPECT_NE(to_integer(client), 1000U) << "the answers to the dead client are still kept";
      }
      EXPECT_EQ(server->pool->used_bytes(), 0U);
      EXPECT_LE(server->store.usage().file_count, files);
    }
    EXPECT_EQ(inodes, 1 + named);
  }

  FakeMount& mortal() { return session.mount(0); }
  FakeMount& survivor() { return session.mount(1); }
  Context& context() { return mortal().fresh("/"); }

  FakeSession session;
  const std::uint64_t after;
  bool in_time = false;
};

template <typename Tell>
void for_every_death(Tell tell) {
  std::uint64_t after = 0;
  for (bool again = true; again; ++after) {
    SCOPED_TRACE(testing::Message() << "the client dies after " << after << " messages");
    ASSERT_LT(after, 300U) << "it does not end";
    Story story(after + 1, after);
    tell(story);
    again = story.in_time;
    if (testing::Test::HasFailure()) {
      return;
    }
  }
  EXPECT_GT(after, 2U);
}

TEST(ClientDeath, InACreate) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "f");
    story.die_in(story.mortal().names.open(story.context(), FakeMount::path(path),
                                           kCreateNew | wire::kOpenTruncate, 0600, {}));
    story.check({path});
  });
}

TEST(ClientDeath, InAnOpenThatCuts) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "f");
    story.make_file(path, 30'000);
    story.die_in(story.mortal().names.open(story.context(), FakeMount::path(path),
                                           kReadWrite | wire::kOpenTruncate, 0600, {}));
    story.check({path});
  });
}

TEST(ClientDeath, InARenameOverAnotherFileOfAnotherServer) {
  for (const char* const prefix : {"a", "z"}) {  // So that either entry is locked first.
    for_every_death([prefix](Story& story) {
      const std::string from = Story::path_on(1, prefix);
      const std::string to = Story::path_on(2, "m");
      story.make_file(from, 100);
      story.make_file(to, 5000);
      story.die_in(
          story.mortal().names.rename(story.context(), FakeMount::path(from), FakeMount::path(to)));
      story.check({from, to});
    });
  }
}

TEST(ClientDeath, InAnUnlinkOfWhatItHasOpen) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "f");
    story.make_file(path, 30'000);
    const auto file = story.open(path, kReadWrite);
    story.die_in(story.mortal().names.unlink(story.context(), FakeMount::path(path)));
    story.check({path});
  });
}

TEST(ClientDeath, InAnAppend) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "f");
    story.make_file(path, 100);
    const auto file = story.open(path, kReadWrite | wire::kOpenAppend);
    std::vector<char> data(20'000, 'a');
    const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
    story.die_in(file->write_next(story.context(), memory));
    story.check({path});
  });
}

TEST(ClientDeath, InAWriteToAFileThatHasLostItsName) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "f");
    const auto file = story.open(path, kCreateNew);
    BENCHFS_ASSERT(story.survivor().unlink(path).has_value());
    std::vector<char> data(100'000, 'w');  // Some of it small, some fetched from the client.
    const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
    const Extent extent{.offset_bytes = 0, .size_bytes = data.size()};
    story.die_in(file->write(story.context(), std::span(&memory, 1), std::span(&extent, 1)));
    story.check({path});
  });
}

TEST(ClientDeath, InADirectoryThatIsMadeOrRemoved) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "d");
    story.die_in(story.mortal().names.mkdir(story.context(), FakeMount::path(path), 0700));
    story.check({path});
  });
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "d");
    BENCHFS_ASSERT(story.survivor().mkdir(path).has_value());
    story.die_in(story.mortal().names.rmdir(story.context(), FakeMount::path(path)));
    story.check({path});
  });
}

TEST(ClientDeath, InADirectoryThatIsRenamedOrRemovedAwayFromItsHome) {
  for_every_death([](Story& story) {
    const std::string from = Story::path_on(1, "from");
    const std::string to = Story::path_on(2, "to");
    BENCHFS_ASSERT(story.survivor().mkdir(from).has_value());
    BENCHFS_ASSERT(story.survivor().mkdir(to).has_value());
    story.die_in(
        story.mortal().names.rename(story.context(), FakeMount::path(from), FakeMount::path(to)));
    story.check({from, to});
  });
  for_every_death([](Story& story) {
    const std::string made = Story::path_on(1, "d");
    const std::string path = Story::path_on(2, "e");
    BENCHFS_ASSERT(story.survivor().mkdir(made).has_value());
    BENCHFS_ASSERT(story.survivor().rename(made, path).has_value());
    story.die_in(story.mortal().names.rmdir(story.context(), FakeMount::path(path)));
    story.check({path});
  });
}

TEST(ClientDeath, InASymbolicLinkThatIsMadeOrRemoved) {
  for_every_death([](Story& story) {
    const std::string path = Story::path_on(1, "l");
    story.die_in(story.mortal().names.symlink(story.context(), std::string(4095, 't'),
                                              FakeMount::path(path)));
    story.check({path});
  });
  for_every_death([](Story& story) {
    const std::string made = Story::path_on(1, "l");
    const std::string path = Story::path_on(2, "m");
    BENCHFS_ASSERT(story.survivor().symlink("there", made).has_value());
    BENCHFS_ASSERT(story.survivor().rename(made, path).has_value());
    story.die_in(story.mortal().names.unlink(story.context(), FakeMount::path(path)));
    story.check({path});
  });
}

}  // namespace
}  // namespace benchfs::client
