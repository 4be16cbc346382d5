#include "io/fsync_group.h"

namespace benchfs::io {

coro::Task<Status> FsyncGroup::fsync() {
  if (next_ != nullptr) {
    const std::shared_ptr<Round> round = next_;
    ++round->follower_count;
    coro::Semaphore::AcquireOp done = round->done.acquire(1);
    co_await done;
    co_return round->status;
  }
  const std::shared_ptr<Round> round = std::make_shared<Round>();
  next_ = round;
  coro::Semaphore::AcquireOp turn = running_.lock();
  co_await turn;
  next_ = nullptr;  // Who comes from here on is not served by what is submitted now.
  if (failed_.has_value()) {
    FsyncOp op(disk_);
    const Status outcome = co_await op;
    failed_ = outcome;
  }
  const Status status = failed_;
  round->status = status;
  running_.unlock();
  round->done.release(round->follower_count);
  co_return status;
}

}  // namespace benchfs::io
