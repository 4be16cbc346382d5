#pragma once

// A Disk on a file by pread(2) and pwrite(2) in a few threads, for where io_uring is missing or
// forbidden.
//
// Threading: loop thread only; the threads inside touch an operation only between submit() and its
// end.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <pthread.h>

#include "base/limits.h"
#include "base/result.h"
#include "io/disk.h"
#include "io/file.h"
#include "loop/wake_fd.h"

namespace benchfs::io {

inline constexpr std::size_t kPosixThreads = 4;

class PosixDisk final : public Disk {
 public:
  /// Starts the threads. They block all signals, which so reach the loop's thread. kAgain,
  /// kOutOfMemory, kTooManyFiles.
  static Result<std::unique_ptr<PosixDisk>> create(loop::EventLoop& loop, File file);

  /// Requires that no operation is in flight. Stops and joins the threads.
  ~PosixDisk() override;
  PosixDisk(const PosixDisk&) = delete;
  PosixDisk& operator=(const PosixDisk&) = delete;

  void submit(DiskOp& op) noexcept override;
  std::uint64_t size_bytes() const noexcept override { return file_.size_bytes(); }
  std::size_t alignment_bytes() const noexcept override { return kBlockBytes; }
  DiskTraits traits() const noexcept override {
    return {.backend = "posix", .direct_io = file_.direct()};
  }

 private:
  /// Operations in order, linked through DiskOp::next.
  class Queue {
   public:
    bool empty() const noexcept { return first_ == nullptr; }
    void push(DiskOp& op) noexcept;
    DiskOp& pop() noexcept;

   private:
    DiskOp* first_ = nullptr;
    DiskOp* last_ = nullptr;
  };

  PosixDisk(loop::EventLoop& loop, File file) noexcept : loop_(loop), file_(std::move(file)) {}
  Status start_threads();
  static void* thread_main(void* self) noexcept;
  void work() noexcept;
  void perform(DiskOp& op) noexcept;
  void reap();

  loop::EventLoop& loop_;
  const File file_;
  std::unique_ptr<loop::WakeFd> wake_;
  std::vector<pthread_t> threads_;
  std::size_t in_flight_ = 0;

  std::mutex mutex_;
  std::condition_variable wanted_;
  Queue queued_;           ///< Under mutex_.
  Queue finished_;         ///< Under mutex_.
  bool stopping_ = false;  ///< Under mutex_.
};

}  // namespace benchfs::io
