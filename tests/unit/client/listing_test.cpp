// Goal: a directory is listed whole, each name once, with its attributes; or the listing fails, and
// goes on failing. Method: many names over several servers and pages, on the servers' real
// handlers.

#include "client/listing.h"

#include <algorithm>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "server/handlers/namespace_records.h"
#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;

constexpr std::uint32_t kCreate = wire::kOpenWrite | wire::kOpenCreate;

Result<std::map<std::string, wire::Attributes>> list(FakeMount& mount, const std::string& path) {
  const auto directory =
      mount.run(mount.names.find_directory(mount.fresh(path), FakeMount::path(path)));
  if (!directory.has_value()) {
    return fail(directory.error());
  }
  Listing listing(mount.servers, *directory);
  std::map<std::string, wire::Attributes> found;
  while (true) {
    const Status status = mount.run(listing.fill(mount.fresh(path)));
    if (!status.has_value()) {
      const Status again = mount.run(listing.fill(mount.context));
      EXPECT_FALSE(again.has_value()) << "a failed listing never ends well";
      return fail(status.error());
    }
    if (listing.entries().empty()) {
      return found;
    }
    for (const wire::DirectoryEntry& entry : listing.entries()) {
      EXPECT_TRUE(found.emplace(entry.name, entry.entry.attributes).second) << entry.name;
    }
  }
}

TEST(Listing, HasEveryNameOnceOverManyPages) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  ASSERT_TRUE(mount.mkdir("/d").has_value());
  constexpr int kFiles = 4000;
  for (int i = 0; i < kFiles; ++i) {
    auto file = mount.open("/d/file" + std::to_string(i), kCreate);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(mount.close(**file).has_value());
  }
  const auto found = list(mount, "/d");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->size(), static_cast<std::size_t>(kFiles));
  EXPECT_TRUE(found->contains("file0"));
  EXPECT_TRUE(found->contains("file3999"));
}

TEST(Listing, CompletesAttributesThatLieElsewhere) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  for (int i = 0; i < 20; ++i) {
    const std::string old_name = "/old" + std::to_string(i);
    auto file = mount.open(old_name, kCreate);
    ASSERT_TRUE(file.has_value());
    std::vector<char> data(static_cast<std::size_t>(i + 1), 'x');
    ASSERT_TRUE(mount.write(**file, data, 0).has_value());
    ASSERT_TRUE(mount.close(**file).has_value());
    ASSERT_TRUE(mount.rename(old_name, "/new" + std::to_string(i)).has_value());
  }
  const auto found = list(mount, "/");
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 20u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(found->at("new" + std::to_string(i)).size_bytes, static_cast<std::uint64_t>(i + 1));
  }
}

/// A directory of `count` files on all servers, as if it had been there since before they started.
InodeId make_large_directory(FakeSession& session, const std::string& name, std::uint64_t count) {
  test::FakeCluster& cluster = session.cluster;
  FakeMount& mount = session.mount();
  EXPECT_TRUE(mount.mkdir("/" + name).has_value());
  const InodeId directory = mount.stat("/" + name)->inode;
  const std::uint16_t servers = cluster.server_count();
  for (std::uint16_t i = 0; i < servers; ++i) {
    cluster.crash(ServerId{i});
  }
  const auto put = [&cluster](ServerId server, const auto& row) {
    std::vector<std::byte> body(1024);
    wire::Encoder encoder{Bytes(body)};
    encoder& row;
    body.resize(encoder.size());
    const auto kind = server::record_kind(std::remove_cvref_t<decltype(row)>::kKind);
    cluster.server(server).drive->records.push_back({.kind = kind, .body = std::move(body)});
  };
  for (std::uint16_t i = 0; i < servers; ++i) {
    put(home_of(directory), meta::HolderAddedRow{.directory = directory, .server = ServerId{i}});
    put(ServerId{i}, meta::AttachedRow{.directory = directory});
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const wire::EntryKey key{.parent = directory, .name = "file" + std::to_string(i)};
    const ServerId server = cluster.server_of(key);
    const InodeId inode = make_inode_id(server, 1000 + i);
    put(server,
        meta::FileRow{
            .inode = inode, .chunk_bytes = 4096, .stripe_count = 1, .flags = meta::kFileLinked});
    put(server, meta::EntryRow{.key = key, .inode = inode, .type = wire::FileType::kFile});
  }
  for (std::uint16_t i = 0; i < servers; ++i) {
    cluster.restart(ServerId{i});
  }
  return directory;
}

TEST(Listing, OfAHugeDirectoryTakesOnePageOfEachServerAndMissesNothingWhileOthersChangeIt) {
  constexpr std::uint64_t kFiles = 100'000;
  FakeSession session(3, 2);
  const InodeId directory = make_large_directory(session, "d", kFiles);
  FakeMount& mount = session.mount(0);
  FakeMount& other = session.mount(1);
  Listing listing(mount.servers, directory);
  std::vector<std::uint8_t> seen(kFiles);
  std::uint64_t fills = 0;
  std::size_t entries_max = 0;
  for (;;) {
    const Status status = mount.run(listing.fill(mount.fresh("/d")));
    ASSERT_TRUE(status.has_value());
    if (listing.entries().empty()) {
      break;
    }
    entries_max = std::max(entries_max, listing.entries().size());
    for (const wire::DirectoryEntry& entry : listing.entries()) {
      if (entry.name.starts_with("file")) {
        ++seen[std::stoull(entry.name.substr(4))];
      }
    }
    // Every tenth of the files may go; the others stay.
    const std::string number = std::to_string(10 * fills);
    EXPECT_TRUE(other.unlink("/d/file" + number).has_value());
    auto made = other.open("/d/new" + number, kCreate);
    ASSERT_TRUE(made.has_value());
    EXPECT_TRUE(other.close(**made).has_value());
    EXPECT_TRUE(other.rename("/d/new" + number, "/d/newer" + number).has_value());
    ++fills;
  }
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    const bool stays = i % 10 != 0 || i >= 10 * fills;
    ASSERT_TRUE(seen[i] == 1 || (!stays && seen[i] == 0)) << i;
  }
  EXPECT_LE(entries_max, 3 * std::size_t{wire::kReadDirEntriesMax});
  EXPECT_GE(fills, kFiles / (3 * wire::kReadDirEntriesMax));
  // Attributes come with the names, but for those of renamed files.
  EXPECT_LE(session.asked(wire::Op::kGetAttr), 1 + fills);
}

TEST(Listing, APageOfTheLongestNamesFitsItsMessage) {
  FakeSession session(1);
  FakeMount& mount = session.mount();
  ASSERT_TRUE(mount.mkdir("/d").has_value());
  for (std::uint32_t i = 0; i < wire::kReadDirEntriesMax + 1; ++i) {
    std::string name = std::to_string(1000 + i);
    for (std::size_t at = name.size(); at < kNameBytesMax; ++at) {
      const char byte = static_cast<char>(1 + (i + at) % 255);
      name += byte == '/' ? 'x' : byte;
    }
    auto file = mount.open("/d/" + name, kCreate);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(mount.close(**file).has_value());
  }
  EXPECT_EQ(list(mount, "/d")->size(), wire::kReadDirEntriesMax + 1);
}

TEST(Listing, IsEmptyForAnEmptyDirectory) {
  FakeSession session(2);
  ASSERT_TRUE(session.mount().mkdir("/d").has_value());
  EXPECT_TRUE(list(session.mount(), "/d")->empty());
  EXPECT_EQ(list(session.mount(), "/none").error().code, Errc::kNotFound);
}

TEST(Listing, RefusesToListAFile) {
  FakeSession session(2);
  auto file = session.mount().open("/f", kCreate);
  ASSERT_TRUE(file.has_value());
  EXPECT_TRUE(session.mount().close(**file).has_value());
  EXPECT_EQ(list(session.mount(), "/f").error().code, Errc::kNotDirectory);
}

TEST(Listing, FailsWhenAServerDoes) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  for (int i = 0; i < 30; ++i) {
    auto file = mount.open("/f" + std::to_string(i), kCreate);
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE(mount.close(**file).has_value());
  }
  session.cluster.servers[2]->transport.kill();
  const auto found = list(mount, "/");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(mount.context.server, ServerId{2});
}

}  // namespace
}  // namespace benchfs::client
