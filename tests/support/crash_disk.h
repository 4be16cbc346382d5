#pragma once

// A drive that forgets, as drives do.
//
// Fault model: operations complete in any order, each some loop turns after it was submitted. A
// write that has completed is in the drive's cache; an fsync moves what had completed before it was
// submitted to where power failure does not reach.
//   process crash   what has completed stays, in the cache as before; of a write in flight each
//                   block is there or not.
//   power cut       each block holds any of the versions written since the last fsync that covered
//                   it, or the one of then; with torn sectors, any mixture of two of them.
// From the crash on every operation fails, so that what runs above ends by itself, and nothing is
// changed any more. restart() makes a drive again of what is left.

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"
#include "io/disk.h"
#include "loop/event_loop.h"

namespace benchfs::test {

enum class Crash { kProcess, kPower };

class CrashDisk final : public io::Disk, private loop::Source {
 public:
  struct Options {
    unsigned delay_turns = 3;   ///< On average, that an operation takes; 0: the next turn.
    bool torn_sectors = false;  ///< Power may fail within a block.
  };
  struct Counters {
    std::uint64_t operations = 0;
    std::uint64_t crashes = 0;
    std::uint64_t lost_blocks = 0;
    std::uint64_t torn_blocks = 0;
  };

  /// All zeros. `size_bytes` is a multiple of kBlockBytes.
  CrashDisk(loop::EventLoop& loop, std::uint64_t size_bytes, std::uint64_t seed, Options options)
      : loop_(loop), options_(options), random_(seed), durable_(size_bytes) {
    loop_.add_source(*this);
  }
  ~CrashDisk() override {
    BENCHFS_ASSERT(queue_.empty());
    loop_.remove_source(*this);
  }

  void submit(io::DiskOp& op) noexcept override {
    queue_.push_back({.op = &op, .seen_version = version_});
  }
  std::uint64_t size_bytes() const noexcept override { return durable_.size(); }
  std::size_t alignment_bytes() const noexcept override { return kBlockBytes; }

  /// Crashes when `operations` more have completed; the last one has not.
  void crash_after(std::uint64_t operations) { operations_left_ = operations; }
  void never_crash() { operations_left_ = UINT64_MAX; }
  bool crashed() const noexcept { return crashed_; }

  /// Stops everything now.
  void crash() {
    BENCHFS_ASSERT(!crashed_);
    crashed_ = true;
    ++counters.crashes;
    for (const Pending& pending : queue_) {
      if (pending.op->kind() == io::DiskOpKind::kWrite && in_range(*pending.op)) {
        keep_some_blocks(*pending.op);
      }
    }
  }

  /// The drive is there again. Requires that nothing of before is in flight.
  void restart(Crash kind) {
    BENCHFS_ASSERT(crashed_ && queue_.empty());
    crashed_ = false;
    never_crash();
    if (kind == Crash::kProcess) {
      return;
    }
    for (const auto& [block, versions] : cache_) {
      settle(block, versions);
    }
    cache_.clear();
  }

  /// What a read of the whole drive would bring, for tests that look.
  std::vector<std::byte> image() const {
    std::vector<std::byte> bytes = durable_;
    for (const auto& [block, versions] : cache_) {
      std::memcpy(bytes.data() + block * kBlockBytes, versions.back().bytes.data(), kBlockBytes);
    }
    return bytes;
  }

  Counters counters;

 private:
  struct Pending {
    io::DiskOp* op;
    std::uint64_t seen_version;  ///< Of a submitted fsync: it covers versions up to this.
  };
  struct Version {
    std::uint64_t number;
    std::vector<std::byte> bytes;
  };
  using Versions = std::vector<Version>;  ///< Oldest first.

  bool progress() noexcept override {
    if (queue_.empty()) {
      return false;
    }
    for (std::size_t count = queue_.size(); count > 0; --count) {
      if (!crashed_ && options_.delay_turns > 0 && random_() % (options_.delay_turns + 1) != 0) {
        continue;
      }
      const std::size_t index = crashed_ ? 0 : random_() % queue_.size();
      if (!crashed_ && operations_left_ != UINT64_MAX && --operations_left_ == 0) {
        crash();
      }
      const Pending pending = queue_[index];
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
      finish(pending);
    }
    return true;
  }
  bool arm() noexcept override { return queue_.empty(); }
  int event_fd() const noexcept override { return -1; }

  bool in_range(const io::DiskOp& op) const { return io::check_range(*this, op).has_value(); }

  void finish(const Pending& pending) {
    io::DiskOp& op = *pending.op;
    Status status = io::check_range(*this, op);
    if (crashed_) {
      status = fail(Errc::kIo, "crash_disk", EIO);
    } else if (status.has_value()) {
      ++counters.operations;
      switch (op.kind()) {
        case io::DiskOpKind::kRead:
          read(op);
          break;
        case io::DiskOpKind::kWrite:
          ++version_;
          for (std::size_t at = 0; at < op.size_bytes(); at += kBlockBytes) {
            keep(op, at);
          }
          break;
        case io::DiskOpKind::kFsync:
          make_durable(pending.seen_version);
          break;
      }
    }
    op.set_status(status);
    op.complete(loop_);
  }

  void read(const io::DiskOp& op) const {
    for (std::size_t at = 0; at < op.size_bytes(); at += kBlockBytes) {
      const std::uint64_t block = (op.offset_bytes() + at) / kBlockBytes;
      const auto cached = cache_.find(block);
      const std::byte* const from = cached == cache_.end() ? durable_.data() + block * kBlockBytes
                                                           : cached->second.back().bytes.data();
      std::memcpy(op.data() + at, from, kBlockBytes);
    }
  }

  void keep(const io::DiskOp& op, std::size_t at) {
    const std::byte* const from = op.data() + at;
    cache_[(op.offset_bytes() + at) / kBlockBytes].push_back(
        {.number = version_, .bytes = std::vector<std::byte>(from, from + kBlockBytes)});
  }

  void keep_some_blocks(const io::DiskOp& op) {
    ++version_;
    const unsigned how = static_cast<unsigned>(random_() % 3);  // None, all, some.
    for (std::size_t at = 0; at < op.size_bytes(); at += kBlockBytes) {
      if (how == 1 || (how == 2 && random_() % 2 == 0)) {
        keep(op, at);
      }
    }
  }

  void make_durable(std::uint64_t seen_version) {
    for (auto at = cache_.begin(); at != cache_.end();) {
      Versions& versions = at->second;
      std::size_t covered = 0;
      while (covered < versions.size() && versions[covered].number <= seen_version) {
        ++covered;
      }
      if (covered > 0) {
        std::memcpy(durable_.data() + at->first * kBlockBytes, versions[covered - 1].bytes.data(),
                    kBlockBytes);
        versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(covered));
      }
      at = versions.empty() ? cache_.erase(at) : std::next(at);
    }
  }

  /// What power failure leaves of a block.
  void settle(std::uint64_t block, const Versions& versions) {
    std::byte* const into = durable_.data() + block * kBlockBytes;
    const std::size_t chosen = random_() % (versions.size() + 1);
    counters.lost_blocks += chosen < versions.size() ? 1 : 0;
    const bool torn = options_.torn_sectors && random_() % 4 == 0;
    counters.torn_blocks += torn ? 1 : 0;
    constexpr std::size_t kSectorBytes = 512;
    for (std::size_t at = 0; at < kBlockBytes; at += kSectorBytes) {
      const std::size_t from = torn ? random_() % (versions.size() + 1) : chosen;
      if (from > 0) {
        std::memcpy(into + at, versions[from - 1].bytes.data() + at, kSectorBytes);
      }
    }
  }

  loop::EventLoop& loop_;
  const Options options_;
  std::mt19937_64 random_;
  std::vector<std::byte> durable_;
  std::map<std::uint64_t, Versions> cache_;  ///< By block.
  std::uint64_t version_ = 0;                ///< Of the write that completed last.
  std::vector<Pending> queue_;
  std::uint64_t operations_left_ = UINT64_MAX;
  bool crashed_ = false;
};

}  // namespace benchfs::test
