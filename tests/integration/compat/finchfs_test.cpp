// Goal: what only finchfs.h has does what it promises. Method: as shared_test.cpp.

#include <cstring>
#include <set>

#include <dirent.h>
#include <sys/mman.h>

#include "integration/compat/interfaces.h"

namespace benchfs::test {
namespace {

class FinchfsTest : public Place<Finchfs> {
 protected:
  int open_directory() const {
    const int fd = finchfs_open(directory_.c_str(), O_RDONLY | O_DIRECTORY);
    EXPECT_GE(fd, 3);
    return fd;
  }
};

TEST_F(FinchfsTest, FstatTellsTheChunkSizeAndTheSizeOfOpenFiles) {
  const int fd = finchfs_create_chunk_size(path("file").c_str(), kMdtestCreate, 0664, 3902);
  ASSERT_GE(fd, 0);
  struct stat status {};
  ASSERT_EQ(finchfs_pwrite(fd, "abc", 3, 10'000), 3);
  ASSERT_EQ(finchfs_fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 10'003);
  EXPECT_EQ(status.st_blksize, 3902);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_TRUE(fails_with(EBADF, [&] { return finchfs_fstat(fd + 1, &status); }));
  EXPECT_EQ(finchfs_close(fd), 0);
}

TEST_F(FinchfsTest, RenameMovesFilesAndDirectoriesAcrossServers) {
  // Many names, so that with several servers most of them change theirs.
  for (int i = 0; i < 20; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(put<Finchfs>(path("a" + number), content(0, 5000, static_cast<std::uint64_t>(i))));
    EXPECT_EQ(finchfs_rename(path("a" + number).c_str(), path("b" + number).c_str()), 0);
    EXPECT_TRUE(
        holds<Finchfs>(path("b" + number), content(0, 5000, static_cast<std::uint64_t>(i))));
    EXPECT_EQ(size_of<Finchfs>(path("a" + number)), -1);
    EXPECT_EQ(finchfs_mkdir(path("d" + number).c_str(), 0755), 0);
    EXPECT_TRUE(put<Finchfs>(path("d" + number + "/f"), content(0, 10)));
    EXPECT_EQ(finchfs_rename(path("d" + number).c_str(), path("e" + number).c_str()), 0);
    EXPECT_TRUE(holds<Finchfs>(path("e" + number + "/f"), content(0, 10)));
  }
  EXPECT_TRUE(
      fails_with(ENOENT, [&] { return finchfs_rename(path("x").c_str(), path("y").c_str()); }));
  EXPECT_TRUE(
      fails_with(EISDIR, [&] { return finchfs_rename(path("b1").c_str(), path("e1").c_str()); }));
  EXPECT_TRUE(fails_with(ENOTEMPTY,
                         [&] { return finchfs_rename(path("e1").c_str(), path("e2").c_str()); }));
}

// As mdtest's rename phase: each rank moves its own directories, one after another, into each
// other's way.
TEST_F(FinchfsTest, RacingRanksAllRenameTheirDirectories) {
  constexpr int kRenames = 25;
  leave();
  EXPECT_EQ(run_ranks(6,
                      [this](int rank) {
                        ASSERT_EQ(finchfs_init(nullptr), 0);
                        std::string from = path("dir" + std::to_string(rank));
                        EXPECT_EQ(finchfs_mkdir(from.c_str(), 0755), 0);
                        for (int i = 0; i < kRenames; ++i) {
                          const std::string to =
                              path(std::to_string(rank) + "-" + std::to_string(i));
                          EXPECT_EQ(finchfs_rename(from.c_str(), to.c_str()), 0) << errno;
                          from = to;
                        }
                        EXPECT_EQ(finchfs_rmdir(from.c_str()), 0) << errno;
                        finchfs_term();
                      }),
            0);
  join();
  EXPECT_EQ(finchfs_rmdir(directory_.c_str()), 0) << errno;
}

TEST_F(FinchfsTest, HardLinksAreNotSupported) {
  ASSERT_TRUE(put<Finchfs>(path("a"), {}));
  EXPECT_TRUE(
      fails_with(ENOTSUP, [&] { return finchfs_link(path("a").c_str(), path("b").c_str()); }));
  const int fd = open_directory();
  EXPECT_TRUE(fails_with(ENOTSUP, [&] { return finchfs_linkat(fd, "a", fd, "b"); }));
  EXPECT_EQ(size_of<Finchfs>(path("b")), -1);
}

TEST_F(FinchfsTest, DirectoriesOpenOnlyAsSuch) {
  const int fd = open_directory();
  ASSERT_TRUE(put<Finchfs>(path("file"), {}));
  EXPECT_TRUE(fails_with(EISDIR, [&] { return finchfs_open(directory_.c_str(), 0); }));
  EXPECT_TRUE(fails_with(ENOTDIR, [&] { return finchfs_open(path("file").c_str(), O_DIRECTORY); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return finchfs_open(path("no").c_str(), O_DIRECTORY); }));
  std::byte one{};
  struct stat status {};
  EXPECT_TRUE(fails_with(EISDIR, [&] { return finchfs_pread(fd, &one, 1, 0); }));
  EXPECT_TRUE(fails_with(EISDIR, [&] { return finchfs_write(fd, &one, 1); }));
  EXPECT_TRUE(fails_with(ENOTSUP, [&] { return finchfs_fsync(fd); }));
  EXPECT_TRUE(fails_with(ENOTSUP, [&] { return finchfs_seek(fd, 1, SEEK_SET); }));
  EXPECT_EQ(finchfs_fstat(fd, &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  EXPECT_EQ(finchfs_close(fd), 0);
}

TEST_F(FinchfsTest, TheAtFunctionsBeginAtTheDirectory) {
  const int dir = open_directory();
  struct stat status {};
  EXPECT_EQ(finchfs_mkdirat(dir, "sub", 0755), 0);
  const int fd = finchfs_createat_chunk_size(dir, "sub/a", kMdtestCreate, 0664, 1000);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(finchfs_pwrite(fd, "abc", 3, 0), 3);
  EXPECT_EQ(finchfs_close(fd), 0);
  EXPECT_EQ(size_of<Finchfs>(path("sub/a")), 3);
  const int other = finchfs_createat(dir, "b", 0, 0600);
  ASSERT_GE(other, 0);
  EXPECT_EQ(finchfs_close(other), 0);
  const int sub = finchfs_openat(dir, "sub", O_DIRECTORY);
  ASSERT_GE(sub, 0);
  EXPECT_EQ(finchfs_renameat(dir, "b", sub, "c"), 0);
  EXPECT_EQ(finchfs_fstatat(sub, "c", &status, 0), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0600U);
  EXPECT_EQ(finchfs_fstatat(sub, "", &status, AT_EMPTY_PATH), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  EXPECT_EQ(finchfs_fstatat(AT_FDCWD, "", &status, AT_EMPTY_PATH), 0);
  EXPECT_EQ(finchfs_fstatat(dir, path("sub/a").c_str(), &status, AT_SYMLINK_NOFOLLOW), 0);
  const int again = finchfs_openat(AT_FDCWD, path("sub/a").c_str(), 0);
  ASSERT_GE(again, 0);
  EXPECT_TRUE(fails_with(ENOTDIR, [&] { return finchfs_openat(again, "x", 0); }));
  EXPECT_EQ(finchfs_close(again), 0);
  EXPECT_TRUE(fails_with(EBADF, [&] { return finchfs_openat(again, "x", 0); }));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return finchfs_fstatat(dir, "b", &status, 1 << 30); }));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return finchfs_unlinkat(dir, "b", AT_EMPTY_PATH); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return finchfs_fstatat(dir, "", &status, 0); }));
  EXPECT_TRUE(fails_with(ENOTEMPTY, [&] { return finchfs_unlinkat(dir, "sub", AT_REMOVEDIR); }));
  EXPECT_EQ(finchfs_unlinkat(sub, "a", 0), 0);
  EXPECT_EQ(finchfs_unlinkat(sub, "c", 0), 0);
  EXPECT_EQ(finchfs_unlinkat(dir, "sub", AT_REMOVEDIR), 0);
}

TEST_F(FinchfsTest, ADirectoryThatIsNotThereAnyMoreIsNotTakenForAnother) {
  ASSERT_EQ(finchfs_mkdir(path("sub").c_str(), 0755), 0);
  const int sub = finchfs_open(path("sub").c_str(), O_DIRECTORY);
  ASSERT_GE(sub, 0);
  ASSERT_EQ(finchfs_rename(path("sub").c_str(), path("moved").c_str()), 0);
  struct stat status {};
  EXPECT_TRUE(fails_with(ESTALE, [&] { return finchfs_createat(sub, "x", 0, 0664); }));
  ASSERT_EQ(finchfs_mkdir(path("sub").c_str(), 0755), 0);
  EXPECT_TRUE(fails_with(ESTALE, [&] { return finchfs_createat(sub, "x", 0, 0664); }));
  EXPECT_TRUE(fails_with(ESTALE, [&] { return finchfs_fstat(sub, &status); }));
  EXPECT_EQ(size_of<Finchfs>(path("sub/x")), -1);
  EXPECT_EQ(finchfs_close(sub), 0);
}

/// Lists with a buffer of `size`; each record must be well formed.
std::multiset<std::string> list(int fd, std::size_t size) {
  std::multiset<std::string> names;
  std::vector<char> buffer(size);
  ssize_t got = 0;
  while ((got = finchfs_getdents(fd, buffer.data(), size)) > 0) {
    for (ssize_t at = 0; at < got;) {
      dirent64 record{};
      std::memcpy(&record, buffer.data() + at, offsetof(dirent64, d_name));
      const char* name = buffer.data() + at + offsetof(dirent64, d_name);
      EXPECT_EQ(record.d_reclen % 8, 0);
      EXPECT_LE(at + record.d_reclen, got);
      EXPECT_LT(std::strlen(name) + offsetof(dirent64, d_name), record.d_reclen);
      EXPECT_NE(record.d_ino, 0U);
      EXPECT_EQ(record.d_type, name[0] == 'd' ? DT_DIR : DT_REG) << name;
      names.insert(name);
      at += record.d_reclen;
    }
  }
  EXPECT_EQ(got, 0) << errno;
  return names;
}

TEST_F(FinchfsTest, GetdentsTellsEveryNameOnceInBuffersOfAnySize) {
  std::multiset<std::string> expected;
  for (int i = 0; i < 150; ++i) {
    const std::string name =
        (i % 10 == 0 ? "d" : "f") + std::string(static_cast<std::size_t>(i), 'x');
    ASSERT_TRUE(i % 10 == 0 ? finchfs_mkdir(path(name).c_str(), 0755) == 0
                            : static_cast<bool>(put<Finchfs>(path(name), {})));
    expected.insert(name);
  }
  for (const std::size_t size : {std::size_t{280}, std::size_t{1000}, std::size_t{1} << 16U}) {
    const int fd = open_directory();
    EXPECT_EQ(list(fd, size), expected) << size;
    EXPECT_EQ(list(fd, size).size(), 0U) << "it is at its end";
    EXPECT_EQ(finchfs_seek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(list(fd, size), expected) << size;
    EXPECT_EQ(finchfs_close(fd), 0);
  }
  const int fd = open_directory();
  char small[16];
  EXPECT_TRUE(fails_with(EINVAL, [&] { return finchfs_getdents(fd, small, sizeof(small)); }));
  EXPECT_TRUE(fails_with(EFAULT, [&] { return finchfs_getdents(fd, nullptr, 100); }));
  EXPECT_EQ(list(fd, 4096), expected) << "what had no room is not lost";
  EXPECT_TRUE(fails_with(EBADF, [&] { return finchfs_getdents(fd + 1, small, sizeof(small)); }));
  const int file = finchfs_open(path("fx").c_str(), 0);
  EXPECT_TRUE(fails_with(ENOTDIR, [&] { return finchfs_getdents(file, small, sizeof(small)); }));
}

TEST_F(FinchfsTest, MmapIsAPrivateCopy) {
  const auto bytes = content(0, 10'000);
  ASSERT_TRUE(put<Finchfs>(path("file"), bytes));
  const int fd = finchfs_open(path("file").c_str(), 0);
  ASSERT_GE(fd, 0);
  void* memory = finchfs_mmap(nullptr, 12'288, PROT_READ, MAP_PRIVATE, fd, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(std::memcmp(memory, bytes.data(), bytes.size()), 0);
  EXPECT_EQ(static_cast<char*>(memory)[10'000], 0);
  EXPECT_EQ(finchfs_munmap(memory, 12'288), 0);
  auto* writable = static_cast<std::byte*>(
      finchfs_mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096));
  ASSERT_NE(writable, MAP_FAILED);
  EXPECT_EQ(writable[0], bytes[4096]);
  writable[0] = ~bytes[4096];
  EXPECT_EQ(finchfs_munmap(writable, 4096), 0);
  EXPECT_TRUE(holds<Finchfs>(path("file"), bytes));

  const auto fails = [](int error, void* result) {
    const int got = errno;
    return result == MAP_FAILED && got == error;
  };
  EXPECT_TRUE(fails(ENOTSUP, finchfs_mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0)));
  EXPECT_TRUE(fails(EINVAL, finchfs_mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd, 1)));
  EXPECT_TRUE(fails(EINVAL, finchfs_mmap(nullptr, 0, PROT_READ, MAP_PRIVATE, fd, 0)));
  EXPECT_TRUE(fails(EBADF, finchfs_mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd + 1, 0)));
  EXPECT_TRUE(
      fails(EISDIR, finchfs_mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, open_directory(), 0)));
}

TEST_F(FinchfsTest, ChunkSizesBeyondTheLargestAreRefused) {
  const std::size_t too_large = (std::size_t{1} << 40U) + 1;
  for (const std::size_t size : {too_large, SIZE_MAX}) {
    EXPECT_TRUE(fails_with(
        EINVAL, [&] { return finchfs_create_chunk_size(path("file").c_str(), 0, 0664, size); }));
  }
}

}  // namespace
}  // namespace benchfs::test
