// Goal: whatever clients do to the same names at once, what each of them is told fits one order of
// all operations (they are linearizable), and nothing is left behind. Method: a few clients with
// random operations on few names, over 1, 2, 3 and 5 servers on a network with random delays; then
// a search for an order that explains the answers, against a model of one map. A failing seed
// prints itself.

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>

#include "support/fake_user.h"

namespace benchfs::test {
namespace {

enum class Kind { kCreate, kLookup, kMkdir, kUnlink, kRmdir, kRename };

/// One operation as its client saw it.
struct Operation {
  Kind kind{};
  wire::EntryKey key;
  wire::EntryKey to;
  std::uint64_t begin = 0;  ///< Places in one order of all begins and ends.
  std::uint64_t end = 0;
  Errc code{};  ///< Errc{} is success.
  InodeId inode = kNoInode;
};

/// The whole namespace in the plainest form: what stands under which key.
struct Model {
  std::map<wire::EntryKey, meta::Entry> entries;
  std::set<InodeId> removed;  ///< Directories.

  bool empty(InodeId directory) const {
    for (const auto& [key, entry] : entries) {
      if (key.parent == directory) {
        return false;
      }
    }
    return true;
  }

  const meta::Entry* find(const wire::EntryKey& key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
  }

  /// Applies `op`; returns whether it would have answered what it did. kBusy, from an rmdir, fits
  /// any moment before the directory goes.
  bool apply(const Operation& op) {
    if (removed.contains(op.key.parent)) {
      return op.code == Errc::kStale;
    }
    const meta::Entry* entry = find(op.key);
    const bool is_directory = entry != nullptr && entry->type == wire::FileType::kDirectory;
    switch (op.kind) {
      case Kind::kCreate:
      case Kind::kMkdir:
        if (entry != nullptr) {
          return op.code == Errc::kExists;
        }
        entries[op.key] = {
            .inode = op.inode,
            .type = op.kind == Kind::kMkdir ? wire::FileType::kDirectory : wire::FileType::kFile};
        return op.code == Errc{};
      case Kind::kLookup:
        return entry == nullptr ? op.code == Errc::kNotFound
                                : op.code == Errc{} && op.inode == entry->inode;
      case Kind::kUnlink:
        if (entry == nullptr || is_directory) {
          return op.code == (entry == nullptr ? Errc::kNotFound : Errc::kIsDirectory);
        }
        entries.erase(op.key);
        return op.code == Errc{};
      case Kind::kRmdir:
        return apply_rmdir(op, entry);
      case Kind::kRename:
        return apply_rename(op, entry);
    }
    return false;
  }

  /// Equal for equal states.
  std::string text() const {
    std::string all;
    for (const auto& [key, entry] : entries) {
      all += std::to_string(to_integer(key.parent)) + '/' + key.name + '=' +
             std::to_string(to_integer(entry.inode)) + ';';
    }
    for (const InodeId directory : removed) {
      all += '-' + std::to_string(to_integer(directory));
    }
    return all;
  }

 private:
  bool apply_rmdir(const Operation& op, const meta::Entry* entry) {
    if (entry == nullptr) {
      return op.code == Errc::kNotFound;
    }
    if (entry->type == wire::FileType::kFile) {
      return op.code == Errc::kNotDirectory;
    }
    if (op.code == Errc::kBusy) {
      return true;
    }
    if (!empty(entry->inode)) {
      return op.code == Errc::kNotEmpty;
    }
    removed.insert(entry->inode);
    entries.erase(op.key);
    return op.code == Errc{};
  }

  bool apply_rename(const Operation& op, const meta::Entry* entry) {
    // Errors of both sides may hold at once; which of them is told is not promised.
    std::set<Errc> errors;
    if (op.key == op.to) {
      return entry == nullptr ? op.code == Errc::kNotFound : op.code == Errc{};
    }
    const bool is_directory = entry != nullptr && entry->type == wire::FileType::kDirectory;
    const meta::Entry* target = find(op.to);
    const bool onto_directory = target != nullptr && target->type == wire::FileType::kDirectory;
    if (entry == nullptr) {
      errors.insert(Errc::kNotFound);
    } else if (is_directory && is_at_or_below(op.to.parent, entry->inode)) {
      errors.insert(Errc::kInvalid);
    }
    if (removed.contains(op.to.parent)) {
      errors.insert(Errc::kStale);
    } else if (is_directory && target != nullptr && !onto_directory) {
      errors.insert(Errc::kNotDirectory);
    } else if (is_directory && onto_directory && !empty(target->inode)) {
      errors.insert(Errc::kNotEmpty);
    } else if (!is_directory && onto_directory) {
      errors.insert(Errc::kIsDirectory);
    }
    if (op.code == Errc::kBusy) {
      return is_directory && onto_directory;
    }
    if (!errors.empty()) {
      return errors.contains(op.code);
    }
    if (onto_directory) {
      removed.insert(target->inode);
    }
    entries[op.to] = *entry;
    entries.erase(op.key);
    return op.code == Errc{};
  }

  bool is_at_or_below(InodeId directory, InodeId ancestor) const {
    while (directory != ancestor && directory != kRootInode) {
      const auto found =
          std::find_if(entries.begin(), entries.end(),
                       [directory](const auto& item) { return item.second.inode == directory; });
      if (found == entries.end()) {
        return false;
      }
      directory = found->first.parent;
    }
    return directory == ancestor;
  }
};

/// Searches for an order that explains `operations`: each between its begin and its end.
class Explanation {
 public:
  explicit Explanation(std::vector<Operation> operations) : operations_(std::move(operations)) {
    BENCHFS_ASSERT(operations_.size() <= 64);
  }
  /// The end state is `last` then. nullopt: no order explains the answers.
  bool find(const Model& first) { return search(first, 0); }

 private:
  bool search(const Model& model, std::uint64_t done) {
    if (done ==
        (operations_.size() == 64 ? UINT64_MAX : (std::uint64_t{1} << operations_.size()) - 1)) {
      return true;
    }
    if (!seen_.insert(std::to_string(done) + ':' + model.text()).second) {
      return false;
    }
    std::uint64_t first_end = UINT64_MAX;
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      if ((done >> i & 1) == 0) {
        first_end = std::min(first_end, operations_[i].end);
      }
    }
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      // Nothing that begins after another has ended goes before it.
      if ((done >> i & 1) != 0 || operations_[i].begin > first_end) {
        continue;
      }
      Model next = model;
      if (next.apply(operations_[i]) && search(next, done | std::uint64_t{1} << i)) {
        return true;
      }
    }
    return false;
  }

  const std::vector<Operation> operations_;
  std::unordered_set<std::string> seen_;
};

std::string to_text(const Operation& op) {
  static constexpr const char* kNames[] = {"create", "lookup", "mkdir",
                                           "unlink", "rmdir",  "rename"};
  std::string text = std::to_string(op.begin) + ".." + std::to_string(op.end) + ' ' +
                     kNames[static_cast<int>(op.kind)] + ' ' +
                     std::to_string(to_integer(op.key.parent)) + '/' + op.key.name;
  if (op.kind == Kind::kRename) {
    text += " -> " + std::to_string(to_integer(op.to.parent)) + '/' + op.to.name;
  }
  return text + ": " + std::string(op.code == Errc{} ? "ok" : name_of(op.code)) + ' ' +
         std::to_string(to_integer(op.inode)) + '\n';
}

class Race {
 public:
  Race(std::uint16_t server_count, std::size_t client_count, std::uint64_t seed)
      : cluster_(server_count, client_count, seed), random_(seed) {
    for (const auto& client : cluster_.clients) {
      users_.push_back(std::make_unique<FakeUser>(cluster_, *client));
    }
    const auto made = cluster_.run(users_[0]->mkdir(key_of(kRootInode, "d")));
    BENCHFS_ASSERT(made.has_value());
    directory_ = made->attributes.inode;
    first_.entries[key_of(kRootInode, "d")] = {.inode = directory_,
                                               .type = wire::FileType::kDirectory};
  }

  void run(int operations_each) {
    std::vector<coro::Task<void>> lives;
    for (const auto& user : users_) {
      lives.push_back(live(*user, operations_each));
    }
    cluster_.run(coro::when_all(std::move(lives)));
    cluster_.settle();
  }

  void check() {
    std::string told;
    for (const Operation& op : operations_) {
      told += to_text(op);
    }
    SCOPED_TRACE(told);
    // What is there at the end was seen by somebody who came last.
    for (const wire::EntryKey& key : all_keys()) {
      Operation last{.kind = Kind::kLookup, .key = key, .to = {}, .begin = ++now_};
      const auto found = cluster_.run(users_[0]->lookup(key));
      last.code = found.has_value() ? Errc{} : found.error().code;
      last.inode = found.has_value() ? found->attributes.inode : kNoInode;
      last.end = ++now_;
      operations_.push_back(last);
    }
    EXPECT_TRUE(Explanation(operations_).find(first_)) << "no order explains this";
    check_tables();
  }

 private:
  std::vector<wire::EntryKey> all_keys() const {
    std::vector<wire::EntryKey> keys{key_of(kRootInode, "d")};
    for (const char* name : {"a", "b", "c"}) {
      keys.push_back(key_of(kRootInode, name));
      keys.push_back(key_of(directory_, name));
    }
    return keys;
  }

  Operation random_operation() {
    const std::vector<wire::EntryKey> keys = all_keys();
    static constexpr Kind kKinds[] = {Kind::kCreate, Kind::kCreate, Kind::kLookup, Kind::kMkdir,
                                      Kind::kUnlink, Kind::kRmdir,  Kind::kRename, Kind::kRename};
    Operation op{.kind = kKinds[random_() % 8],
                 .key = keys[random_() % keys.size()],
                 .to = keys[random_() % keys.size()]};
    if (op.kind == Kind::kRmdir && random_() % 2 == 0) {
      op.key = keys[0];
    }
    return op;
  }

  /// Borrows `user` and this.
  coro::Task<void> live(FakeUser& user, int count) {
    for (int i = 0; i < count; ++i) {
      Operation op = random_operation();
      op.begin = ++now_;
      switch (op.kind) {
        case Kind::kCreate: {
          const std::uint32_t flags =
              wire::kOpenRead | wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive;
          auto opening = user.open(op.key, flags);
          const auto opened = co_await opening;
          note(op, opened);
          if (opened.has_value()) {
            op.inode = opened->entry.attributes.inode;
            op.end = ++now_;
            operations_.push_back(op);
            const auto closed = co_await user.close(*opened);
            EXPECT_TRUE(closed.has_value());
            continue;
          }
          break;
        }
        case Kind::kLookup: {
          auto looking = user.lookup(op.key);
          const auto found = co_await looking;
          note(op, found);
          op.inode = found.has_value() ? found->attributes.inode : kNoInode;
          break;
        }
        case Kind::kMkdir: {
          auto making = user.mkdir(op.key);
          const auto made = co_await making;
          note(op, made);
          op.inode = made.has_value() ? made->attributes.inode : kNoInode;
          break;
        }
        case Kind::kUnlink: {
          auto unlinking = user.unlink(op.key);
          const auto unlinked = co_await unlinking;
          note(op, unlinked);
          break;
        }
        case Kind::kRmdir: {
          auto removing = user.rmdir(op.key);
          const auto removed = co_await removing;
          note(op, removed);
          break;
        }
        case Kind::kRename: {
          auto renaming = user.rename(op.key, op.to);
          const auto renamed = co_await renaming;
          note(op, renamed);
          break;
        }
      }
      op.end = ++now_;
      operations_.push_back(op);
    }
  }

  template <typename T>
  static void note(Operation& op, const Result<T>& result) {
    op.code = result.has_value() ? Errc{} : result.error().code;
  }

  /// Across all servers: each entry stands for an inode, each inode has one entry, nothing is held.
  void check_tables() {
    std::map<InodeId, int> names;
    std::size_t inode_count = 0;
    std::vector<wire::EntryKey> keys = all_keys();
    for (const auto& server : cluster_.servers) {
      const meta::Namespace& state = server->names->state();
      EXPECT_EQ(server->names->lock_count(), 0U);
      EXPECT_EQ(server->names->open_count(), 0U);
      EXPECT_EQ(server->names->background_count(), 0U);
      inode_count += state.inode_count();
      for (const InodeId parent : {kRootInode, directory_}) {
        const auto& home = cluster_.server(home_of(parent)).names->state();
        const meta::Directory* directory = home.find_directory(parent);
        EXPECT_TRUE(directory != nullptr || !state.attached(parent))
            << "entries may be left in a directory that is no more";
        if (directory != nullptr && state.attached(parent)) {
          EXPECT_TRUE(std::binary_search(directory->holders.begin(), directory->holders.end(),
                                         server->self));
        }
        for (const auto& item : state.list(parent, 0, 1000).items) {
          ++names[item.entry.inode];
          const auto& inode_home = cluster_.server(home_of(item.entry.inode)).names->state();
          EXPECT_TRUE(inode_home.find_file(item.entry.inode) != nullptr ||
                      inode_home.find_directory(item.entry.inode) != nullptr)
              << item.name;
        }
      }
    }
    for (const auto& [inode, count] : names) {
      EXPECT_EQ(count, 1) << "names of inode " << to_integer(inode);
    }
    EXPECT_EQ(inode_count, 1 + names.size());
    check_parents();
  }

  /// The homes know where their directories are.
  void check_parents() {
    for (const auto& server : cluster_.servers) {
      EXPECT_EQ(server->names->owed_count(), 0U);
      EXPECT_EQ(server->names->prepared_count(), 0U);
      for (const InodeId parent : {kRootInode, directory_}) {
        for (const auto& item : server->names->state().list(parent, 0, 1000).items) {
          if (item.entry.type == wire::FileType::kDirectory) {
            const auto& home = cluster_.server(home_of(item.entry.inode)).names->state();
            const meta::Directory* directory = home.find_directory(item.entry.inode);
            EXPECT_TRUE(directory != nullptr && directory->parent == parent) << item.name;
          }
        }
      }
    }
  }

  FakeCluster cluster_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<FakeUser>> users_;
  InodeId directory_ = kNoInode;
  Model first_;
  std::vector<Operation> operations_;
  std::uint64_t now_ = 0;
};

/// These borrow cluster and user.
coro::Task<Errc> make_after(FakeCluster& cluster, FakeUser& user, wire::EntryKey key,
                            std::uint64_t delays) {
  loop::SleepOp pause(cluster.loop, cluster.loop.now_ns() + delays * 100'000);
  co_await pause;
  auto making = user.mkdir(key);
  const auto made = co_await making;
  co_return made.has_value() ? Errc{} : made.error().code;
}

coro::Task<Errc> remove_after(FakeCluster& cluster, FakeUser& user, wire::EntryKey key,
                              std::uint64_t delays) {
  loop::SleepOp pause(cluster.loop, cluster.loop.now_ns() + delays * 300'000);
  co_await pause;
  auto removing = user.rmdir(key);
  const auto removed = co_await removing;
  co_return removed.has_value() ? Errc{} : removed.error().code;
}

class NamespaceRace : public testing::TestWithParam<std::uint16_t> {};

INSTANTIATE_TEST_SUITE_P(Servers, NamespaceRace, testing::Values(1, 2, 3, 5),
                         testing::PrintToStringParamName());

TEST_P(NamespaceRace, AnswersFitOneOrderForEverySeed) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Race race(GetParam(), 4, seed);
    race.run(6);
    race.check();
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

TEST_P(NamespaceRace, NoEntrySurvivesInADirectoryThatIsRemovedMeanwhile) {
  int removed_count = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeCluster cluster(GetParam(), 5, seed);
    std::vector<FakeUser> users;
    for (const auto& client : cluster.clients) {
      users.emplace_back(cluster, *client);
    }
    const wire::EntryKey key = key_of(kRootInode, "d");
    const InodeId directory = cluster.run(users[0].mkdir(key))->attributes.inode;
    std::vector<coro::Task<Errc>> lives;
    for (std::size_t i = 1; i < users.size(); ++i) {
      const std::string name = "f" + std::to_string(i);
      lives.push_back(make_after(cluster, users[i], key_of(directory, name), seed * i % 7));
    }
    lives.push_back(remove_after(cluster, users[0], key, seed % 5));
    const auto codes = cluster.run(coro::when_all(std::move(lives)));
    const bool removed = codes.back() == Errc{};
    removed_count += removed ? 1 : 0;
    std::vector<std::string> expected;
    for (std::size_t i = 1; i < users.size(); ++i) {
      EXPECT_TRUE(codes[i - 1] == Errc{} || codes[i - 1] == Errc::kStale);
      if (codes[i - 1] == Errc{}) {
        expected.push_back("f" + std::to_string(i));
      }
    }
    if (removed) {
      EXPECT_TRUE(expected.empty()) << "an entry was made in a directory that is no more";
    } else {
      EXPECT_EQ(codes.back(), Errc::kNotEmpty);
      EXPECT_EQ(*cluster.run(users[0].list(directory)), expected);
    }
    for (const auto& server : cluster.servers) {
      EXPECT_TRUE(!removed || !server->names->state().attached(directory));
    }
    if (testing::Test::HasFailure()) {
      return;
    }
  }
  EXPECT_GT(removed_count, 0) << "the race was never won by the rmdir";
  EXPECT_LT(removed_count, 400);
}

/// Borrows `user`.
coro::Task<Errc> move_by(FakeUser& user, wire::EntryKey from, wire::EntryKey to) {
  auto renaming = user.rename(from, to);
  const auto renamed = co_await renaming;
  co_return renamed.has_value() ? Errc{} : renamed.error().code;
}

TEST_P(NamespaceRace, DirectoriesThatAreMovedBelowEachOtherMakeNoCircle) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeCluster cluster(GetParam(), 3, seed);
    std::vector<std::unique_ptr<FakeUser>> users;
    std::vector<InodeId> tops;
    std::vector<InodeId> lows;
    for (std::size_t i = 0; i < 3; ++i) {
      users.push_back(std::make_unique<FakeUser>(cluster, *cluster.clients[i]));
      const auto top = cluster.run(users[i]->mkdir(key_of(kRootInode, "t" + std::to_string(i))));
      tops.push_back(top->attributes.inode);
      const auto low = cluster.run(users[i]->mkdir(key_of(tops[i], "l")));
      lows.push_back(low->attributes.inode);
    }
    // t0 below t1, t1 below t2, t2 below t0: two of them at the most.
    std::vector<coro::Task<Errc>> moves;
    for (std::size_t i = 0; i < 3; ++i) {
      moves.push_back(move_by(*users[i], key_of(kRootInode, "t" + std::to_string(i)),
                              key_of(lows[(i + 1) % 3], "m")));
    }
    auto moving = coro::when_all(std::move(moves));
    const auto codes = cluster.run(std::move(moving));
    EXPECT_EQ(std::count(codes.begin(), codes.end(), Errc{}), 2);
    EXPECT_EQ(std::count(codes.begin(), codes.end(), Errc::kInvalid), 1);
    cluster.settle_debts();
    const auto left = cluster.run(users[0]->list(kRootInode));
    EXPECT_EQ(left->size(), 1U);
  }
}

/// Waits until a look at `key` is no more answered with `before`; then the fewest moves of
/// directories that any server knows of. Borrows cluster and user.
coro::Task<std::uint64_t> moves_known_after(FakeCluster& cluster, FakeUser& user,
                                            wire::EntryKey key, Errc before) {
  for (Errc code = before; code == before;) {
    auto looking = user.lookup(key);
    const auto found = co_await looking;
    code = found.has_value() ? Errc{} : found.error().code;
  }
  std::vector<coro::Task<Result<wire::MovesReply>>> questions;
  for (std::uint16_t i = 0; i < cluster.server_count(); ++i) {
    questions.push_back(user.ask(ServerId{i}, wire::MovesRequest()));
  }
  auto asking = coro::when_all(std::move(questions));
  const auto answers = co_await asking;
  std::uint64_t fewest = UINT64_MAX;
  for (const auto& answer : answers) {
    fewest = std::min(fewest, answer.has_value() ? answer->number : 0);
  }
  co_return fewest;
}

TEST_P(NamespaceRace, WhoeverSeesThatADirectoryHasMovedMeetsOnlyServersThatKnow) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeCluster cluster(GetParam(), 3, seed);
    FakeUser mover(cluster, *cluster.clients[0]);
    FakeUser near_source(cluster, *cluster.clients[1]);
    FakeUser near_target(cluster, *cluster.clients[2]);
    const wire::EntryKey from = key_of(kRootInode, "f" + std::to_string(seed));
    const wire::EntryKey to = key_of(kRootInode, "t" + std::to_string(seed));
    ASSERT_TRUE(cluster.run(mover.mkdir(from)).has_value());
    auto gone = moves_known_after(cluster, near_source, from, Errc{});
    auto come = moves_known_after(cluster, near_target, to, Errc::kNotFound);
    gone.start();
    come.start();
    EXPECT_EQ(cluster.run(move_by(mover, from, to)), Errc{});
    cluster.settle();
    EXPECT_EQ(gone.take(), 1U);
    EXPECT_EQ(come.take(), 1U);
  }
}

TEST_P(NamespaceRace, ManyWhoCreateTheSameNameGetOneFile) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeCluster cluster(GetParam(), 16, seed);
    std::vector<FakeUser> users;
    std::vector<coro::Task<Result<wire::OpenReply>>> opens;
    users.reserve(cluster.clients.size());
    const wire::EntryKey key = key_of(kRootInode, "shared");
    for (const auto& client : cluster.clients) {
      users.emplace_back(cluster, *client);
      opens.push_back(users.back().open(
          key, wire::kOpenWrite | wire::kOpenCreate | (seed % 2 == 0 ? 0U : wire::kOpenTruncate)));
    }
    const auto replies = cluster.run(coro::when_all(std::move(opens)));
    int created_count = 0;
    std::set<InodeId> inodes;
    for (std::size_t i = 0; i < replies.size(); ++i) {
      ASSERT_TRUE(replies[i].has_value());
      created_count += replies[i]->created ? 1 : 0;
      inodes.insert(replies[i]->entry.attributes.inode);
      EXPECT_TRUE(cluster.run(users[i].close(*replies[i])).has_value());
    }
    EXPECT_EQ(created_count, 1);
    EXPECT_EQ(inodes.size(), 1U);
  }
}

}  // namespace
}  // namespace benchfs::test
