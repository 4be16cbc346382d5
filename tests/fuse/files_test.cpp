// Goal: files of a mount are the session's files, at once and in all that programs do with them,
// and what is not supported has the errno that says so. Method: the same files by system calls on a
// mount and by the library, side by side, byte by byte.

#include <array>
#include <cstring>
#include <set>

#include <dirent.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "fuse/mounted.h"

namespace benchfs::test {
namespace {

constexpr std::size_t kLarge = (5U << 20U) + 4321;

TEST(FuseFiles, AreTheSameBytesOnBothSides) {
  const Mounted world(3);
  Session session = world.join();
  const auto by_library = content(0, kLarge, 1);
  {
    auto file = session.open("/one", O_CREAT | O_WRONLY, 0644);
    file.write(by_library, 0);
    std::vector<std::byte> got(kLarge + 1);
    const Fd fd(world.at("a", "/one"), O_RDONLY);  // While it is being written.
    std::size_t count = 0;
    for (ssize_t more = 1; more > 0; count += static_cast<std::size_t>(more)) {
      more = ::read(fd, got.data() + count, got.size() - count);
      ASSERT_GE(more, 0) << errno;
    }
    ASSERT_EQ(count, kLarge);
    EXPECT_EQ(std::memcmp(got.data(), by_library.data(), kLarge), 0);
  }
  const auto by_mount = content(0, kLarge, 2);
  const Fd fd(world.at("a", "/two"), O_CREAT | O_EXCL | O_WRONLY);
  ASSERT_EQ(::write(fd, by_mount.data(), kLarge), static_cast<ssize_t>(kLarge));
  EXPECT_TRUE(holds(session, "/two", kLarge, 2)) << "before it is closed";
  EXPECT_EQ(::fsync(fd), 0);
  EXPECT_EQ(world.cluster.benchfs({"cat", "/two"}).out,
            std::string(reinterpret_cast<const char*>(by_mount.data()), kLarge));
}

TEST(FuseFiles, ShowEachWriteAtOnceToWhoeverReads) {
  const Mounted world(2, {"a", "b"});
  Session session = world.join();
  auto file = session.open("/f", O_CREAT | O_RDWR, 0644);
  const Fd a(world.at("a", "/f"), O_RDWR);
  const Fd b(world.at("b", "/f"), O_RDWR);
  for (unsigned round = 0; round < 60; ++round) {
    const std::uint64_t size = 700 * (round + 1);
    const auto bytes = content(0, size, round);  // All of it anew, and longer.
    const unsigned writer = round % 3;
    if (writer == 0) {
      file.write(bytes, 0);
    } else {
      ASSERT_EQ(::pwrite(writer == 1 ? a : b, bytes.data(), size, 0), static_cast<ssize_t>(size));
    }
    for (const int fd : {static_cast<int>(a), static_cast<int>(b)}) {
      std::vector<std::byte> got(size + 1);
      ASSERT_EQ(::pread(fd, got.data(), got.size(), 0), static_cast<ssize_t>(size)) << round;
      ASSERT_EQ(std::memcmp(got.data(), bytes.data(), size), 0) << round;
      struct stat status {};
      ASSERT_EQ(::fstat(fd, &status), 0);
      ASSERT_EQ(status.st_size, static_cast<off_t>(size)) << round;
    }
    struct stat by_name {};
    ASSERT_EQ(::stat(world.at("b", "/f").c_str(), &by_name), 0);
    ASSERT_EQ(by_name.st_size, static_cast<off_t>(size));
    ASSERT_TRUE(holds(session, "/f", size, round));
  }
}

TEST(FuseFiles, AppendInOnePieceFromTwoMounts) {
  const Mounted world(2, {"a", "b"});
  const Fd a(world.at("a", "/log"), O_CREAT | O_WRONLY | O_APPEND);
  const Fd b(world.at("b", "/log"), O_WRONLY);
  ASSERT_EQ(::fcntl(b, F_SETFL, O_APPEND), 0);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(::write(i % 2 == 0 ? a : b, "0123456789", 10), 10);
  }
  const Fd all(world.at("a", "/log"), O_RDONLY);
  std::array<char, 501> got{};
  ASSERT_EQ(::read(all, got.data(), got.size()), 500);
  for (std::size_t i = 0; i < 500; ++i) {
    ASSERT_EQ(got[i], static_cast<char>('0' + i % 10));
  }
}

TEST(FuseFiles, StayWhatTheyAreWhateverTheirNames) {
  const Mounted world;
  Session session = world.join();
  ASSERT_EQ(::mkdir(world.at("a", "/d").c_str(), 0755), 0);
  const Fd fd(world.at("a", "/d/f"), O_CREAT | O_RDWR);
  ASSERT_EQ(::write(fd, "mine", 4), 4);
  // Others move it away and put another file, and another directory, in its place.
  session.rename("/d", "/e");
  session.mkdir("/d");
  session.open("/d/f", O_CREAT | O_WRONLY, 0644).write(content(0, 9, 1), 0);
  std::array<char, 5> got{};
  EXPECT_EQ(::pread(fd, got.data(), 5, 0), 4);
  EXPECT_STREQ(got.data(), "mine");
  struct stat status {};
  ASSERT_EQ(::stat(world.at("a", "/d/f").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 9);
  ASSERT_EQ(::stat(world.at("a", "/e/f").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 4);
  session.unlink("/e/f");
  EXPECT_EQ(or_errno(::stat(world.at("a", "/e/f").c_str(), &status)), -ENOENT);
  EXPECT_EQ(::pwrite(fd, "MINE", 4, 4), 4) << "open, without a name";
  ASSERT_EQ(::fstat(fd, &status), 0);
  EXPECT_EQ(status.st_size, 8);
  EXPECT_EQ(status.st_nlink, 0U);
}

TEST(FuseFiles, HaveAttributesThatCanBeChanged) {
  const Mounted world;
  Session session = world.join();
  const std::string path = world.at("a", "/f");
  Fd fd(path, O_CREAT | O_RDWR, 0640);
  ASSERT_EQ(::ftruncate(fd, 10'000), 0);
  ASSERT_EQ(::chmod(path.c_str(), 04751), 0);
  ASSERT_EQ(::chown(path.c_str(), 12, 34), 0);
  const std::array<timespec, 2> times = {timespec{1000, 7}, timespec{2000, 8}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
  for (const struct stat& status : {session.stat("/f"), [&] {
                                      struct stat seen {};
                                      EXPECT_EQ(::stat(path.c_str(), &seen), 0);
                                      return seen;
                                    }()}) {
    EXPECT_EQ(status.st_size, 10'000);
    EXPECT_EQ(status.st_mode & 07777U, 0751U) << "chown takes the set-user-ID bit away";
    EXPECT_EQ(status.st_uid, 12U);
    EXPECT_EQ(status.st_gid, 34U);
    EXPECT_EQ(status.st_atim.tv_nsec, 7);
    EXPECT_EQ(status.st_mtim.tv_sec, 2000);
  }
  { const Fd cut(path, O_WRONLY | O_TRUNC); }
  EXPECT_EQ(session.stat("/f").st_size, 0);
  ASSERT_EQ(::symlink("f", world.at("a", "/l").c_str()), 0);
  std::array<char, 8> target{};
  EXPECT_EQ(::readlink(world.at("a", "/l").c_str(), target.data(), 8), 1);
  struct statvfs space {};
  ASSERT_EQ(::statvfs(world.at("a").c_str(), &space), 0);
  EXPECT_EQ(space.f_namemax, 255U);
  EXPECT_GT(space.f_bavail, 0U);
}

TEST(FuseFiles, AreListedOnceEachAndFromAnyPosition) {
  const Mounted world(3);
  Session session = world.join();
  std::set<std::string> made;
  for (int i = 0; i < 700; ++i) {
    std::string name = "/d\xff\n " + std::to_string(i);
    if (i == 0) {
      name = "/" + std::string(255, 'x');
    }
    session.open(name, O_CREAT | O_WRONLY, 0644);
    made.insert(name.substr(1));
  }
  DIR* const directory = ::opendir(world.at("a").c_str());
  ASSERT_NE(directory, nullptr);
  std::vector<std::pair<long, std::string>> seen;
  for (long position = ::telldir(directory); const dirent* entry = ::readdir(directory);
       position = ::telldir(directory)) {
    seen.emplace_back(position, entry->d_name);
  }
  std::set<std::string> names;
  for (const auto& [position, name] : seen) {
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  names.erase(".");
  names.erase("..");
  EXPECT_EQ(names, made);
  for (const std::size_t i : {std::size_t{0}, std::size_t{5}, seen.size() / 2, seen.size() - 1}) {
    ::seekdir(directory, seen[i].first);
    EXPECT_EQ(::readdir(directory)->d_name, seen[i].second);
  }
  ::closedir(directory);
}

TEST(FuseFiles, RunAndAreMappedPrivately) {
  const Mounted world;
  ASSERT_EQ(run_command({"cp", "/bin/sh", world.at("a", "/sh")}).exit_status, 0);
  EXPECT_EQ(run_command({world.at("a", "/sh"), "-c", "echo it runs"}).out, "it runs\n");
  const Fd fd(world.at("a", "/sh"), O_RDWR);
  void* const pages = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  ASSERT_NE(pages, MAP_FAILED);
  EXPECT_EQ(std::memcmp(pages, "\177ELF", 4), 0);
  std::memset(pages, 0, 4);
  ::munmap(pages, 4096);
  std::array<char, 4> first{};
  ASSERT_EQ(::pread(fd, first.data(), 4, 0), 4);
  EXPECT_EQ(std::memcmp(first.data(), "\177ELF", 4), 0) << "what is private is not written back";
}

TEST(FuseFiles, RefuseWhatTheServersDoNotHave) {
  const Mounted world;
  const std::string f = world.at("a", "/f");
  const Fd fd(f, O_CREAT | O_RDWR);
  ASSERT_EQ(::write(fd, "x", 1), 1);
  EXPECT_EQ(or_errno(::link(f.c_str(), world.at("a", "/g").c_str())), -EPERM);
  EXPECT_EQ(or_errno(::mkfifo(world.at("a", "/p").c_str(), 0600)), -EPERM);
  EXPECT_EQ(or_errno(::mknod(world.at("a", "/n").c_str(), S_IFCHR | 0600, 0)), -EPERM);
  for (const int flag : {RENAME_NOREPLACE, RENAME_EXCHANGE}) {
    EXPECT_EQ(or_errno(::syscall(SYS_renameat2, AT_FDCWD, f.c_str(), AT_FDCWD,
                                 world.at("a", "/g").c_str(), flag)),
              flag == RENAME_NOREPLACE ? -EINVAL : -ENOENT);
  }
  EXPECT_EQ(or_errno(::fallocate(fd, 0, 0, 10)), -EOPNOTSUPP);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(errno, ENODEV);
  EXPECT_EQ(::lseek(fd, 0, SEEK_HOLE), 1) << "all of it is data";
  struct stat status {};
  EXPECT_EQ(or_errno(::stat(world.at("a", "/" + std::string(256, 'x')).c_str(), &status)),
            -ENAMETOOLONG);
  EXPECT_EQ(or_errno(::rmdir(world.at("a", "/f").c_str())), -ENOTDIR);
}

}  // namespace
}  // namespace benchfs::test
