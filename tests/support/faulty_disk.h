#pragma once

// A drive that takes its time and sometimes fails, around another one.
//
// Fault model: operations complete in any order, each a random number of loop turns after it was
// submitted; a write that fails has left rubbish in a part of its range; a read that fails has left
// rubbish in the buffer. What an operation reads or writes moves at the moment at which it is
// released.

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/assert.h"
#include "io/disk.h"
#include "loop/event_loop.h"

namespace benchfs::test {

class FaultyDisk final : public io::Disk, private loop::Source {
 public:
  struct Counters {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t fsyncs = 0;
    std::uint64_t read_bytes = 0;
  };

  /// Borrows `loop` and `below`, which moves the bytes within submit(), as MemoryDisk does.
  FaultyDisk(loop::EventLoop& loop, io::Disk& below, std::uint64_t seed = 0)
      : loop_(loop), below_(below), random_(seed) {
    loop_.add_source(*this);
  }
  ~FaultyDisk() override {
    BENCHFS_ASSERT(queue_.empty());
    loop_.remove_source(*this);
  }

  void submit(io::DiskOp& op) noexcept override {
    switch (op.kind()) {
      case io::DiskOpKind::kRead:
        ++counters.reads;
        counters.read_bytes += op.size_bytes();
        break;
      case io::DiskOpKind::kWrite:
        ++counters.writes;
        break;
      case io::DiskOpKind::kFsync:
        ++counters.fsyncs;
        break;
    }
    queue_.push_back(&op);
    in_flight_max = std::max(in_flight_max, queue_.size());
  }
  std::uint64_t size_bytes() const noexcept override { return below_.size_bytes(); }
  std::size_t alignment_bytes() const noexcept override { return below_.alignment_bytes(); }

  /// Operations that were submitted and not released, oldest first.
  std::size_t queued() const noexcept { return queue_.size(); }
  io::DiskOpKind queued_kind(std::size_t index) const { return queue_.at(index)->kind(); }

  /// Carries out, or fails, what stands at `index`.
  void release(std::size_t index = 0) { finish(index, false); }
  void release_with_error(std::size_t index = 0) { finish(index, true); }

  bool hold = false;                    ///< Only release() ends an operation.
  unsigned delay_turns = 0;             ///< On average; 0: the next turn.
  unsigned error_percent = 0;           ///< Of operations, while not held.
  std::uint64_t errors_from_bytes = 0;  ///< Of reads and writes from here on; of fsyncs only if 0.
  Counters counters;
  std::size_t in_flight_max = 0;

 private:
  bool progress() noexcept override {
    if (hold || queue_.empty()) {
      return false;
    }
    for (std::size_t count = queue_.size(); count > 0 && !queue_.empty(); --count) {
      if (delay_turns > 0 && random_() % (delay_turns + 1) != 0) {
        continue;
      }
      const std::size_t index = delay_turns > 0 ? random_() % queue_.size() : 0;
      // Drawn only if it can happen, so that other seeds' stories stay what they are.
      finish(index, may_fail(*queue_[index]) && random_() % 100 < error_percent);
    }
    return true;
  }
  bool arm() noexcept override { return hold || queue_.empty(); }
  int event_fd() const noexcept override { return -1; }

  bool may_fail(const io::DiskOp& op) const noexcept {
    return error_percent > 0 &&
           (errors_from_bytes == 0 ||
            (op.kind() != io::DiskOpKind::kFsync && op.offset_bytes() >= errors_from_bytes));
  }

  void finish(std::size_t index, bool fails) {
    io::DiskOp& op = *queue_.at(index);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
    if (!fails) {
      below_.submit(op);
      return;
    }
    if (op.kind() != io::DiskOpKind::kFsync) {
      std::memset(op.data(), 0xEE, op.size_bytes());
    }
    if (op.kind() == io::DiskOpKind::kWrite) {
      spoil(op);
    }
    op.set_status(fail(Errc::kIo, "faulty_disk", EIO));
    op.complete(loop_);
  }

  /// The first half of what should have been written is rubbish now. `below_` is done with it when
  /// this returns; nobody waits for it.
  void spoil(const io::DiskOp& op) {
    const std::size_t alignment = alignment_bytes();
    const std::size_t half = (op.size_bytes() / 2 + alignment - 1) / alignment * alignment;
    io::WriteOp rubbish(below_, op.offset_bytes(), ConstBytes(op.data(), half));
    rubbish.await_suspend(std::noop_coroutine());
  }

  loop::EventLoop& loop_;
  io::Disk& below_;
  std::mt19937_64 random_;
  std::vector<io::DiskOp*> queue_;
};

}  // namespace benchfs::test
