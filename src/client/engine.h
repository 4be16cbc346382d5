#pragma once

// Lets any number of threads use one event loop, without a thread of its own.
//
// At each moment at most one of the calling threads, the leader, runs the loop; it does the work of
// all. The others sleep until their own operation has ended, or until the leader leaves and one of
// them must lead. Whoever submits wakes the leader if it sleeps in the kernel.
//
// How long a leader spins before it sleeps follows what the last waits were like: if answers come
// within spin_ns_max it spins for them, if they take longer (a drive, a server that has to share
// our processor) it soon goes to sleep at once.
//
// Threading: as each member says. Whatever coroutines run in the loop see one thread at a time.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "coro/scope.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "loop/wake_fd.h"

namespace benchfs::client {

/// One task on its way through the engine, and who waits for it. Must stay where it is, and alive,
/// from submit() until done.
class Operation {
 public:
  explicit Operation(coro::Task<void> task) noexcept : task_(std::move(task)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

 private:
  friend class Engine;
  coro::Task<void> task_;
  Operation* submitted_next_ = nullptr;  ///< Not touched any more once it has started.
  Operation* waiting_next_ = nullptr;
  bool done_ = false;
  std::condition_variable changed_;
};

class Engine {
 public:
  /// `loop` must have been made with spin_ns = 0: the engine spins itself. Borrows it.
  /// kTooManyFiles.
  static Result<std::unique_ptr<Engine>> create(loop::EventLoop& loop, std::uint64_t spin_ns_max);
  /// Requires that no operation is left.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Any thread. The task starts in the leader, whoever that will be.
  void submit(Operation& operation);

  /// Any thread; one at a time per operation. Returns when the operation is done, leading if need
  /// be.
  void wait(Operation& operation);

  /// Any thread. Some progress without sleeping (none if another thread leads: it does); then
  /// whether the operation is done.
  bool test(Operation& operation);

  /// Runs `task` to its end and returns its value. Any thread.
  template <typename T>
  T run(coro::Task<T> task) {
    if constexpr (std::is_void_v<T>) {
      Operation operation(std::move(task));
      submit(operation);
      wait(operation);
    } else {
      std::optional<T> value;
      Operation operation(coro::detail::run_into(std::move(task), value));
      submit(operation);
      wait(operation);
      return std::move(*value);
    }
  }

  /// How long the leader would spin now. For tests; read it when nobody leads.
  std::uint64_t spin_ns() const noexcept { return spin_ns_; }

 private:
  Engine(loop::EventLoop& loop, std::uint64_t spin_ns_max) noexcept;

  static coro::Task<void> drive(Engine& engine, Operation& operation);
  void finish(Operation& operation) noexcept;
  bool start_submitted();  ///< Whether there were any.
  void step();
  std::uint64_t asked_ns() const noexcept;  ///< Of the last turn, or now.
  void learn(std::uint64_t waited_ns) noexcept;
  void begin_to_lead() noexcept;
  void stop_leading() noexcept;
  void forget_waiter(Operation& operation) noexcept;

  // Set at the start.
  loop::EventLoop& loop_;
  const std::uint64_t spin_ns_max_;
  std::unique_ptr<loop::WakeFd> wake_;

  // The leader's alone; handed on through mutex_.
  coro::Scope scope_;
  std::uint64_t spin_ns_;
  bool idle_ = false;
  std::uint64_t idle_since_ns_ = 0;

  // Guarded by mutex_, as are Operation's members but for task_; done_ is also read by the leader
  // without it, who alone sets it.
  std::mutex mutex_;
  bool led_ = false;
  Operation* submitted_first_ = nullptr;
  Operation* submitted_last_ = nullptr;
  Operation* waiting_ = nullptr;

  /// Whether the list of the submitted holds any; lets the leader look without the lock.
  std::atomic<bool> has_submitted_ = false;
};

}  // namespace benchfs::client
