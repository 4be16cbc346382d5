// Goal: fcntl's and flock's locks exclude between mounts as they do between processes of one
// machine. Method: one process with a file open on two mounts is two owners, since the kernel takes
// them for two files.

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <sys/file.h>
#include <sys/wait.h>

#include "fuse/mounted.h"

namespace benchfs::test {
namespace {

class FuseLocks : public testing::Test {
 protected:
  int lock(int fd, short type, off_t begin, off_t length, int command = F_SETLK) {
    struct flock wanted {};
    wanted.l_type = type;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = begin;
    wanted.l_len = length;
    return or_errno(::fcntl(fd, command, &wanted));
  }
  /// Whether the other mount could have an exclusive lock on one byte.
  bool is_free(int fd, off_t byte) {
    struct flock wanted {};
    wanted.l_type = F_WRLCK;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = byte;
    wanted.l_len = 1;
    EXPECT_EQ(::fcntl(fd, F_GETLK, &wanted), 0);
    return wanted.l_type == F_UNLCK;
  }

  const Mounted world{2, {"a", "b"}};
  Fd a{world.at("a", "/f"), O_CREAT | O_RDWR};
  Fd b{world.at("b", "/f"), O_RDWR};
};

TEST_F(FuseLocks, ExcludeSplitAndChangeTheirModes) {
  ASSERT_EQ(lock(a, F_WRLCK, 0, 100), 0);
  EXPECT_EQ(lock(b, F_WRLCK, 50, 1), -EAGAIN);
  EXPECT_EQ(lock(b, F_RDLCK, 99, 10), -EAGAIN);
  EXPECT_EQ(lock(b, F_WRLCK, 100, 0), 0);
  EXPECT_EQ(lock(b, F_UNLCK, 100, 0), 0);
  ASSERT_EQ(lock(a, F_UNLCK, 40, 20), 0);  // A hole in the middle.
  EXPECT_FALSE(is_free(b, 39));
  EXPECT_TRUE(is_free(b, 40));
  EXPECT_TRUE(is_free(b, 59));
  EXPECT_FALSE(is_free(b, 60));
  ASSERT_EQ(lock(a, F_RDLCK, 0, 30), 0);  // Weaker in a part.
  EXPECT_EQ(lock(b, F_RDLCK, 0, 30), 0);
  EXPECT_EQ(lock(b, F_RDLCK, 30, 1), -EAGAIN);
  EXPECT_EQ(lock(a, F_WRLCK, 0, 30), -EAGAIN) << "the other one shares it";
  EXPECT_EQ(lock(b, F_WRLCK, 0, 1), -EAGAIN) << "a failed upgrade leaves what was there";
  EXPECT_EQ(lock(b, F_UNLCK, 0, 0), 0);
  EXPECT_EQ(lock(a, F_WRLCK, 0, 30), 0);
  EXPECT_EQ(lock(a, F_WRLCK, 10, 80), 0) << "over what it has, and the hole";
  EXPECT_FALSE(is_free(b, 50));
}

TEST_F(FuseLocks, EndWithTheCloseAndAreSeenByTheLibrary) {
  ASSERT_EQ(lock(a, F_WRLCK, 0, 0), 0);
  EXPECT_FALSE(is_free(b, 7));
  { const Fd same(world.at("a", "/f"), O_RDONLY); }  // As POSIX says: any close of the file.
  EXPECT_TRUE(is_free(b, 7));
  ASSERT_EQ(lock(a, F_WRLCK, 0, 10), 0);
  benchfs_mount* const mount = benchfs_mount_open(world.cluster.session_directory().c_str());
  benchfs_file* const file = benchfs_open(mount, "/f", O_RDWR, 0, nullptr);
  benchfs_lock* const other = benchfs_lock_range(file, 0, 10, 10);
  EXPECT_NE(other, nullptr);
  EXPECT_FALSE(is_free(a, 10));
  EXPECT_EQ(benchfs_unlock(other), 0);
  EXPECT_TRUE(is_free(a, 10));
  benchfs_close(file);
  benchfs_mount_close(mount);
}

TEST_F(FuseLocks, AreWaitedForAndTheOthersGoOn) {
  ASSERT_EQ(lock(a, F_WRLCK, 0, 10), 0);
  std::thread waiting([&] { EXPECT_EQ(lock(b, F_WRLCK, 0, 10, F_SETLKW), 0); });
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(::pwrite(b, "x", 1, i), 1) << "the mount serves others meanwhile";
  }
  // The waiter has begun to wait when it keeps a new lock of the same bytes from being granted;
  // but the owner of what it waits for goes past it.
  EXPECT_EQ(lock(a, F_UNLCK, 0, 5), 0);
  EXPECT_EQ(lock(a, F_WRLCK, 5, 5), 0);
  EXPECT_EQ(lock(a, F_UNLCK, 0, 0), 0);
  waiting.join();
  EXPECT_EQ(lock(a, F_WRLCK, 0, 10), -EAGAIN);
}

TEST_F(FuseLocks, AWaitEndsWithASignal) {
  ASSERT_EQ(lock(a, F_WRLCK, 0, 10), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval every{.it_interval = {.tv_sec = 0, .tv_usec = 100'000},
                          .it_value = {.tv_sec = 0, .tv_usec = 100'000}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
    ::_exit(lock(b, F_WRLCK, 0, 10, F_SETLKW) == -EINTR ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(lock(a, F_UNLCK, 0, 0), 0);
  EXPECT_EQ(lock(b, F_WRLCK, 0, 10), 0) << "nothing of the wait is left";
}

TEST_F(FuseLocks, OfFlockAreApartFromThoseOfFcntl) {
  ASSERT_EQ(::flock(a, LOCK_EX), 0);
  EXPECT_EQ(or_errno(::flock(b, LOCK_SH | LOCK_NB)), -EAGAIN);
  EXPECT_EQ(lock(b, F_WRLCK, 0, 0), 0);
  ASSERT_EQ(::flock(a, LOCK_SH), 0);
  EXPECT_EQ(::flock(b, LOCK_SH | LOCK_NB), 0);
  a.close();
  // Its release comes after the close.
  EXPECT_EQ(::flock(b, LOCK_EX), 0);
}

}  // namespace
}  // namespace benchfs::test
