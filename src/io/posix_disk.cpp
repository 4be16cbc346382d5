#include "io/posix_disk.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "io/transfer.h"

namespace benchfs::io {

void PosixDisk::Queue::push(DiskOp& op) noexcept {
  op.next = nullptr;
  if (last_ == nullptr) {
    first_ = &op;
  } else {
    last_->next = &op;
  }
  last_ = &op;
}

DiskOp& PosixDisk::Queue::pop() noexcept {
  DiskOp& op = *first_;
  first_ = op.next;
  if (first_ == nullptr) {
    last_ = nullptr;
  }
  return op;
}

Result<std::unique_ptr<PosixDisk>> PosixDisk::create(loop::EventLoop& loop, File file) {
  std::unique_ptr<PosixDisk> disk(new PosixDisk(loop, std::move(file)));
  PosixDisk* const self = disk.get();
  BENCHFS_TRY(disk->wake_, loop::WakeFd::create(loop, [self] { self->reap(); }));
  BENCHFS_CHECK(disk->start_threads());
  return disk;
}

Status PosixDisk::start_threads() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int result = 0;
  while (result == 0 && threads_.size() < kPosixThreads) {
    pthread_t thread{};
    result = ::pthread_create(&thread, nullptr, &PosixDisk::thread_main, this);
    if (result == 0) {
      threads_.push_back(thread);
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (result != 0) {
    log_error("{}: cannot start a thread for it: {}", file_.path(), std::strerror(result));
    return fail(from_errno(result), "posix_disk.thread", result);
  }
  return {};
}

PosixDisk::~PosixDisk() {
  BENCHFS_ASSERT(in_flight_ == 0);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (const pthread_t thread : threads_) {
    ::pthread_join(thread, nullptr);
  }
}

void PosixDisk::submit(DiskOp& op) noexcept {
  const Status checked = check_range(*this, op);
  if (!checked || (op.size_bytes() == 0 && op.kind() != DiskOpKind::kFsync)) {
    op.set_status(checked);
    op.complete(loop_);
    return;
  }
  ++in_flight_;
  {
    const std::lock_guard lock(mutex_);
    queued_.push(op);
  }
  wanted_.notify_one();
}

void* PosixDisk::thread_main(void* self) noexcept {
  static_cast<PosixDisk*>(self)->work();
  return nullptr;
}

void PosixDisk::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    if (queued_.empty()) {
      return;
    }
    DiskOp& op = queued_.pop();
    lock.unlock();
    perform(op);
    lock.lock();
    finished_.push(op);
    // Under the lock: once the loop has this operation it may destroy the disk, but it cannot have
    // joined this thread before the lock is free.
    wake_->notify();
  }
}

void PosixDisk::perform(DiskOp& op) noexcept {
  TransferStep step = TransferStep::kAgain;
  while (step == TransferStep::kAgain) {
    const auto offset = static_cast<off_t>(rest_offset_bytes(op));
    ssize_t result = -1;
    switch (op.kind()) {
      case DiskOpKind::kRead:
        result = ::pread(file_.fd(), rest_data(op), rest_size_bytes(op), offset);
        break;
      case DiskOpKind::kWrite:
        result = ::pwrite(file_.fd(), rest_data(op), rest_size_bytes(op), offset);
        break;
      case DiskOpKind::kFsync:
        result = ::fdatasync(file_.fd());
        break;
    }
    step = advance(op, result < 0 ? -errno : result, kBlockBytes);
  }
}

void PosixDisk::reap() {
  Queue finished;
  {
    const std::lock_guard lock(mutex_);
    finished = std::exchange(finished_, Queue());
  }
  while (!finished.empty()) {
    DiskOp& op = finished.pop();
    --in_flight_;
    log_failure(op, file_.path());
    op.complete(loop_);
  }
}

}  // namespace benchfs::io
