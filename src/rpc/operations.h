#pragma once

// Numbers for what a client asks one server to do once (wire::Operation), and which of them may
// still be asked again: the server forgets the answers to all others.
//
// Pure state. Threading: loop thread only.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "wire/header.h"

namespace benchfs::rpc {

class Operations {
 public:
  Operations() = default;
  ~Operations() { BENCHFS_ASSERT(running_.empty()); }
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;

  /// One operation, from its first request until it has been answered or given up: no repeat may
  /// be sent after that. Lives in the frame of its call; borrows `operations`.
  class Running {
   public:
    explicit Running(Operations& operations)
        : operations_(operations), number_(++operations.last_number_) {
      operations_.running_.push_back(number_);
    }
    ~Running() {
      auto& running = operations_.running_;
      running.erase(std::lower_bound(running.begin(), running.end(), number_));
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    /// For a request that is sent now.
    wire::Operation stamp() const noexcept {
      return {.number = number_, .answered_below = operations_.running_.front()};
    }

   private:
    Operations& operations_;
    const std::uint64_t number_;
  };

  std::size_t running_count() const noexcept { return running_.size(); }

 private:
  std::uint64_t last_number_ = 0;
  std::vector<std::uint64_t> running_;  ///< In order.
};

}  // namespace benchfs::rpc
