// A benchfsd whose drive fails when a test says so (drive_faults.h). It is the product's main and
// libraries; the linker puts the functions here between the store and what makes its drive, and
// between the drive in threads and the kernel (--wrap, in integration/session_tests.cmake).

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <sys/types.h>

#include "base/limits.h"
#include "base/units.h"
#include "coro/scope.h"
#include "io/data_file.h"
#include "io/transfer.h"
#include "journal/journal.h"
#include "loop/event_loop.h"
#include "support/drive_faults.h"

namespace benchfs::test {
namespace {

constexpr int kRubbish = 0xEE;

/// Around the real one.
class FaultyDisk final : public io::Disk {
 public:
  FaultyDisk(loop::EventLoop& loop, std::unique_ptr<io::Disk> below, DriveFaults& faults,
             std::string path)
      : loop_(loop),
        below_(std::move(below)),
        faults_(faults),
        path_(std::move(path)),
        journal_bytes_(
            (journal::kAnchorBlocks + journal::ring_blocks_of(below_->size_bytes() / kBlockBytes)) *
            kBlockBytes) {}

  void submit(io::DiskOp& op) noexcept override {
    if (const std::uint64_t delay_us = faults_.delay_us; delay_us > 0) {
      scope_.spawn(begin_later(op, delay_us * kNsPerUs));
    } else {
      begin(op);
    }
  }
  std::uint64_t size_bytes() const noexcept override { return below_->size_bytes(); }
  std::size_t alignment_bytes() const noexcept override { return below_->alignment_bytes(); }
  io::DiskTraits traits() const noexcept override { return below_->traits(); }

 private:
  coro::Task<void> begin_later(io::DiskOp& op, std::uint64_t delay_ns) {
    loop::SleepOp delay(loop_, loop_.now_ns() + delay_ns);
    co_await delay;
    begin(op);
  }

  void begin(io::DiskOp& op) noexcept {
    const auto call = static_cast<DriveCall>(op.kind());
    const DriveArea area = op.kind() == io::DiskOpKind::kFsync || op.offset_bytes() < journal_bytes_
                               ? DriveArea::kJournal
                               : DriveArea::kData;
    DriveFaults::Fault& fault = faults_.fault(call, area);
    const int error_code = fault.error_code;
    if (error_code == 0) {
      below_->submit(op);
      return;
    }
    ++fault.count;
    if (op.kind() == io::DiskOpKind::kWrite) {
      scope_.spawn(tear(op, error_code));
      return;
    }
    if (op.kind() == io::DiskOpKind::kRead) {
      std::memset(op.data(), kRubbish, op.size_bytes());
    }
    end(op, error_code);
  }
  coro::Task<void> tear(io::DiskOp& op, int error_code) {
    const std::size_t half = round_down(op.size_bytes() / 2, alignment_bytes());
    if (half > 0) {
      io::WriteOp writing(*below_, op.offset_bytes(), ConstBytes(op.data(), half));
      co_await writing;
    }
    end(op, error_code);
  }

  /// As the real ones end an operation that the kernel has refused.
  void end(io::DiskOp& op, int error_code) noexcept {
    (void)io::advance(op, -error_code, alignment_bytes());
    io::log_failure(op, path_);
    op.complete(loop_);
  }

  loop::EventLoop& loop_;
  const std::unique_ptr<io::Disk> below_;
  DriveFaults& faults_;
  const std::string path_;
  const std::uint64_t journal_bytes_;
  coro::Scope scope_;
};

/// Of the only drive that a server has; it stays to the end of the process.
DriveFaults* the_faults = nullptr;

Result<std::unique_ptr<io::Disk>> wrap(loop::EventLoop& loop, const std::string& path,
                                       Result<std::unique_ptr<io::Disk>> disk) {
  if (!disk.has_value()) {
    return disk;
  }
  const char* const directory = std::getenv(kDriveFaultsVariable);
  if (directory == nullptr) {
    std::fprintf(stderr, "%s is not set\n", kDriveFaultsVariable);
    std::abort();
  }
  const std::filesystem::path file(path);
  const std::string name = file.parent_path().filename().string();
  static SharedDriveFaults faults(std::string(directory) + "/" + name);
  the_faults = &*faults;
  return std::unique_ptr<io::Disk>(
      std::make_unique<FaultyDisk>(loop, std::move(*disk), *faults, path));
}

/// How much of a transfer the kernel gets to see.
std::size_t shortened(std::size_t size) noexcept {
  if (the_faults == nullptr || the_faults->short_transfers == 0 || size <= kBlockBytes) {
    return size;
  }
  ++the_faults->short_count;
  return round_down(size / 2 + kBlockBytes - 1, kBlockBytes);
}

}  // namespace

// What --wrap calls instead (__wrap_) and what it leaves of the original (__real_), by the names
// that C++ gives them.
#define BENCHFS_TEST_NAME(function) \
#function "ERNS_4loop9EventLoopERKNS0_15DataFileOptionsEPNS0_10BufferPoolE"

Result<std::unique_ptr<io::Disk>> real_create(
    loop::EventLoop&, const io::DataFileOptions&,
    io::BufferPool*) __asm__("__real_" BENCHFS_TEST_NAME(_ZN7benchfs2io16create_data_file));
Result<std::unique_ptr<io::Disk>> real_open(
    loop::EventLoop&, const io::DataFileOptions&,
    io::BufferPool*) __asm__("__real_" BENCHFS_TEST_NAME(_ZN7benchfs2io14open_data_file));

Result<std::unique_ptr<io::Disk>> wrap_create(
    loop::EventLoop&, const io::DataFileOptions&,
    io::BufferPool*) __asm__("__wrap_" BENCHFS_TEST_NAME(_ZN7benchfs2io16create_data_file));
Result<std::unique_ptr<io::Disk>> wrap_open(
    loop::EventLoop&, const io::DataFileOptions&,
    io::BufferPool*) __asm__("__wrap_" BENCHFS_TEST_NAME(_ZN7benchfs2io14open_data_file));

ssize_t real_pread(int fd, void* data, std::size_t size, off_t offset) __asm__("__real_pread");
ssize_t real_pwrite(int fd, const void* data, std::size_t size,
                    off_t offset) __asm__("__real_pwrite");
ssize_t wrap_pread(int fd, void* data, std::size_t size, off_t offset) __asm__("__wrap_pread");
ssize_t wrap_pwrite(int fd, const void* data, std::size_t size,
                    off_t offset) __asm__("__wrap_pwrite");

Result<std::unique_ptr<io::Disk>> wrap_create(loop::EventLoop& loop,
                                              const io::DataFileOptions& options,
                                              io::BufferPool* pool) {
  return wrap(loop, options.path, real_create(loop, options, pool));
}

Result<std::unique_ptr<io::Disk>> wrap_open(loop::EventLoop& loop,
                                            const io::DataFileOptions& options,
                                            io::BufferPool* pool) {
  return wrap(loop, options.path, real_open(loop, options, pool));
}

ssize_t wrap_pread(int fd, void* data, std::size_t size, off_t offset) {
  return real_pread(fd, data, shortened(size), offset);
}

ssize_t wrap_pwrite(int fd, const void* data, std::size_t size, off_t offset) {
  return real_pwrite(fd, data, shortened(size), offset);
}

}  // namespace benchfs::test
