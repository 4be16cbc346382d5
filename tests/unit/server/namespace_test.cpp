// Goal: every operation on names and inodes keeps what wire/messages.h promises, over one and
// several servers. Method: real services, rpc and stores on a network in memory with random delays;
// one case per promise, each for 1, 2, 3 and 5 servers.

#include "server/handlers/namespace.h"

#include <set>
#include <string>
#include <vector>

#include "unit/server/namespace_fixture.h"

namespace benchfs::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Servers, NamespaceService, testing::Values(1, 2, 3, 5),
                         testing::PrintToStringParamName());

TEST_P(NamespaceService, AFileIsCreatedOnceAndFoundByAll) {
  const wire::EntryKey key = key_of(kRootInode, "file");
  EXPECT_EQ(code_of(run(bob_.lookup(key))), Errc::kNotFound);
  EXPECT_EQ(code_of(run(bob_.open(key, kReadWrite))), Errc::kNotFound);
  const wire::Layout layout{.chunk_bytes = 65536, .stripe_count = 1};
  const auto created = run(alice_.open(key, kCreateNew, layout));
  ASSERT_TRUE(created.has_value());
  EXPECT_TRUE(created->created);
  EXPECT_EQ(code_of(run(bob_.open(key, kCreateNew))), Errc::kExists);
  const auto opened = run(bob_.open(key, kCreate));
  ASSERT_TRUE(opened.has_value());
  EXPECT_FALSE(opened->created);
  const wire::Attributes& got = opened->entry.attributes;
  EXPECT_EQ(got.inode, created->entry.attributes.inode);
  EXPECT_EQ(home_of(got.inode), cluster_.server_of(key));
  EXPECT_EQ(got.mode, 0640U);
  EXPECT_EQ(got.uid, 5U);
  EXPECT_EQ(got.gid, 6U);
  EXPECT_EQ(got.layout.chunk_bytes, 65536U);
  EXPECT_EQ(got.layout.stripe_count, 1U);
  EXPECT_EQ(code_of(run(alice_.close(*created))), Errc{});
  EXPECT_EQ(code_of(run(bob_.close(*opened))), Errc{});
  const auto found = run(bob_.lookup(key));
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->local);
  EXPECT_EQ(found->attributes.link_count, 1U);
  expect_at_rest(2);
}

TEST_P(NamespaceService, RequestsThatNoCorrectClientSendsAreRefused) {
  const wire::EntryKey key = key_of(kRootInode, "file");
  const ServerId right = cluster_.server_of(key);
  const auto open_with = [&](std::uint32_t flags, std::uint32_t mode, wire::Layout layout) {
    wire::OpenRequest request{
        .key = key, .flags = flags, .mode = mode, .uid = 0, .gid = 0, .layout = layout};
    return code_of(run(alice_.ask(right, std::move(request))));
  };
  EXPECT_EQ(open_with(128, 0, {}), Errc::kProtocol);
  EXPECT_EQ(open_with(kCreate, 010000, {}), Errc::kProtocol);
  EXPECT_EQ(open_with(kCreate, 0, {.chunk_bytes = 0}), Errc::kInvalid);
  EXPECT_EQ(open_with(kCreate, 0, {.chunk_bytes = UINT64_MAX}), Errc::kInvalid);
  EXPECT_EQ(open_with(kCreate, 0, {.stripe_count = 99}), Errc::kInvalid);
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"),
        std::string("a\0b", 3), std::string(256, 'n')}) {
    wire::LookupRequest request{.key = key_of(kRootInode, name)};
    EXPECT_EQ(code_of(run(alice_.ask(ServerId{0}, std::move(request)))), Errc::kProtocol) << name;
  }
  for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
    wire::LookupRequest request{.key = key};
    EXPECT_EQ(code_of(run(alice_.ask(ServerId{i}, std::move(request)))),
              ServerId{i} == right ? Errc::kNotFound : Errc::kProtocol);
  }
  // Directories of no server, and of nobody.
  const InodeId nobody = make_inode_id(ServerId{9999}, 5);
  EXPECT_EQ(code_of(run(alice_.lookup(key_of(nobody, "f")))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.open(key_of(InodeId{55}, "f"), kCreate))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.stat(InodeId{55}))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.truncate(InodeId{55}, 0))), Errc::kStale);
  const wire::ReadDirRequest no_entries{.directory = kRootInode, .entries_max = 0};
  EXPECT_EQ(code_of(run(alice_.ask(ServerId{0}, no_entries))), Errc::kProtocol);
  const wire::SetAttrRequest bad_mask{.inode = kRootInode, .mask = 32};
  EXPECT_EQ(code_of(run(alice_.ask(ServerId{0}, bad_mask))), Errc::kProtocol);
  expect_at_rest(1);
}

TEST_P(NamespaceService, WhatServersAskEachOtherIsRefusedToClients) {
  const ServerId any{0};
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::AttachDirectoryRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::DetachDirectoryRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::RemoveDirectoryRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::DirectoryUsageRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::UnlinkInodeRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::RenamePrepareRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::RenameCommitRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::DataEndRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::TruncateDataRequest{}))), Errc::kPermission);
  EXPECT_EQ(code_of(run(alice_.ask(any, wire::RemoveDataRequest{}))), Errc::kPermission);
}

TEST_P(NamespaceService, ADirectoryIsListedWhateverServersHoldItsEntries) {
  const InodeId directory = make_directory("d");
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back("name" + std::to_string(100 + i));
    if (i % 4 == 0) {
      make_directory(expected.back(), directory);
    } else {
      make_closed_file(key_of(directory, expected.back()));
    }
  }
  EXPECT_EQ(*run(bob_.list(directory)), expected);
  const auto attributes = run(bob_.stat(directory));
  ASSERT_TRUE(attributes.has_value());
  EXPECT_EQ(attributes->type, wire::FileType::kDirectory);
  EXPECT_EQ(attributes->size_bytes, 40U);
  EXPECT_EQ(attributes->link_count, 12U);
  EXPECT_EQ(run(bob_.list(kRootInode))->size(), 1U);
  expect_at_rest(42);
}

TEST_P(NamespaceService, RmdirTakesOnlyAnEmptyDirectory) {
  const InodeId directory = make_directory("d");
  const wire::EntryKey key = key_of(kRootInode, "d");
  const wire::EntryKey child = key_of(directory, "child");
  make_closed_file(child);
  EXPECT_EQ(code_of(run(bob_.rmdir(key))), Errc::kNotEmpty);
  EXPECT_EQ(code_of(run(bob_.rmdir(child))), Errc::kNotDirectory);
  EXPECT_EQ(code_of(run(bob_.unlink(key))), Errc::kIsDirectory);
  EXPECT_EQ(code_of(run(bob_.unlink(child))), Errc{});
  EXPECT_EQ(code_of(run(bob_.rmdir(key))), Errc{});
  EXPECT_EQ(code_of(run(bob_.rmdir(key))), Errc::kNotFound);
  // The id is no more, for all that is done with it.
  EXPECT_EQ(code_of(run(alice_.open(child, kCreate))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.mkdir(child))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.lookup(child))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.list(directory))), Errc::kStale);
  EXPECT_EQ(code_of(run(alice_.stat(directory))), Errc::kStale);
  expect_at_rest(1);
  for (const auto& server : cluster_.servers) {
    EXPECT_FALSE(server->names->state().attached(directory));
  }
}

TEST_P(NamespaceService, ADirectorysTimesFollowItsEntries) {
  const InodeId directory = make_directory("d");
  const std::uint64_t made_ns = run(alice_.stat(directory))->mtime_ns;
  cluster_.clock.advance(kNsPerSec);
  make_closed_file(key_of(directory, "child"));
  const std::uint64_t changed_ns = run(alice_.stat(directory))->mtime_ns;
  EXPECT_GE(changed_ns, made_ns + kNsPerSec);
  cluster_.clock.advance(kNsPerSec);
  const wire::SetAttrRequest set{.inode = directory, .mask = wire::kSetMtime, .mtime_ns = 77};
  EXPECT_EQ(code_of(run(alice_.ask(home_of(directory), set))), Errc{});
  EXPECT_EQ(run(alice_.stat(directory))->mtime_ns, 77U);
  cluster_.clock.advance(kNsPerSec);
  EXPECT_EQ(code_of(run(alice_.unlink(key_of(directory, "child")))), Errc{});
  EXPECT_GT(run(alice_.stat(directory))->mtime_ns, changed_ns);
}

TEST_P(NamespaceService, DirectoriesAreFoundButNotOpened) {
  make_directory("d");
  const wire::EntryKey key = key_of(kRootInode, "d");
  EXPECT_EQ(code_of(run(alice_.open(key, wire::kOpenRead))), Errc::kIsDirectory);
  EXPECT_EQ(code_of(run(alice_.open(key, kReadWrite | wire::kOpenDirectory))), Errc::kIsDirectory);
  EXPECT_EQ(code_of(run(alice_.open(key, kCreateNew))), Errc::kExists);
  const auto opened = run(alice_.open(key, wire::kOpenRead | wire::kOpenDirectory));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->open_id, 0U);
  make_closed_file(key_of(kRootInode, "f"));
  EXPECT_EQ(
      code_of(run(alice_.open(key_of(kRootInode, "f"), wire::kOpenRead | wire::kOpenDirectory))),
      Errc::kNotDirectory);
  expect_at_rest(3);
}

TEST_P(NamespaceService, TheSizeIsRightWhileOthersWriteAndSettledByClose) {
  const wire::OpenReply writer = make_file("f");
  const InodeId file = writer.entry.attributes.inode;
  write(writer, 0, 1000);
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 1000U);
  write(writer, 5 * kMiB, 4096);
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 5 * kMiB + 4096);
  const auto found = run(bob_.lookup(key_of(kRootInode, "f")));
  EXPECT_FALSE(found->local);  // Its size cannot be told without asking.
  EXPECT_EQ(code_of(run(alice_.close_written(writer, 5 * kMiB + 4096))), Errc{});
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 5 * kMiB + 4096);
  EXPECT_EQ(run(bob_.lookup(key_of(kRootInode, "f")))->attributes.size_bytes, 5 * kMiB + 4096);
  expect_at_rest(2);
}

TEST_P(NamespaceService, ACloseThatSpeaksForOthersOrFromBeforeATruncateAsksTheDataServers) {
  const wire::OpenReply writer = make_file("f");
  const InodeId file = writer.entry.attributes.inode;
  write(writer, 3 * kMiB, 10);
  const wire::CloseRequest for_others{.open_id = writer.open_id, .inode = file, .complete = false};
  EXPECT_EQ(code_of(run(alice_.ask(home_of(file), for_others))), Errc{});
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 3 * kMiB + 10);

  const auto again = run(alice_.open(key_of(kRootInode, "f"), kReadWrite));
  ASSERT_TRUE(again.has_value());
  write(*again, 7 * kMiB, 10);
  EXPECT_EQ(code_of(run(bob_.truncate(file, 100))), Errc{});
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 100U);
  write(*again, 2 * kMiB, 10);
  EXPECT_EQ(code_of(run(alice_.close_written(*again, 7 * kMiB + 10))), Errc{});
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 2 * kMiB + 10);
  expect_at_rest(2);
}

TEST_P(NamespaceService, TruncateCutsTheDataAndGrowsWithZeros) {
  const wire::OpenReply writer = make_file("f");
  const InodeId file = writer.entry.attributes.inode;
  write(writer, 0, 8192);
  write(writer, 4 * kMiB, 8192);
  EXPECT_EQ(code_of(run(alice_.close_written(writer, 4 * kMiB + 8192))), Errc{});
  EXPECT_EQ(code_of(run(alice_.truncate(file, 4096))), Errc{});
  for (const auto& server : cluster_.servers) {
    EXPECT_LE(server->store.end_of(file), 4096U);
  }
  EXPECT_EQ(code_of(run(alice_.truncate(file, 9 * kMiB))), Errc{});
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 9 * kMiB);
  EXPECT_EQ(code_of(run(alice_.truncate(file, kFileBytesMax + 1))), Errc::kTooLarge);
  EXPECT_EQ(code_of(run(alice_.truncate(kRootInode, 0))), Errc::kIsDirectory);
  const auto emptied = run(bob_.open(key_of(kRootInode, "f"), kCreate | wire::kOpenTruncate));
  ASSERT_TRUE(emptied.has_value());
  EXPECT_EQ(emptied->entry.attributes.size_bytes, 0U);
  EXPECT_EQ(run(bob_.stat(file))->size_bytes, 0U);
  EXPECT_EQ(stored_file_count(), 0U);
  EXPECT_EQ(code_of(run(bob_.close(*emptied))), Errc{});
  expect_at_rest(2);
}

TEST_P(NamespaceService, AnUnlinkedFileLivesUntilItsLastCloseAndThenItsSpaceIsFree) {
  const wire::OpenReply writer = make_file("f");
  const InodeId file = writer.entry.attributes.inode;
  for (std::uint64_t i = 0; i < 8; ++i) {
    write(writer, i * kMiB, 4096);
  }
  EXPECT_EQ(code_of(run(bob_.unlink(key_of(kRootInode, "f")))), Errc{});
  EXPECT_EQ(code_of(run(bob_.lookup(key_of(kRootInode, "f")))), Errc::kNotFound);
  EXPECT_EQ(code_of(run(bob_.ask(home_of(file), wire::OpenInodeRequest{.inode = file}))),
            Errc::kStale);
  const auto attributes = run(alice_.stat(file));
  ASSERT_TRUE(attributes.has_value());
  EXPECT_EQ(attributes->link_count, 0U);
  EXPECT_EQ(attributes->size_bytes, 7 * kMiB + 4096);
  EXPECT_GT(stored_file_count(), 0U);
  EXPECT_EQ(code_of(run(alice_.close_written(writer, 7 * kMiB + 4096))), Errc{});
  EXPECT_EQ(stored_file_count(), 0U);
  EXPECT_EQ(code_of(run(alice_.stat(file))), Errc::kStale);
  expect_at_rest(1);
}

TEST_P(NamespaceService, OnlyTheOpenerClosesAndOnlyOnce) {
  const wire::OpenReply opened = make_file("f");
  EXPECT_EQ(code_of(run(bob_.close(opened))), Errc::kBadHandle);
  EXPECT_EQ(code_of(run(alice_.append(opened, 10))), Errc::kBadHandle);
  EXPECT_EQ(code_of(run(alice_.close(opened))), Errc{});
  EXPECT_EQ(code_of(run(alice_.close(opened))), Errc::kBadHandle);
  expect_at_rest(2);
}

TEST_P(NamespaceService, AppendersGetRangesOfTheirOwnBehindAllThatIsThere) {
  const wire::OpenReply plain = make_file("f");
  const InodeId file = plain.entry.attributes.inode;
  const std::uint32_t flags = wire::kOpenWrite | wire::kOpenAppend;
  const auto first = run(alice_.open(key_of(kRootInode, "f"), flags));
  const auto second = run(bob_.open(key_of(kRootInode, "f"), flags));
  ASSERT_TRUE(first.has_value() && second.has_value());
  write(plain, 2 * kMiB, 100);
  std::vector<coro::Task<Result<wire::AppendReply>>> appends;
  for (int i = 0; i < 20; ++i) {
    appends.push_back(i % 2 == 0 ? alice_.append(*first, 10) : bob_.append(*second, 10));
  }
  const auto replies = run(coro::when_all(std::move(appends)));
  std::set<std::uint64_t> offsets;
  for (const auto& reply : replies) {
    ASSERT_TRUE(reply.has_value());
    offsets.insert(reply->offset_bytes);
  }
  EXPECT_EQ(offsets.size(), 20U);
  EXPECT_EQ(*offsets.begin(), 2 * kMiB + 100);
  EXPECT_EQ(*offsets.rbegin(), 2 * kMiB + 100 + 190);
  EXPECT_EQ(code_of(run(alice_.append(*first, kFileBytesMax))), Errc::kTooLarge);
  EXPECT_EQ(code_of(run(alice_.close_written(plain, 2 * kMiB + 100))), Errc{});
  EXPECT_EQ(run(alice_.append(*first, 1))->offset_bytes, 2 * kMiB + 300);
  EXPECT_EQ(code_of(run(bob_.truncate(file, 5))), Errc{});
  EXPECT_EQ(run(alice_.append(*first, 1))->offset_bytes, 5U);
  EXPECT_EQ(code_of(run(alice_.close(*first))), Errc{});
  EXPECT_EQ(code_of(run(bob_.close(*second))), Errc{});
  expect_at_rest(2);
}

TEST_P(NamespaceService, AWritersCloseSetsTheTimeUnlessItWasSetMeanwhile) {
  const wire::OpenReply writer = make_file("f");
  const InodeId file = writer.entry.attributes.inode;
  const std::uint64_t made_ns = run(bob_.stat(file))->mtime_ns;
  cluster_.clock.advance(kNsPerSec);
  const wire::SetAttrRequest set{.inode = file,
                                 .mask = wire::kSetMtime | wire::kSetAtime | wire::kSetMode,
                                 .mode = 0400,
                                 .atime_ns = 6,
                                 .mtime_ns = 7};
  EXPECT_EQ(code_of(run(alice_.ask(home_of(file), set))), Errc{});
  EXPECT_EQ(code_of(run(alice_.close_written(writer, 0))), Errc{});
  EXPECT_EQ(run(bob_.stat(file))->mtime_ns, 7U);
  EXPECT_EQ(run(bob_.stat(file))->atime_ns, 6U);
  EXPECT_EQ(run(bob_.stat(file))->mode, 0400U);
  const auto again = run(alice_.open(key_of(kRootInode, "f"), kReadWrite));
  EXPECT_EQ(code_of(run(alice_.close_written(*again, 0))), Errc{});
  EXPECT_GT(run(bob_.stat(file))->mtime_ns, made_ns);
}

TEST_P(NamespaceService, AFileIsRenamedBetweenAnyTwoServers) {
  const InodeId directory = make_directory("d");
  std::size_t inodes = 2;
  for (std::uint16_t source = 0; source < cluster_.server_count(); ++source) {
    for (std::uint16_t target = 0; target < cluster_.server_count(); ++target) {
      for (const bool replaces : {false, true}) {
        const std::string suffix = std::to_string(source) + "to" + std::to_string(target);
        const wire::EntryKey from =
            key_of(kRootInode, name_on(ServerId{source}, kRootInode, "from" + suffix));
        const wire::EntryKey to =
            key_of(directory, name_on(ServerId{target}, directory, "to" + suffix));
        const InodeId file = make_closed_file(from);
        inodes += replaces ? 0 : 1;
        EXPECT_EQ(code_of(run(bob_.rename(from, to))), Errc{});
        EXPECT_EQ(code_of(run(bob_.lookup(from))), Errc::kNotFound);
        EXPECT_EQ(run(bob_.lookup(to))->attributes.inode, file);
        EXPECT_EQ(run(bob_.stat(file))->link_count, 1U);
        const auto opened = run(bob_.open(to, kReadWrite));
        ASSERT_TRUE(opened.has_value());
        EXPECT_EQ(opened->entry.attributes.inode, file);
        EXPECT_EQ(code_of(run(bob_.close(*opened))), Errc{});
      }
    }
  }
  expect_at_rest(inodes);
}

TEST_P(NamespaceService, ARenameThatCannotBeChangesNothing) {
  const InodeId directory = make_directory("d");
  make_directory("e");
  const wire::EntryKey file = key_of(kRootInode, "f");
  const InodeId inode = make_closed_file(file);
  const auto rename = [&](const wire::EntryKey& from, const wire::EntryKey& to) {
    return code_of(run(alice_.rename(from, to)));
  };
  EXPECT_EQ(rename(file, key_of(kRootInode, "d")), Errc::kIsDirectory);
  EXPECT_EQ(rename(key_of(kRootInode, "d"), file), Errc::kNotDirectory);
  EXPECT_EQ(rename(key_of(kRootInode, "d"), key_of(directory, "x")), Errc::kInvalid);
  EXPECT_EQ(rename(key_of(kRootInode, "d"), key_of(InodeId{555}, "g")), Errc::kStale);
  EXPECT_EQ(rename(key_of(kRootInode, "d"), key_of(directory, "..")), Errc::kProtocol);
  EXPECT_EQ(rename(key_of(kRootInode, "d"), key_of(kRootInode, "d")), Errc{});
  EXPECT_EQ(rename(key_of(kRootInode, "none"), key_of(kRootInode, "g")), Errc::kNotFound);
  EXPECT_EQ(rename(key_of(kRootInode, "none"), key_of(kRootInode, "none")), Errc::kNotFound);
  EXPECT_EQ(rename(file, file), Errc{});
  EXPECT_EQ(rename(file, key_of(InodeId{555}, "g")), Errc::kStale);
  EXPECT_EQ(rename(file, key_of(directory, "..")), Errc::kProtocol);
  EXPECT_EQ(run(alice_.lookup(file))->attributes.inode, inode);
  EXPECT_EQ(run(alice_.list(kRootInode))->size(), 3U);
  expect_at_rest(4);
}

TEST_P(NamespaceService, ADirectoryIsRenamedBetweenAnyTwoServersWithAllThatIsInIt) {
  const InodeId other = make_directory("other");
  const InodeId moved = make_directory("m0");
  make_closed_file(key_of(moved, "f"));
  const InodeId below = make_directory("below", moved);
  make_closed_file(key_of(below, "g"));
  wire::EntryKey from = key_of(kRootInode, "m0");
  for (std::uint16_t i = 0; i < 4 * cluster_.server_count(); ++i) {
    const InodeId parent = i % 2 == 0 ? other : kRootInode;
    const ServerId server{static_cast<std::uint16_t>(i % cluster_.server_count())};
    const wire::EntryKey to = key_of(parent, name_on(server, parent, "m" + std::to_string(i)));
    const std::uint64_t messages = cluster_.message_count();
    EXPECT_EQ(code_of(run(alice_.rename(from, to))), Errc{});
    EXPECT_LT(cluster_.message_count() - messages, 60U) << "whatever is below";
    EXPECT_EQ(code_of(run(bob_.lookup(from))), Errc::kNotFound);
    EXPECT_EQ(run(bob_.lookup(to))->attributes.inode, moved);
    EXPECT_EQ(run(alice_.stat(parent))->link_count, parent == other ? 3U : 4U);
    EXPECT_EQ(code_of(run(alice_.lookup(key_of(below, "g")))), Errc{});
    // The home knows where it is: so it cannot be brought below itself.
    EXPECT_EQ(code_of(run(alice_.rename(to, key_of(below, "x")))), Errc::kInvalid);
    EXPECT_EQ(code_of(run(alice_.rename(key_of(kRootInode, "other"), key_of(below, "x")))),
              parent == other ? Errc::kInvalid : Errc{});
    if (parent != other) {
      EXPECT_EQ(code_of(run(alice_.rename(key_of(below, "x"), key_of(kRootInode, "other")))),
                Errc{});
    }
    from = to;
  }
  EXPECT_EQ(code_of(run(alice_.rmdir(from))), Errc::kNotEmpty);
  expect_at_rest(6);
}

TEST_P(NamespaceService, ARenamedDirectoryReplacesAnEmptyOneOnly) {
  for (std::uint16_t i = 0; i < 2 * cluster_.server_count(); ++i) {
    const ServerId server{static_cast<std::uint16_t>(i % cluster_.server_count())};
    const std::string to_name = name_on(server, kRootInode, "to" + std::to_string(i));
    const InodeId from = make_directory("from");
    const InodeId to = make_directory(to_name);
    make_closed_file(key_of(from, "f"));
    make_closed_file(key_of(to, "g"));
    const auto rename = [&] {
      return code_of(run(alice_.rename(key_of(kRootInode, "from"), key_of(kRootInode, to_name))));
    };
    EXPECT_EQ(rename(), Errc::kNotEmpty);
    EXPECT_EQ(run(bob_.lookup(key_of(kRootInode, "from")))->attributes.inode, from);
    EXPECT_EQ(code_of(run(alice_.unlink(key_of(to, "g")))), Errc{});
    EXPECT_EQ(rename(), Errc{});
    EXPECT_EQ(run(bob_.lookup(key_of(kRootInode, to_name)))->attributes.inode, from);
    EXPECT_EQ(code_of(run(bob_.open(key_of(to, "h"), kCreateNew))), Errc::kStale);
    EXPECT_EQ(code_of(run(alice_.unlink(key_of(from, "f")))), Errc{});
    EXPECT_EQ(code_of(run(alice_.rmdir(key_of(kRootInode, to_name)))), Errc{});
    expect_at_rest(1);
  }
}

TEST_P(NamespaceService, WhoFoundADirectoryBeforeItMovedIsToldSo) {
  const InodeId moved = make_directory("from");
  const wire::EntryKey inside = key_of(moved, "f");
  make_closed_file(inside);
  EXPECT_EQ(code_of(run(alice_.rename(key_of(kRootInode, "from"), key_of(kRootInode, "to")))),
            Errc{});
  for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
    EXPECT_EQ(run(bob_.ask(ServerId{i}, wire::MovesRequest()))->number, 1U);
  }
  const ServerId server = cluster_.server_of(inside);
  const auto lookup = [&](std::uint64_t moves) {
    return code_of(run(bob_.ask(server, wire::LookupRequest{.key = inside, .moves = moves})));
  };
  EXPECT_EQ(lookup(0), Errc::kStale);
  EXPECT_EQ(lookup(1), Errc{});
  EXPECT_EQ(lookup(wire::kAnyMoves), Errc{});
}

}  // namespace
}  // namespace benchfs::test
