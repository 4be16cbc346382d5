// Goal: a process that is short of descriptors, or that is about to end, gets an answer and not a
// signal.
// Method: each case spoils a process of its own, which joins the live session $BENCHFS_SESSION.

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include <benchfs/benchfs.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/in_child.h"

namespace {

using benchfs::test::run_in_child;

void limit_descriptors(rlim_t count) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = count;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/// From now on `count` files can be opened and no more.
void leave_descriptors(std::size_t count) {
  std::vector<int> free;
  while (free.size() < count) {
    free.push_back(::open("/dev/null", O_RDONLY));
    ASSERT_GE(free.back(), 0);
  }
  // The limit is on the number of a descriptor: all that are left below it are taken.
  limit_descriptors(free.empty() ? 3 : static_cast<rlim_t>(free.back()) + 1);
  while (::open("/dev/null", O_RDONLY) >= 0) {
  }
  for (const int descriptor : free) {
    ::close(descriptor);
  }
}

TEST(Process, JoiningWithFewDescriptorsWorksOrIsRefused) {
  for (const std::size_t count : {4U, 8U, 12U, 16U, 20U, 23U, 24U, 28U, 32U, 40U}) {
    SCOPED_TRACE(count);
    const auto child = run_in_child([count] {
      leave_descriptors(count);
      benchfs_mount* const mount = benchfs_mount_open(nullptr);
      if (mount == nullptr) {
        EXPECT_EQ(errno, EMFILE) << benchfs_error_text();
        EXPECT_LT(count, 28U);
        return;
      }
      struct stat status {};
      if (benchfs_stat(mount, "/nothing", &status) != 0 && errno != ENOENT) {
        EXPECT_EQ(errno, EMFILE) << benchfs_error_text();
        EXPECT_LT(count, 40U);
      }
      EXPECT_EQ(benchfs_mount_close(mount), 0);
    });
    EXPECT_TRUE(child.passed) << child.log;
  }
}

#if !defined(__SANITIZE_ADDRESS__)
// The undefined behaviour sanitizer looks at objects through a pipe, and takes them for invalid
// when it cannot make one.
TEST(Process, WithoutADescriptorNoServerIsSaidToBeGone) {
  const auto child = run_in_child([] {
    benchfs_mount* const mount = benchfs_mount_open(nullptr);
    ASSERT_NE(mount, nullptr) << benchfs_error_text();
    leave_descriptors(0);
    struct stat status {};
    EXPECT_EQ(benchfs_stat(mount, "/nothing", &status), -1);
    EXPECT_EQ(errno, EMFILE) << benchfs_error_text();
    limit_descriptors(1024);
    EXPECT_EQ(benchfs_stat(mount, "/nothing", &status), -1);
    EXPECT_EQ(errno, ENOENT) << benchfs_error_text();
    EXPECT_EQ(benchfs_mount_close(mount), 0);
  });
  EXPECT_TRUE(child.passed) << child.log;
}
#endif

/// Runs after the exit handlers of all libraries that began to be used later.
void write_at_exit() {
  benchfs_mount* const mount = benchfs_mount_open(nullptr);
  benchfs_file* const file =
      mount == nullptr ? nullptr : benchfs_open(mount, "/at_exit", O_CREAT | O_RDWR, 0644, nullptr);
  char read[5] = "";
  const bool fine = file != nullptr && benchfs_pwrite(file, "late", 4, 0) == 4 &&
                    benchfs_pread(file, read, 4, 0) == 4 && std::string(read) == "late" &&
                    benchfs_close(file) == 0 && benchfs_unlink(mount, "/at_exit") == 0 &&
                    benchfs_mount_close(mount) == 0;
  ::_exit(fine ? 0 : 1);
}

TEST(Process, AnExitHandlerCanStillJoinAndWrite) {
  const auto child = run_in_child([] {
    ASSERT_EQ(std::atexit(write_at_exit), 0);
    benchfs_mount* const mount = benchfs_mount_open(nullptr);
    ASSERT_NE(mount, nullptr) << benchfs_error_text();
    for (int server = 0; server < benchfs_server_count(mount); ++server) {
      EXPECT_EQ(benchfs_ping(mount, server), 0) << benchfs_error_text();
    }
    EXPECT_EQ(benchfs_mount_close(mount), 0);
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): which the handler replaces.
  });
  EXPECT_TRUE(child.passed) << child.log;
}

}  // namespace
