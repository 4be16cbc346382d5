#include "io/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/mman.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/units.h"
#include "loop/event_loop.h"

namespace benchfs::io {
namespace {

/// Maps `size` bytes at a multiple of `alignment`, both multiples of the page; null if it fails.
std::byte* map_aligned(std::size_t size, std::size_t alignment) noexcept {
  void* const mapped =
      ::mmap(nullptr, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    return nullptr;
  }
  auto* const begin = static_cast<std::byte*>(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t head = round_up(address, alignment) - address;
  if (head > 0) {
    ::munmap(begin, head);
  }
  if (alignment > head) {
    ::munmap(begin + head + size, alignment - head);
  }
  return begin + head;
}

}  // namespace

PoolBuffer::PoolBuffer(PoolBuffer&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

PoolBuffer& PoolBuffer::operator=(PoolBuffer&& other) noexcept {
  if (this != &other) {
    PoolBuffer old = std::move(*this);
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

PoolBuffer::~PoolBuffer() {
  if (pool_ != nullptr) {
    pool_->release(data_);
  }
}

Result<std::unique_ptr<BufferPool>> BufferPool::create(loop::EventLoop& loop,
                                                       std::uint64_t size_bytes) {
  constexpr std::uint64_t kPoolBytesMax = (std::uint64_t{kNone} - 1) * kBlockBytes;
  if (size_bytes == 0 || size_bytes > kPoolBytesMax - kBufferBytesMax) {
    log_error("a buffer pool of {} is not possible", format_size(size_bytes));
    return fail(Errc::kInvalid, "pool.create.size");
  }
  const std::size_t size = round_up(size_bytes, kBufferBytesMax);
  std::byte* const data = map_aligned(size, kBufferBytesMax);
  if (data == nullptr) {
    const int code = errno;
    log_error("cannot map {} for the buffer pool: {}", format_size(size), std::strerror(code));
    return fail(Errc::kOutOfMemory, "pool.create.map", code);
  }
  // Large pages make registering it and each transfer cheaper. Only advice: nothing depends on it.
  ::madvise(data, size, MADV_HUGEPAGE);
  return std::unique_ptr<BufferPool>(new BufferPool(loop, Bytes(data, size)));
}

BufferPool::BufferPool(loop::EventLoop& loop, Bytes region)
    : loop_(loop), region_(region), blocks_(region.size() / kBlockBytes) {
  std::fill(std::begin(free_), std::end(free_), kNone);
  constexpr unsigned kOrderMax = kBufferOrders - 1;
  // Backwards, so that the first pieces to be handed out are those at the start.
  for (std::size_t end = blocks_.size(); end > 0; end -= std::size_t{1} << kOrderMax) {
    push_free(static_cast<BlockIndex>(end - (std::size_t{1} << kOrderMax)), kOrderMax);
  }
}

BufferPool::~BufferPool() {
  BENCHFS_ASSERT(used_bytes_ == 0);
  BENCHFS_ASSERT(first_waiter_ == nullptr);
  ::munmap(region_.data(), region_.size());
}

unsigned BufferPool::order_of(std::size_t size) noexcept {
  BENCHFS_ASSERT(size >= 1 && size <= kBufferBytesMax);
  return static_cast<unsigned>(std::bit_width((size - 1) / kBlockBytes));
}

void BufferPool::push_free(BlockIndex index, unsigned order) noexcept {
  Block& block = blocks_[index];
  block = {.previous = kNone,
           .next = free_[order],
           .state = BlockState::kFree,
           .order = static_cast<std::uint8_t>(order)};
  if (block.next != kNone) {
    blocks_[block.next].previous = index;
  }
  free_[order] = index;
  free_orders_ |= 1U << order;
}

void BufferPool::remove_free(BlockIndex index) noexcept {
  Block& block = blocks_[index];
  BENCHFS_ASSERT(block.state == BlockState::kFree);
  if (block.previous != kNone) {
    blocks_[block.previous].next = block.next;
  } else {
    free_[block.order] = block.next;
    if (block.next == kNone) {
      free_orders_ &= ~(1U << block.order);
    }
  }
  if (block.next != kNone) {
    blocks_[block.next].previous = block.previous;
  }
  block.state = BlockState::kInside;
}

PoolBuffer BufferPool::allocate(std::size_t size) noexcept {
  const unsigned order = order_of(size);
  BENCHFS_ASSERT(can_allocate(order));
  unsigned found = order + static_cast<unsigned>(std::countr_zero(free_orders_ >> order));
  const BlockIndex index = free_[found];
  remove_free(index);
  while (found > order) {
    --found;
    push_free(index + (BlockIndex{1} << found), found);
  }
  blocks_[index].state = BlockState::kUsed;
  blocks_[index].order = static_cast<std::uint8_t>(order);
  PoolBuffer buffer;
  buffer.pool_ = this;
  buffer.data_ = region_.data() + index * std::size_t{kBlockBytes};
  buffer.size_ = size;
  buffer.capacity_ = std::size_t{kBlockBytes} << order;
  used_bytes_ += buffer.capacity_;
  return buffer;
}

void BufferPool::release(std::byte* data) noexcept {
  auto index =
      static_cast<BlockIndex>(static_cast<std::size_t>(data - region_.data()) / kBlockBytes);
  BENCHFS_ASSERT(index < blocks_.size() && blocks_[index].state == BlockState::kUsed);
  unsigned order = blocks_[index].order;
  used_bytes_ -= std::uint64_t{kBlockBytes} << order;
  blocks_[index].state = BlockState::kInside;
  while (order + 1 < kBufferOrders) {
    const BlockIndex buddy = index ^ (BlockIndex{1} << order);
    if (blocks_[buddy].state != BlockState::kFree || blocks_[buddy].order != order) {
      break;
    }
    remove_free(buddy);
    index = std::min(index, buddy);
    ++order;
  }
  push_free(index, order);
  serve_waiters();
}

void BufferPool::serve_waiters() noexcept {
  // Only ever the first: a large request would starve if small ones behind it could take its room.
  while (first_waiter_ != nullptr && can_allocate(order_of(first_waiter_->size_))) {
    AcquireOp& op = *first_waiter_;
    first_waiter_ = op.next_;
    if (first_waiter_ == nullptr) {
      last_waiter_ = nullptr;
    }
    --waiter_count_;
    op.buffer_ = allocate(op.size_);
    loop_.post(std::exchange(op.waiter_, {}));
  }
}

PoolBuffer BufferPool::try_acquire(std::size_t size) noexcept {
  if (first_waiter_ != nullptr || !can_allocate(order_of(size))) {
    return {};
  }
  return allocate(size);
}

bool BufferPool::AcquireOp::await_ready() noexcept {
  buffer_ = pool_.try_acquire(size_);
  return static_cast<bool>(buffer_);
}

void BufferPool::AcquireOp::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  if (pool_.last_waiter_ == nullptr) {
    pool_.first_waiter_ = this;
  } else {
    pool_.last_waiter_->next_ = this;
  }
  pool_.last_waiter_ = this;
  ++pool_.waiter_count_;
}

PoolBuffer BufferPool::AcquireOp::await_resume() noexcept {
  return std::move(buffer_);
}

}  // namespace benchfs::io
