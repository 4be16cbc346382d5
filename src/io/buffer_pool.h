#pragma once

// The server's bulk memory: one region, page-aligned, registered once with the drive's ring and
// with the network, so that data lands where direct I/O reads and writes it. Bounded: who asks for
// more than is free waits, in order of arrival.
//
// Threading: loop thread only.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::io {

class BufferPool;

/// The largest piece: a full transfer whose bytes start in the middle of a block.
inline constexpr std::size_t kBufferBytesMax = 2 * kTransferBytesMax;

/// Sizes of pieces: kBlockBytes << 0 up to kBufferBytesMax.
inline constexpr std::size_t kBufferOrders = 10;
static_assert(kBlockBytes << (kBufferOrders - 1) == kBufferBytesMax);

/// A piece of the pool, given back by the destructor. Move-only. Its size is what was asked for;
/// the room behind it up to the next power of two (at least kBlockBytes) is the holder's too:
/// capacity().
class PoolBuffer {
 public:
  PoolBuffer() = default;
  PoolBuffer(PoolBuffer&& other) noexcept;
  PoolBuffer& operator=(PoolBuffer&& other) noexcept;
  ~PoolBuffer();

  Bytes bytes() const noexcept { return {data_, size_}; }
  Bytes capacity() const noexcept { return {data_, capacity_}; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  friend class BufferPool;
  BufferPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class BufferPool {
 public:
  /// Maps `size_bytes`, at least 1, rounded up to a multiple of kBufferBytesMax. kInvalid,
  /// kOutOfMemory. Borrows `loop`, to which it posts waiters: nobody is resumed from inside of a
  /// release.
  static Result<std::unique_ptr<BufferPool>> create(loop::EventLoop& loop,
                                                    std::uint64_t size_bytes);

  /// Requires that every piece has come back and nobody waits.
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// The whole region, for registration.
  Bytes region() const noexcept { return region_; }

  /// Awaitable in its awaiter's frame: `io::BufferPool::AcquireOp op(pool, size); auto buffer =
  /// co_await op;` Requires 1 <= size <= kBufferBytesMax.
  class AcquireOp {
   public:
    AcquireOp(BufferPool& pool, std::size_t size) noexcept : pool_(pool), size_(size) {}
    AcquireOp(const AcquireOp&) = delete;
    AcquireOp& operator=(const AcquireOp&) = delete;
    ~AcquireOp() { BENCHFS_ASSERT(!waiter_); }
    bool await_ready() noexcept;
    void await_suspend(std::coroutine_handle<> waiter) noexcept;
    PoolBuffer await_resume() noexcept;

   private:
    friend class BufferPool;
    BufferPool& pool_;
    std::size_t size_;
    PoolBuffer buffer_;
    AcquireOp* next_ = nullptr;
    std::coroutine_handle<> waiter_;
  };

  /// Without waiting: empty if there is no room, or if others wait already.
  PoolBuffer try_acquire(std::size_t size) noexcept;

  /// Bytes that are held, counted as powers of two: what a holder may use.
  std::uint64_t used_bytes() const noexcept { return used_bytes_; }
  std::uint64_t waiter_count() const noexcept { return waiter_count_; }

 private:
  friend class PoolBuffer;
  friend class AcquireOp;

  /// A buddy allocator. A piece of order n is 2^n blocks at a multiple of its size; its state
  /// stands in the record of its first block. Records are apart from the memory, which only its
  /// holders touch.
  using BlockIndex = std::uint32_t;
  static constexpr BlockIndex kNone = UINT32_MAX;
  enum class BlockState : std::uint8_t { kInside, kFree, kUsed };
  struct Block {
    BlockIndex previous = kNone;  ///< In the list of free pieces of one order.
    BlockIndex next = kNone;
    BlockState state = BlockState::kInside;
    std::uint8_t order = 0;
  };

  BufferPool(loop::EventLoop& loop, Bytes region);
  static unsigned order_of(std::size_t size) noexcept;
  bool can_allocate(unsigned order) const noexcept { return (free_orders_ >> order) != 0; }
  PoolBuffer allocate(std::size_t size) noexcept;
  void release(std::byte* data) noexcept;
  void serve_waiters() noexcept;
  void push_free(BlockIndex index, unsigned order) noexcept;
  void remove_free(BlockIndex index) noexcept;

  loop::EventLoop& loop_;
  const Bytes region_;
  std::vector<Block> blocks_;
  BlockIndex free_[kBufferOrders];
  std::uint32_t free_orders_ = 0;  ///< Bit n: there is a free piece of order n.
  std::uint64_t used_bytes_ = 0;
  AcquireOp* first_waiter_ = nullptr;
  AcquireOp* last_waiter_ = nullptr;
  std::uint64_t waiter_count_ = 0;
};

}  // namespace benchfs::io
