// Goal: the tables of meta agree with what was done to them: names, listings whose cookies hold
// whatever comes and goes, sizes, opens, and times. Method: one case per promise of the headers;
// then random operations beside a model of standard maps, for a list of seeds.

#include "meta/namespace.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "placement/placement.h"

namespace benchfs::meta {
namespace {

constexpr InodeId kDirectory{77};
constexpr ClientId kAlice{11};
constexpr ClientId kBob{22};

Namespace make_namespace(ServerId self = ServerId{0}) {
  return Namespace({.self = self, .server_count = 4, .root_uid = 7, .root_gid = 8, .now_ns = 100});
}

wire::EntryKey key_of(std::string name, InodeId parent = kDirectory) {
  return {.parent = parent, .name = std::move(name)};
}

InodeId add_file(Namespace& names, const std::string& name, std::uint64_t now_ns = 200) {
  return names.create_file(key_of(name), {.mode = 0644, .uid = 1, .gid = 2},
                           {.chunk_bytes = 4096, .stripe_count = 3}, now_ns);
}

TEST(Namespace, ServerZeroBeginsWithTheRootAndOthersWithNothing) {
  const Namespace first = make_namespace();
  const wire::Attributes root = first.attributes_of_directory(kRootInode, {});
  EXPECT_EQ(root.type, wire::FileType::kDirectory);
  EXPECT_EQ(root.mode, kRootMode);
  EXPECT_EQ(root.uid, 7U);
  EXPECT_EQ(root.gid, 8U);
  EXPECT_EQ(root.link_count, 2U);
  EXPECT_EQ(root.mtime_ns, 100U);
  EXPECT_EQ(first.inode_count(), 1U);
  const Namespace second = make_namespace(ServerId{1});
  EXPECT_EQ(second.find_directory(kRootInode), nullptr);
  EXPECT_EQ(second.inode_count(), 0U);
}

TEST(Namespace, IdsCarryTheHomeAndAreNeverUsedTwice) {
  Namespace names = make_namespace(ServerId{3});
  names.attach(kDirectory);
  std::set<InodeId> seen;
  for (int i = 0; i < 100; ++i) {
    const InodeId id = add_file(names, "f");
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_EQ(home_of(id), ServerId{3});
    names.erase_entry(key_of("f"), 1);
    names.unlink_file(id, 1);
    names.remove_file(id);
  }
  EXPECT_EQ(names.inode_count(), 0U);
  Namespace root_home = make_namespace();
  root_home.attach(kDirectory);
  EXPECT_GT(add_file(root_home, "f"), kRootInode);
}

TEST(Namespace, AnAttachedDirectoryHoldsEntriesUntilItIsDetached) {
  Namespace names = make_namespace();
  EXPECT_FALSE(names.attached(kDirectory));
  EXPECT_TRUE(names.list(kDirectory, 0, 10).at_end);
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  EXPECT_EQ(names.find_entry(key_of("f")), (Entry{id, wire::FileType::kFile}));
  EXPECT_EQ(names.find_entry(key_of("g")), std::nullopt);
  EXPECT_EQ(names.find_entry(key_of("f", InodeId{78})), std::nullopt);
  EXPECT_EQ(names.usage(kDirectory).entry_count, 1U);
  EXPECT_EQ(names.usage(kDirectory).mtime_ns, 200U);
  EXPECT_DEATH(names.detach(kDirectory), "empty");
  names.erase_entry(key_of("f"), 300);
  EXPECT_EQ(names.usage(kDirectory).mtime_ns, 300U);
  names.detach(kDirectory);
  EXPECT_FALSE(names.attached(kDirectory));
}

TEST(Namespace, UsageCountsDirectoriesThroughReplaceAndRename) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  names.create_directory(key_of("d"), {.mode = 0700}, 1);
  const InodeId file = add_file(names, "f");
  EXPECT_EQ(names.usage(kDirectory).directory_count, 1U);
  EXPECT_EQ(names.usage(kDirectory).entry_count, 2U);
  names.rename_entry(key_of("f"), key_of("g"), 5);
  EXPECT_EQ(names.find_entry(key_of("g"))->inode, file);
  EXPECT_EQ(names.find_entry(key_of("f")), std::nullopt);
  names.set_entry(key_of("d"), {.inode = file, .type = wire::FileType::kFile}, 6);
  EXPECT_EQ(names.usage(kDirectory).directory_count, 0U);
  EXPECT_EQ(names.usage(kDirectory).entry_count, 2U);
}

TEST(Namespace, HoldersAreKeptOnceAndADirectoryGoesOnlyWithoutThem) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = names.create_directory(key_of("d"), {.mode = 0700}, 1);
  for (const std::uint16_t server : std::vector<std::uint16_t>{2, 0, 3, 2, 0}) {
    names.add_holder(id, ServerId{server});
  }
  EXPECT_EQ(names.find_directory(id)->holders,
            (std::vector<ServerId>{ServerId{0}, ServerId{2}, ServerId{3}}));
  EXPECT_DEATH(names.remove_directory(id), "holders");
  names.remove_holder(id, ServerId{1});  // It is none.
  EXPECT_EQ(names.holders(id).size(), 3U);
  for (const std::uint16_t server : std::vector<std::uint16_t>{3, 0, 2}) {
    names.remove_holder(id, ServerId{server});
  }
  names.remove_directory(id);
  EXPECT_EQ(names.find_directory(id), nullptr);
  EXPECT_DEATH(names.remove_directory(kRootInode), "kRootInode");
}

TEST(Namespace, ADirectorysTimeIsTheLatestOfWhatWasSetAndWhatChanged) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = names.create_directory(key_of("d"), {.mode = 0700}, 1000);
  EXPECT_EQ(names.attributes_of_directory(id, {.mtime_ns = 2000}).mtime_ns, 2000U);
  names.set_attributes(id, {.inode = id, .mask = wire::kSetMtime, .mtime_ns = 5}, 3000);
  EXPECT_EQ(names.attributes_of_directory(id, {.mtime_ns = 2000}).mtime_ns, 5U);
  EXPECT_EQ(names.attributes_of_directory(id, {.mtime_ns = 4000}).mtime_ns, 4000U);
  EXPECT_EQ(names.attributes_of_directory(id, {.mtime_ns = 4000}).ctime_ns, 4000U);
  names.raise_directory_mtime(id, 6000);
  EXPECT_EQ(names.attributes_of_directory(id, {}).mtime_ns, 6000U);
  EXPECT_EQ(names.attributes_of_directory(id, {.entry_count = 9, .directory_count = 4}).size_bytes,
            9U);
  EXPECT_EQ(names.attributes_of_directory(id, {.directory_count = 4}).link_count, 6U);
}

TEST(Namespace, SetAttributesChangesWhatTheMaskNames) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f", 200);
  names.set_attributes(id,
                       {.inode = id,
                        .mask = wire::kSetMode | wire::kSetGid,
                        .mode = 07777,
                        .uid = 50,
                        .gid = 60,
                        .atime_ns = 70,
                        .mtime_ns = 80},
                       300);
  wire::Attributes got = names.attributes_of_file(id);
  EXPECT_EQ(got.mode, 07777U);
  EXPECT_EQ(got.uid, 1U);
  EXPECT_EQ(got.gid, 60U);
  EXPECT_EQ(got.atime_ns, 200U);
  EXPECT_EQ(got.mtime_ns, 200U);
  EXPECT_EQ(got.ctime_ns, 300U);
  names.set_attributes(id,
                       {.inode = id,
                        .mask = wire::kSetUid | wire::kSetAtime | wire::kSetMtime,
                        .uid = 50,
                        .atime_ns = 70,
                        .mtime_ns = 80},
                       400);
  got = names.attributes_of_file(id);
  EXPECT_EQ(got.uid, 50U);
  EXPECT_EQ(got.atime_ns, 70U);
  EXPECT_EQ(got.mtime_ns, 80U);
  EXPECT_EQ(got.ctime_ns, 400U);
}

TEST(Namespace, AWritersCloseLeavesATimeThatWasSetSinceItOpened) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  const std::uint64_t before = names.open(id, kAlice, wire::kOpenWrite);
  names.set_attributes(id, {.inode = id, .mask = wire::kSetMtime, .mtime_ns = 5}, 300);
  const std::uint64_t after = names.open(id, kAlice, wire::kOpenWrite);
  names.touch_written(id, before, 400);
  EXPECT_EQ(names.find_file(id)->mtime_ns, 5U);
  EXPECT_EQ(names.find_file(id)->ctime_ns, 400U);
  names.touch_written(id, after, 500);
  EXPECT_EQ(names.find_file(id)->mtime_ns, 500U);
  EXPECT_FALSE(names.close(before));
  EXPECT_FALSE(names.close(after));
}

TEST(Namespace, AFileWithoutANameLivesUntilItsLastClose) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  const std::uint64_t first = names.open(id, kAlice, wire::kOpenRead);
  const std::uint64_t second = names.open(id, kBob, wire::kOpenRead);
  names.unlink_file(id, 300);
  EXPECT_EQ(names.attributes_of_file(id).link_count, 0U);
  EXPECT_DEATH(names.remove_file(id), "uses_");
  EXPECT_FALSE(names.close(first));
  EXPECT_TRUE(names.close(second));
  names.remove_file(id);
  EXPECT_EQ(names.find_file(id), nullptr);
}

TEST(Namespace, OpensAreCountedByKindAndByClient) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  const std::uint64_t reader = names.open(id, kAlice, wire::kOpenRead);
  const std::uint64_t plain = names.open(id, kAlice, wire::kOpenRead | wire::kOpenWrite);
  const std::uint64_t appender = names.open(id, kBob, wire::kOpenWrite | wire::kOpenAppend);
  const std::uint64_t append_reader = names.open(id, kBob, wire::kOpenRead | wire::kOpenAppend);
  EXPECT_EQ(names.find_use(id)->open_count, 4U);
  EXPECT_EQ(names.find_use(id)->writer_count, 2U);
  EXPECT_EQ(names.find_use(id)->plain_writer_count, 1U);
  EXPECT_EQ(names.opens_of(kAlice), (std::vector<std::uint64_t>{reader, plain}));
  names.set_closing(plain);
  EXPECT_EQ(names.opens_of(kAlice), std::vector<std::uint64_t>{reader});
  for (const std::uint64_t open : {reader, plain, appender, append_reader}) {
    EXPECT_FALSE(names.close(open));
  }
  EXPECT_EQ(names.find_use(id), nullptr);
  EXPECT_EQ(names.open_count(), 0U);
  EXPECT_TRUE(names.opens_of(kAlice).empty());
  EXPECT_TRUE(names.opens_of(kBob).empty());
}

TEST(Namespace, ATruncateChangesTheEpochOfThoseWhoOpenedBeforeEvenAfterTheyAllClosed) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  const std::uint64_t first = names.open(id, kAlice, wire::kOpenWrite);
  const std::uint64_t epoch = names.find_use(id)->truncate_epoch;
  names.reserve_append(id, 5000);
  names.raise_size(id, 1000);
  names.truncate(id, 10, 900);
  EXPECT_NE(names.find_use(id)->truncate_epoch, epoch);
  EXPECT_EQ(names.find_use(id)->append_end_bytes, 0U);
  EXPECT_EQ(names.find_file(id)->size_bytes, 10U);
  EXPECT_EQ(names.find_file(id)->mtime_ns, 900U);
  const std::uint64_t later_epoch = names.find_use(id)->truncate_epoch;
  names.truncate_failed(id);
  EXPECT_NE(names.find_use(id)->truncate_epoch, later_epoch);
  EXPECT_EQ(names.find_file(id)->size_bytes, 10U);
  const std::uint64_t last_epoch = names.find_use(id)->truncate_epoch;
  EXPECT_FALSE(names.close(first));
  names.truncate(id, 0, 901);
  const std::uint64_t second = names.open(id, kAlice, wire::kOpenWrite);
  EXPECT_NE(names.find_use(id)->truncate_epoch, last_epoch);
  EXPECT_FALSE(names.close(second));
}

TEST(Namespace, ASizeIsUncertainWhileSomebodyWritesOrAfterAWriterWasLost) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  EXPECT_FALSE(names.size_may_be_larger(id));
  const std::uint64_t open = names.open(id, kAlice, wire::kOpenWrite);
  EXPECT_TRUE(names.size_may_be_larger(id));
  names.mark_unsettled(id);
  EXPECT_TRUE(names.find_file(id)->has_data);
  names.settle(id, 50, names.unsettled_marks());  // Somebody writes still.
  EXPECT_EQ(names.find_file(id)->size_bytes, 50U);
  EXPECT_FALSE(names.close(open));
  EXPECT_TRUE(names.size_may_be_larger(id));
  const std::uint64_t marks = names.unsettled_marks();
  names.mark_unsettled(id);
  names.settle(id, 60, marks);  // The answer is older than the last mark.
  EXPECT_TRUE(names.size_may_be_larger(id));
  names.settle(id, 55, names.unsettled_marks());
  EXPECT_FALSE(names.size_may_be_larger(id));
  EXPECT_EQ(names.find_file(id)->size_bytes, 60U);
}

TEST(Namespace, AFileThatWasNeverWrittenHasNoData) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  names.raise_size(id, 0);
  names.truncate(id, 4096, 1);  // Only a hole.
  EXPECT_FALSE(names.find_file(id)->has_data);
  names.raise_size(id, 1);
  EXPECT_TRUE(names.find_file(id)->has_data);
  EXPECT_EQ(names.find_file(id)->size_bytes, 4096U);
}

TEST(Namespace, DataThatMayStillComeIsExpected) {
  Namespace names = make_namespace();
  names.attach(kDirectory);
  const InodeId id = add_file(names, "f");
  names.expect_data(id);
  EXPECT_TRUE(names.find_file(id)->has_data);
  EXPECT_EQ(names.find_file(id)->size_bytes, 0U);
  EXPECT_FALSE(names.size_may_be_larger(id));
}

TEST(DirectoryShard, NamesOfOneHashStayOnOnePage) {
  DirectoryShard shard;
  const Entry entry{.inode = InodeId{5}, .type = wire::FileType::kFile};
  for (const char* name : {"a", "b", "c", "d"}) {
    shard.set(10, name, entry, 1);
  }
  shard.set(11, "e", entry, 1);
  shard.set(UINT64_MAX, "last", entry, 1);
  shard.set(UINT64_MAX, "very last", entry, 1);
  const Page first = shard.list(0, 2);
  EXPECT_EQ(first.items.size(), 4U);
  EXPECT_EQ(first.next_cookie, 11U);
  EXPECT_FALSE(first.at_end);
  const Page second = shard.list(first.next_cookie, 2);
  EXPECT_EQ(second.items.size(), 3U);
  EXPECT_TRUE(second.at_end);
  EXPECT_EQ(second.items.back().name, "very last");
}

/// Lists a directory page by page, as a client does.
std::vector<std::string> list_all(const Namespace& names, InodeId directory,
                                  std::uint32_t entries_max) {
  std::vector<std::string> listed;
  std::uint64_t cookie = 0;
  for (bool at_end = false; !at_end;) {
    Page page = names.list(directory, cookie, entries_max);
    for (Page::Item& item : page.items) {
      listed.push_back(std::move(item.name));
    }
    cookie = page.next_cookie;
    at_end = page.at_end;
  }
  return listed;
}

TEST(Namespace, AListingHoldsWhatStaysExactlyOnceWhileOtherNamesComeAndGo) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    Namespace names = make_namespace();
    names.attach(kDirectory);
    std::set<std::string> staying;
    const std::size_t staying_count = random() % 60;
    while (staying.size() < staying_count) {
      const std::string name = "stays" + std::to_string(random() % 10'000);
      if (staying.insert(name).second) {
        add_file(names, name);
      }
    }
    std::set<std::string> passing;
    std::multiset<std::string> listed;
    std::uint64_t cookie = 0;
    for (bool at_end = false; !at_end;) {
      const Page page =
          names.list(kDirectory, cookie, static_cast<std::uint32_t>(1 + random() % 7));
      for (const Page::Item& item : page.items) {
        listed.insert(item.name);
      }
      cookie = page.next_cookie;
      at_end = page.at_end;
      for (int i = 0; i < 6; ++i) {
        const std::string name = "passes" + std::to_string(random() % 20);
        if (passing.erase(name) == 1) {
          names.erase_entry(key_of(name), 1);
        } else {
          passing.insert(name);
          add_file(names, name);
        }
      }
    }
    for (const std::string& name : staying) {
      EXPECT_EQ(listed.count(name), 1U) << name;
    }
    for (const std::string& name : listed) {
      EXPECT_LE(listed.count(name), 1U) << name;
    }
  }
}

/// What the tables should hold, in the plainest form.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    for (const InodeId directory : directories_) {
      names_.attach(directory);
    }
  }

  void step() {
    ++now_;
    const wire::EntryKey key = key_of("n" + std::to_string(random_() % 30), any_directory());
    switch (random_() % 6) {
      case 0:
        return create(key);
      case 1:
        return unlink(key);
      case 2:
        return rename(key, key_of("n" + std::to_string(random_() % 30), any_directory()));
      case 3:
        return open(key);
      case 4:
        return close();
      default:
        return lose_client();
    }
  }

  void check() const {
    std::size_t linked_count = 0;
    for (const InodeId directory : directories_) {
      std::set<std::string> expected;
      for (const auto& [key, inode] : entries_) {
        if (key.parent == directory) {
          expected.insert(key.name);
          EXPECT_EQ(names_.find_entry(key)->inode, inode);
          EXPECT_TRUE(names_.find_file(inode)->linked);
          ++linked_count;
        }
      }
      const auto listed = list_all(names_, directory, 3);
      EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()), expected);
      EXPECT_EQ(listed.size(), expected.size());
      EXPECT_EQ(names_.usage(directory).entry_count, expected.size());
      EXPECT_TRUE(std::is_sorted(listed.begin(), listed.end(), [directory](auto& a, auto& b) {
        return placement::entry_hash(directory, a) < placement::entry_hash(directory, b);
      }));
    }
    std::set<InodeId> open_without_name;
    for (const auto& [id, open] : opens_) {
      ASSERT_NE(names_.find_open(id), nullptr);
      EXPECT_EQ(names_.find_open(id)->inode, open.inode);
      if (!names_.find_file(open.inode)->linked) {
        open_without_name.insert(open.inode);
      }
    }
    EXPECT_EQ(names_.open_count(), opens_.size());
    EXPECT_EQ(names_.inode_count(), 1 + linked_count + open_without_name.size());
  }

 private:
  InodeId any_directory() { return directories_[random_() % directories_.size()]; }

  bool is_open(InodeId inode) const {
    return std::any_of(opens_.begin(), opens_.end(),
                       [inode](const auto& open) { return open.second.inode == inode; });
  }

  void create(const wire::EntryKey& key) {
    if (!entries_.contains(key)) {
      entries_[key] = names_.create_file(key, {.mode = 0600}, {.stripe_count = 1}, now_);
    }
  }

  void drop_name_of(InodeId inode) {
    names_.unlink_file(inode, now_);
    if (!is_open(inode)) {
      names_.remove_file(inode);
    }
  }

  void unlink(const wire::EntryKey& key) {
    if (const auto found = entries_.find(key); found != entries_.end()) {
      names_.erase_entry(key, now_);
      drop_name_of(found->second);
      entries_.erase(found);
    }
  }

  void rename(const wire::EntryKey& from, const wire::EntryKey& to) {
    const auto found = entries_.find(from);
    if (found == entries_.end() || from == to) {
      return;
    }
    const InodeId moved = found->second;
    entries_.erase(found);
    const auto replaced = entries_.find(to);
    names_.rename_entry(from, to, now_);
    if (replaced != entries_.end()) {
      drop_name_of(replaced->second);
    }
    entries_[to] = moved;
  }

  void open(const wire::EntryKey& key) {
    if (const auto found = entries_.find(key); found != entries_.end()) {
      const ClientId client = random_() % 2 == 0 ? kAlice : kBob;
      const std::uint64_t id = names_.open(found->second, client, wire::kOpenWrite);
      opens_[id] = {.inode = found->second, .client = client};
    }
  }

  void close_one(std::uint64_t id) {
    const InodeId inode = opens_.at(id).inode;
    opens_.erase(id);
    const bool gone = names_.close(id);
    const bool linked = std::any_of(entries_.begin(), entries_.end(),
                                    [inode](const auto& entry) { return entry.second == inode; });
    EXPECT_EQ(gone, !linked && !is_open(inode));
    if (gone) {
      names_.remove_file(inode);
    }
  }

  void close() {
    if (!opens_.empty()) {
      close_one(
          std::next(opens_.begin(), static_cast<std::ptrdiff_t>(random_() % opens_.size()))->first);
    }
  }

  void lose_client() {
    if (random_() % 8 != 0) {
      return;
    }
    std::vector<std::uint64_t> expected;
    for (const auto& [id, open] : opens_) {
      if (open.client == kBob) {
        expected.push_back(id);
      }
    }
    EXPECT_EQ(names_.opens_of(kBob), expected);
    for (const std::uint64_t id : expected) {
      close_one(id);
    }
  }

  const std::vector<InodeId> directories_{kRootInode, InodeId{40}, make_inode_id(ServerId{3}, 9)};
  Namespace names_ = make_namespace();
  std::map<wire::EntryKey, InodeId> entries_;
  std::map<std::uint64_t, Open> opens_;
  std::mt19937_64 random_;
  std::uint64_t now_ = 1000;
};

TEST(Namespace, AgreesWithAModelForEverySeed) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Model model(seed);
    for (int step = 0; step < 400; ++step) {
      model.step();
      if (step % 20 == 0) {
        model.check();
      }
    }
    model.check();
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace benchfs::meta
