#pragma once

// Counts who is inside something that may be taken away, and waits until they have left.
//
// Threading: any thread. Who is inside may enter again: nothing is held meanwhile that could block.

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace benchfs::compat {

class Gate {
 public:
  /// False if the gate is shut: then there is nothing to leave.
  [[nodiscard]] bool enter() {
    const std::lock_guard lock(mutex_);
    inside_ += is_shut_ ? 0 : 1;
    return !is_shut_;
  }

  void leave() {
    // Told under the lock: who waits may destroy the gate as soon as it can take it.
    const std::lock_guard lock(mutex_);
    inside_ -= 1;
    if (inside_ == 0) {
      all_left_.notify_all();
    }
  }

  /// Lets nobody in any more, and returns when all have left. Not from inside.
  void shut() {
    std::unique_lock lock(mutex_);
    is_shut_ = true;
    all_left_.wait(lock, [this] { return inside_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_left_;
  std::uint64_t inside_ = 0;
  bool is_shut_ = false;
};

}  // namespace benchfs::compat
