#pragma once

// A Disk on a file by io_uring.
//
// Threading: loop thread only.

#include <memory>

#include "base/limits.h"
#include "base/result.h"
#include "io/disk.h"
#include "io/file.h"
#include "io/uring.h"

namespace benchfs::io {

class UringDisk final : public Disk {
 public:
  /// Shares `ring` with the other disks of its loop.
  static Result<std::unique_ptr<UringDisk>> create(std::shared_ptr<Uring> ring, File file);

  /// Requires that no operation is in flight.
  ~UringDisk() override;
  UringDisk(const UringDisk&) = delete;
  UringDisk& operator=(const UringDisk&) = delete;

  void submit(DiskOp& op) noexcept override;
  std::uint64_t size_bytes() const noexcept override { return file_.size_bytes(); }
  std::size_t alignment_bytes() const noexcept override { return kBlockBytes; }
  DiskTraits traits() const noexcept override {
    return {.backend = "io_uring", .direct_io = file_.direct()};
  }

  const Uring& ring() const noexcept { return *ring_; }

 private:
  UringDisk(std::shared_ptr<Uring> ring, File file, std::uint32_t slot) noexcept
      : ring_(std::move(ring)), file_(std::move(file)), slot_(slot) {}

  const std::shared_ptr<Uring> ring_;
  const File file_;
  const std::uint32_t slot_;
};

}  // namespace benchfs::io
