#include "io/blocking_calls.h"

#include <csignal>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"

namespace benchfs::io {

void BlockingCalls::Queue::push(Call& call) noexcept {
  call.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &call;
  last_ = &call;
}

BlockingCalls::Call& BlockingCalls::Queue::pop() noexcept {
  Call& call = *first_;
  first_ = call.next_;
  if (first_ == nullptr) {
    last_ = nullptr;
  }
  return call;
}

Result<std::unique_ptr<BlockingCalls>> BlockingCalls::create(loop::EventLoop& loop) {
  std::unique_ptr<BlockingCalls> calls(new BlockingCalls(loop));
  BlockingCalls* const self = calls.get();
  BENCHFS_TRY(calls->wake_, loop::WakeFd::create(loop, [self] { self->reap(); }));
  BENCHFS_CHECK(calls->start_threads());
  return calls;
}

Status BlockingCalls::start_threads() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int result = 0;
  while (result == 0 && threads_.size() < kBlockingThreads) {
    pthread_t thread{};
    result = ::pthread_create(&thread, nullptr, &BlockingCalls::thread_main, this);
    if (result == 0) {
      threads_.push_back(thread);
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (threads_.empty()) {
    log_error("cannot start a thread for calls that block: {}", std::strerror(result));
    return fail(from_errno(result), "blocking_calls.thread", result);
  }
  return {};
}

BlockingCalls::~BlockingCalls() {
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

void BlockingCalls::submit(Call& call) noexcept {
  ++in_flight_;
  {
    const std::lock_guard lock(mutex_);
    queued_.push(call);
  }
  wanted_.notify_one();
}

void* BlockingCalls::thread_main(void* self) noexcept {
  static_cast<BlockingCalls*>(self)->work();
  return nullptr;
}

void BlockingCalls::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    if (queued_.empty()) {
      return;
    }
    Call& call = queued_.pop();
    lock.unlock();
    call.perform();
    lock.lock();
    finished_.push(call);
    // Under the lock, as the loop may destroy this once it has the call; see the destructor.
    wake_->notify();
  }
}

void BlockingCalls::reap() {
  Queue finished;
  {
    const std::lock_guard lock(mutex_);
    finished = std::exchange(finished_, Queue());
  }
  while (!finished.empty()) {
    const Call& call = finished.pop();
    --in_flight_;
    loop_.post(call.waiter_);
  }
}

}  // namespace benchfs::io
