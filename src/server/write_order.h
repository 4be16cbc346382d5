#pragma once

// The order of one client's writes. A client that gave a write up may write the same bytes again
// while the server still works on the first: the bytes of the second must stay, whichever of them
// the drive finishes first. Writes of different clients have no order.
//
// Threading: loop thread only.

#include <array>
#include <coroutine>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/ids.h"
#include "loop/event_loop.h"
#include "store/chunk_store.h"

namespace benchfs::server {

class WriteOrder {
  struct List;

 public:
  /// Borrows `loop`, to which it posts who waits.
  explicit WriteOrder(loop::EventLoop& loop) noexcept : loop_(loop) {}
  ~WriteOrder();
  WriteOrder(const WriteOrder&) = delete;
  WriteOrder& operator=(const WriteOrder&) = delete;

  /// One write, from its arrival to its end. Lives in the frame of its handler. Await it before the
  /// write takes effect: it waits for the writes of the same client to the same bytes that arrived
  /// before and have not ended.
  ///
  /// What a write takes before it awaits its place (a buffer) it must take in the order of arrival,
  /// or two could wait for each other.
  class Place {
   public:
    /// Borrows `pieces`, none of which is empty.
    Place(WriteOrder& order, std::uint64_t client, InodeId file,
          std::span<const store::Piece> pieces) noexcept;
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool await_ready() const noexcept { return !must_wait(); }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
    void await_resume() const noexcept {}

   private:
    bool must_wait() const noexcept;
    bool overlaps(const Place& other) const noexcept;

    WriteOrder& order_;
    List& list_;
    const std::uint64_t client_;
    const InodeId file_;
    const std::span<const store::Piece> pieces_;
    std::uint64_t begin_bytes_ = UINT64_MAX;  ///< All pieces lie in [begin, end).
    std::uint64_t end_bytes_ = 0;
    std::coroutine_handle<> waiter_;
    Place* previous_ = nullptr;
    Place* next_ = nullptr;
  };

 private:
  struct List {
    Place* first = nullptr;
    Place* last = nullptr;
  };

  loop::EventLoop& loop_;
  /// By client, so that a write looks at few that are not its client's.
  std::array<List, 256> lists_;
};

}  // namespace benchfs::server
