#pragma once

// The functions that chfs.h and finchfs.h share, so that one test holds for both, and what the
// tests of both need beside them.
//
// Every test joins the live session $BENCHFS_SESSION and leaves it again, so that the process has
// no mount when a test forks.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <chfs.h>
#include <fcntl.h>
#include <finchfs.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchfs::test {

// What IOR and mdtest hand over as flags: bits of their own, which mean other things to POSIX.
inline constexpr int kIorCreateForWriting = 0x32;  // WRONLY | CREAT | TRUNC
inline constexpr int kIorOpenForReading = 0x01;    // RDONLY
inline constexpr int kMdtestCreate = 0x12;         // WRONLY | CREAT
inline constexpr int kIorEveryBit = 0xff;          // EXCL and DIRECT too
inline constexpr std::size_t kIorHardTransfer = 47008;

struct Chfs {
  static constexpr const char* kName = "chfs";
  static constexpr const char* kChunkSizeVariable = "CHFS_CHUNK_SIZE";
  static constexpr auto init = chfs_init;
  static constexpr auto term = chfs_term;
  static constexpr auto version = chfs_version;
  static void set_chunk_size(long bytes) { chfs_set_chunk_size(static_cast<int>(bytes)); }
  static constexpr auto create = chfs_create;
  static int create_chunk_size(const char* path, int flags, mode_t mode, long bytes) {
    return chfs_create_chunk_size(path, flags, mode, static_cast<int>(bytes));
  }
  static constexpr auto open = chfs_open;
  static constexpr auto close = chfs_close;
  static constexpr auto pwrite = chfs_pwrite;
  static constexpr auto pread = chfs_pread;
  static constexpr auto write = chfs_write;
  static constexpr auto read = chfs_read;
  static constexpr auto seek = chfs_seek;
  static constexpr auto fsync = chfs_fsync;
  static constexpr auto unlink = chfs_unlink;
  static constexpr auto mkdir = chfs_mkdir;
  static constexpr auto rmdir = chfs_rmdir;
  static constexpr auto stat = chfs_stat;
};

struct Finchfs {
  static constexpr const char* kName = "finchfs";
  static constexpr const char* kChunkSizeVariable = "FINCHFS_CHUNK_SIZE";
  static constexpr auto init = finchfs_init;
  static constexpr auto term = finchfs_term;
  static constexpr auto version = finchfs_version;
  static void set_chunk_size(long bytes) {
    finchfs_set_chunk_size(static_cast<std::size_t>(bytes));
  }
  static constexpr auto create = finchfs_create;
  static int create_chunk_size(const char* path, int flags, mode_t mode, long bytes) {
    return finchfs_create_chunk_size(path, flags, mode, static_cast<std::size_t>(bytes));
  }
  static constexpr auto open = finchfs_open;
  static constexpr auto close = finchfs_close;
  static constexpr auto pwrite = finchfs_pwrite;
  static constexpr auto pread = finchfs_pread;
  static constexpr auto write = finchfs_write;
  static constexpr auto read = finchfs_read;
  static constexpr auto seek = finchfs_seek;
  static constexpr auto fsync = finchfs_fsync;
  static constexpr auto unlink = finchfs_unlink;
  static constexpr auto mkdir = finchfs_mkdir;
  static constexpr auto rmdir = finchfs_rmdir;
  static constexpr auto stat = finchfs_stat;
};

inline std::byte content_at(std::uint64_t offset, std::uint64_t seed) {
  std::uint64_t x = (offset + 1) * 0x9E3779B97F4A7C15ULL + seed * 0xD6E8FEB86659FD93ULL;
  x ^= x >> 29;
  return static_cast<std::byte>((x * 0xBF58476D1CE4E5B9ULL) >> 56);
}

inline std::vector<std::byte> content(std::uint64_t offset, std::size_t size,
                                      std::uint64_t seed = 0) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = content_at(offset + i, seed);
  }
  return bytes;
}

/// The file holds `expected` and nothing else, asked of a descriptor that is opened for it.
template <typename Fs>
testing::AssertionResult holds(const std::string& path, const std::vector<std::byte>& expected) {
  const int fd = Fs::open(path.c_str(), kIorOpenForReading);
  if (fd < 0) {
    return testing::AssertionFailure() << path << ": errno " << errno;
  }
  std::vector<std::byte> bytes(expected.size() + 10);
  const ssize_t got = Fs::pread(fd, bytes.data(), bytes.size(), 0);
  const int closed = Fs::close(fd);
  if (got != static_cast<ssize_t>(expected.size()) || closed != 0) {
    return testing::AssertionFailure()
           << path << ": " << got << " bytes of " << expected.size() << ", close " << closed;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (bytes[i] != expected[i]) {
      return testing::AssertionFailure() << path << " differs at byte " << i;
    }
  }
  return testing::AssertionSuccess();
}

/// Creates the file with these bytes in it.
template <typename Fs>
testing::AssertionResult put(const std::string& path, const std::vector<std::byte>& bytes) {
  const int fd = Fs::create(path.c_str(), kIorCreateForWriting, 0664);
  if (fd < 0 ||
      Fs::pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
      Fs::close(fd) != 0) {
    return testing::AssertionFailure() << path << ": errno " << errno;
  }
  return testing::AssertionSuccess();
}

template <typename Fs>
off_t size_of(const std::string& path) {
  struct stat status {};
  return Fs::stat(path.c_str(), &status) == 0 ? status.st_size : -1;
}

/// The call fails with this errno.
template <typename Call>
testing::AssertionResult fails_with(int error, Call call) {
  errno = 0;
  if (const auto result = call(); result != -1) {
    return testing::AssertionFailure() << "returned " << result;
  }
  return errno == error ? testing::AssertionSuccess()
                        : testing::AssertionFailure() << "errno " << errno;
}

/// Runs `body(rank)` in processes that start together, each with expectations of its own. How many
/// of them did not meet theirs.
inline int run_ranks(int count, const std::function<void(int)>& body) {
  std::array<int, 2> start{};
  if (::pipe(start.data()) != 0) {
    return count;
  }
  std::fflush(nullptr);
  std::vector<pid_t> ranks;
  for (int rank = 0; rank < count; ++rank) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(start[1]);
      char nothing = 0;
      // Ends when the parent has closed its end: it has started all.
      const ssize_t got = ::read(start[0], &nothing, 1);
      ::alarm(60);
      body(rank);
      std::fflush(nullptr);
      ::_exit(got == 0 && !testing::Test::HasFailure() ? 0 : 1);
    }
    ranks.push_back(child);
  }
  ::close(start[0]);
  ::close(start[1]);
  int failed = 0;
  for (const pid_t rank : ranks) {
    int status = -1;
    failed += rank > 0 && ::waitpid(rank, &status, 0) == rank && status == 0 ? 0 : 1;
  }
  return failed;
}

/// A directory of its own, "/compat-<pid>-<n>", without a session joined.
template <typename Fs>
class Place : public testing::Test {
 protected:
  void SetUp() override {
    static int count = 0;
    directory_ = std::string("/compat-") + Fs::kName + "-" + std::to_string(::getpid()) + "-" +
                 std::to_string(++count);
    ASSERT_EQ(Fs::init(nullptr), 0);
    ASSERT_EQ(Fs::mkdir(directory_.c_str(), 0755), 0);
  }

  void TearDown() override { Fs::term(); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  /// Leaves the session, so that the test may fork.
  void leave() const { ASSERT_EQ(Fs::term(), 0); }
  void join() const { ASSERT_EQ(Fs::init(nullptr), 0); }

  std::string directory_;
};

}  // namespace benchfs::test
