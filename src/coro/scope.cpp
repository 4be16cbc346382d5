#include "coro/scope.h"

#include "coro/frames.h"

namespace benchfs::coro {

/// A coroutine that runs at once and frees its own frame at its end.
struct Scope::Child {
  struct promise_type : KeptFrame {
    Child get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { BENCHFS_ASSERT(false && "exceptions do not exist here"); }
  };
};

void Scope::spawn(Task<void> task) {
  BENCHFS_ASSERT(!closed_);
  ++child_count_;
  run(*this, std::move(task));
}

Scope::Child Scope::run(Scope& scope, Task<void> task) {
  {
    // The task's frame, with the parameters in it, must be gone before the joiner goes on: they may
    // refer to what the joiner destroys.
    Task<void> child = std::move(task);
    co_await child;
  }
  scope.finished();
}

void Scope::finished() noexcept {
  BENCHFS_ASSERT(child_count_ > 0);
  --child_count_;
  if (child_count_ == 0 && joiner_) {
    std::exchange(joiner_, {}).resume();  // May destroy this Scope.
  }
}

Task<void> when_all(std::vector<Task<void>> tasks) {
  Scope scope;
  for (Task<void>& task : tasks) {
    scope.spawn(std::move(task));
  }
  co_await scope.join();
}

}  // namespace benchfs::coro
