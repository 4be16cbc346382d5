#pragma once

// A few threads that make calls which block, for files that are not the store's: on a parallel file
// system open, rename and fsync may take long, and no interface of the kernel makes all of them
// without blocking. What a thread is given is done from its first call to its last.
//
// Threading: loop thread only; a call's function runs in one of the threads and touches nothing but
// what its awaiter has lent it.

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <pthread.h>

#include "base/result.h"
#include "loop/event_loop.h"
#include "loop/wake_fd.h"

namespace benchfs::io {

/// Enough to keep a file system busy that answers in milliseconds.
inline constexpr std::size_t kBlockingThreads = 8;

class BlockingCalls {
 public:
  /// Starts the threads, which block all signals. kAgain, kOutOfMemory, kTooManyFiles.
  static Result<std::unique_ptr<BlockingCalls>> create(loop::EventLoop& loop);

  /// Requires that no call is in flight. Stops and joins the threads.
  ~BlockingCalls();
  BlockingCalls(const BlockingCalls&) = delete;
  BlockingCalls& operator=(const BlockingCalls&) = delete;

  /// Lives in its awaiter's frame.
  class Call {
   public:
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept {
      waiter_ = waiter;
      calls_.submit(*this);
    }
    void await_resume() const noexcept {}

   protected:
    explicit Call(BlockingCalls& calls) noexcept : calls_(calls) {}
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    virtual ~Call() = default;

   private:
    friend class BlockingCalls;
    virtual void perform() noexcept = 0;
    BlockingCalls& calls_;
    std::coroutine_handle<> waiter_;
    Call* next_ = nullptr;
  };

  /// Runs `function()` in a thread: `io::BlockingCalls::CallOp op(calls, [&] {...}); co_await op;`
  template <typename Function>
  class CallOp final : public Call {
   public:
    CallOp(BlockingCalls& calls, Function function) noexcept
        : Call(calls), function_(std::move(function)) {}

   private:
    void perform() noexcept override { function_(); }
    Function function_;
  };

 private:
  class Queue {
   public:
    bool empty() const noexcept { return first_ == nullptr; }
    void push(Call& call) noexcept;
    Call& pop() noexcept;

   private:
    Call* first_ = nullptr;
    Call* last_ = nullptr;
  };

  explicit BlockingCalls(loop::EventLoop& loop) noexcept : loop_(loop) {}
  Status start_threads();
  void submit(Call& call) noexcept;
  static void* thread_main(void* self) noexcept;
  void work() noexcept;
  void reap();

  loop::EventLoop& loop_;
  std::unique_ptr<loop::WakeFd> wake_;
  std::vector<pthread_t> threads_;
  std::size_t in_flight_ = 0;

  std::mutex mutex_;
  std::condition_variable wanted_;
  Queue queued_;           ///< Under mutex_.
  Queue finished_;         ///< Under mutex_.
  bool stopping_ = false;  ///< Under mutex_.
};

}  // namespace benchfs::io
