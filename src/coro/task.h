#pragma once

#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "coro/frames.h"

namespace benchfs::coro {

template <typename T>
class Task;

namespace detail {

/// What the promises of all Tasks share: who waits, and how it is resumed.
class PromiseBase : public KeptFrame {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  struct ResumeAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      if (const std::coroutine_handle<> awaiter = self.promise().awaiter_) {
        awaiter.resume();  // May destroy this frame; touch nothing of it afterwards.
      }
    }
    void await_resume() const noexcept {}
  };
  ResumeAwaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept { BENCHFS_ASSERT(false && "exceptions do not exist here"); }

 protected:
  template <typename T>
  friend class coro::Task;
  std::coroutine_handle<> awaiter_;
};

template <typename T>
class Promise final : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;

  template <typename U>
  void return_value(U&& value) noexcept {
    value_.emplace(std::forward<U>(value));
  }
  T take() noexcept { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

/// A lazy coroutine that yields one T (or nothing, for void) to the single coroutine that awaits
/// it.
///
/// Starts when awaited and runs on the loop's thread. Owns its frame: destroying a suspended Task
/// destroys its locals, so none may be destroyed while an operation in its frame is in flight.
///
/// Resumes by plain calls, not by symmetric transfer: g++ 12 makes the latter a tail call only at
/// -O2 without sanitizers, so elsewhere a loop over Tasks that finish at once eats the stack.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) {
      handle_.destroy();
    }
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.resume();
    if (handle_.done()) {
      return false;  // Finished at once: the awaiter goes on without having been suspended.
    }
    handle_.promise().awaiter_ = awaiter;
    return true;
  }
  T await_resume() noexcept { return take(); }

  /// Runs from outside the loop (main, tests) until the first suspension.
  void start() noexcept { handle_.resume(); }
  bool done() const noexcept { return handle_.done(); }

  /// Requires done(). Once only: the value moves out.
  T take() noexcept {
    BENCHFS_ASSERT(done());
    return handle_.promise().take();
  }

 private:
  friend promise_type;
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Handle handle_;
};

template <typename T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace benchfs::coro
