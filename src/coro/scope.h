#pragma once

// Children that must finish. Every coroutine that nobody awaits is a child of a Scope, so that a
// server or a client can stop knowing that nothing of it runs any more.
//
// Threading: loop thread only.

#include <coroutine>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "coro/task.h"

namespace benchfs::coro {

/// Owns the coroutines that were spawned into it until they finish.
///
/// close() forbids more and join() waits for the rest; the destructor requires that none is left.
/// A Scope does not cancel: what a child waits for must end by itself (deadlines, closed gates).
class Scope {
 public:
  Scope() = default;
  ~Scope() { BENCHFS_ASSERT(child_count_ == 0); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Starts `task` now, until its first suspension. Requires that the scope is not closed.
  void spawn(Task<void> task);

  void close() noexcept { closed_ = true; }
  bool closed() const noexcept { return closed_; }
  std::size_t child_count() const noexcept { return child_count_; }

  /// Awaitable: until no child is left. At most one coroutine may wait. The last child resumes it,
  /// from inside its own end, when its frame (locals and parameters) is gone already; the waiter
  /// may destroy the Scope.
  struct JoinOp {
    Scope& scope;
    bool await_ready() const noexcept { return scope.child_count_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept {
      BENCHFS_ASSERT(!scope.joiner_);
      scope.joiner_ = waiter;
    }
    void await_resume() const noexcept {}
  };
  JoinOp join() noexcept { return JoinOp{*this}; }

 private:
  struct Child;
  static Child run(Scope& scope, Task<void> task);
  void finished() noexcept;

  std::size_t child_count_ = 0;
  bool closed_ = false;
  std::coroutine_handle<> joiner_;
};

namespace detail {

template <typename T>
Task<void> run_into(Task<T> task, std::optional<T>& result) {
  T value = co_await task;
  result.emplace(std::move(value));
}

}  // namespace detail

/// Runs all `tasks` at once; ends when the last has ended.
Task<void> when_all(std::vector<Task<void>> tasks);

/// As above; the results stand in the order of `tasks`.
template <typename T>
Task<std::vector<T>> when_all(std::vector<Task<T>> tasks) {
  std::vector<std::optional<T>> results(tasks.size());
  Scope scope;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    scope.spawn(detail::run_into(std::move(tasks[i]), results[i]));
  }
  co_await scope.join();
  std::vector<T> values;
  values.reserve(results.size());
  for (std::optional<T>& result : results) {
    values.push_back(std::move(*result));
  }
  co_return values;
}

}  // namespace benchfs::coro
