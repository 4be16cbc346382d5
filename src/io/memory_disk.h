#pragma once

// A Disk in memory: for tests, and for a store whose bytes need not outlive the process.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "io/disk.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::io {

class MemoryDisk final : public Disk {
 public:
  /// All zeros at first. Memory is taken as it is written. Borrows `loop`. `alignment_bytes` is a
  /// power of two; `size_bytes` a multiple of it. kInvalid, kOutOfMemory.
  static Result<std::unique_ptr<MemoryDisk>> create(loop::EventLoop& loop, std::uint64_t size_bytes,
                                                    std::size_t alignment_bytes = kBlockBytes);
  ~MemoryDisk() override;
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  /// Moves the bytes at once and posts the waiter.
  void submit(DiskOp& op) noexcept override;
  std::uint64_t size_bytes() const noexcept override { return bytes_.size(); }
  std::size_t alignment_bytes() const noexcept override { return alignment_bytes_; }

  /// The bytes themselves, for tests that look at or spoil what is stored.
  Bytes bytes() noexcept { return bytes_; }

 private:
  MemoryDisk(loop::EventLoop& loop, Bytes bytes, std::size_t alignment_bytes) noexcept
      : loop_(loop), bytes_(bytes), alignment_bytes_(alignment_bytes) {}

  loop::EventLoop& loop_;
  const Bytes bytes_;
  const std::size_t alignment_bytes_;
};

}  // namespace benchfs::io
