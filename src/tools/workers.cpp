#include "tools/workers.h"

#include <utility>

namespace benchfs::tools {

Workers::~Workers() {
  wait();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void Workers::submit(Job job) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(job));
  ++unfinished_;
  if (waiting_.size() > idle_ && threads_.size() < count_) {
    threads_.emplace_back([this] { run(); });
  }
  changed_.notify_all();
}

void Workers::submit_bounded(Job job, std::size_t waiting_max) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() <= waiting_max; });
  }
  submit(std::move(job));
}

void Workers::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return unfinished_ == 0; });
}

void Workers::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) {
      return;
    }
    {
      const Job job = std::move(waiting_.front());
      waiting_.pop_front();
      changed_.notify_all();
      lock.unlock();
      job();
    }  // What the job holds goes before it counts as ended.
    lock.lock();
    --unfinished_;
    changed_.notify_all();
  }
}

}  // namespace benchfs::tools
