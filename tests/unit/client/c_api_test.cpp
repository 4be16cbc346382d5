// Goal: the C functions refuse what cannot be right with the errno of their contract and a
// sentence, and say in bounded time that nobody answers; a session that is none is told apart from
// one that is down. Method: session files made here, of servers that do not exist; no server runs.

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchfs/benchfs.h"
#include "client/file_export.h"
#include "session/session_file.h"
#include "support/temp_dir.h"

namespace benchfs {
namespace {

std::string text() {
  return benchfs_error_text();
}

/// A session of two servers that are not there.
class CApi : public testing::Test {
 protected:
  CApi() {
    ::unsetenv("BENCHFS_SESSION");
    ::unsetenv("BENCHFS_TIMEOUT");
    session_.session_id = 77;
    session_.epoch = 1;
    session_.uid = ::geteuid();
    session_.servers.resize(2);
    for (session::Server& server : session_.servers) {
      server.host = "nowhere";
      server.address.resize(16);
    }
    directory_ = scratch_.file("session");
    EXPECT_TRUE(session::prepare_directory(directory_).has_value());
    EXPECT_TRUE(session::publish_session(directory_, session_).has_value());
  }

  benchfs_mount* join() {
    benchfs_mount* const mount = benchfs_mount_open(directory_.c_str());
    EXPECT_NE(mount, nullptr) << text();
    return mount;
  }

  /// An open file that no server knows of.
  benchfs_file* attach(benchfs_mount* mount, std::uint32_t flags = 3) {
    std::array<std::byte, client::kExportBytes> bytes{};
    client::encode_export({.session_id = 77,
                           .epoch = 1,
                           .inode = 5,
                           .layout = {.chunk_bytes = 4096, .stripe_count = 2},
                           .flags = flags,
                           .open_id = 1,
                           .truncate_epoch = 0},
                          bytes);
    return benchfs_file_attach(mount, bytes.data(), bytes.size());
  }

  test::TempDir scratch_;
  session::Session session_;
  std::string directory_;
};

TEST_F(CApi, HasAVersionAndNoErrorAtFirst) {
  EXPECT_NE(std::string(benchfs_version()).find('.'), std::string::npos);
}

TEST_F(CApi, TellsWhyASessionCannotBeJoined) {
  errno = 0;
  EXPECT_EQ(benchfs_mount_open(nullptr), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(text().find("BENCHFS_SESSION"), std::string::npos);

  EXPECT_EQ(benchfs_mount_open(scratch_.file("none").c_str()), nullptr);
  EXPECT_EQ(errno, ENOENT) << text();

  EXPECT_EQ(::chmod((directory_ + "/session").c_str(), 0644), 0);
  EXPECT_EQ(benchfs_mount_open(directory_.c_str()), nullptr);
  EXPECT_EQ(errno, EACCES) << text();
  EXPECT_EQ(::chmod((directory_ + "/session").c_str(), 0600), 0);

  std::ofstream(directory_ + "/session") << "not a session";
  EXPECT_EQ(benchfs_mount_open(directory_.c_str()), nullptr);
  EXPECT_EQ(errno, EINVAL) << text();
}

TEST_F(CApi, RefusesATimeoutThatIsNone) {
  ::setenv("BENCHFS_TIMEOUT", "soon", 1);
  EXPECT_EQ(benchfs_mount_open(directory_.c_str()), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(text().find("BENCHFS_TIMEOUT"), std::string::npos);
  ::unsetenv("BENCHFS_TIMEOUT");
}

TEST_F(CApi, JoinsByTheVariableAndSeveralTimesInOneProcess) {
  ::setenv("BENCHFS_SESSION", directory_.c_str(), 1);
  benchfs_mount* const one = benchfs_mount_open(nullptr);
  ASSERT_NE(one, nullptr) << text();
  benchfs_mount* const other = join();
  EXPECT_EQ(benchfs_server_count(one), 2);
  EXPECT_EQ(benchfs_mount_close(one), 0);
  EXPECT_EQ(benchfs_server_count(other), 2);
  EXPECT_EQ(benchfs_mount_close(other), 0);
}

TEST_F(CApi, FailsInBoundedTimeWhenNobodyIsThere) {
  ::setenv("BENCHFS_TIMEOUT", "1s", 1);
  benchfs_mount* const mount = join();
  struct stat attributes {};
  EXPECT_EQ(benchfs_ping(mount, 1), -1);
  EXPECT_NE(errno, 0);
  EXPECT_NE(text().find("server 1 (nowhere)"), std::string::npos) << text();
  EXPECT_EQ(benchfs_stat(mount, "/a", &attributes), -1);
  EXPECT_EQ(benchfs_open(mount, "/a", O_RDONLY, 0, nullptr), nullptr);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, RefusesNullWhereSomethingMustBe) {
  benchfs_mount* const mount = join();
  benchfs_file* const file = attach(mount);
  ASSERT_NE(file, nullptr);
  struct stat attributes {};
  struct statvfs space {};
  benchfs_dirent entry;
  ssize_t result = 0;
  const auto expect_refused = [](long returned) {
    EXPECT_EQ(returned, -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_FALSE(text().empty());
    errno = 0;
  };
  expect_refused(benchfs_mount_close(nullptr));
  expect_refused(benchfs_server_count(nullptr));
  expect_refused(benchfs_ping(nullptr, 0));
  expect_refused(benchfs_ping(mount, -1));
  expect_refused(benchfs_ping(mount, 2));
  expect_refused(benchfs_statvfs(nullptr, &space));
  expect_refused(benchfs_statvfs(mount, nullptr));
  expect_refused(benchfs_stat(nullptr, "/a", &attributes));
  expect_refused(benchfs_stat(mount, nullptr, &attributes));
  expect_refused(benchfs_stat(mount, "/a", nullptr));
  expect_refused(benchfs_unlink(mount, nullptr));
  expect_refused(benchfs_rename(mount, "/a", nullptr));
  expect_refused(benchfs_rename(mount, nullptr, "/a"));
  expect_refused(benchfs_close(nullptr));
  expect_refused(benchfs_pread(nullptr, &attributes, 1, 0));
  expect_refused(benchfs_preadv(file, nullptr, 1, 0));
  expect_refused(benchfs_fstat(file, nullptr));
  expect_refused(benchfs_file_layout(file, nullptr));
  expect_refused(benchfs_file_export(file, nullptr, BENCHFS_EXPORT_SIZE));
  expect_refused(benchfs_request_test(nullptr, &result));
  expect_refused(benchfs_request_wait(nullptr));
  expect_refused(benchfs_readdir(nullptr, &entry));
  expect_refused(benchfs_closedir(nullptr));
  EXPECT_EQ(benchfs_open(nullptr, "/a", O_RDONLY, 0, nullptr), nullptr);
  EXPECT_EQ(benchfs_open(mount, nullptr, O_RDONLY, 0, nullptr), nullptr);
  EXPECT_EQ(benchfs_opendir(mount, nullptr), nullptr);
  EXPECT_EQ(benchfs_file_attach(mount, nullptr, BENCHFS_EXPORT_SIZE), nullptr);
  EXPECT_EQ(benchfs_pread(file, nullptr, 1, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(benchfs_close(file), 0);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, RefusesNumbersThatCannotBe) {
  benchfs_mount* const mount = join();
  benchfs_file* const file = attach(mount);
  char byte = 0;
  EXPECT_EQ(benchfs_pread(file, &byte, 1, -1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_pwrite(file, &byte, 1, INT64_MAX), -1);
  EXPECT_EQ(errno, EFBIG);
  EXPECT_EQ(benchfs_pread(file, &byte, 1, INT64_MAX), 0) << "nothing can be there";
  EXPECT_EQ(benchfs_pwrite(file, &byte, SIZE_MAX, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  const iovec pieces[2] = {{&byte, SSIZE_MAX}, {&byte, 1}};
  EXPECT_EQ(benchfs_pwritev(file, pieces, 2, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_pwritev(file, pieces, -1, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_ftruncate(file, -1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_truncate(mount, "/a", -1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_lseek(file, 0, 99), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_lseek(file, 0, SEEK_HOLE), -1);
  EXPECT_EQ(errno, ENOTSUP);
  char export_bytes[BENCHFS_EXPORT_SIZE];
  EXPECT_EQ(benchfs_file_export(file, export_bytes, sizeof(export_bytes) - 1), -1);
  EXPECT_EQ(errno, EINVAL);
  const struct timespec wrong[2] = {{0, -5}, {0, 0}};
  EXPECT_EQ(benchfs_utimens(mount, "/a", wrong), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_close(file), 0);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, RefusesListsThatDoNotMatch) {
  benchfs_mount* const mount = join();
  benchfs_file* const file = attach(mount);
  char bytes[10] = {};
  const iovec memory{bytes, sizeof(bytes)};
  const benchfs_extent shorter{0, 9};
  const benchfs_extent longer{0, 11};
  const benchfs_extent beyond{UINT64_MAX, 10};
  for (const benchfs_extent& extent : {shorter, longer, beyond}) {
    errno = 0;
    EXPECT_EQ(benchfs_write_list(file, &memory, 1, &extent, 1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(benchfs_read_list(file, &memory, 1, &extent, 1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(benchfs_write_list_begin(file, &memory, 1, &extent, 1), nullptr);
    EXPECT_EQ(errno, EINVAL);
  }
  EXPECT_EQ(benchfs_read_list(file, nullptr, 0, nullptr, 0), 0);
  EXPECT_EQ(benchfs_close(file), 0);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, RefusesOpensThatCannotBe) {
  benchfs_mount* const mount = join();
  const auto expect_errno = [&](int wanted, const char* path, int flags,
                                const benchfs_layout* layout) {
    errno = 0;
    EXPECT_EQ(benchfs_open(mount, path, flags, 0600, layout), nullptr);
    EXPECT_EQ(errno, wanted) << path << " " << text();
  };
  const benchfs_layout no_chunk{0, 1};
  const benchfs_layout huge_chunk{(std::uint64_t{1} << 40) + 1, 1};
  expect_errno(EINVAL, "/a", O_RDWR | O_CREAT, &no_chunk);
  expect_errno(EINVAL, "/a", O_RDWR | O_CREAT, &huge_chunk);
  expect_errno(EINVAL, "/a", O_WRONLY | O_RDWR, nullptr);
  expect_errno(EINVAL, "/a", O_RDWR | O_NONBLOCK, nullptr);
  expect_errno(EINVAL, "relative", O_RDONLY, nullptr);
  expect_errno(ENOENT, "", O_RDONLY, nullptr);
  expect_errno(ENAMETOOLONG, ("/" + std::string(256, 'x')).c_str(), O_RDONLY, nullptr);
  expect_errno(EISDIR, "/", O_RDONLY, nullptr);
  expect_errno(EISDIR, "/..", O_RDONLY, nullptr);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, RefusesExportsOfOtherSessionsAndOtherBytes) {
  benchfs_mount* const mount = join();
  std::array<std::byte, client::kExportBytes> bytes{};
  EXPECT_EQ(benchfs_file_attach(mount, bytes.data(), bytes.size()), nullptr);
  EXPECT_EQ(errno, EINVAL);
  client::FileExport what{.session_id = 78,
                          .epoch = 1,
                          .inode = 5,
                          .layout = {.chunk_bytes = 4096, .stripe_count = 2},
                          .flags = 3};
  client::encode_export(what, bytes);
  EXPECT_EQ(benchfs_file_attach(mount, bytes.data(), bytes.size()), nullptr);
  EXPECT_EQ(errno, ESTALE);
  what.session_id = 77;
  what.layout.stripe_count = 3;  // More than there are.
  client::encode_export(what, bytes);
  EXPECT_EQ(benchfs_file_attach(mount, bytes.data(), bytes.size()), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, ChecksTheAccessModeOfAnAttachedFile) {
  benchfs_mount* const mount = join();
  benchfs_file* const reader = attach(mount, 1);
  char byte = 0;
  EXPECT_EQ(benchfs_pwrite(reader, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(benchfs_write(reader, &byte, 1), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(benchfs_close(reader), 0);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, DoesNotCloseWhatIsInUse) {
  ::setenv("BENCHFS_TIMEOUT", "1s", 1);
  benchfs_mount* const mount = join();
  benchfs_file* const file = attach(mount);
  EXPECT_EQ(benchfs_mount_close(mount), -1);
  EXPECT_EQ(errno, EBUSY);
  char byte = 0;
  benchfs_request* const request = benchfs_pread_begin(file, &byte, 1, 0);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(benchfs_close(file), -1);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(benchfs_request_wait(request), -1);
  EXPECT_EQ(benchfs_close(file), 0);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, RefusesLinksThatCannotBe) {
  benchfs_mount* const mount = join();
  EXPECT_EQ(benchfs_symlink(mount, "", "/b"), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(benchfs_symlink(mount, nullptr, "/b"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_symlink(mount, std::string(4096, 'x').c_str(), "/b"), -1);
  EXPECT_EQ(errno, ENAMETOOLONG);
  char byte = 0;
  EXPECT_EQ(benchfs_readlink(mount, "/b", &byte, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_readlink(mount, "/b", nullptr, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_link(mount, "/a", "/b"), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

TEST_F(CApi, IsOfNoUseInAForkedChildAndUnharmedInTheParent) {
  benchfs_mount* const mount = join();
  benchfs_file* const file = attach(mount);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    const bool refused = benchfs_ping(mount, 0) == -1 && errno == ECHILD &&
                         benchfs_pread(file, &byte, 1, 0) == -1 && errno == ECHILD &&
                         benchfs_close(file) == -1 && errno == ECHILD &&
                         benchfs_mount_close(mount) == -1 && errno == ECHILD;
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(benchfs_close(file), 0);
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

}  // namespace
}  // namespace benchfs
