// Goal: a server gets a store of its own or a message that names what is wrong and what to do;
// nothing that is not ours is ever removed; data passes through the real drive. Method: real
// directories, real locks and both backends on the file system of the build directory; log lines
// are captured.

#include "store/store_directory.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "store/chunk_store.h"
#include "support/store_fixture.h"
#include "support/temp_dir.h"

namespace benchfs::store {
namespace {

namespace fs = std::filesystem;

/// What the log says while this lives.
class LogLines {
 public:
  LogLines() { testing::internal::CaptureStderr(); }
  ~LogLines() {
    if (!taken_) {
      testing::internal::GetCapturedStderr();
    }
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  std::string take() {
    taken_ = true;
    return testing::internal::GetCapturedStderr();
  }

 private:
  bool taken_ = false;
};

class StoreDirectoryTest : public testing::Test {
 protected:
  StoreOptions options() const {
    return {.parent = temp_.path().string(),
            .directory = temp_.file("server-3"),
            .capacity_bytes = kCapacityBytesMin,
            .session_id = 0xabcdef,
            .server = ServerId{3},
            .server_count = 7,
            .sharers = 1,
            .backend = io::DiskBackend::kPosix,
            .discard = false,
            .store_id = 77};
  }

  Result<std::unique_ptr<StoreDirectory>> create(const StoreOptions& options) {
    return StoreDirectory::create(real_.loop, *pool_, options);
  }

  /// Creates with `options`, which must fail with `code` and say all of `words`.
  void expect_refused(const StoreOptions& options, Errc code,
                      const std::vector<std::string>& words) {
    LogLines log;
    const auto store = create(options);
    const std::string said = log.take();
    ASSERT_FALSE(store.has_value());
    EXPECT_EQ(store.error().code, code) << said;
    for (const std::string& word : words) {
      EXPECT_NE(said.find(word), std::string::npos) << "'" << word << "' is not in: " << said;
    }
  }

  /// A store whose server died: everything is left where it was, and the lock is gone.
  void leave_a_dead_store() {
    const auto store = create(options());
    ASSERT_TRUE(store.has_value());
  }

  std::size_t entry_count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(temp_.path()), fs::directory_iterator()));
  }

  void put(const std::string& name, const std::string& content) {
    fs::create_directories(temp_.file("server-3"));
    std::ofstream(temp_.file("server-3/" + name)) << content;
  }

  test::TempDir temp_;
  test::RealLoop real_;
  std::unique_ptr<io::BufferPool> pool_ = std::move(*io::BufferPool::create(real_.loop, 8 * kMiB));
};

TEST_F(StoreDirectoryTest, HasItsCapacityReservedAndItsOwnerOnRecord) {
  const auto store = create(options());
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->path(), temp_.file("server-3"));
  EXPECT_EQ((*store)->disk().size_bytes(), kCapacityBytesMin);
  struct stat status {};
  ASSERT_EQ(::stat(temp_.file("server-3/data").c_str(), &status), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), kCapacityBytesMin);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, kCapacityBytesMin);
  SuperblockBytes bytes{};
  std::ifstream(temp_.file("server-3/superblock"))
      .read(reinterpret_cast<char*>(bytes.data()), bytes.size());
  const auto superblock = decode_superblock(bytes);
  ASSERT_TRUE(superblock.has_value());
  EXPECT_EQ(*superblock, (Superblock{0xabcdef, ServerId{3}, 7, kCapacityBytesMin, 77}));
  EXPECT_FALSE(fs::exists(temp_.file("server-3/superblock.new")));
}

TEST_F(StoreDirectoryTest, AnOrderlyStopLeavesNothing) {
  auto store = create(options());
  ASSERT_TRUE(store.has_value());
  EXPECT_TRUE((*store)->remove().has_value());
  EXPECT_EQ(entry_count(), 0U);
}

TEST_F(StoreDirectoryTest, ADirectoryThatTheUserMadeStays) {
  StoreOptions own = options();
  own.directory = own.parent;
  auto store = create(own);
  ASSERT_TRUE(store.has_value());
  EXPECT_TRUE((*store)->remove().has_value());
  EXPECT_TRUE(fs::is_empty(temp_.path()));
}

TEST_F(StoreDirectoryTest, ADeadStoreIsRefusedWithItsOwnerAndWhatToDo) {
  leave_a_dead_store();
  expect_refused(options(), Errc::kExists,
                 {temp_.file("server-3"), "server 3 of 7", "session 0000000000abcdef", "--discard",
                  "16.0 MiB"});
  EXPECT_TRUE(fs::exists(temp_.file("server-3/data")));
}

TEST_F(StoreDirectoryTest, ADeadStoreIsReplacedIfToldSo) {
  leave_a_dead_store();
  StoreOptions again = options();
  again.discard = true;
  again.session_id = 0x1234;
  auto store = create(again);
  ASSERT_TRUE(store.has_value());
  EXPECT_TRUE((*store)->remove().has_value());
}

TEST_F(StoreDirectoryTest, DiscardRemovesADeadStoreAndIsContentWithNone) {
  leave_a_dead_store();
  EXPECT_TRUE(StoreDirectory::discard(temp_.file("server-3")).has_value());
  EXPECT_TRUE(fs::is_empty(temp_.file("server-3")));
  EXPECT_TRUE(StoreDirectory::discard(temp_.file("server-3")).has_value());
}

TEST_F(StoreDirectoryTest, AStoreInUseIsRefusedAndNotDiscarded) {
  const auto store = create(options());
  ASSERT_TRUE(store.has_value());
  const std::vector<std::string> words = {"in use", "server 3", "session 0000000000abcdef"};
  expect_refused(options(), Errc::kBusy, words);
  StoreOptions greedy = options();
  greedy.discard = true;
  expect_refused(greedy, Errc::kBusy, words);
  const LogLines log;
  const Status discarded = StoreDirectory::discard(temp_.file("server-3"));
  ASSERT_FALSE(discarded.has_value());
  EXPECT_EQ(discarded.error().code, Errc::kBusy);
  EXPECT_TRUE(fs::exists(temp_.file("server-3/data")));
}

TEST_F(StoreDirectoryTest, AStoreWhoseServerWasKilledIsNotInUse) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = create(options());
    ::_exit(store.has_value() ? 0 : 1);  // Nothing is cleaned up.
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  expect_refused(options(), Errc::kExists, {"not running", "--discard"});
}

TEST_F(StoreDirectoryTest, WhatIsLeftOfAStoreThatWasNeverFinishedMakesRoom) {
  leave_a_dead_store();
  fs::rename(temp_.file("server-3/superblock"), temp_.file("server-3/superblock.new"));
  const auto found = StoreDirectory::find(temp_.file("server-3"));
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->has_value());
  EXPECT_TRUE(create(options()).has_value());
}

/// The kernel takes a process's memory apart before it gives back its locks.
TEST_F(StoreDirectoryTest, AStoreWhoseServerIsJustEndingIsWaitedFor) {
  ASSERT_TRUE(create(options()).has_value());
  const int lock = ::open(options().directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  std::thread ending([lock] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::close(lock);
  });
  const auto opened = StoreDirectory::open(real_.loop, *pool_, options());
  ending.join();
  EXPECT_TRUE(opened.has_value());
}

TEST_F(StoreDirectoryTest, ADeadStoreIsFoundWithItsOwnerAndALivingOneIsNot) {
  const auto nothing = StoreDirectory::find(temp_.file("server-3"));
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  {
    const auto living = create(options());
    ASSERT_TRUE(living.has_value());
    LogLines log;
    const auto in_use = StoreDirectory::find(temp_.file("server-3"));
    ASSERT_FALSE(in_use.has_value());
    EXPECT_EQ(in_use.error().code, Errc::kBusy);
  }
  const auto dead = StoreDirectory::find(temp_.file("server-3"));
  ASSERT_TRUE(dead.has_value() && dead->has_value());
  EXPECT_EQ(**dead, (Superblock{0xabcdef, ServerId{3}, 7, kCapacityBytesMin, 77}));
  put("superblock", "not ours");
  LogLines log;
  const auto foreign = StoreDirectory::find(temp_.file("server-3"));
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().code, Errc::kNotEmpty);
}

coro::Task<Status> write_block(io::Disk& disk, std::uint64_t block, io::PoolBuffer& buffer) {
  io::WriteOp writing(disk, block * kBlockBytes, ConstBytes(buffer.bytes()).first(kBlockBytes));
  co_return co_await writing;
}

coro::Task<Status> read_block(io::Disk& disk, std::uint64_t block, io::PoolBuffer& buffer) {
  io::ReadOp reading(disk, block * kBlockBytes, buffer.bytes().first(kBlockBytes));
  co_return co_await reading;
}

TEST_F(StoreDirectoryTest, ADeadStoreIsOpenedWithAllThatItHolds) {
  io::PoolBuffer buffer = pool_->try_acquire(kBlockBytes);
  const auto bytes = buffer.bytes().first(kBlockBytes);
  {
    const auto store = create(options());
    ASSERT_TRUE(store.has_value());
    std::fill(bytes.begin(), bytes.end(), std::byte{0x5a});
    ASSERT_TRUE(test::run_task(real_.loop, write_block((*store)->disk(), 5, buffer)).has_value());
  }
  for (const std::uint64_t capacity_bytes : {std::uint64_t{0}, kCapacityBytesMin}) {
    for (const auto backend : {io::DiskBackend::kPosix, io::DiskBackend::kAuto}) {
      StoreOptions again = options();
      again.capacity_bytes = capacity_bytes;
      again.backend = backend;
      again.store_id = 0;
      const auto store = StoreDirectory::open(real_.loop, *pool_, again);
      ASSERT_TRUE(store.has_value());
      EXPECT_EQ((*store)->store_id(), 77U);
      EXPECT_EQ((*store)->disk().size_bytes(), kCapacityBytesMin);
      std::fill(bytes.begin(), bytes.end(), std::byte{0});
      ASSERT_TRUE(test::run_task(real_.loop, read_block((*store)->disk(), 5, buffer)).has_value());
      EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                              [](std::byte byte) { return byte == std::byte{0x5a}; }));
    }
  }
}

TEST_F(StoreDirectoryTest, AStoreThatIsNotTheWantedOneIsNotOpenedAndStays) {
  leave_a_dead_store();
  const auto refused = [&](StoreOptions wanted, Errc code, const std::vector<std::string>& words) {
    LogLines log;
    const auto store = StoreDirectory::open(real_.loop, *pool_, wanted);
    const std::string said = log.take();
    ASSERT_FALSE(store.has_value());
    EXPECT_EQ(store.error().code, code) << said;
    for (const std::string& word : words) {
      EXPECT_NE(said.find(word), std::string::npos) << "'" << word << "' is not in: " << said;
    }
  };
  StoreOptions other = options();
  other.session_id = 0x1234;
  refused(other, Errc::kStale, {temp_.file("server-3"), "session 0000000000abcdef", "--discard"});
  other = options();
  other.server = ServerId{2};
  refused(other, Errc::kStale, {"server 3 of 7", "server 2 of 7"});
  other = options();
  other.server_count = 8;
  refused(other, Errc::kStale, {"server 3 of 7", "of 8"});
  other = options();
  other.capacity_bytes = 2 * kCapacityBytesMin;
  refused(other, Errc::kInvalid, {"capacity", "33554432"});
  other = options();
  other.directory = temp_.file("server-4");
  refused(other, Errc::kNotFound, {"server-4"});
  fs::resize_file(temp_.file("server-3/data"), kCapacityBytesMin - 1);
  refused(options(), Errc::kCorrupt, {"server-3/data"});
  fs::remove(temp_.file("server-3/data"));
  refused(options(), Errc::kNotFound, {"server-3/data"});
  EXPECT_TRUE(fs::exists(temp_.file("server-3/superblock")));
}

TEST_F(StoreDirectoryTest, BrokenAndUnknownSuperblocksAreRefusedUntilTheyAreDiscarded) {
  for (const auto& [position, code, word] : {std::tuple{8, Errc::kUnsupported, "another version"},
                                             std::tuple{48, Errc::kCorrupt, "broken"}}) {
    leave_a_dead_store();
    std::fstream file(temp_.file("server-3/superblock"),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(position);
    file.put('\x7');
    file.close();
    expect_refused(options(), code, {temp_.file("server-3"), word, "--discard"});
    EXPECT_TRUE(StoreDirectory::discard(temp_.file("server-3")).has_value());
    EXPECT_TRUE(fs::is_empty(temp_.file("server-3")));
  }
}

TEST_F(StoreDirectoryTest, FilesThatAreNotOursAreNeitherUsedNorRemoved) {
  const std::vector<std::string> names = {"data", "superblock", "superblock.new"};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    put(name, "the only copy of somebody's thesis");
    put("notes", "more of it");
    StoreOptions greedy = options();
    for (const bool discard : {false, true}) {
      greedy.discard = discard;
      expect_refused(greedy, Errc::kNotEmpty, {temp_.file("server-3/" + name)});
    }
    EXPECT_EQ(fs::file_size(temp_.file("server-3/" + name)), 34U);
    fs::remove_all(temp_.file("server-3"));
  }
}

TEST_F(StoreDirectoryTest, LinksAndDirectoriesWithOurNamesAreNotFollowed) {
  leave_a_dead_store();
  const std::string precious = temp_.file("precious");
  std::ofstream(precious) << "precious";
  fs::remove(temp_.file("server-3/data"));
  fs::create_symlink(precious, temp_.file("server-3/data"));
  StoreOptions greedy = options();
  greedy.discard = true;
  expect_refused(greedy, Errc::kNotEmpty, {"data"});
  fs::remove_all(temp_.file("server-3"));

  fs::create_directories(temp_.file("server-3/superblock"));
  expect_refused(greedy, Errc::kNotEmpty, {"superblock"});
  fs::remove_all(temp_.file("server-3"));

  fs::create_directories(temp_.file("server-3"));
  fs::create_symlink(precious, temp_.file("server-3/superblock"));
  expect_refused(greedy, Errc::kNotEmpty, {"superblock"});
  EXPECT_EQ(fs::file_size(precious), 8U);
}

TEST_F(StoreDirectoryTest, OtherFilesInTheDirectoryDoNotMatter) {
  put("notes", "mine");
  auto store = create(options());
  ASSERT_TRUE(store.has_value());
  EXPECT_TRUE((*store)->remove().has_value());
  EXPECT_TRUE(fs::exists(temp_.file("server-3/notes")));
}

TEST_F(StoreDirectoryTest, AParentThatCannotBeUsedIsNamed) {
  StoreOptions bad = options();
  bad.parent = temp_.file("nowhere");
  bad.directory = bad.parent + "/server-3";
  expect_refused(bad, Errc::kNotFound, {bad.parent, "does not exist; create it"});
  std::ofstream(temp_.file("file")) << "x";
  bad.parent = temp_.file("file");
  bad.directory = bad.parent + "/server-3";
  expect_refused(bad, Errc::kNotDirectory, {bad.parent, "is not a directory"});
}

TEST_F(StoreDirectoryTest, AParentThatIsNotWritableIsNamed) {
  ::chmod(temp_.path().c_str(), 0555);
  LogLines log;
  const pid_t child = ::fork();
  if (child == 0) {
    // Root may write everywhere, so the child is nobody.
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) {
      ::_exit(100);
    }
    const auto store = create(options());
    ::_exit(store.has_value() ? 0 : static_cast<int>(store.error().code));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const std::string said = log.take();
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(Errc::kAccess)) << said;
  EXPECT_NE(said.find(temp_.path().string()), std::string::npos) << said;
  EXPECT_NE(said.find("not writable"), std::string::npos) << said;
  EXPECT_NE(said.find("Permission denied"), std::string::npos) << said;
  ::chmod(temp_.path().c_str(), 0700);
}

TEST_F(StoreDirectoryTest, ACapacityThatIsTooSmallOrTooLargeIsRefusedWithBothFigures) {
  StoreOptions bad = options();
  bad.capacity_bytes = kCapacityBytesMin - 1;
  expect_refused(bad, Errc::kInvalid, {"too small", "16777215 bytes", "16.0 MiB"});
  bad.capacity_bytes = std::uint64_t{1} << 60U;
  expect_refused(bad, Errc::kOutOfSpace, {"1.0 EiB", "free"});
  EXPECT_EQ(entry_count(), 0U) << "what was made for it is gone";
}

TEST_F(StoreDirectoryTest, TheDefaultCapacityLeavesAFifthAndIsShared) {
  const auto alone = default_capacity(temp_.path().string(), 1);
  const auto shared = default_capacity(temp_.path().string(), 4);
  ASSERT_TRUE(alone.has_value() && shared.has_value());
  EXPECT_NEAR(static_cast<double>(*shared) * 4, static_cast<double>(*alone),
              0.05 * static_cast<double>(*alone));
  EXPECT_LT(*alone, fs::space(temp_.path()).available);
  EXPECT_EQ(*alone % kBlockBytes, 0U);
  const LogLines log;
  EXPECT_FALSE(default_capacity(temp_.file("nowhere"), 1).has_value());
}

TEST_F(StoreDirectoryTest, AStoreInMemoryTouchesNoDirectory) {
  StoreOptions memory = options();
  memory.parent = "/nowhere";
  memory.directory = "/nowhere/server-3";
  memory.backend = io::DiskBackend::kMemory;
  memory.capacity_bytes = 0;
  auto store = create(memory);
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->disk().size_bytes(), kMemoryCapacityBytesDefault);
  EXPECT_TRUE((*store)->remove().has_value());
}

/// Aligned and unaligned, contiguous and scattered bytes through a ChunkStore on `disk`.
void pass_data_through(test::RealLoop& real, io::BufferPool& pool, io::Disk& disk) {
  test::JournaledStore journaled(real.loop, disk, pool);
  ChunkStore& store = journaled.store;
  const InodeId file{9};
  const auto write = [&](const std::vector<Piece>& pieces, const test::ByteVector& data) {
    io::BufferPool::AcquireOp acquire(pool, data.size());
    ASSERT_TRUE(acquire.await_ready());
    io::PoolBuffer buffer = acquire.await_resume();
    std::copy(data.begin(), data.end(), buffer.bytes().begin());
    auto task = store.write(file, pieces, std::move(buffer));
    ASSERT_TRUE(test::run_task(real.loop, std::move(task)).has_value());
  };
  test::ByteVector expected(kTransferBytesMax);
  for (std::uint64_t i = 16; i-- > 0;) {
    const test::ByteVector data = test::pattern(i, kTransferBytesMax / 16);
    write({{i * data.size(), data.size()}}, data);
    std::copy(data.begin(), data.end(),
              expected.begin() + static_cast<std::ptrdiff_t>(i * data.size()));
  }
  const test::ByteVector small = test::pattern(99, 5000);
  write({{100'001, 5000}}, small);
  std::copy(small.begin(), small.end(), expected.begin() + 100'001);
  EXPECT_TRUE(test::run_task(real.loop, store.fsync()).has_value());
  for (const Piece piece : {Piece{0, kTransferBytesMax}, Piece{99'999, 6000}, Piece{3, 70'000}}) {
    const std::vector<Piece> pieces = {piece};
    auto task = store.read(file, pieces);
    const Result<ReadData> got = test::run_task(real.loop, std::move(task));
    ASSERT_TRUE(got.has_value());
    EXPECT_FALSE(got->has_hole);
    EXPECT_TRUE(std::equal(got->data.begin(), got->data.end(),
                           expected.begin() + static_cast<std::ptrdiff_t>(piece.offset_bytes)));
  }
  EXPECT_TRUE(test::run_task(real.loop, store.remove(file)).has_value());
  EXPECT_TRUE(test::run_task(real.loop, store.fsync()).has_value());
  EXPECT_EQ(store.usage().used_bytes, store.usage().reserved_bytes);
}

TEST_F(StoreDirectoryTest, DataPassesThroughPosixCalls) {
  auto store = create(options());
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->backend_name(), "posix");
  pass_data_through(real_, *pool_, (*store)->disk());
  EXPECT_TRUE((*store)->remove().has_value());
}

TEST_F(StoreDirectoryTest, DataPassesThroughIoUring) {
  StoreOptions uring = options();
  uring.backend = io::DiskBackend::kUring;
  std::optional<LogLines> log(std::in_place);
  auto store = create(uring);
  log.reset();
  if (!store.has_value() && store.error().code == Errc::kUnsupported) {
    GTEST_SKIP() << "io_uring is not permitted here";
  }
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->backend_name(), "io_uring");
  pass_data_through(real_, *pool_, (*store)->disk());
  EXPECT_TRUE((*store)->remove().has_value());
}

TEST_F(StoreDirectoryTest, AFileSystemWithoutDirectIoIsUsedAndTheLogSaysSo) {
  const test::TempDir memory("/dev/shm");
  StoreOptions there = options();
  there.parent = memory.path().string();
  there.directory = memory.file("server-3");
  LogLines log;
  auto store = create(there);
  const std::string said = log.take();
  ASSERT_TRUE(store.has_value());
  if ((*store)->direct_io()) {
    EXPECT_EQ(said.find("direct I/O"), std::string::npos) << said;
  } else {
    EXPECT_NE(said.find("direct I/O"), std::string::npos) << said;
  }
  pass_data_through(real_, *pool_, (*store)->disk());
  EXPECT_TRUE((*store)->remove().has_value());
}

}  // namespace
}  // namespace benchfs::store
