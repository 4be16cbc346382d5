#pragma once

// What is wrong with a server's drive, said by a test while the server works on it. The server is
// support/faulty_server.cpp; both have one file in memory, which holds this block.

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace benchfs::test {

/// Names a directory in which each server has a file of the name of its store, as "server-1".
inline constexpr char kDriveFaultsVariable[] = "BENCHFS_TEST_DRIVE_FAULTS";

/// The journal's anchors and ring, or what is behind them: data, and the snapshots among them.
enum class DriveArea : std::uint8_t { kJournal, kData };
enum class DriveCall : std::uint8_t { kRead, kWrite, kFsync };

/// All zero: the drive is well. A read that fails leaves rubbish in the buffer, a write that fails
/// has written its first half, an fsync that fails has done nothing. A server looks whenever it
/// starts an operation, so what the test sets holds for all that begin later.
struct DriveFaults {
  struct Fault {
    std::atomic<int> error_code{0};       ///< errno; 0: none. Set by the test.
    std::atomic<std::uint64_t> count{0};  ///< Operations that it has failed.
  };
  std::array<std::array<Fault, 2>, 3> faults{};  ///< By DriveCall and DriveArea; fsync: of both.

  /// How much longer every operation takes, in microseconds. Set by the test.
  std::atomic<std::uint64_t> delay_us{0};

  /// With the backend "posix": pread(2) and pwrite(2) of more than a block move half of it.
  std::atomic<int> short_transfers{0};
  std::atomic<std::uint64_t> short_count{0};

  Fault& fault(DriveCall call, DriveArea area) noexcept {
    return faults[static_cast<std::size_t>(call)][static_cast<std::size_t>(area)];
  }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// The block of one server, in this process. Aborts if the file cannot be had, since only tests use
/// it.
class SharedDriveFaults {
 public:
  /// Makes the file if it is not there.
  explicit SharedDriveFaults(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* const memory =
        fd >= 0 && ::ftruncate(fd, sizeof(DriveFaults)) == 0
            ? ::mmap(nullptr, sizeof(DriveFaults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
            : MAP_FAILED;
    if (memory == MAP_FAILED) {
      std::perror(path.c_str());
      std::abort();
    }
    ::close(fd);
    faults_ = static_cast<DriveFaults*>(memory);
  }
  ~SharedDriveFaults() { ::munmap(faults_, sizeof(DriveFaults)); }
  SharedDriveFaults(const SharedDriveFaults&) = delete;
  SharedDriveFaults& operator=(const SharedDriveFaults&) = delete;

  DriveFaults& operator*() const noexcept { return *faults_; }
  DriveFaults* operator->() const noexcept { return faults_; }

  void begin(DriveCall call, DriveArea area, int error_code) {
    faults_->fault(call, area).error_code = error_code;
  }
  void end_all() {
    for (auto& areas : faults_->faults) {
      for (DriveFaults::Fault& fault : areas) {
        fault.error_code = 0;
      }
    }
  }
  std::uint64_t count(DriveCall call, DriveArea area) const {
    return faults_->fault(call, area).count;
  }

 private:
  DriveFaults* faults_;
};

}  // namespace benchfs::test
