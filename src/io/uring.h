#pragma once

// The io_uring of one loop. What a turn queues goes to the kernel with one system call when the
// next turn begins; completions are collected there too and posted.
//
// Threading: create it on the loop's thread; everything belongs to that thread (the kernel refuses
// others: IORING_SETUP_SINGLE_ISSUER).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"
#include "io/disk.h"
#include "loop/event_loop.h"

struct io_uring;

namespace benchfs::io {

/// Operations that the kernel has at once; what is beyond waits here, in order.
inline constexpr std::uint32_t kRingInFlightMax = 256;

/// Files of one ring.
inline constexpr std::uint32_t kRingFilesMax = 8;

/// The kernel's limit on one fixed buffer; larger regions are registered in pieces.
inline constexpr std::uint64_t kFixedBufferBytesMax = kGiB;
inline constexpr std::size_t kFixedBuffersMax = 1024;

struct UringCounters {
  std::uint64_t enters = 0;     ///< System calls that submitted something.
  std::uint64_t submitted = 0;  ///< Operations and continuations of short ones.
  std::uint64_t fixed = 0;      ///< Of these, how many used a fixed buffer.
};

class Uring final : public loop::Source {
 public:
  /// Sets up a ring with the best flags that the kernel has; adds itself to `loop`, which it
  /// borrows, and leaves it in the destructor. The error's os_code tells why io_uring is not to be
  /// had (ENOSYS: none, EPERM: forbidden); it is for the caller to say so and to do without.
  static Result<std::unique_ptr<Uring>> create(loop::EventLoop& loop);

  /// Requires that no operation is in flight.
  ~Uring() override;
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  /// Pins `region`, so that operations inside of it save mapping their pages. Once only; the region
  /// outlives the ring. Returns false, having said why in the log, if that is not permitted:
  /// everything works without.
  bool register_buffers(Bytes region);

  /// Borrows `fd` until remove_file(). `path` is for messages. kTooManyFiles.
  Result<std::uint32_t> add_file(int fd, std::string path, std::size_t alignment_bytes);
  void remove_file(std::uint32_t slot) noexcept;

  /// Queues `op`, whose file_slot is set and whose range was checked.
  void submit(DiskOp& op) noexcept;

  /// Ends `op` with `status` without the kernel.
  void complete_unstarted(DiskOp& op, Status status) noexcept {
    op.set_status(status);
    op.complete(loop_);
  }

  bool progress() noexcept override;
  bool arm() noexcept override;
  int event_fd() const noexcept override { return event_fd_; }

  std::uint32_t in_flight() const noexcept {
    return kRingInFlightMax - static_cast<std::uint32_t>(free_tags_.size());
  }
  const UringCounters& counters() const noexcept { return counters_; }

 private:
  struct FileSlot {
    int fd = -1;
    std::string path;
    std::size_t alignment_bytes = 0;
  };

  Uring(loop::EventLoop& loop, std::unique_ptr<io_uring> ring, int event_fd);
  void prepare_queued() noexcept;
  void prepare(DiskOp& op) noexcept;
  void enter() noexcept;
  bool reap() noexcept;
  void complete(std::uint64_t tag, std::int32_t result) noexcept;
  int fixed_buffer_of(const std::byte* data, std::size_t size) const noexcept;
  bool kernel_has_work() const noexcept;

  loop::EventLoop& loop_;
  const std::unique_ptr<io_uring> ring_;
  const int event_fd_;
  bool fixed_files_ = false;
  std::vector<FileSlot> files_;
  Bytes fixed_region_;
  DiskOp* first_queued_ = nullptr;
  DiskOp* last_queued_ = nullptr;
  std::vector<DiskOp*> tagged_;  ///< What the kernel has, by tag; null if the tag is free.
  std::vector<std::uint32_t> free_tags_;
  UringCounters counters_;
};

}  // namespace benchfs::io
