// Goal: the rows that a Namespace tells make the same tables again: from the log alone, and from a
// snapshot that was handed over in steps while changes went on, with the log behind its begin. What
// makes no sense is refused. Method: random operations on two servers' tables, for a list of seeds;
// all tables are compared by the rows that they come to.

#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "meta/namespace.h"
#include "placement/placement.h"
#include "wire/codec.h"

namespace benchfs::meta {
namespace {

constexpr std::uint16_t kServerCount = 3;

struct Row {
  RowKind kind{};
  std::vector<std::byte> body;
  friend bool operator==(const Row&, const Row&) = default;
};

/// Keeps what is told, or handed over; refuses every few rows if told to.
class Rows final : public ChangeLog, public RowSink {
 public:
  void changed(RowKind kind, ConstBytes body) noexcept override {
    all.push_back({.kind = kind, .body = {body.begin(), body.end()}});
  }
  bool put(RowKind kind, ConstBytes body) override {
    if (refuse_every != 0 && ++asked_ % refuse_every == 0) {
      return false;
    }
    changed(kind, body);
    return true;
  }

  std::vector<Row> all;
  unsigned refuse_every = 0;

 private:
  unsigned asked_ = 0;
};

NamespaceOptions options_of(ServerId self) {
  return {.self = self, .server_count = kServerCount, .root_uid = 7, .root_gid = 8, .now_ns = 100};
}

std::vector<Row> rows_of(const Namespace& names) {
  Rows rows;
  Namespace::Cursor cursor;
  while (cursor.table != Namespace::Cursor::Table::kEnd) {
    names.hand_over(cursor, rows, 7);
  }
  return rows.all;
}

Status replay_all(Namespace& names, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    BENCHFS_CHECK(names.replay(row.kind, row.body));
  }
  return {};
}

template <typename T>
std::vector<std::byte> encoded(const T& row) {
  std::vector<std::byte> bytes(1024);
  wire::Encoder encoder{Bytes(bytes)};
  encoder& row;
  EXPECT_TRUE(encoder.ok());
  bytes.resize(encoder.size());
  return bytes;
}

template <typename T>
Status replay_one(Namespace& names, const T& row) {
  return names.replay(T::kKind, encoded(row));
}

/// A server's tables under random changes of every kind.
class Life {
 public:
  Life(ServerId self, std::uint64_t seed)
      : self_(self), names_(options_of(self), &told_), random_(seed) {
    names_.begin_run(1);
  }

  void step() {
    ++now_;
    switch (random_() % 18) {
      case 0:
        return attach(make_inode_id(ServerId{2}, 100 + random_() % 5));
      case 1:
        return detach();
      case 2:
      case 3:
      case 4:
        return create();
      case 5:
        return make_directory();
      case 6:
      case 7:
        return erase();
      case 8:
        return rename();
      case 9:
        return hold();
      case 10:
        return remove_directory();
      case 11:
        return open();
      case 12:
        return close();
      case 13:
        return make_link();
      case 14:
        return touch_link();
      default:
        return touch();
    }
  }

  Namespace& names() { return names_; }
  Rows& told() { return told_; }

  /// So that the tables are what a restart makes of them.
  void close_all() {
    while (!opens_.empty()) {
      close();
    }
  }

 private:
  wire::EntryKey any_key() {
    const InodeId parent = shards_[random_() % shards_.size()];
    for (;;) {
      const std::size_t length = random_() % 4 == 0 ? 1 + random_() % 240 : 1;
      wire::EntryKey key{.parent = parent,
                         .name = std::string(length, 'n') + std::to_string(random_() % 40)};
      if (placement::entry_server(parent, key.name, kServerCount) == self_) {
        return key;
      }
    }
  }
  template <typename T>
  const T& any_of(const std::vector<T>& items) {
    return items[random_() % items.size()];
  }

  void attach(InodeId directory) {
    if (!names_.attached(directory)) {
      if (names_.is_home_of(directory)) {
        if (names_.find_directory(directory) == nullptr) {
          return;
        }
        names_.add_holder(directory, self_);
      }
      names_.attach(directory);
      shards_.push_back(directory);
    }
  }
  void detach() {
    if (shards_.empty()) {
      return;
    }
    const InodeId directory = any_of(shards_);
    if (names_.usage(directory).entry_count == 0) {
      std::erase(shards_, directory);
      names_.detach(directory);
    }
  }
  void create() {
    if (shards_.empty()) {
      return;
    }
    const wire::EntryKey key = any_key();
    if (!entries_.contains(key)) {
      const InodeId file = names_.create_file(
          key, {.mode = 0644, .uid = 1, .gid = 2},
          {.chunk_bytes = 4096, .stripe_count = static_cast<std::uint32_t>(1 + now_ % 3)}, now_);
      entries_[key] = {.inode = file, .type = wire::FileType::kFile};
      files_.push_back(file);
    }
  }
  void make_directory() {
    if (shards_.empty()) {
      return;
    }
    const wire::EntryKey key = any_key();
    if (!entries_.contains(key)) {
      const InodeId directory = names_.create_directory(key, {.mode = 0755}, now_);
      entries_[key] = {.inode = directory, .type = wire::FileType::kDirectory};
      directories_.push_back(directory);
      attach(directory);
    }
  }
  void make_link() {
    if (shards_.empty()) {
      return;
    }
    const wire::EntryKey key = any_key();
    if (!entries_.contains(key)) {
      const std::size_t bytes = random_() % 4 == 0 ? wire::kLinkTargetBytesMax : 1 + random_() % 50;
      const InodeId link =
          names_.create_link(key, {.uid = 3, .gid = 4}, std::string(bytes, 't'), now_);
      entries_[key] = {.inode = link, .type = wire::FileType::kSymlink};
    }
  }
  void touch_link() {
    for (const auto& [key, entry] : entries_) {
      if (entry.type == wire::FileType::kSymlink && random_() % 3 == 0) {
        const wire::SetAttrRequest set{.inode = entry.inode,
                                       .mask = wire::kSetUid | wire::kSetMtime,
                                       .uid = 9,
                                       .mtime_ns = now_};
        return names_.set_attributes(entry.inode, set, now_);
      }
    }
  }
  void drop(Entry entry) {
    if (entry.type == wire::FileType::kSymlink) {
      names_.remove_link(entry.inode);
    }
    if (entry.type == wire::FileType::kFile && names_.find_file(entry.inode) != nullptr) {
      names_.unlink_file(entry.inode, now_);
      if (names_.find_use(entry.inode) == nullptr) {
        forget(entry.inode);
      }
    }
  }
  void forget(InodeId file) {
    names_.remove_file(file);
    std::erase(files_, file);
  }
  void erase() {
    if (!entries_.empty()) {
      const auto found =
          std::next(entries_.begin(), static_cast<std::ptrdiff_t>(random_() % entries_.size()));
      names_.erase_entry(found->first, now_);
      const Entry entry = found->second;
      entries_.erase(found);
      drop(entry);
    }
  }
  void rename() {
    if (entries_.empty()) {
      return;
    }
    const auto found =
        std::next(entries_.begin(), static_cast<std::ptrdiff_t>(random_() % entries_.size()));
    const auto [from, moved] = *found;
    const wire::EntryKey to = any_key();
    if (from != to) {
      const auto replaced = entries_.find(to);
      names_.rename_entry(from, to, now_);
      if (replaced != entries_.end()) {
        drop(replaced->second);
      }
      entries_[to] = moved;
      entries_.erase(from);
    }
  }
  void hold() {
    if (directories_.empty()) {
      return;
    }
    const InodeId directory = any_of(directories_);
    const ServerId server{static_cast<std::uint16_t>(random_() % kServerCount)};
    const auto& holders = names_.find_directory(directory)->holders;
    if (!std::binary_search(holders.begin(), holders.end(), server)) {
      names_.add_holder(directory, server);
    } else if (server != self_ || !names_.attached(directory)) {
      names_.remove_holder(directory, server);
    }
    names_.raise_directory_mtime(directory, now_);
    if (directory != kRootInode && random_() % 3 == 0) {
      names_.set_parent(directory, any_of(shards_), now_, now_);
      names_.raise_moves(now_);
    }
  }
  void remove_directory() {
    if (directories_.empty()) {
      return;
    }
    const InodeId directory = any_of(directories_);
    if (!names_.attached(directory)) {
      while (!names_.find_directory(directory)->holders.empty()) {
        names_.remove_holder(directory, names_.find_directory(directory)->holders.front());
      }
      names_.remove_directory(directory);
      std::erase(directories_, directory);
    }
  }
  void open() {
    if (!files_.empty()) {
      const std::uint32_t flags = random_() % 2 == 0 ? wire::kOpenWrite : wire::kOpenRead;
      opens_.push_back(names_.open(any_of(files_), ClientId{5}, flags));
    }
  }
  void close() {
    if (!opens_.empty()) {
      const std::uint64_t id = any_of(opens_);
      const InodeId file = names_.find_open(id)->inode;
      std::erase(opens_, id);
      if (names_.close(id)) {
        forget(file);
      }
    }
  }
  void touch() {
    if (files_.empty()) {
      return;
    }
    const InodeId file = any_of(files_);
    const wire::SetAttrRequest set{
        .inode = file, .mask = wire::kSetMode | wire::kSetMtime, .mode = 0600, .mtime_ns = now_};
    switch (random_() % 7) {
      case 0:
        return names_.set_attributes(file, set, now_);
      case 1:
        return names_.truncate(file, random_() % 5000, now_);
      case 2:
        return names_.raise_size(file, random_() % 9000);
      case 3:
        return names_.mark_unsettled(file);
      case 4:
        return names_.settle(file, random_() % 9000, names_.unsettled_marks());
      case 5:
        return names_.expect_data(file);
      default:
        return names_.note_lost_writer(file);
    }
  }

  const ServerId self_;
  Rows told_;
  Namespace names_;
  std::mt19937_64 random_;
  std::uint64_t now_ = 1000;
  std::vector<InodeId> shards_;
  std::vector<InodeId> files_;
  std::vector<InodeId> directories_;
  std::vector<std::uint64_t> opens_;
  std::map<wire::EntryKey, Entry> entries_;
};

TEST(Replay, TheLogMakesTheSameTablesForEverySeed) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const ServerId self{static_cast<std::uint16_t>(seed % 2)};
    Life life(self, seed);
    for (int step = 0; step < 600; ++step) {
      life.step();
    }
    life.close_all();
    Namespace again(options_of(self));
    ASSERT_TRUE(replay_all(again, life.told().all).has_value());
    ASSERT_TRUE(again.finish_replay().has_value());
    const std::vector<Row> expected = rows_of(life.names());
    ASSERT_GT(expected.size(), 20U);
    EXPECT_TRUE(rows_of(again) == expected);
    EXPECT_EQ(again.row_bytes(), life.names().row_bytes());
    EXPECT_EQ(again.row_count(), life.names().row_count());
  }
}

TEST(Replay, ASnapshotThatChangesCameInToAndTheLogBehindItMakeTheSameTablesForEverySeed) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const ServerId self{static_cast<std::uint16_t>(seed % 2)};
    Life life(self, seed);
    for (int step = 0; step < 300; ++step) {
      life.step();
    }
    const std::size_t begin = life.told().all.size();
    Rows snapshot;
    snapshot.refuse_every = 3 +  // A chunk has room for more than one row.
                            static_cast<unsigned>(seed % 7);
    Namespace::Cursor cursor;
    while (cursor.table != Namespace::Cursor::Table::kEnd) {
      life.names().hand_over(cursor, snapshot, 1 + seed % 5);
      for (std::uint64_t i = 0; i < seed % 4; ++i) {
        life.step();
      }
      ASSERT_LT(snapshot.all.size(), 100'000U) << "it does not end";
    }
    life.close_all();
    Namespace again(options_of(self));
    ASSERT_TRUE(replay_all(again, snapshot.all).has_value());
    const auto tail = life.told().all.begin() + static_cast<std::ptrdiff_t>(begin);
    ASSERT_TRUE(replay_all(again, {tail, life.told().all.end()}).has_value());
    ASSERT_TRUE(again.finish_replay().has_value());
    EXPECT_TRUE(rows_of(again) == rows_of(life.names()));
  }
}

TEST(Replay, WhatAHandOverComesToIsKnownBefore) {
  Life life(ServerId{0}, 5);
  for (int step = 0; step < 2000; ++step) {
    life.step();
  }
  std::uint64_t bytes = 0;
  const std::vector<Row> rows = rows_of(life.names());
  for (const Row& row : rows) {
    bytes += row.body.size();
    EXPECT_LE(row.body.size(), row.kind == RowKind::kLink ? kLinkRowBytesMax : kRowBytesMax);
  }
  ASSERT_GT(rows.size(), 50U);
  EXPECT_EQ(bytes, life.names().row_bytes());
  EXPECT_EQ(rows.size(), life.names().row_count());
}

TEST(Replay, WhoWroteWhenTheServerDiedIsALostWriter) {
  Rows told;
  Namespace before(options_of(ServerId{1}), &told);
  before.begin_run(1);
  const wire::EntryKey key = [] {
    wire::EntryKey tried{.parent = InodeId{9}, .name = {}};
    for (int i = 0; tried.name.empty(); ++i) {
      if (placement::entry_server(tried.parent, std::to_string(i), kServerCount) == ServerId{1}) {
        tried.name = std::to_string(i);
      }
    }
    return tried;
  }();
  before.attach(key.parent);
  const InodeId file = before.create_file(key, {.mode = 0600}, {.stripe_count = 2}, 5);
  const std::uint64_t reader = before.open(file, ClientId{1}, wire::kOpenRead);
  const std::uint64_t writer = before.open(file, ClientId{2}, wire::kOpenWrite);
  before.unlink_file(file, 6);

  Namespace after(options_of(ServerId{1}));
  ASSERT_TRUE(replay_all(after, told.all).has_value());
  ASSERT_TRUE(after.finish_replay().has_value());
  after.begin_run(2);
  EXPECT_TRUE(after.size_may_be_larger(file));
  EXPECT_TRUE(after.find_file(file)->has_data);
  EXPECT_EQ(after.orphans(), std::vector<InodeId>{file});
  EXPECT_EQ(after.find_open(writer), nullptr);
  const std::uint64_t again = after.open(file, ClientId{2}, wire::kOpenWrite);
  EXPECT_GT(again, writer);
  EXPECT_GT(again, reader);
  EXPECT_NE(after.find_use(file)->truncate_epoch, before.find_use(file)->truncate_epoch)
      << "a close that knows of no truncate since before the restart would be believed";
  EXPECT_TRUE(after.orphans().empty());

  // One whose last writer had closed in order is settled.
  EXPECT_FALSE(before.close(writer));
  Namespace later(options_of(ServerId{1}));
  ASSERT_TRUE(replay_all(later, told.all).has_value());
  ASSERT_TRUE(later.finish_replay().has_value());
  EXPECT_FALSE(later.size_may_be_larger(file));
}

TEST(Replay, IdsAreNotGivenOutAgain) {
  Rows told;
  Namespace before(options_of(ServerId{0}), &told);
  before.begin_run(1);
  before.add_holder(kRootInode, ServerId{0});
  before.attach(kRootInode);
  wire::EntryKey key{.parent = kRootInode, .name = "a"};
  while (placement::entry_server(key.parent, key.name, kServerCount) != ServerId{0}) {
    key.name += 'a';
  }
  const InodeId file = before.create_file(key, {}, {.stripe_count = 1}, 5);
  before.erase_entry(key, 6);
  before.unlink_file(file, 6);
  before.remove_file(file);
  for (const std::vector<Row>& rows : {told.all, rows_of(before)}) {
    Namespace after(options_of(ServerId{0}));
    ASSERT_TRUE(replay_all(after, rows).has_value());
    ASSERT_TRUE(after.finish_replay().has_value());
    EXPECT_GT(after.create_file(key, {}, {.stripe_count = 1}, 5), file);
  }
}

TEST(Replay, IdsOfARunThatLeftNoTraceAreNotGivenOutAgain) {
  constexpr std::uint64_t kSkipped = 1000;
  const auto skip_and_create = [](const std::vector<Row>& rows, Rows& told) {
    Namespace run(options_of(ServerId{0}), &told);
    EXPECT_TRUE(replay_all(run, rows).has_value());
    EXPECT_TRUE(run.finish_replay().has_value());
    run.skip_ids(kSkipped);
    run.begin_run(2);
    const std::vector<Row> at_start = told.all;
    run.add_holder(kRootInode, ServerId{0});
    run.attach(kRootInode);
    wire::EntryKey key{.parent = kRootInode, .name = "a"};
    while (placement::entry_server(key.parent, key.name, kServerCount) != ServerId{0}) {
      key.name += 'a';
    }
    const InodeId file = run.create_file(key, {}, {.stripe_count = 1}, 5);
    return std::pair(file, at_start);
  };
  Rows first;
  const auto [lost, at_start] = skip_and_create({}, first);
  // What is synced at the start is all that power leaves of that run.
  Rows second;
  EXPECT_GT(skip_and_create(at_start, second).first, lost);
}

TEST(Replay, AfterAPowerFailureEveryServerMayHoldEntriesOfWhatWasThere) {
  Namespace names(options_of(ServerId{0}));
  names.add_holder(kRootInode, ServerId{1});
  EXPECT_EQ(names.holders(kRootInode), std::vector<ServerId>{ServerId{1}});
  names.skip_ids(1);
  names.doubt_holders();
  names.begin_run(2);
  EXPECT_EQ(names.holders(kRootInode).size(), kServerCount);
  names.remove_holder(kRootInode, ServerId{0});  // It is none, as far as is known.
  EXPECT_EQ(names.find_directory(kRootInode)->holders, std::vector<ServerId>{ServerId{1}});
}

TEST(Replay, WhatMakesNoSenseIsRefused) {
  Namespace names(options_of(ServerId{1}));
  const InodeId ours = make_inode_id(ServerId{1}, 5);
  const FileRow file{.inode = ours, .chunk_bytes = 1, .stripe_count = 1};
  ASSERT_TRUE(replay_one(names, file).has_value());
  const auto refused = [&names](const auto& row) {
    const Status status = replay_one(names, row);
    return !status.has_value() && status.error().code == Errc::kCorrupt;
  };
  FileRow bad = file;
  bad.inode = make_inode_id(ServerId{2}, 5);
  EXPECT_TRUE(refused(bad));
  bad = file;
  bad.chunk_bytes = 0;
  EXPECT_TRUE(refused(bad));
  bad = file;
  bad.stripe_count = kServerCount + 1;
  EXPECT_TRUE(refused(bad));
  bad = file;
  bad.size_bytes = UINT64_MAX;
  EXPECT_TRUE(refused(bad));
  bad = file;
  bad.flags = 64;
  EXPECT_TRUE(refused(bad));
  EXPECT_TRUE(refused(DirectoryRow{.inode = ours, .parent = kRootInode})) << "it is a file";
  const InodeId directory = make_inode_id(ServerId{1}, 8);
  EXPECT_TRUE(refused(DirectoryRow{.inode = directory})) << "it is nowhere";
  const InodeId nowhere = make_inode_id(ServerId{kServerCount}, 8);
  EXPECT_TRUE(refused(DirectoryRow{.inode = directory, .parent = nowhere}));
  EXPECT_TRUE(refused(LinkRow{.inode = ours, .target = "a"})) << "it is a file";
  const InodeId link = make_inode_id(ServerId{1}, 7);
  EXPECT_TRUE(refused(LinkRow{.inode = link, .target = ""}));
  EXPECT_TRUE(refused(LinkRow{.inode = link, .target = std::string("a\0b", 3)}));
  EXPECT_TRUE(refused(LinkRow{.inode = make_inode_id(ServerId{2}, 7), .target = "a"}));
  EXPECT_TRUE(refused(DirectoryRow{.inode = kRootInode}));
  EXPECT_TRUE(refused(HoldersRow{.directory = make_inode_id(ServerId{1}, 6), .servers = {}}));
  const HolderAddedRow no_server{.directory = ours, .server = ServerId{kServerCount}};
  EXPECT_TRUE(refused(no_server));
  EXPECT_TRUE(refused(EntryRow{.key = {.parent = InodeId{9}, .name = "a/b"}, .inode = ours}));
  EXPECT_TRUE(refused(EntryRow{.key = {.parent = kNoInode, .name = "a"}, .inode = ours}));
  EXPECT_TRUE(refused(NextInodeRow{.next = UINT64_MAX}));
  EXPECT_TRUE(refused(AttachedRow{.directory = kNoInode}));
  std::vector<std::byte> cut = encoded(file);
  cut.pop_back();
  EXPECT_FALSE(names.replay(FileRow::kKind, cut).has_value());
  EXPECT_FALSE(names.replay(static_cast<RowKind>(200), cut).has_value());
  // Rows about a directory that is removed later are right, about one that never was are not.
  const InodeId gone = make_inode_id(ServerId{1}, 7);
  ASSERT_TRUE(replay_one(names, HolderAddedRow{.directory = gone}).has_value());
  EXPECT_FALSE(names.finish_replay().has_value());
  ASSERT_TRUE(replay_one(names, DirectoryRemovedRow{.inode = gone}).has_value());
  EXPECT_TRUE(names.finish_replay().has_value());
  // Entries in a directory whose home, here, knows nothing of them.
  ASSERT_TRUE(replay_one(names, AttachedRow{.directory = gone}).has_value());
  EXPECT_FALSE(names.finish_replay().has_value());
}

}  // namespace
}  // namespace benchfs::meta
