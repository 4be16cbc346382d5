#include "client/engine.h"

#include <algorithm>

#include "base/assert.h"
#include "base/units.h"

namespace benchfs::client {
namespace {

constexpr std::uint64_t kSpinStepNs = kNsPerUs;
constexpr int kTurnsPerTest = 8;

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(loop::EventLoop& loop, std::uint64_t spin_ns_max) {
  std::unique_ptr<Engine> engine(new Engine(loop, spin_ns_max));
  // Being woken is all that it is for: what was submitted is started between the turns.
  auto wake = loop::WakeFd::create(loop, [] {});
  if (!wake.has_value()) {
    return fail(wake.error());
  }
  engine->wake_ = std::move(*wake);
  return engine;
}

Engine::Engine(loop::EventLoop& loop, std::uint64_t spin_ns_max) noexcept
    : loop_(loop), spin_ns_max_(spin_ns_max), spin_ns_(spin_ns_max) {}

Engine::~Engine() {
  BENCHFS_ASSERT(!led_ && submitted_first_ == nullptr && waiting_ == nullptr);
}

void Engine::submit(Operation& operation) {
  const std::lock_guard lock(mutex_);
  BENCHFS_ASSERT(!operation.done_ && operation.submitted_next_ == nullptr);
  if (submitted_last_ == nullptr) {
    submitted_first_ = &operation;
  } else {
    submitted_last_->submitted_next_ = &operation;
  }
  submitted_last_ = &operation;
  has_submitted_.store(true, std::memory_order_release);
  if (led_) {
    wake_->notify();
  }
}

void Engine::wait(Operation& operation) {
  std::unique_lock lock(mutex_);
  while (!operation.done_) {
    if (!led_) {
      begin_to_lead();
      lock.unlock();
      // Without the lock: while we lead, only we end operations.
      while (!operation.done_) {
        step();
      }
      lock.lock();
      stop_leading();
      return;
    }
    operation.waiting_next_ = waiting_;
    waiting_ = &operation;
    operation.changed_.wait(lock, [&] { return operation.done_ || !led_; });
    forget_waiter(operation);
  }
  if (!led_) {
    stop_leading();  // We may have been the one who was asked to lead: then somebody else must.
  }
}

bool Engine::test(Operation& operation) {
  std::unique_lock lock(mutex_);
  if (operation.done_ || led_) {
    return operation.done_;
  }
  begin_to_lead();
  lock.unlock();
  for (int i = 0; i < kTurnsPerTest; ++i) {
    start_submitted();
    if (!loop_.turn()) {
      break;
    }
  }
  lock.lock();
  stop_leading();
  return operation.done_;
}

void Engine::begin_to_lead() noexcept {
  BENCHFS_ASSERT(!led_);
  led_ = true;
  idle_ = false;
}

void Engine::stop_leading() noexcept {
  led_ = false;
  // One of the others must lead now, if there are any whose operations go on.
  for (Operation* waiting = waiting_; waiting != nullptr; waiting = waiting->waiting_next_) {
    if (!waiting->done_) {
      waiting->changed_.notify_one();
      return;
    }
  }
}

void Engine::forget_waiter(Operation& operation) noexcept {
  Operation** link = &waiting_;
  while (*link != &operation) {
    BENCHFS_ASSERT(*link != nullptr);
    link = &(*link)->waiting_next_;
  }
  *link = std::exchange(operation.waiting_next_, nullptr);
}

coro::Task<void> Engine::drive(Engine& engine, Operation& operation) {
  co_await operation.task_;
  engine.finish(operation);
}

void Engine::finish(Operation& operation) noexcept {
  // Notified under the lock: once the waiter has it, the operation may be gone.
  const std::lock_guard lock(mutex_);
  BENCHFS_ASSERT(led_ && !operation.done_);
  operation.done_ = true;
  operation.changed_.notify_one();
}

bool Engine::start_submitted() {
  if (!has_submitted_.load(std::memory_order_acquire)) {
    return false;
  }
  Operation* first = nullptr;
  {
    const std::lock_guard lock(mutex_);
    has_submitted_.store(false, std::memory_order_relaxed);
    first = std::exchange(submitted_first_, nullptr);
    submitted_last_ = nullptr;
  }
  loop_.outside([&] {
    while (first != nullptr) {
      // It may be done, and gone, when spawn() returns.
      Operation& operation = *first;
      first = operation.submitted_next_;
      scope_.spawn(drive(*this, operation));
    }
  });
  return true;
}

void Engine::step() {
  // What was started may have ended at once, with whatever we lead for: look before any sleep.
  if (start_submitted() || loop_.spin()) {
    if (idle_) {
      learn(asked_ns() - idle_since_ns_);
      idle_ = false;
    }
    return;
  }
  if (!loop_.asked_ns().has_value()) {
    return;  // The turn has not looked at the clock.
  }
  const std::uint64_t now_ns = *loop_.asked_ns();
  if (!idle_) {
    idle_ = true;
    idle_since_ns_ = now_ns;
  }
  if (now_ns - idle_since_ns_ >= spin_ns_) {
    loop_.run_once(UINT64_MAX);
  }
}

std::uint64_t Engine::asked_ns() const noexcept {
  const std::optional<std::uint64_t> asked_ns = loop_.asked_ns();
  return asked_ns.has_value() ? *asked_ns : loop_.now_ns();
}

void Engine::learn(std::uint64_t waited_ns) noexcept {
  spin_ns_ =
      waited_ns <= spin_ns_max_ ? std::min(spin_ns_max_, 2 * spin_ns_ + kSpinStepNs) : spin_ns_ / 2;
}

}  // namespace benchfs::client
