// Goal: a file read back is what was written, for any layout and access; its end is exact, also
// while others write; a handle that is shared or failed never settles a wrong size. Method: random
// operations against a byte vector, from seeds; races of two clients under many seeds; the servers'
// real handlers on a network in memory.

#include "client/file.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "unit/client/fake_session.h"

namespace benchfs::client {
namespace {

using test::FakeMount;
using test::FakeSession;

constexpr std::uint32_t kCreate = wire::kOpenRead | wire::kOpenWrite | wire::kOpenCreate;

std::vector<char> filled(std::size_t size, char value) {
  return std::vector<char>(size, value);
}

std::unique_ptr<File> must_open(FakeMount& mount, const std::string& path, std::uint32_t flags,
                                wire::Layout layout = {}) {
  auto file = mount.open(path, flags, layout);
  BENCHFS_ASSERT(file.has_value());
  return std::move(*file);
}

/// A file as a vector, and what POSIX says about it.
struct Model {
  std::vector<char> bytes;
  void write(std::uint64_t offset, const char* data, std::size_t size) {
    if (size > 0) {
      bytes.resize(std::max<std::size_t>(bytes.size(), offset + size));
      std::copy(data, data + size, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    }
  }
  char at(std::uint64_t offset) const { return offset < bytes.size() ? bytes[offset] : '\0'; }
};

class RandomFile {
 public:
  explicit RandomFile(std::uint64_t seed) : random_(seed), session_(server_count(seed), 1, seed) {
    const std::vector<std::uint64_t> chunks = {1, 7, 100, 3902, 4096, 47008, 1 << 20};
    const wire::Layout layout{
        .chunk_bytes = chunks[draw(chunks.size())],
        .stripe_count = static_cast<std::uint32_t>(draw(session_.cluster.server_count() + 1u))};
    span_ = layout.chunk_bytes < 100 ? 3000 : 200'000;
    file_ = must_open(session_.mount(), "/f", kCreate, layout);
  }
  ~RandomFile() { EXPECT_TRUE(session_.mount().close(*file_).has_value()); }

  void step() {
    switch (draw(8)) {
      case 0:
        return truncate();
      case 1:
      case 2:
      case 3:
        return write();
      case 4:
        return check_size();
      default:
        return read();
    }
  }

 private:
  static std::uint16_t server_count(std::uint64_t seed) {
    return static_cast<std::uint16_t>(1 + seed % 5);
  }
  std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  std::vector<Extent> draw_extents(bool may_overlap) {
    std::vector<Extent> extents;
    std::uint64_t offset = draw(span_);
    const std::uint64_t count = draw(3) == 0 ? 1 + draw(20) : 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      extents.push_back({.offset_bytes = offset, .size_bytes = draw(span_ / (4 * count) + 2)});
      offset =
          may_overlap && draw(3) == 0 ? draw(span_) : offset + extents[i].size_bytes + draw(50);
    }
    return extents;
  }
  static std::uint64_t total_of(const std::vector<Extent>& extents) {
    std::uint64_t total = 0;
    for (const Extent& extent : extents) {
      total += extent.size_bytes;
    }
    return total;
  }
  std::vector<iovec> draw_memory(std::vector<char>& buffer) {
    std::vector<iovec> memory;
    const std::uint64_t count = draw(2) == 0 ? 1 : 1 + draw(30);
    std::size_t position = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::size_t left = buffer.size() - position;
      const std::size_t size = i + 1 == count ? left : draw(left + 1);
      memory.push_back({.iov_base = buffer.data() + position, .iov_len = size});
      position += size;
    }
    return memory;
  }

  void write() {
    const auto extents = draw_extents(false);
    std::vector<char> buffer(total_of(extents));
    for (char& byte : buffer) {
      byte = static_cast<char>(1 + draw(255));
    }
    const auto memory = draw_memory(buffer);
    FakeMount& mount = session_.mount();
    const auto count = mount.run(file_->write(mount.fresh("/f"), memory, extents));
    ASSERT_TRUE(count.has_value());
    EXPECT_EQ(*count, buffer.size());
    std::size_t position = 0;
    for (const Extent& extent : extents) {
      model_.write(extent.offset_bytes, buffer.data() + position, extent.size_bytes);
      position += extent.size_bytes;
    }
  }

  void read() {
    const auto extents = draw_extents(true);
    std::vector<char> buffer(total_of(extents), 'q');
    const auto memory = draw_memory(buffer);
    FakeMount& mount = session_.mount();
    const auto count = mount.run(file_->read(mount.fresh("/f"), memory, extents));
    ASSERT_TRUE(count.has_value());
    std::uint64_t below_end = 0;
    std::size_t position = 0;
    for (const Extent& extent : extents) {
      for (std::uint64_t i = 0; i < extent.size_bytes; ++i) {
        const std::uint64_t offset = extent.offset_bytes + i;
        below_end += offset < model_.bytes.size() ? 1 : 0;
        ASSERT_EQ(buffer[position++], model_.at(offset)) << "at " << offset;
      }
    }
    EXPECT_EQ(*count, below_end);
  }

  void truncate() {
    const std::uint64_t size = draw(span_);
    FakeMount& mount = session_.mount();
    ASSERT_TRUE(mount.run(file_->truncate(mount.fresh("/f"), size)).has_value());
    model_.bytes.resize(size);
  }

  void check_size() {
    FakeMount& mount = session_.mount();
    const auto attributes = mount.run(file_->stat(mount.fresh("/f")));
    ASSERT_TRUE(attributes.has_value());
    EXPECT_EQ(attributes->size_bytes, model_.bytes.size());
    if (draw(2) == 0) {  // Settled by a close, the size is the same.
      ASSERT_TRUE(mount.close(*file_).has_value());
      EXPECT_EQ(mount.stat("/f")->size_bytes, model_.bytes.size());
      file_ = must_open(mount, "/f", wire::kOpenRead | wire::kOpenWrite);
    }
  }

  std::mt19937_64 random_;
  FakeSession session_;
  std::uint64_t span_ = 0;
  std::unique_ptr<File> file_;
  Model model_;
};

TEST(File, IsWhatWasWrittenForEverySeed) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomFile file(seed);
    for (int i = 0; i < 60 && !testing::Test::HasFatalFailure(); ++i) {
      file.step();
    }
  }
}

TEST(File, AsksForTheSizeOnlyWhereNothingWasWritten) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  const auto file = must_open(mount, "/f", kCreate, {.chunk_bytes = 4096});
  auto data = filled(50'000, 'x');
  ASSERT_TRUE(mount.write(*file, data, 0).has_value());
  auto buffer = filled(30'000, '?');
  const std::uint64_t asked = session.asked(wire::Op::kGetAttr);
  EXPECT_EQ(*mount.read(*file, buffer, 1000), 30'000u);
  EXPECT_EQ(session.asked(wire::Op::kGetAttr), asked);
  EXPECT_EQ(*mount.read(*file, buffer, 40'000), 10'000u);
  EXPECT_EQ(session.asked(wire::Op::kGetAttr), asked + 1);
  EXPECT_EQ(*mount.read(*file, buffer, 50'000), 0u);
  EXPECT_TRUE(mount.close(*file).has_value());
}

TEST(File, SeesWhatOthersWriteBehindTheEndThatItKnew) {
  FakeSession session(3, 2);
  const auto reader = must_open(session.mount(0), "/f", kCreate);
  const auto writer = must_open(session.mount(1), "/f", wire::kOpenWrite);
  auto buffer = filled(100, '?');
  EXPECT_EQ(*session.mount(0).read(*reader, buffer, 0), 0u);
  auto data = filled(60, 'x');
  ASSERT_TRUE(session.mount(1).write(*writer, data, 0).has_value());
  EXPECT_EQ(*session.mount(0).read(*reader, buffer, 0), 60u);
  EXPECT_EQ(std::count(buffer.begin(), buffer.end(), 'x'), 60);
  EXPECT_TRUE(session.mount(0).close(*reader).has_value());
  EXPECT_TRUE(session.mount(1).close(*writer).has_value());
}

TEST(File, NeverReadsZerosThatWereNeverInTheFileWhileItGrows) {
  int seen_full = 0;
  int seen_empty = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeSession session(2, 2, seed);
    const auto writer = must_open(session.mount(0), "/f", kCreate);
    const auto reader = must_open(session.mount(1), "/f", wire::kOpenRead);
    auto data = filled(4096, 'x');
    auto buffer = filled(4096, '?');
    const iovec from{.iov_base = data.data(), .iov_len = data.size()};
    const iovec to{.iov_base = buffer.data(), .iov_len = buffer.size()};
    const Extent extent{.offset_bytes = 0, .size_bytes = data.size()};
    Context write_context;
    Context read_context;
    std::vector<coro::Task<Result<std::uint64_t>>> both;
    both.push_back(reader->read(read_context, std::span(&to, 1), std::span(&extent, 1)));
    both.push_back(writer->write(write_context, std::span(&from, 1), std::span(&extent, 1)));
    const auto counts = session.cluster.run(coro::when_all(std::move(both)));
    ASSERT_TRUE(counts[0].has_value() && counts[1].has_value());
    EXPECT_EQ(static_cast<std::uint64_t>(std::count(
                  buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*counts[0]), 'x')),
              *counts[0]);
    seen_full += *counts[0] == data.size() ? 1 : 0;
    seen_empty += *counts[0] == 0 ? 1 : 0;
    EXPECT_TRUE(session.mount(0).close(*writer).has_value());
    EXPECT_TRUE(session.mount(1).close(*reader).has_value());
  }
  EXPECT_GT(seen_full, 0);  // Else the race was never one.
  EXPECT_GT(seen_empty, 0);
}

TEST(File, AppendsInOnePieceWhoeverElseDoes) {
  FakeSession session(3, 3);
  std::vector<std::unique_ptr<File>> files;
  for (std::size_t i = 0; i < 3; ++i) {
    files.push_back(
        must_open(session.mount(i), "/log", kCreate | wire::kOpenAppend, {.chunk_bytes = 100}));
  }
  constexpr std::size_t kRecord = 250;
  for (int round = 0; round < 10; ++round) {
    std::vector<std::vector<char>> records;
    for (std::size_t i = 0; i < 3; ++i) {
      records.push_back(filled(kRecord, static_cast<char>('a' + i)));
    }
    std::vector<Context> contexts(3);
    std::vector<coro::Task<Result<std::uint64_t>>> all;
    for (std::size_t i = 0; i < 3; ++i) {
      all.push_back(files[i]->write_next(contexts[i],
                                         iovec{.iov_base = records[i].data(), .iov_len = kRecord}));
    }
    for (const auto& count : session.cluster.run(coro::when_all(std::move(all)))) {
      ASSERT_TRUE(count.has_value());
    }
  }
  auto content = filled(30 * kRecord + 10, '?');
  ASSERT_EQ(*session.mount(0).read(*files[0], content, 0), 30 * kRecord);
  int count_of[3] = {};
  for (std::size_t i = 0; i < 30; ++i) {
    const char first = content[i * kRecord];
    const auto begin = content.begin() + static_cast<std::ptrdiff_t>(i * kRecord);
    EXPECT_EQ(std::count(begin, begin + kRecord, first), static_cast<std::ptrdiff_t>(kRecord));
    ++count_of[first - 'a'];
  }
  EXPECT_EQ(count_of[0], 10);
  EXPECT_EQ(count_of[1], 10);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(session.mount(i).close(*files[i]).has_value());
  }
}

TEST(File, KeepsAPositionAsPosixSays) {
  FakeSession session(2);
  FakeMount& mount = session.mount();
  const auto file = must_open(mount, "/f", kCreate);
  auto data = filled(10, 'x');
  Context& context = mount.fresh("/f");
  const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
  EXPECT_EQ(*mount.run(file->write_next(context, memory)), 10u);
  EXPECT_EQ(*mount.run(file->seek(context, 0, Whence::kCurrent)), 10u);
  EXPECT_EQ(*mount.run(file->seek(context, -4, Whence::kEnd)), 6u);
  EXPECT_EQ(*mount.run(file->read_next(context, memory)), 4u);
  EXPECT_EQ(*mount.run(file->read_next(context, memory)), 0u);
  EXPECT_EQ(*mount.run(file->seek(context, 3, Whence::kSet)), 3u);
  EXPECT_EQ(mount.run(file->seek(context, -4, Whence::kCurrent)).error().code, Errc::kInvalid);
  EXPECT_EQ(mount.run(file->seek(context, INT64_MAX, Whence::kCurrent)).error().code,
            Errc::kTooLarge);
  EXPECT_EQ(*mount.run(file->seek(context, 0, Whence::kCurrent)), 3u);
  EXPECT_EQ(*mount.run(file->seek(context, INT64_MAX, Whence::kSet)),
            static_cast<std::uint64_t>(INT64_MAX));
  EXPECT_EQ(mount.run(file->write_next(context, memory)).error().code, Errc::kTooLarge);
  EXPECT_EQ(*mount.run(file->read_next(context, memory)), 0u);
  EXPECT_TRUE(mount.close(*file).has_value());
}

TEST(File, RefusesWhatItIsNotOpenFor) {
  FakeSession session(2);
  FakeMount& mount = session.mount();
  const auto writer = must_open(mount, "/f", wire::kOpenWrite | wire::kOpenCreate);
  const auto reader = must_open(mount, "/f", wire::kOpenRead);
  auto data = filled(10, 'x');
  EXPECT_EQ(mount.read(*writer, data, 0).error().code, Errc::kBadHandle);
  EXPECT_EQ(mount.write(*reader, data, 0).error().code, Errc::kBadHandle);
  EXPECT_EQ(mount.run(reader->truncate(mount.fresh("/f"), 0)).error().code, Errc::kInvalid);
  EXPECT_TRUE(mount.close(*writer).has_value());
  EXPECT_TRUE(mount.close(*reader).has_value());
}

TEST(File, SettlesWhatAttachedHandlesWrote) {
  FakeSession session(3, 2);
  const auto exporter = must_open(session.mount(0), "/f", kCreate, {.chunk_bytes = 1000});
  exporter->mark_exported();
  const auto attached = session.mount(1).attach(*exporter);
  auto data = filled(7777, 'x');
  ASSERT_TRUE(session.mount(1).write(*attached, data, 100).has_value());
  EXPECT_TRUE(session.mount(1).close(*attached).has_value());
  EXPECT_EQ(session.asked(wire::Op::kClose), 0u);
  EXPECT_TRUE(session.mount(0).close(*exporter).has_value());
  EXPECT_EQ(session.mount(0).stat("/f")->size_bytes, 7877u);
}

TEST(File, AsksTheServersHowFarItReachesAfterAWriteThatFailed) {
  FakeSession session(2);
  FakeMount& mount = session.mount();
  const auto file = must_open(mount, "/f", kCreate, {.chunk_bytes = kMiB});
  // More than the servers have: some of it is written, then there is no room.
  auto data = filled(40 * kMiB, 'x');
  const auto written = mount.write(*file, data, 0);
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code, Errc::kOutOfSpace);
  EXPECT_TRUE(mount.context.server.has_value());
  EXPECT_TRUE(mount.close(*file).has_value());
  // Bytes below the end are ours or zeros; none is hidden behind it, to come back later.
  const std::uint64_t size = mount.stat("/f")->size_bytes;
  EXPECT_GT(size, 0u);
  const auto again = must_open(mount, "/f", wire::kOpenRead | wire::kOpenWrite);
  ASSERT_TRUE(mount.run(again->truncate(mount.fresh("/f"), size + kMiB)).has_value());
  auto tail = filled(kMiB, '?');
  EXPECT_EQ(*mount.read(*again, tail, size), kMiB);
  EXPECT_EQ(std::count(tail.begin(), tail.end(), '\0'), static_cast<std::ptrdiff_t>(kMiB));
  EXPECT_TRUE(mount.close(*again).has_value());
}

TEST(File, FailsWithinTheTimeoutWhenAServerIsLost) {
  FakeSession session(3);
  FakeMount& mount = session.mount();
  const auto file = must_open(mount, "/f", kCreate, {.chunk_bytes = 1000});
  auto data = filled(30'000, 'x');
  ASSERT_TRUE(mount.write(*file, data, 0).has_value());
  const ServerId home = home_of(file->identity().inode);
  const ServerId victim{static_cast<std::uint16_t>((to_integer(home) + 1) % 3)};
  session.cluster.server(victim).transport.kill();
  const std::uint64_t begin_ns = session.cluster.clock.now_ns();
  for (const auto& outcome : {mount.write(*file, data, 0), mount.read(*file, data, 0)}) {
    ASSERT_FALSE(outcome.has_value());
    EXPECT_TRUE(outcome.error().code == Errc::kPeerLost || outcome.error().code == Errc::kTimedOut);
  }
  EXPECT_EQ(mount.context.server, victim);
  EXPECT_LE(session.cluster.clock.now_ns() - begin_ns, 2 * test::kFakeTimeoutNs + kNsPerSec);
}

/// Of other threads, as it were: many operations at once.
coro::Task<Status> write_whole(File& file, Context& context, iovec memory) {
  const Extent extent{.offset_bytes = 0, .size_bytes = memory.iov_len};
  auto writing = file.write(context, std::span(&memory, 1), std::span(&extent, 1));
  const auto written = co_await writing;
  co_return written.has_value() ? Status() : Status(fail(written.error()));
}

TEST(File, ManyWhoWaitForASilentServerHearOfItWithinTheTimeOut) {
  FakeSession session(1);
  auto file = must_open(session.mount(), "/f", kCreate);
  session.cluster.servers[0]->transport.hang();
  // Each is more than may be in flight at once, so the later ones wait for the slots of the first.
  constexpr std::size_t kOperations = 6;
  auto data = filled(2 * kBytesPerServerMax, 'x');
  const iovec memory{.iov_base = data.data(), .iov_len = data.size()};
  std::vector<Context> contexts(kOperations);
  std::vector<coro::Task<Status>> tasks;
  for (Context& context : contexts) {
    tasks.push_back(write_whole(*file, context, memory));
  }
  const std::uint64_t begin_ns = session.cluster.loop.now_ns();
  const auto outcomes = session.cluster.run(coro::when_all(std::move(tasks)));
  EXPECT_LT(session.cluster.loop.now_ns() - begin_ns, 2 * test::kFakeTimeoutNs);
  for (std::size_t i = 0; i < kOperations; ++i) {
    ASSERT_FALSE(outcomes[i].has_value());
    EXPECT_EQ(outcomes[i].error().code, Errc::kTimedOut);
    EXPECT_EQ(contexts[i].server, ServerId{0});
  }
  session.cluster.servers[0]->transport.resume();
  auto small = filled(10, 'y');
  EXPECT_TRUE(session.mount().write(*file, small, 0).has_value());
}

TEST(File, WhatIsWrittenAfterTheHomeLostTheWriterCountsForEverybody) {
  FakeSession session(3, 2);
  auto file = must_open(session.mount(0), "/f", kCreate, {.chunk_bytes = 4096, .stripe_count = 0});
  auto data = filled(4096, 'x');
  ASSERT_TRUE(session.mount(0).write(*file, data, 0).has_value());
  // Every server thinks that the client is gone; it is not, and connects again.
  for (const auto& server : session.cluster.servers) {
    session.cluster.clients[0]->transport.cut(server->transport);
  }
  for (int i = 0; i < 3; ++i) {
    const auto size = session.mount(1).stat("/f");
    ASSERT_TRUE(size.has_value());
    const auto written = static_cast<std::uint64_t>(i + 1) * 4096;
    EXPECT_EQ(size->size_bytes, written);
    ASSERT_TRUE(session.mount(0).write(*file, data, written).has_value());
  }
  const auto size = session.mount(1).stat("/f");
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(size->size_bytes, 4U * 4096);
  // The home had closed it, and has been told that it is open after all.
  const Status closed = session.mount(0).close(*file);
  EXPECT_TRUE(closed.has_value()) << to_string(closed.error());
  EXPECT_EQ(session.mount(1).stat("/f")->size_bytes, 4U * 4096);
  for (const auto& server : session.cluster.servers) {
    EXPECT_EQ(server->names->open_count(), 0U);
  }
}

TEST(File, AnAppenderGoesOnAfterItsConnectionsWereLost) {
  FakeSession session(3, 2);
  auto file = must_open(session.mount(0), "/f", kCreate | wire::kOpenAppend,
                        {.chunk_bytes = 4096, .stripe_count = 0});
  auto data = filled(5000, 'a');
  iovec memory{.iov_base = data.data(), .iov_len = data.size()};
  for (int i = 0; i < 3; ++i) {
    const auto written =
        session.mount(0).run(file->write_next(session.mount(0).fresh(file->name()), memory));
    ASSERT_TRUE(written.has_value()) << to_string(written.error());
    for (const auto& server : session.cluster.servers) {
      session.cluster.clients[0]->transport.cut(server->transport);
    }
    session.cluster.settle();
    EXPECT_EQ(session.mount(1).stat("/f")->size_bytes, (i + 1) * data.size());
  }
  EXPECT_TRUE(session.mount(0).close(*file).has_value());
}

TEST(File, WhatWasRemovedWhileItsOpenerWasLostIsStaleAndNotMadeAgain) {
  FakeSession session(1, 2);
  auto file = must_open(session.mount(0), "/f", kCreate);
  auto data = filled(100, 'x');
  ASSERT_TRUE(session.mount(0).write(*file, data, 0).has_value());
  session.cluster.clients[0]->transport.cut(session.cluster.servers[0]->transport);
  session.cluster.settle();
  ASSERT_TRUE(session.mount(1).unlink("/f").has_value());
  EXPECT_EQ(session.mount(0).write(*file, data, 0).error().code, Errc::kStale);
  EXPECT_EQ(session.mount(0).read(*file, data, 0).error().code, Errc::kStale);
  EXPECT_EQ(session.mount(0).close(*file).error().code, Errc::kStale);
}

TEST(File, AnOpenThatSurvivedTheLossOfItsConnectionIsNotOpenedTwice) {
  FakeSession session(1);
  auto file = must_open(session.mount(), "/f", kCreate);
  const wire::OpenInodeRequest again{.inode = file->identity().inode,
                                     .flags = wire::kOpenRead | wire::kOpenWrite,
                                     .known_open_id = file->identity().open_id};
  client::Context context;
  const auto answer =
      session.mount().run(session.mount().servers.call(context, ServerId{0}, again));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->reply.open_id, file->identity().open_id);
  EXPECT_EQ(session.cluster.servers[0]->names->open_count(), 1U);
  EXPECT_TRUE(session.mount().close(*file).has_value());
}

}  // namespace
}  // namespace benchfs::client
