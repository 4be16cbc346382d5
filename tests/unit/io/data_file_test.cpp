// Goal: a data file is created whole or not at all, never taken from somebody, and reached by what
// the machine permits; the log says what the user has to know. Method: real files; children of this
// process in which system calls are forbidden by seccomp or limits are tight.

#include "io/data_file.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/units.h"
#include "coro/scope.h"
#include "io/memory_disk.h"
#include "io/posix_disk.h"
#include "io/uring_disk.h"
#include "support/in_child.h"
#include "support/run_task.h"
#include "support/temp_dir.h"

namespace benchfs::io {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 4 * kMiB;

struct DataFileTest : testing::Test {
  DataFileOptions options(DiskBackend backend = DiskBackend::kAuto) const {
    return {
        .path = directory.file("data"), .size_bytes = kSize, .backend = backend, .direct = true};
  }
  Result<std::unique_ptr<Disk>> create(DiskBackend backend = DiskBackend::kAuto) {
    return create_data_file(real.loop, options(backend), nullptr);
  }

  test::TempDir directory;
  test::RealLoop real;
};

coro::Task<Status> transfer(Disk& disk, DiskOpKind kind, std::uint64_t offset_bytes, Bytes bytes) {
  Status status;
  if (kind == DiskOpKind::kRead) {
    ReadOp op(disk, offset_bytes, bytes);
    status = co_await op;
  } else {
    WriteOp op(disk, offset_bytes, bytes);
    status = co_await op;
  }
  co_return status;
}

/// Whether what is written is read back.
void expect_works(loop::EventLoop& loop, Disk& disk) {
  auto pool = BufferPool::create(loop, 1);
  ASSERT_TRUE(pool.has_value());
  const PoolBuffer out = (*pool)->try_acquire(256 * kKiB);
  const PoolBuffer in = (*pool)->try_acquire(256 * kKiB);
  for (std::size_t i = 0; i < out.bytes().size(); ++i) {
    out.bytes()[i] = static_cast<std::byte>(i * 7 + i / 4096);
  }
  EXPECT_TRUE(test::run_task(loop, transfer(disk, DiskOpKind::kWrite, kMiB, out.bytes())));
  EXPECT_TRUE(test::run_task(loop, transfer(disk, DiskOpKind::kRead, kMiB, in.bytes())));
  EXPECT_EQ(std::memcmp(in.bytes().data(), out.bytes().data(), out.bytes().size()), 0);
}

TEST_F(DataFileTest, ReservesItsWholeSize) {
  const auto disk = create();
  ASSERT_TRUE(disk.has_value());
  struct stat status {};
  ASSERT_EQ(::stat(options().path.c_str(), &status), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), kSize);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, kSize);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(DataFileTest, AutoIsIoUringWhereTheKernelPermitsIt) {
  if (!Uring::create(real.loop).has_value()) {
    GTEST_SKIP() << "no io_uring here";
  }
  const auto disk = create();
  ASSERT_TRUE(disk.has_value());
  EXPECT_NE(dynamic_cast<UringDisk*>(disk->get()), nullptr);
}

TEST_F(DataFileTest, BackendsCanBeForced) {
  const auto memory = create(DiskBackend::kMemory);
  ASSERT_TRUE(memory.has_value());
  EXPECT_NE(dynamic_cast<MemoryDisk*>(memory->get()), nullptr);
  EXPECT_FALSE(fs::exists(options().path));
  const auto posix = create(DiskBackend::kPosix);
  ASSERT_TRUE(posix.has_value());
  EXPECT_NE(dynamic_cast<PosixDisk*>(posix->get()), nullptr);
}

TEST_F(DataFileTest, ALeftoverIsNotOverwritten) {
  create().value().reset();
  const auto again = create();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Errc::kExists);
  EXPECT_EQ(fs::file_size(options().path), kSize);
}

TEST_F(DataFileTest, AFileInUseIsSaidToBeInUse) {
  const auto first = create();
  ASSERT_TRUE(first.has_value());
  const auto result = test::run_in_child([this] {
    test::RealLoop own;
    const auto second = create_data_file(own.loop, options(DiskBackend::kPosix), nullptr);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Errc::kBusy);
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_NE(result.log.find(options().path + ": in use"), std::string::npos) << result.log;
  EXPECT_EQ(fs::file_size(options().path), kSize);
}

TEST_F(DataFileTest, ACapacityBeyondTheFreeSpaceIsRefusedAndLeavesNothing) {
  const auto result = test::run_in_child([this] {
    DataFileOptions large = options(DiskBackend::kPosix);
    large.size_bytes = fs::space(directory.path()).free + 64 * kGiB;
    const auto disk = create_data_file(real.loop, large, nullptr);
    ASSERT_FALSE(disk.has_value());
    EXPECT_EQ(disk.error().code, Errc::kOutOfSpace);
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_NE(result.log.find("cannot reserve a capacity of"), std::string::npos) << result.log;
  EXPECT_NE(result.log.find("free"), std::string::npos) << result.log;
  EXPECT_FALSE(fs::exists(options().path));
}

TEST_F(DataFileTest, SizesAndDirectoriesThatCannotBeAreRefused) {
  DataFileOptions bad = options();
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{4095}, std::uint64_t{UINT64_MAX - 4095}}) {
    bad.size_bytes = size;
    const auto disk = create_data_file(real.loop, bad, nullptr);
    ASSERT_FALSE(disk.has_value());
    EXPECT_EQ(disk.error().code, Errc::kInvalid);
  }
  bad = options();
  bad.path = directory.file("missing/data");
  const auto disk = create_data_file(real.loop, bad, nullptr);
  ASSERT_FALSE(disk.has_value());
  EXPECT_EQ(disk.error().code, Errc::kNotFound);
}

TEST_F(DataFileTest, WithoutIoUringPosixCallsTakeOverAndTheLogSaysSoOnce) {
  for (const int code : {ENOSYS, EPERM, EACCES}) {
    SCOPED_TRACE(std::strerror(code));
    const auto result = test::run_in_child([this, code] {
      ASSERT_TRUE(test::deny_syscall(SYS_io_uring_setup, code));
      const auto disk = create();
      ASSERT_TRUE(disk.has_value());
      EXPECT_NE(dynamic_cast<PosixDisk*>(disk->get()), nullptr);
      expect_works(real.loop, **disk);
    });
    EXPECT_TRUE(result.passed) << result.log;
    EXPECT_EQ(test::count_of(result.log, "io_uring is not available here"), 1U) << result.log;
    fs::remove(options().path);
  }
}

TEST_F(DataFileTest, DemandedIoUringThatIsForbiddenIsAnErrorAndLeavesNothing) {
  const auto result = test::run_in_child([this] {
    ASSERT_TRUE(test::deny_syscall(SYS_io_uring_setup, EPERM));
    const auto disk = create(DiskBackend::kUring);
    ASSERT_FALSE(disk.has_value());
    EXPECT_EQ(disk.error().code, Errc::kUnsupported);
    EXPECT_EQ(disk.error().os_code, EPERM);
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_NE(result.log.find("io_uring is demanded"), std::string::npos) << result.log;
  EXPECT_FALSE(fs::exists(options().path));
}

TEST_F(DataFileTest, WithoutDirectIoBufferedIoTakesOverAndTheLogSaysSoOnce) {
  const auto result = test::run_in_child([this] {
    ASSERT_TRUE(test::deny_syscall(SYS_fcntl, EINVAL, 2, O_DIRECT));
    const auto disk = create();
    ASSERT_TRUE(disk.has_value());
    expect_works(real.loop, **disk);
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_EQ(test::count_of(result.log, "has no direct I/O"), 1U) << result.log;
}

TEST_F(DataFileTest, WithoutReservationTheLogWarns) {
  const auto result = test::run_in_child([this] {
    ASSERT_TRUE(test::deny_syscall(SYS_fallocate, EOPNOTSUPP));
    const auto disk = create();
    ASSERT_TRUE(disk.has_value());
    expect_works(real.loop, **disk);
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_EQ(test::count_of(result.log, "cannot reserve space"), 1U) << result.log;
}

TEST_F(DataFileTest, MemoryThatMayNotBeLockedIsUsedUnregistered) {
  if (!Uring::create(real.loop).has_value()) {
    GTEST_SKIP() << "no io_uring here";
  }
  const auto result = test::run_in_child([this] {
    const rlimit tight{.rlim_cur = 64 * kKiB, .rlim_max = 64 * kKiB};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &tight), 0);
    ASSERT_TRUE(test::drop_capabilities());
    auto pool = BufferPool::create(real.loop, 4 * kMiB);
    ASSERT_TRUE(pool.has_value());
    const auto disk = create_data_file(real.loop, options(DiskBackend::kUring), pool->get());
    ASSERT_TRUE(disk.has_value());
    const PoolBuffer buffer = (*pool)->try_acquire(kMiB);
    EXPECT_TRUE(test::run_task(real.loop, transfer(**disk, DiskOpKind::kWrite, 0, buffer.bytes())));
    EXPECT_EQ(dynamic_cast<UringDisk*>(disk->get())->ring().counters().fixed, 0U);
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_EQ(test::count_of(result.log, "cannot register"), 1U) << result.log;
}

struct ShortTest : DataFileTest, testing::WithParamInterface<DiskBackend> {};

TEST_P(ShortTest, AFileThatLostItsEndIsAnErrorOfTheReadAlone) {
  const auto disk = create(GetParam());
  ASSERT_TRUE(disk.has_value());
  auto pool = BufferPool::create(real.loop, 1);
  const PoolBuffer buffer = (*pool)->try_acquire(kMiB);
  fs::resize_file(options().path, kMiB + 512 * kKiB);
  const Status crossing =
      test::run_task(real.loop, transfer(**disk, DiskOpKind::kRead, kMiB, buffer.bytes()));
  ASSERT_FALSE(crossing.has_value());
  EXPECT_EQ(crossing.error().code, Errc::kIo);
  EXPECT_TRUE(test::run_task(real.loop, transfer(**disk, DiskOpKind::kRead, 0, buffer.bytes())));
}

TEST_P(ShortTest, AShortWriteIsContinuedAndTheFailureOfTheRestReported) {
  const auto result = test::run_in_child([this] {
    const auto disk = create(GetParam());
    ASSERT_TRUE(disk.has_value());
    auto pool = BufferPool::create(real.loop, 1);
    const PoolBuffer buffer = (*pool)->try_acquire(kMiB);
    std::memset(buffer.bytes().data(), 0x5a, kMiB);
    // The kernel cuts a write that crosses this limit, and refuses one that begins behind it.
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = kMiB + 512 * kKiB, .rlim_max = kMiB + 512 * kKiB};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const Status status =
        test::run_task(real.loop, transfer(**disk, DiskOpKind::kWrite, kMiB, buffer.bytes()));
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, Errc::kIo);
    EXPECT_EQ(status.error().os_code, EFBIG);
    std::memset(buffer.bytes().data(), 0, kMiB);
    ASSERT_TRUE(
        test::run_task(real.loop, transfer(**disk, DiskOpKind::kRead, kMiB, buffer.bytes())));
    EXPECT_EQ(buffer.bytes()[512 * kKiB - 1], std::byte{0x5a}) << "the first part was written";
    EXPECT_EQ(buffer.bytes()[512 * kKiB], std::byte{0}) << "the rest was not";
  });
  EXPECT_TRUE(result.passed) << result.log;
  EXPECT_NE(result.log.find(options().path + ": write of"), std::string::npos) << result.log;
}

INSTANTIATE_TEST_SUITE_P(Every, ShortTest,
                         testing::Values(DiskBackend::kUring, DiskBackend::kPosix),
                         [](const auto& param_info) {
                           return std::string(param_info.param == DiskBackend::kUring ? "uring"
                                                                                      : "posix");
                         });

TEST_F(DataFileTest, OneTurnIsOneSubmissionAndPoolBuffersAreFixed) {
  auto pool = BufferPool::create(real.loop, 4 * kMiB);
  ASSERT_TRUE(pool.has_value());
  const auto disk = create_data_file(real.loop, options(DiskBackend::kUring), pool->get());
  ASSERT_TRUE(disk.has_value());
  const Uring& ring = dynamic_cast<UringDisk*>(disk->get())->ring();
  const PoolBuffer buffer = (*pool)->try_acquire(kMiB);
  std::vector<coro::Task<Status>> tasks;
  for (std::size_t i = 0; i < 16; ++i) {
    tasks.push_back(transfer(**disk, DiskOpKind::kWrite, i * kBlockBytes,
                             buffer.bytes().subspan(i * kBlockBytes, kBlockBytes)));
  }
  const std::uint64_t enters_before = ring.counters().enters;
  test::run_task(real.loop, coro::when_all(std::move(tasks)));
  EXPECT_EQ(ring.counters().enters - enters_before, 1U);
  EXPECT_EQ(ring.counters().submitted, 16U);
  EXPECT_EQ(ring.counters().fixed, 16U);
}

}  // namespace
}  // namespace benchfs::io
