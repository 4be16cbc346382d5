#pragma once

// The seam below which the drive begins. Production: io::UringDisk, io::PosixDisk. Tests and the
// memory store: io::MemoryDisk. Simulation: sim::SimDisk.
//
// Threading: loop thread only; completions arrive there too.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/result.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::io {

class DiskMeter;
class DiskOp;

/// How a disk reaches its bytes: for status and logs, not to decide anything by.
struct DiskTraits {
  std::string_view backend;  ///< "io_uring", "posix", "memory".
  bool direct_io = false;    ///< O_DIRECT: past the kernel's page cache.
};

/// A store of bytes of fixed size with asynchronous positional access.
class Disk {
 public:
  virtual ~Disk() = default;

  /// Queues `op`, which completes later, never inside this call, by op.complete(). `op` and its
  /// buffer stay where they are until then.
  virtual void submit(DiskOp& op) noexcept = 0;

  virtual std::uint64_t size_bytes() const noexcept = 0;

  /// Offsets, lengths and buffer addresses must be multiples of this (a power of two).
  virtual std::size_t alignment_bytes() const noexcept = 0;

  virtual DiskTraits traits() const noexcept { return {.backend = "memory"}; }

  /// Counts what is asked of this disk from now on; borrowed, nullptr: nothing does.
  void set_meter(DiskMeter* meter) noexcept { meter_ = meter; }
  DiskMeter* meter() const noexcept { return meter_; }

 private:
  DiskMeter* meter_ = nullptr;
};

enum class DiskOpKind : std::uint8_t { kRead, kWrite, kFsync };

/// One operation, awaited once. Lives in the awaiting coroutine's frame: no allocation per
/// operation.
///
/// A read or write moves the whole range or fails: a Disk goes on after short transfers by itself.
/// Errors: kIo with errno, kOutOfSpace (ENOSPC below a file that was not preallocated), kOutOfRange
/// (not inside of the disk), kInvalid (offset, length or buffer not aligned). After a failed write
/// the range holds any mixture of old and new bytes.
class DiskOp {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  Status await_resume() const noexcept { return status_; }

  DiskOpKind kind() const noexcept { return kind_; }
  std::uint64_t offset_bytes() const noexcept { return offset_bytes_; }
  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return size_bytes_; }

  /// For the Disk: what it sets before it calls complete().
  void set_status(Status status) noexcept { status_ = status; }
  /// For the Disk, once: the operation has ended. Posts who waits for it to `loop`.
  void complete(loop::EventLoop& loop) noexcept;

  DiskOp* next = nullptr;       ///< For the Disk's queue.
  std::size_t done_bytes = 0;   ///< For the Disk: progress over short transfers.
  std::uint32_t file_slot = 0;  ///< For a Disk that shares a ring: which registered file.

 protected:
  DiskOp(Disk& disk, DiskOpKind kind, std::uint64_t offset_bytes, std::byte* data,
         std::size_t size_bytes) noexcept
      : disk_(disk),
        kind_(kind),
        offset_bytes_(offset_bytes),
        data_(data),
        size_bytes_(size_bytes) {}
  DiskOp(const DiskOp&) = delete;
  DiskOp& operator=(const DiskOp&) = delete;
  ~DiskOp() = default;

 private:
  Disk& disk_;
  DiskOpKind kind_;
  std::uint64_t offset_bytes_;
  std::byte* data_;
  std::size_t size_bytes_;
  std::coroutine_handle<> waiter_;
  Status status_;
  DiskMeter* meter_ = nullptr;  ///< Of the disk when this was submitted.
  std::uint64_t begun_ns_ = 0;
};

/// What every Disk checks before it starts `op`: kOutOfRange, kInvalid.
Status check_range(const Disk& disk, const DiskOp& op) noexcept;

/// Fills `buffer` from `offset_bytes`. `io::ReadOp op(disk, offset, buffer); co_await op;`
class ReadOp final : public DiskOp {
 public:
  ReadOp(Disk& disk, std::uint64_t offset_bytes, Bytes buffer) noexcept
      : DiskOp(disk, DiskOpKind::kRead, offset_bytes, buffer.data(), buffer.size()) {}
};

/// Writes `buffer` at `offset_bytes`. Done when the drive or its cache has it; see FsyncOp.
class WriteOp final : public DiskOp {
 public:
  WriteOp(Disk& disk, std::uint64_t offset_bytes, ConstBytes buffer) noexcept
      : DiskOp(disk, DiskOpKind::kWrite, offset_bytes, const_cast<std::byte*>(buffer.data()),
               buffer.size()) {}
};

/// Every write that completed before this was submitted survives power loss once it succeeds.
class FsyncOp final : public DiskOp {
 public:
  explicit FsyncOp(Disk& disk) noexcept : DiskOp(disk, DiskOpKind::kFsync, 0, nullptr, 0) {}
};

}  // namespace benchfs::io
