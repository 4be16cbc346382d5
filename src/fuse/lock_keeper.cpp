#include "fuse/lock_keeper.h"

#include <utility>

namespace benchfs::fuse {

namespace {

/// From so many on, those that have ended are looked for, behind one that may wait for long.
constexpr std::size_t kSweptFrom = 64;

}  // namespace

struct LockKeeper::Waiting {
  Number number = 0;
  Locks::Wish wish;
  std::shared_ptr<std::atomic<bool>> cancelled;
  Done done;
  client::Context context;
  std::unique_ptr<client::Operation> operation;
};

LockKeeper::LockKeeper(client::Mount& mount, Locks& locks)
    : mount_(mount), locks_(locks), thread_([this] { run(); }) {}

LockKeeper::~LockKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [number, flag] : cancelled_) {
      flag->store(true, std::memory_order_release);
    }
  }
  changed_.notify_all();
  thread_.join();
}

LockKeeper::Number LockKeeper::reserve() {
  const std::lock_guard lock(mutex_);
  cancelled_[++last_number_] = std::make_shared<std::atomic<bool>>(stopping_);
  return last_number_;
}

coro::Task<void> LockKeeper::wait(Locks& locks, Waiting& waiting) {
  auto waiting_for = locks.wait(waiting.context, waiting.wish, waiting.cancelled);
  const Status status = co_await waiting_for;
  waiting.done(status);
}

void LockKeeper::begin(Number number, const Locks::Wish& wish, Done done) {
  auto waiting = std::make_unique<Waiting>();
  waiting->number = number;
  waiting->wish = wish;
  waiting->done = std::move(done);
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kSweptFrom) {
    let_go_of_ended();
  }
  waiting->cancelled = cancelled_.at(number);
  waiting->operation = std::make_unique<client::Operation>(wait(locks_, *waiting));
  mount_.engine().submit(*waiting->operation);
  waiting_.push_back(std::move(waiting));
  changed_.notify_all();
}

void LockKeeper::cancel(Number number) {
  const std::lock_guard lock(mutex_);
  const auto found = cancelled_.find(number);
  if (found != cancelled_.end()) {
    found->second->store(true, std::memory_order_release);
  }
}

void LockKeeper::let_go_of_ended() {
  std::erase_if(waiting_, [this](const std::unique_ptr<Waiting>& waiting) {
    const bool ended = mount_.engine().test(*waiting->operation);
    if (ended) {
      cancelled_.erase(waiting->number);
    }
    return ended;
  });
}

void LockKeeper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) {
      return;
    }
    // Whoever waits for one runs the loop for all; those that end first are let go in their turn.
    const std::unique_ptr<Waiting> first = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    mount_.engine().wait(*first->operation);
    lock.lock();
    cancelled_.erase(first->number);
  }
}

}  // namespace benchfs::fuse
