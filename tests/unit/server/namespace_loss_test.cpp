// Goal: what becomes of names, sizes and opens when clients and servers are lost, hang or come too
// late. Method: as in namespace_test.cpp; the cases in which one server is in trouble and another
// is not, for 2, 3 and 5 servers.

#include <string>
#include <vector>

#include "server/handlers/namespace.h"
#include "unit/server/namespace_fixture.h"

namespace benchfs::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Servers, NamespaceService, testing::Values(1, 2, 3, 5),
                         testing::PrintToStringParamName());

class SeveralServers : public NamespaceService {};
INSTANTIATE_TEST_SUITE_P(Servers, SeveralServers, testing::Values(2, 3, 5),
                         testing::PrintToStringParamName());

TEST_P(NamespaceService, ALostClientsFilesAreClosedAndSettled) {
  FakeClient& mortal = cluster_.add_client();
  FakeUser carol(cluster_, mortal);
  const auto written = run(carol.open(key_of(kRootInode, "written"), kCreateNew));
  const auto unlinked = run(carol.open(key_of(kRootInode, "unlinked"), kCreateNew));
  const auto read = run(carol.open(key_of(kRootInode, "read"), kCreateNew));
  ASSERT_TRUE(written.has_value() && unlinked.has_value() && read.has_value());
  write(*written, 3 * kMiB, 17);
  write(*unlinked, 0, 17);
  EXPECT_EQ(code_of(run(alice_.unlink(key_of(kRootInode, "unlinked")))), Errc{});
  EXPECT_EQ(stored_file_count(), 2U);
  mortal.transport.kill();
  cluster_.settle();
  EXPECT_EQ(run(alice_.stat(written->entry.attributes.inode))->size_bytes, 3 * kMiB + 17);
  // Perhaps only its connection was lost: its file's size is never taken for settled.
  EXPECT_FALSE(run(alice_.lookup(key_of(kRootInode, "written")))->local);
  EXPECT_EQ(stored_file_count(), 1U);
  expect_at_rest(3);
}

TEST_P(NamespaceService, AWriteThatEndsAfterItsWriterWasLostGoesWithTheFile) {
  FakeClient& mortal = cluster_.add_client();
  FakeUser carol(cluster_, mortal);
  const wire::EntryKey key = key_of(kRootInode, "file");
  const auto opened = run(carol.open(key, kCreateNew));
  ASSERT_TRUE(opened.has_value());
  mortal.transport.kill();
  cluster_.settle();
  const auto status = run(alice_.stat(opened->entry.attributes.inode));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->size_bytes, 0U);
  write(*opened, 0, 1000);  // It was at the drive when the writer died, and nobody could tell.
  EXPECT_EQ(run(alice_.stat(opened->entry.attributes.inode))->size_bytes, 1000U);
  EXPECT_EQ(stored_file_count(), 1U);
  EXPECT_EQ(code_of(run(alice_.unlink(key))), Errc{});
  EXPECT_EQ(stored_file_count(), 0U);
  expect_at_rest(1);
}

TEST_P(NamespaceService, AClientLostWhileItOpensLeavesNothingOpen) {
  for (std::uint64_t wait_ns = 0; wait_ns < 2'000'000; wait_ns += 50'000) {
    FakeClient& mortal = cluster_.add_client();
    FakeUser carol(cluster_, mortal);
    const wire::EntryKey key = key_of(kRootInode, "f" + std::to_string(wait_ns));
    auto opening = carol.open(key, kCreate | wire::kOpenTruncate);
    opening.start();
    const std::uint64_t until_ns = cluster_.clock.now_ns() + wait_ns;
    while (cluster_.clock.now_ns() < until_ns && !opening.done()) {
      cluster_.loop.run_once(until_ns);
    }
    mortal.transport.kill();
    cluster_.settle();
    ASSERT_TRUE(opening.done());
    for (const auto& server : cluster_.servers) {
      EXPECT_EQ(server->names->open_count(), 0U);
      EXPECT_EQ(server->names->lock_count(), 0U);
    }
  }
}

TEST_P(NamespaceService, ACutThatComesAfterItsTruncateHasFailedTakesNothing) {
  const auto opened = make_file("file");
  write(opened, 0, 1000);
  const InodeId file = opened.entry.attributes.inode;
  FakePeer home(cluster_.network, {.role = net::PeerIdentity::Role::kServer, .id = 77});
  std::vector<std::vector<std::byte>> addresses;
  for (const auto& server : cluster_.servers) {
    addresses.push_back(server->transport.address());
  }
  home.meet(addresses);
  const ServerId holder =
      placement::chunk_server({.file = file,
                               .chunk_bytes = opened.entry.attributes.layout.chunk_bytes,
                               .stripe_count = opened.entry.attributes.layout.stripe_count,
                               .server_count = cluster_.server_count()},
                              0);
  const auto told = run(home.ask(holder, wire::DataEndRequest{.inode = file}));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->end_bytes, 1000U);
  const wire::TruncateDataRequest cut{.inode = file, .size_bytes = 10};
  cluster_.server(holder).transport.hang();
  EXPECT_EQ(code_of(run(home.ask(holder, cut))), Errc::kTimedOut);
  cluster_.server(holder).transport.resume();
  cluster_.settle();
  EXPECT_EQ(cluster_.server(holder).store.end_of(file), 1000U);
  EXPECT_EQ(code_of(run(home.ask(holder, cut))), Errc{});
  EXPECT_EQ(cluster_.server(holder).store.end_of(file), 10U);

  // The whole of it, with a server that does not answer in time and hears of it later.
  write(opened, 0, 1000);
  if (home_of(file) != holder) {
    cluster_.server(holder).transport.hang();
    EXPECT_EQ(code_of(run(alice_.truncate(file, 5))), Errc::kTimedOut);
    cluster_.server(holder).transport.resume();
    cluster_.settle();
    EXPECT_EQ(cluster_.server(holder).store.end_of(file), 1000U);
  }
  EXPECT_EQ(code_of(run(alice_.truncate(file, 5))), Errc{});
  EXPECT_EQ(cluster_.server(holder).store.end_of(file), 5U);
  home.transport.kill();
  EXPECT_EQ(code_of(run(alice_.close(opened))), Errc{});
  expect_at_rest(2);
}

TEST_P(SeveralServers, WhatAServerComesToOnlyAfterItWasGivenUpIsNotDone) {
  const ServerId still{static_cast<std::uint16_t>(GetParam() - 1)};
  const std::string kept = name_on(still, kRootInode, "kept");
  const std::string moving = name_on(still, kRootInode, "moving");
  const std::string wanted = name_on(still, kRootInode, "wanted");
  const std::string folder = name_on(still, kRootInode, "folder");
  const std::string arriving = name_on(ServerId{0}, kRootInode, "arriving");
  const InodeId file = make_closed_file(key_of(kRootInode, kept));
  make_closed_file(key_of(kRootInode, moving));
  make_closed_file(key_of(kRootInode, arriving));
  make_directory(folder);
  const auto held = run(alice_.open(key_of(kRootInode, kept), kReadWrite));
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(code_of(run(alice_.truncate(file, 1000))), Errc{});
  const auto names_before = run(bob_.list(kRootInode));
  ASSERT_TRUE(names_before.has_value());

  FakeTransport& transport = cluster_.server(still).transport;
  transport.hang();
  EXPECT_EQ(code_of(run(alice_.unlink(key_of(kRootInode, kept)))), Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.truncate(file, 5))), Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.mkdir(key_of(kRootInode, wanted)))), Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.open(key_of(kRootInode, wanted), kCreateNew))), Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.rmdir(key_of(kRootInode, folder)))), Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.rename(key_of(kRootInode, moving), key_of(kRootInode, kept)))),
            Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.rename(key_of(kRootInode, moving), key_of(kRootInode, arriving)))),
            Errc::kTimedOut);
  EXPECT_EQ(code_of(run(alice_.rename(key_of(kRootInode, arriving), key_of(kRootInode, wanted)))),
            Errc::kTimedOut);
  transport.resume();
  cluster_.settle();

  const auto names_after = run(bob_.list(kRootInode));
  ASSERT_TRUE(names_after.has_value());
  EXPECT_EQ(*names_after, *names_before);
  const auto attributes = run(bob_.stat(file));
  ASSERT_TRUE(attributes.has_value());
  EXPECT_EQ(attributes->size_bytes, 1000U);
  EXPECT_EQ(attributes->link_count, 1U);
  EXPECT_EQ(code_of(run(alice_.close(*held))), Errc{});
  expect_at_rest(5);
}

TEST_P(NamespaceService, ACloseThatItsClientGaveUpIsStillDone) {
  const auto opened = make_file("file");
  const ServerId home = home_of(opened.entry.attributes.inode);
  const wire::CloseRequest request{.open_id = opened.open_id,
                                   .inode = opened.entry.attributes.inode};
  const auto close_with = [&](rpc::WhenLate when_late) {
    FakeClient& client = *cluster_.clients[0];
    const rpc::CallOptions options{.deadline_ns = cluster_.loop.now_ns() + kNsPerSec,
                                   .when_late = when_late,
                                   .payload = {},
                                   .reply_buffer = {}};
    auto calling = client.peers->call(home, request, options);
    FakeTransport& transport = cluster_.server(home).transport;
    transport.hang();
    const auto answer = run(std::move(calling));
    EXPECT_EQ(code_of(answer), Errc::kTimedOut);
    transport.resume();
    cluster_.settle();
  };
  close_with(rpc::WhenLate::kRefuse);
  EXPECT_EQ(cluster_.server(home).names->open_count(), 1U);
  close_with(rpc::WhenLate::kCarryOut);
  expect_at_rest(2);
}

TEST_P(SeveralServers, ALostServerFailsWhatNeedsItAndNothingElse) {
  const ServerId lost{static_cast<std::uint16_t>(GetParam() - 1)};
  const InodeId directory = make_directory(name_on(ServerId{0}, kRootInode, "d"));
  const std::string there = name_on(lost, directory, "there");
  const std::string here = name_on(ServerId{0}, directory, "here");
  make_closed_file(key_of(directory, there));
  const wire::OpenReply opened =
      *run(alice_.open(key_of(directory, here), kCreateNew, {.chunk_bytes = 4096}));
  const InodeId file = opened.entry.attributes.inode;
  write(opened, 0, 100);
  cluster_.server(lost).transport.kill();
  const std::uint64_t begin_ns = cluster_.clock.now_ns();
  EXPECT_EQ(code_of(run(bob_.lookup(key_of(directory, there)))), Errc::kPeerLost);
  EXPECT_EQ(code_of(run(bob_.list(directory))), Errc::kPeerLost);
  EXPECT_EQ(code_of(run(bob_.stat(directory))), Errc::kPeerLost);
  // A data server is gone: the size while it is being written, and a truncate, cannot be answered.
  EXPECT_EQ(code_of(run(bob_.stat(file))), Errc::kPeerLost);
  EXPECT_EQ(code_of(run(bob_.truncate(file, 0))), Errc::kPeerLost);
  EXPECT_EQ(code_of(run(bob_.rename(key_of(directory, here), key_of(directory, there)))),
            Errc::kPeerLost);
  EXPECT_EQ(run(bob_.lookup(key_of(directory, here)))->attributes.inode, file);
  EXPECT_EQ(code_of(run(bob_.rmdir(key_of(kRootInode, name_on(ServerId{0}, kRootInode, "d"))))),
            Errc::kPeerLost);
  // The closer knows how far it wrote. (The truncate failed before it had cut anything.)
  EXPECT_EQ(code_of(run(alice_.close_written(opened, 100))), Errc{});
  EXPECT_EQ(code_of(run(bob_.unlink(key_of(directory, here)))), Errc{});
  EXPECT_EQ(code_of(run(alice_.open(key_of(directory, here), kCreateNew))), Errc{});
  EXPECT_LT(cluster_.clock.now_ns() - begin_ns, kNsPerSec) << "a loss that is known needs no time";
  for (const auto& server : cluster_.servers) {
    EXPECT_EQ(server->names->lock_count(), 0U);
  }
}

TEST_P(SeveralServers, AServerThatHangsCostsNobodyMoreThanTheDeadline) {
  const ServerId hung{static_cast<std::uint16_t>(GetParam() - 1)};
  const wire::EntryKey from = key_of(kRootInode, name_on(ServerId{0}, kRootInode, "from"));
  const wire::EntryKey to = key_of(kRootInode, name_on(hung, kRootInode, "to"));
  make_closed_file(from);
  make_closed_file(to);
  EXPECT_EQ(code_of(run(alice_.lookup(to))), Errc{});
  cluster_.server(hung).transport.hang();
  const std::uint64_t begin_ns = cluster_.clock.now_ns();
  auto renaming = alice_.rename(from, to);
  renaming.start();
  auto looking = bob_.lookup(from);  // Waits for the rename's lock.
  const Errc looked = code_of(run(std::move(looking)));
  while (!renaming.done()) {
    cluster_.loop.run_once(UINT64_MAX);
  }
  EXPECT_EQ(code_of(renaming.take()), Errc::kTimedOut);
  EXPECT_TRUE(looked == Errc{} || looked == Errc::kTimedOut) << name_of(looked);
  EXPECT_LE(cluster_.clock.now_ns() - begin_ns, 11 * kNsPerSec);
  cluster_.server(hung).transport.resume();
  cluster_.settle();
  EXPECT_EQ(code_of(run(bob_.lookup(from))), Errc{}) << "the file has not lost its name";
  for (const auto& server : cluster_.servers) {
    EXPECT_EQ(server->names->lock_count(), 0U);
  }
  EXPECT_EQ(code_of(run(bob_.rename(from, to))), Errc{});
  EXPECT_EQ(code_of(run(bob_.lookup(from))), Errc::kNotFound);
}

TEST_P(NamespaceService, AnEntryLockedForAnotherServersRenameIsFreeWhenThatIsLostOrTooLate) {
  const wire::EntryKey key = key_of(kRootInode, "f");
  make_closed_file(key);
  const ServerId holder = cluster_.server_of(key);
  // Another server's side of a rename, which stops in the middle.
  FakePeer asker(cluster_.network, {.role = net::PeerIdentity::Role::kServer, .id = 77});
  std::vector<std::vector<std::byte>> addresses;
  for (const auto& server : cluster_.servers) {
    addresses.push_back(server->transport.address());
  }
  asker.meet(addresses);
  wire::RenamePrepareRequest request{.key = key, .rename_id = 1};
  const auto prepared = run(asker.ask(holder, request, 3 * kNsPerSec));
  ASSERT_TRUE(prepared.has_value());
  EXPECT_TRUE(prepared->target_exists);
  EXPECT_EQ(cluster_.server(holder).names->lock_count(), 1U);
  const std::uint64_t begin_ns = cluster_.clock.now_ns();
  EXPECT_EQ(code_of(run(alice_.lookup(key))), Errc{}) << "waited until the lock expired";
  cluster_.settle_debts();
  EXPECT_GE(cluster_.clock.now_ns() - begin_ns, 2 * kNsPerSec);
  // Who says so had told, when asked, that nothing came of it.
  const wire::RenameCommitRequest late{.rename_id = 1, .inode = InodeId{1234}};
  EXPECT_EQ(code_of(run(asker.ask(holder, late))), Errc{});
  EXPECT_NE(run(alice_.lookup(key))->attributes.inode, InodeId{1234});

  request.rename_id = 2;
  const auto again = run(asker.ask(holder, request));
  ASSERT_TRUE(again.has_value());
  asker.transport.kill();
  const std::uint64_t lost_ns = cluster_.clock.now_ns();
  EXPECT_EQ(code_of(run(alice_.unlink(key))), Errc{});
  EXPECT_LT(cluster_.clock.now_ns() - lost_ns, kNsPerSec);
  expect_at_rest(1);
}

TEST_P(NamespaceService, ADirectoryIsNotRemovedWhileARenameIntoItIsPrepared) {
  const InodeId directory = make_directory("d");
  const wire::EntryKey key = key_of(directory, "target");
  FakePeer asker(cluster_.network, {.role = net::PeerIdentity::Role::kServer, .id = 77});
  std::vector<std::vector<std::byte>> addresses;
  for (const auto& server : cluster_.servers) {
    addresses.push_back(server->transport.address());
  }
  asker.meet(addresses);
  const auto prepared = run(
      asker.ask(cluster_.server_of(key), wire::RenamePrepareRequest{.key = key, .rename_id = 1}));
  ASSERT_TRUE(prepared.has_value());
  EXPECT_EQ(code_of(run(alice_.rmdir(key_of(kRootInode, "d")))), Errc::kBusy);
  const wire::RenameCommitRequest nothing{.rename_id = 1};
  EXPECT_EQ(code_of(run(asker.ask(cluster_.server_of(key), nothing))), Errc{});
  EXPECT_EQ(code_of(run(alice_.rmdir(key_of(kRootInode, "d")))), Errc{});
  asker.transport.kill();
  expect_at_rest(1);
}

}  // namespace
}  // namespace benchfs::test
