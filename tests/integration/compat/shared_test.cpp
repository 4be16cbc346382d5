// Goal: what chfs.h and finchfs.h promise alike holds for both, with the flags that IOR and mdtest
// hand over, whatever the chunk size, in the live session $BENCHFS_SESSION. Method: each test runs
// once per library, in a directory of its own; contents are a function of the offset; ranks are
// processes that join for themselves and start together.

#include <atomic>
#include <thread>

#include "integration/compat/interfaces.h"

namespace benchfs::test {
namespace {

template <typename Fs>
class CompatTest : public Place<Fs> {};

struct NameOf {
  template <typename Fs>
  static std::string GetName(int /*index*/) {
    return Fs::kName;
  }
};

using Both = testing::Types<Chfs, Finchfs>;
TYPED_TEST_SUITE(CompatTest, Both, NameOf);

constexpr int kRankCount = 6;

TYPED_TEST(CompatTest, CreateKeepsWhatIsThereWhateverTheFlags) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  const auto bytes = content(0, 100'000);
  ASSERT_TRUE(put<Fs>(path, bytes));
  for (const int flags :
       {kIorCreateForWriting, kMdtestCreate, kIorEveryBit, O_CREAT | O_EXCL | O_TRUNC}) {
    const int fd = Fs::create(path.c_str(), flags, 0600);
    ASSERT_GE(fd, 0) << flags;
    EXPECT_EQ(Fs::close(fd), 0);
    EXPECT_TRUE(holds<Fs>(path, bytes)) << flags;
  }
  struct stat status {};
  ASSERT_EQ(Fs::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0664U);
  EXPECT_EQ(status.st_nlink, 1U);
  EXPECT_EQ(status.st_uid, ::geteuid());
}

TYPED_TEST(CompatTest, EveryDescriptorReadsAndWrites) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  ASSERT_TRUE(put<Fs>(path, content(0, 10)));
  for (const int flags : {0, kIorOpenForReading, kMdtestCreate, O_WRONLY, O_RDWR, kIorEveryBit}) {
    const int fd = Fs::open(path.c_str(), flags);
    ASSERT_GE(fd, 0) << flags;
    const auto bytes = content(0, 10, static_cast<std::uint64_t>(flags) + 1);
    EXPECT_EQ(Fs::pwrite(fd, bytes.data(), 10, 0), 10) << flags;
    std::vector<std::byte> back(20);
    EXPECT_EQ(Fs::pread(fd, back.data(), 20, 0), 10) << flags;
    back.resize(10);
    EXPECT_EQ(back, bytes) << flags;
    EXPECT_EQ(Fs::close(fd), 0);
  }
}

TYPED_TEST(CompatTest, RacingRanksAllCreateAndNoneLosesWhatItWrote) {
  using Fs = TypeParam;
  constexpr int kRounds = 5;
  constexpr std::size_t kPart = 5000;
  this->leave();
  EXPECT_EQ(run_ranks(kRankCount,
                      [this](int rank) {
                        ASSERT_EQ(Fs::init(nullptr), 0);
                        for (int round = 0; round < kRounds; ++round) {
                          const std::string path = this->path("race" + std::to_string(round));
                          const int fd = Fs::create(path.c_str(), kIorCreateForWriting, 0664);
                          ASSERT_GE(fd, 0) << errno;
                          const auto offset = static_cast<off_t>(kPart) * rank;
                          const auto mine = content(static_cast<std::uint64_t>(offset), kPart);
                          EXPECT_EQ(Fs::pwrite(fd, mine.data(), kPart, offset),
                                    static_cast<ssize_t>(kPart));
                          EXPECT_EQ(Fs::close(fd), 0);
                        }
                        EXPECT_EQ(Fs::term(), 0);
                      }),
            0);
  this->join();
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_TRUE(
        holds<Fs>(this->path("race" + std::to_string(round)), content(0, kPart * kRankCount)));
  }
}

TYPED_TEST(CompatTest, InterleavedTransfersOfRanksMakeOneFileAtEveryChunkSize) {
  using Fs = TypeParam;
  constexpr std::size_t kSegments = 4;
  constexpr std::size_t kTotal = kIorHardTransfer * kSegments * kRankCount;
  const std::vector<long> sizes = {3902, 4096, 47008, 65536, 1 << 20};
  this->leave();
  const auto write = [&](int rank) {
    for (const long size : sizes) {
      // As IOR: before the session is joined, and again for each phase of one process.
      Fs::set_chunk_size(size);
      ASSERT_EQ(Fs::init(nullptr), 0);
      const std::string path = this->path("hard" + std::to_string(size));
      const int fd = Fs::create(path.c_str(), kIorCreateForWriting, 0664);
      ASSERT_GE(fd, 0) << errno;
      for (std::size_t segment = 0; segment < kSegments; ++segment) {
        const std::size_t offset =
            (segment * kRankCount + static_cast<std::size_t>(rank)) * kIorHardTransfer;
        const auto bytes = content(offset, kIorHardTransfer);
        EXPECT_EQ(Fs::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
                  static_cast<ssize_t>(bytes.size()));
      }
      EXPECT_EQ(Fs::fsync(fd), 0);
      EXPECT_EQ(Fs::close(fd), 0);
    }
    EXPECT_EQ(Fs::term(), 0);
  };
  EXPECT_EQ(run_ranks(kRankCount, write), 0);
  this->join();
  for (const long size : sizes) {
    const std::string path = this->path("hard" + std::to_string(size));
    EXPECT_EQ(size_of<Fs>(path), static_cast<off_t>(kTotal)) << size;
    EXPECT_TRUE(holds<Fs>(path, content(0, kTotal))) << size;
  }
}

TYPED_TEST(CompatTest, ChunksOfOddSizesHoldWhatCrossesTheirBorders) {
  using Fs = TypeParam;
  for (const long size : {1L, 7L, 3902L}) {
    const std::string path = this->path("odd" + std::to_string(size));
    const int fd = Fs::create_chunk_size(path.c_str(), kMdtestCreate, 0664, size);
    ASSERT_GE(fd, 0) << errno;
    const std::size_t total = size == 1 ? 1000 : static_cast<std::size_t>(size) * 5 + 3;
    // From behind, in pieces that begin and end within chunks.
    const std::size_t step = static_cast<std::size_t>(size) + 3;
    for (std::size_t end = total; end > 0;) {
      const std::size_t begin = end > step ? end - step : 0;
      const auto bytes = content(begin, end - begin);
      ASSERT_EQ(Fs::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(begin)),
                static_cast<ssize_t>(bytes.size()));
      end = begin;
    }
    EXPECT_EQ(Fs::close(fd), 0);
    EXPECT_TRUE(holds<Fs>(path, content(0, total))) << size;
    EXPECT_EQ(size_of<Fs>(path), static_cast<off_t>(total));
  }
}

TYPED_TEST(CompatTest, HolesAreZerosAndReadsEndWithTheFile) {
  using Fs = TypeParam;
  const std::string path = this->path("holes");
  const int fd = Fs::create_chunk_size(path.c_str(), kMdtestCreate, 0664, 4096);
  ASSERT_GE(fd, 0);
  const auto tail = content(100'000, 50);
  ASSERT_EQ(Fs::pwrite(fd, tail.data(), tail.size(), 100'000), 50);
  std::vector<std::byte> expected(100'000);
  expected.insert(expected.end(), tail.begin(), tail.end());
  EXPECT_TRUE(holds<Fs>(path, expected));
  std::byte one{};
  EXPECT_EQ(Fs::pread(fd, &one, 1, 100'050), 0);
  EXPECT_EQ(Fs::pread(fd, &one, 1, 200'000), 0);
  EXPECT_EQ(Fs::pwrite(fd, &one, 0, 0), 0);
  EXPECT_TRUE(fails_with(EINVAL, [&] { return Fs::pread(fd, &one, 1, -1); }));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return Fs::pwrite(fd, &one, 1, -1); }));
  EXPECT_EQ(Fs::close(fd), 0);
}

TYPED_TEST(CompatTest, DescriptorsHavePositionsOfTheirOwn) {
  using Fs = TypeParam;
  const std::string path = this->path("positions");
  const int fd = Fs::create(path.c_str(), kMdtestCreate, 0664);
  ASSERT_GE(fd, 0);
  const auto bytes = content(0, 300);
  EXPECT_EQ(Fs::write(fd, bytes.data(), 100), 100);
  EXPECT_EQ(Fs::write(fd, bytes.data() + 100, 200), 200);
  EXPECT_EQ(Fs::seek(fd, -100, SEEK_END), 200);
  std::vector<std::byte> back(300);
  EXPECT_EQ(Fs::read(fd, back.data(), 300), 100);
  EXPECT_EQ(back.front(), bytes[200]);
  EXPECT_EQ(Fs::read(fd, back.data(), 300), 0);
  EXPECT_EQ(Fs::seek(fd, 10, SEEK_SET), 10);
  EXPECT_EQ(Fs::seek(fd, 10, SEEK_CUR), 20);
  EXPECT_TRUE(fails_with(EINVAL, [&] { return Fs::seek(fd, -1, SEEK_SET); }));
  const int other = Fs::open(path.c_str(), 0);
  ASSERT_GE(other, 0);
  EXPECT_EQ(Fs::read(other, back.data(), 300), 300);
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(Fs::close(other), 0);
  EXPECT_EQ(Fs::close(fd), 0);

  const int appending = Fs::open(path.c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(appending, 0);
  EXPECT_EQ(Fs::write(appending, bytes.data(), 5), 5);
  EXPECT_EQ(Fs::close(appending), 0);
  EXPECT_EQ(size_of<Fs>(path), 305);
  const int cutting = Fs::open(path.c_str(), O_WRONLY | O_TRUNC);
  ASSERT_GE(cutting, 0);
  EXPECT_EQ(size_of<Fs>(path), 0);
  EXPECT_EQ(Fs::close(cutting), 0);
}

TYPED_TEST(CompatTest, SizesAreVisibleWhileOpenAndAfterCloseToEveryRank) {
  using Fs = TypeParam;
  this->leave();
  // Each writes its own file and then waits, through the names themselves, for nobody: the parent
  // looks when all have closed.
  EXPECT_EQ(run_ranks(3,
                      [this](int rank) {
                        ASSERT_EQ(Fs::init(nullptr), 0);
                        const std::string path = this->path("size" + std::to_string(rank));
                        const int fd = Fs::create(path.c_str(), kMdtestCreate, 0664);
                        ASSERT_GE(fd, 0);
                        const auto bytes = content(0, 3901);
                        EXPECT_EQ(Fs::pwrite(fd, bytes.data(), bytes.size(), 3901 * rank), 3901);
                        EXPECT_EQ(size_of<Fs>(path), 3901 * (rank + 1)) << "while it is open";
                        EXPECT_EQ(Fs::close(fd), 0);
                        Fs::term();
                      }),
            0);
  this->join();
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(size_of<Fs>(this->path("size" + std::to_string(rank))), 3901 * (rank + 1));
  }
}

TYPED_TEST(CompatTest, NamesFailAsPosixSays) {
  using Fs = TypeParam;
  const std::string file = this->path("file");
  const std::string absent = this->path("absent");
  const std::string below = this->path("absent/file");
  struct stat status {};
  ASSERT_TRUE(put<Fs>(file, content(0, 10)));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::open(absent.c_str(), kIorOpenForReading); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::open(absent.c_str(), kMdtestCreate); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::create(below.c_str(), kMdtestCreate, 0664); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::stat(absent.c_str(), &status); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::stat("", &status); }));
  EXPECT_TRUE(fails_with(EFAULT, [&] { return Fs::stat(nullptr, &status); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::unlink(absent.c_str()); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::rmdir(absent.c_str()); }));
  EXPECT_TRUE(fails_with(EEXIST, [&] { return Fs::mkdir(this->directory_.c_str(), 0755); }));
  EXPECT_TRUE(fails_with(EISDIR, [&] { return Fs::open(this->directory_.c_str(), 0); }));
  EXPECT_TRUE(fails_with(EISDIR, [&] { return Fs::create(this->directory_.c_str(), 0, 0664); }));
  EXPECT_TRUE(fails_with(ENOTDIR, [&] { return Fs::rmdir(file.c_str()); }));
  EXPECT_TRUE(fails_with(ENOTEMPTY, [&] { return Fs::rmdir(this->directory_.c_str()); }));
  const std::string name(256, 'n');
  EXPECT_TRUE(
      fails_with(ENAMETOOLONG, [&] { return Fs::create(this->path(name).c_str(), 0, 0664); }));
  EXPECT_EQ(Fs::unlink(file.c_str()), 0);
  EXPECT_TRUE(fails_with(ENOENT, [&] { return Fs::stat(file.c_str(), &status); }));
  EXPECT_EQ(Fs::rmdir(this->directory_.c_str()), 0);
  EXPECT_EQ(Fs::stat("/", &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
}

TYPED_TEST(CompatTest, PathsNeedNoSlashAhead) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  ASSERT_TRUE(put<Fs>(path.substr(1), content(0, 10)));
  EXPECT_TRUE(holds<Fs>(path, content(0, 10)));
  EXPECT_EQ(size_of<Fs>("." + path), 10);
}

TYPED_TEST(CompatTest, DescriptorsAreTheLowestThatAreFree) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  ASSERT_TRUE(put<Fs>(path, {}));
  std::vector<int> fds;
  for (int i = 0; i < 5; ++i) {
    fds.push_back(Fs::open(path.c_str(), 0));
    EXPECT_EQ(fds.back(), 3 + i);
  }
  EXPECT_EQ(Fs::close(fds[1]), 0);
  EXPECT_EQ(Fs::close(fds[3]), 0);
  EXPECT_EQ(Fs::open(path.c_str(), 0), fds[1]);
  EXPECT_EQ(Fs::open(path.c_str(), 0), fds[3]);
  std::byte one{};
  for (const int fd : {-1, 0, 2, 8, 1 << 30}) {
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::close(fd); })) << fd;
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::pread(fd, &one, 1, 0); })) << fd;
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::pwrite(fd, &one, 1, 0); })) << fd;
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::read(fd, &one, 1); })) << fd;
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::write(fd, &one, 1); })) << fd;
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::seek(fd, 0, SEEK_SET); })) << fd;
    EXPECT_TRUE(fails_with(EBADF, [&] { return Fs::fsync(fd); })) << fd;
  }
  // What is still open is closed by the end of the session.
  this->leave();
  EXPECT_TRUE(fails_with(ENOTCONN, [&] { return Fs::close(fds[0]); }));
}

TYPED_TEST(CompatTest, OpenFilesOutliveTheirNames) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  const int fd = Fs::create(path.c_str(), kMdtestCreate, 0664);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(Fs::unlink(path.c_str()), 0);
  const auto bytes = content(0, 1000);
  EXPECT_EQ(Fs::pwrite(fd, bytes.data(), 1000, 0), 1000);
  std::vector<std::byte> back(1000);
  EXPECT_EQ(Fs::pread(fd, back.data(), 1000, 0), 1000);
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(Fs::close(fd), 0);
}

TYPED_TEST(CompatTest, ThreadsShareDescriptorsAndMayCloseThemUnderEachOther) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  const int fd = Fs::create_chunk_size(path.c_str(), kMdtestCreate, 0664, 1000);
  ASSERT_GE(fd, 0);
  constexpr int kThreads = 4;
  constexpr std::size_t kPart = 20'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::size_t begin = kPart * static_cast<std::size_t>(i);
      const auto bytes = content(begin, kPart);
      for (std::size_t at = 0; at < kPart; at += 2500) {
        EXPECT_EQ(Fs::pwrite(fd, bytes.data() + at, 2500, static_cast<off_t>(begin + at)), 2500);
      }
      const std::string own = this->path("own" + std::to_string(i));
      EXPECT_TRUE(put<Fs>(own, bytes));
      EXPECT_TRUE(holds<Fs>(own, bytes));
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(holds<Fs>(path, content(0, kPart * kThreads)));

  // Reads end with EBADF once one of them has closed; exactly one closes.
  std::atomic<int> closed = 0;
  threads.clear();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      std::byte one{};
      for (int turn = 0; turn < 50; ++turn) {
        const ssize_t got = Fs::pread(fd, &one, 1, turn);
        EXPECT_TRUE(got == 1 || (got == -1 && errno == EBADF));
        closed += turn == 10 + i && Fs::close(fd) == 0 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(closed, 1);
}

TYPED_TEST(CompatTest, ThreadsMayEndTheSessionUnderEachOther) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  ASSERT_TRUE(put<Fs>(path, content(0, 1000)));
  std::atomic<bool> ended = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      std::vector<std::byte> back(1000);
      while (!ended) {
        const int fd = Fs::create(path.c_str(), kMdtestCreate, 0664);
        EXPECT_TRUE(fd >= 3 || errno == ENOTCONN) << errno;
        // The descriptor may be another session's by now: then it is none, or one that reads the
        // same.
        const ssize_t got = Fs::pread(fd, back.data(), back.size(), 0);
        EXPECT_TRUE(got == 1000 || errno == ENOTCONN || errno == EBADF) << errno;
      }
    });
  }
  for (int turn = 0; turn < 20; ++turn) {
    EXPECT_EQ(Fs::term(), 0);
    EXPECT_EQ(Fs::init(nullptr), 0);
  }
  ended = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(holds<Fs>(path, content(0, 1000)));
}

TYPED_TEST(CompatTest, BadChunkSizesAreRefusedWhenAFileIsCreated) {
  using Fs = TypeParam;
  const std::string path = this->path("file");
  EXPECT_TRUE(fails_with(EINVAL, [&] { return Fs::create_chunk_size(path.c_str(), 0, 0664, 0); }));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return Fs::create_chunk_size(path.c_str(), 0, 0664, -1); }));
  for (const long size : {0L, -1L}) {
    Fs::set_chunk_size(size);
    EXPECT_TRUE(fails_with(EINVAL, [&] { return Fs::create(path.c_str(), 0, 0664); })) << size;
  }
  Fs::set_chunk_size(65536);
  EXPECT_TRUE(put<Fs>(path, {}));
  struct stat status {};
  ASSERT_EQ(Fs::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_blksize, 65536);
}

}  // namespace
}  // namespace benchfs::test
