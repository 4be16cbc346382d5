#include "store/block_space.h"

#include <algorithm>

#include "base/assert.h"
#include "loop/event_loop.h"
#include "store/inline_data.h"

namespace benchfs::store {

BlockSpace::BlockSpace(loop::EventLoop& loop, Host& host, std::uint64_t first_block,
                       std::uint64_t block_count)
    : loop_(loop), host_(host), first_block_(first_block), allocator_(block_count) {
  BENCHFS_ASSERT(first_block < block_count);
  if (first_block > 0) {
    const bool marked = allocator_.mark_used({.first = 0, .count = first_block});
    BENCHFS_ASSERT(marked);
    allocator_.finish_marking();
  }
}

BlockSpace::~BlockSpace() {
  BENCHFS_ASSERT(generations_.empty() && waiters_.empty() && kept_count_ == 0);
}

void BlockSpace::AllocateOp::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  space_.waiters_.push_back(this);
}

void BlockSpace::break_promise(std::uint64_t count) {
  BENCHFS_ASSERT(count <= promised_count_);
  promised_count_ -= count;
  serve_waiters();
}

BlockRuns BlockSpace::take_promised(std::uint64_t count) {
  BENCHFS_ASSERT(count <= promised_count_);
  return allocator_.allocate(count);
}

std::optional<BlockRun> BlockSpace::take_spare(std::uint64_t count, std::uint64_t spare) {
  if (!waiters_.empty() || !failed_.has_value() || count > allocator_.longest_run() ||
      count + spare > available_count()) {
    return std::nullopt;
  }
  const BlockRuns runs = allocator_.allocate(count);
  BENCHFS_ASSERT(runs.size() == 1);
  spare_count_ += count;
  return runs.front();
}

void BlockSpace::end_spare(std::uint64_t count) {
  BENCHFS_ASSERT(count <= spare_count_);
  spare_count_ -= count;
  serve_waiters();
}

void BlockSpace::promises_kept() {
  for (AllocateOp* const waiter : waiters_) {
    waiter->waited_for_promises_ = true;
  }
  serve_waiters();
}

void BlockSpace::free_unseen(const BlockRuns& runs) {
  for (const BlockRun& run : runs) {
    allocator_.free(run);
  }
  serve_waiters();
}

void BlockSpace::free_seen(const BlockRuns& runs, journal::Lsn lsn) {
  for (const BlockRun& run : runs) {
    if (generations_.empty()) {
      wait_for_record({.run = run, .lsn = lsn});
    } else {
      generations_.back().kept.push_back({.run = run, .lsn = lsn});
      kept_count_ += run.count;
    }
  }
  if (release_settled() || !waiters_.empty()) {
    serve_waiters();
  }
}

void BlockSpace::collect() {
  release_settled();
  serve_waiters();
}

void BlockSpace::fail_waiters(Error error) {
  if (failed_.has_value()) {
    failed_ = fail(error);
  }
  serve_waiters();
}

void BlockSpace::set_reserve(std::uint64_t count) {
  if (count == reserve_count_) {
    return;
  }
  const bool shrinks = count < reserve_count_;
  reserve_count_ = count;
  while (!unused_regions_.empty() &&
         region_block_count_ - regions_.at(unused_regions_.back()).count >= count) {
    const auto it = regions_.find(unused_regions_.back());
    unused_regions_.pop_back();
    region_block_count_ -= it->second.count;
    allocator_.free({.first = it->first, .count = it->second.count});
    regions_.erase(it);
  }
  fill_regions();
  if (shrinks) {
    serve_waiters();
  }
}

void BlockSpace::fill_regions() {
  while (region_block_count_ + kRegionBlocks <= reserve_count_ &&
         allocator_.longest_run() >= kRegionBlocks &&
         allocator_.free_count() >= promised_count_ + kRegionBlocks) {
    const BlockRuns runs = allocator_.allocate(kRegionBlocks);
    BENCHFS_ASSERT(runs.size() == 1);
    regions_.emplace(runs.front().first, Region{.count = kRegionBlocks, .used_count = 0});
    unused_regions_.push_back(runs.front().first);
    region_block_count_ += kRegionBlocks;
  }
}

Result<std::uint64_t> BlockSpace::take_for_snapshot(std::uint64_t count) {
  if (count > kRegionBlocks) {
    return fail(Errc::kOutOfSpace, "store.snapshot.region");
  }
  if (unused_regions_.empty()) {
    // More than was expected: whatever is left.
    if (count > allocator_.longest_run() || allocator_.free_count() < promised_count_ + count) {
      return fail(Errc::kOutOfSpace, "store.snapshot.allocate");
    }
    const std::uint64_t first = allocator_.allocate(count).front().first;
    regions_.emplace(first, Region{.count = count, .used_count = count});
    region_block_count_ += count;
    return first;
  }
  const std::uint64_t first = unused_regions_.back();
  unused_regions_.pop_back();
  regions_.at(first).used_count = count;
  return first;
}

void BlockSpace::free_of_snapshot(BlockRun run) {
  auto it = regions_.upper_bound(run.first);
  BENCHFS_ASSERT(it != regions_.begin());
  --it;
  Region& region = it->second;
  BENCHFS_ASSERT(run.count <= region.used_count && run.end() <= it->first + region.count);
  region.used_count -= run.count;
  if (region.used_count > 0) {
    return;
  }
  if (region.count == kRegionBlocks && region_block_count_ <= reserve_count_) {
    unused_regions_.push_back(it->first);
    return;
  }
  region_block_count_ -= region.count;
  allocator_.free({.first = it->first, .count = region.count});
  regions_.erase(it);
  fill_regions();
  serve_waiters();
}

void BlockSpace::begin_marking() {
  BENCHFS_ASSERT(regions_.size() == unused_regions_.size());
  for (const auto& [first, region] : regions_) {
    allocator_.free({.first = first, .count = region.count});
  }
  regions_.clear();
  unused_regions_.clear();
  region_block_count_ = 0;
}

bool BlockSpace::mark_used(BlockRun run) noexcept {
  return run.first >= first_block_ && allocator_.mark_used(run);
}

bool BlockSpace::mark_snapshot_used(BlockRun run) {
  if (run.count == 0 || !mark_used(run)) {
    return false;
  }
  regions_.emplace(run.first, Region{.count = run.count, .used_count = run.count});
  region_block_count_ += run.count;
  return true;
}

void BlockSpace::finish_marking() {
  // What a chunk has left over of its region is the region's again, so that it is whole when the
  // chunk goes.
  for (auto& [first, region] : regions_) {
    while (region.count < kRegionBlocks && mark_used({.first = first + region.count, .count = 1})) {
      ++region.count;
      ++region_block_count_;
    }
  }
  allocator_.finish_marking();
  fill_regions();
}

std::uint64_t BlockSpace::used_count() const noexcept {
  const std::uint64_t hope = available_count() + waiting_count_;
  return block_count() - std::min(hope, block_count());
}

/// What a write can have now.
std::uint64_t BlockSpace::available_count() const noexcept {
  const std::uint64_t reserved = promised_count_ + (reserve_count() - region_block_count_);
  const std::uint64_t free_count = allocator_.free_count();
  return free_count > reserved ? free_count - reserved : 0;
}

/// Returns whether `op` has its result: the blocks, or the certainty that waiting brings none.
bool BlockSpace::decide(AllocateOp& op) {
  if (!failed_.has_value()) {
    op.result_ = fail(failed_.error());
    return true;
  }
  const std::uint64_t wanted = op.count_ + op.growth_;
  if (wanted > available_count()) {
    release_settled();
  }
  if (wanted <= available_count()) {
    if (op.kind_ == AllocateOp::Kind::kBlocks) {
      op.result_ = allocator_.allocate(op.count_);
    } else {
      promised_count_ += op.count_;
    }
    return true;
  }
  if (wanted <= available_count() + kept_count_ + waiting_count_ + spare_count_) {
    if (waiting_count_ > 0) {
      host_.want_settled();
    }
    return false;
  }
  if (promised_count_ > 0 && !op.waited_for_promises_ && host_.want_promises_kept()) {
    return false;
  }
  op.result_ = fail(Errc::kOutOfSpace, "store.allocate");
  return true;
}

void BlockSpace::serve_waiters() {
  while (!waiters_.empty() && decide(*waiters_.front())) {
    loop_.post(waiters_.front()->waiter_);
    waiters_.pop_front();
  }
}

std::uint64_t BlockSpace::begin_reading() {
  // A read that begins now cannot have seen what was freed before: it belongs to a new generation.
  if (generations_.empty() || !generations_.back().kept.empty()) {
    generations_.emplace_back();
  }
  ++generations_.back().reader_count;
  return first_generation_ + generations_.size() - 1;
}

void BlockSpace::end_reading(std::uint64_t generation) {
  BENCHFS_ASSERT(generation >= first_generation_ &&
                 generation - first_generation_ < generations_.size());
  Generation& ended = generations_[generation - first_generation_];
  BENCHFS_ASSERT(ended.reader_count > 0);
  --ended.reader_count;
  bool freed = false;
  // What a generation has freed may be known to older ones, so the oldest goes first.
  while (!generations_.empty() && generations_.front().reader_count == 0) {
    for (const Freed& entry : generations_.front().kept) {
      kept_count_ -= entry.run.count;
      wait_for_record(entry);
      freed = true;
    }
    generations_.pop_front();
    ++first_generation_;
  }
  if (freed) {
    collect();
  }
}

/// Generations may end in the wrong order of records; one that is put behind a later one waits for
/// that one, which does no harm.
void BlockSpace::wait_for_record(Freed freed) {
  if (!waiting_.empty()) {
    freed.lsn = std::max(freed.lsn, waiting_.back().lsn);
  }
  waiting_.push_back(freed);
  waiting_count_ += freed.run.count;
}

bool BlockSpace::release_settled() {
  const journal::Lsn settled = host_.settled_lsn();
  bool released = false;
  while (!waiting_.empty() && waiting_.front().lsn <= settled) {
    const BlockRun run = waiting_.front().run;
    waiting_.pop_front();
    waiting_count_ -= run.count;
    release(run);
    released = true;
  }
  if (released) {
    fill_regions();
  }
  return released;
}

void BlockSpace::release(BlockRun run) {
  if (run.first >= kInlineBlockFirst) {
    BENCHFS_ASSERT(run.count <= promised_count_);
    promised_count_ -= run.count;
  } else {
    allocator_.free(run);
  }
  host_.released(run);
}

}  // namespace benchfs::store
