#pragma once

// The blocks of the drive and who still needs them: a freed block is not given out again before the
// reads that may have looked it up have ended and the record that freed it is settled, and
// a write that would fit if they had waits for them. A part is kept free for the next snapshot and
// for the small writes that lie in the log (they will be moved into blocks).
//
// Threading: loop thread only.

#include <coroutine>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <absl/container/btree_map.h>

#include "base/result.h"
#include "journal/participant.h"
#include "store/block_allocator.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::store {

class BlockSpace {
 public:
  /// The largest chunk of a snapshot that is given.
  static constexpr std::uint64_t kRegionBlocks = 32;

  /// Whom the blocks belong to.
  class Host {
   public:
    virtual ~Host() = default;
    /// Records up to this are settled: see Journal::settled_lsn().
    virtual journal::Lsn settled_lsn() const noexcept = 0;
    /// Somebody waits for blocks whose record does not: end it, then call collect().
    virtual void want_settled() noexcept = 0;
    /// Somebody would get blocks if promises could be kept with fewer of them: whether that is
    /// tried now, and ends in promises_kept().
    virtual bool want_promises_kept() noexcept = 0;
    /// Nobody needs what `run` holds any more.
    virtual void released(BlockRun run) noexcept = 0;
  };

  /// Borrows `loop`, which resumes who waits for blocks, and `host`. Blocks below `first_block` are
  /// somebody else's.
  BlockSpace(loop::EventLoop& loop, Host& host, std::uint64_t first_block,
             std::uint64_t block_count);
  /// Requires that nobody reads or waits.
  ~BlockSpace();
  BlockSpace(const BlockSpace&) = delete;
  BlockSpace& operator=(const BlockSpace&) = delete;

  /// Takes blocks; see BlockAllocator::allocate(). With `growth`, so many must be left besides:
  /// what the reserve is going to grow by. Waits, in order of arrival, as long as blocks that are
  /// freed but not free would make it succeed; kOutOfSpace when they would not; kIo after
  /// fail_waiters(). Awaitable in its awaiter's frame: `BlockSpace::AllocateOp op(space, count);
  /// auto runs = co_await op;`
  class AllocateOp {
   public:
    AllocateOp(BlockSpace& space, std::uint64_t count, std::uint64_t growth = 0) noexcept
        : AllocateOp(space, count, growth, Kind::kBlocks) {}
    AllocateOp(const AllocateOp&) = delete;
    AllocateOp& operator=(const AllocateOp&) = delete;
    bool await_ready() { return space_.waiters_.empty() && space_.decide(*this); }
    void await_suspend(std::coroutine_handle<> waiter);
    Result<BlockRuns> await_resume() noexcept { return std::move(result_); }

   protected:
    enum class Kind { kBlocks, kPromise };
    AllocateOp(BlockSpace& space, std::uint64_t count, std::uint64_t growth, Kind kind) noexcept
        : space_(space), count_(count), growth_(growth), kind_(kind) {}

   private:
    friend class BlockSpace;
    BlockSpace& space_;
    const std::uint64_t count_;
    const std::uint64_t growth_;
    const Kind kind_;
    Result<BlockRuns> result_;
    bool waited_for_promises_ = false;  ///< Once is enough: then it is refused.
    std::coroutine_handle<> waiter_;
  };

  /// The same for a small write in the log: takes no blocks, but the promise of so many. It counts
  /// as used; break_promise(), or free_seen() of the run of inline blocks that came of it, ends it.
  class PromiseOp : public AllocateOp {
   public:
    PromiseOp(BlockSpace& space, std::uint64_t count, std::uint64_t growth) noexcept
        : AllocateOp(space, count, growth, Kind::kPromise) {}
  };
  void break_promise(std::uint64_t count);

  /// Takes blocks for the data of promises, which are there: the promises themselves end when
  /// their inline blocks do. At most as many as are promised.
  BlockRuns take_promised(std::uint64_t count);
  /// One run of `count` blocks, if there is one now, nobody waits for blocks, and `spare` would be
  /// left. Until end_spare() of as many, who would be refused waits: some may come back.
  std::optional<BlockRun> take_spare(std::uint64_t count, std::uint64_t spare);
  void end_spare(std::uint64_t count);
  /// The longest that allocate() can give in one piece.
  std::uint64_t longest_run() const noexcept { return allocator_.longest_run(); }
  /// What Host::want_promises_kept() has begun has ended.
  void promises_kept();

  /// Keeps every block that is freed during its life from being given out before its end. Make it
  /// in the same step as the look-up of the blocks that it protects.
  class Reading {
   public:
    explicit Reading(BlockSpace& space) : space_(space), generation_(space.begin_reading()) {}
    ~Reading() { space_.end_reading(generation_); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    BlockSpace& space_;
    const std::uint64_t generation_;
  };

  /// Frees blocks that no read can have looked up and no record names: those of a write that was
  /// never visible.
  void free_unseen(const BlockRuns& runs);

  /// Frees blocks that were visible, as soon as no read that began before this call is left and
  /// record `lsn`, which freed them, survives power loss. Inline blocks too.
  void free_seen(const BlockRuns& runs, journal::Lsn lsn);

  /// Gives back what has been settled, and serves who waits.
  void collect();

  /// No record will be settled any more: who waits, now or later, gets `error`.
  void fail_waiters(Error error);

  // ---- Snapshots. Their part is kept in regions that data never get, so that however full and
  // fragmented the drive is, the next snapshot finds contiguous blocks.

  /// `count` blocks are to be there for snapshots, those that they use included.
  void set_reserve(std::uint64_t count);
  /// Takes `count` contiguous blocks; kOutOfSpace if there are none, or more than kRegionBlocks are
  /// asked for.
  Result<std::uint64_t> take_for_snapshot(std::uint64_t count);
  /// Gives back any part of what was taken.
  void free_of_snapshot(BlockRun run);

  // ---- Recovery: what is used already, between begin_marking() and finish_marking(), before
  // anything else. False: it is used twice, or cannot be.

  void begin_marking();
  bool mark_used(BlockRun run) noexcept;
  bool mark_snapshot_used(BlockRun run);
  void mark_promised(std::uint64_t count) noexcept { promised_count_ += count; }
  void finish_marking();
  bool is_free(std::uint64_t block) const noexcept { return allocator_.is_free(block); }

  std::uint64_t first_block() const noexcept { return first_block_; }
  /// Behind the last one.
  std::uint64_t end_block() const noexcept { return allocator_.block_count(); }
  /// Those that are not somebody else's.
  std::uint64_t block_count() const noexcept { return end_block() - first_block_; }
  /// Everything that a write could not have: what is used, promised or kept for reads or snapshots.
  /// (What waits to be settled it could have.)
  std::uint64_t used_count() const noexcept;
  /// What is for snapshots, of used_count().
  std::uint64_t reserve_count() const noexcept {
    return reserve_count_ > region_block_count_ ? reserve_count_ : region_block_count_;
  }
  std::uint64_t kept_count() const noexcept { return kept_count_; }
  /// Freed, and waiting for its record to be settled.
  std::uint64_t waiting_count() const noexcept { return waiting_count_; }
  std::size_t waiter_count() const noexcept { return waiters_.size(); }

 private:
  struct Freed {
    BlockRun run;
    journal::Lsn lsn;
  };
  /// The reads that began after the frees of the generation before, and what was freed since the
  /// first of them began.
  struct Generation {
    std::uint64_t reader_count = 0;
    std::vector<Freed> kept;
  };

  /// Blocks for one chunk of a snapshot.
  struct Region {
    std::uint64_t count = 0;
    std::uint64_t used_count = 0;
  };

  void fill_regions();
  bool decide(AllocateOp& op);
  void serve_waiters();
  std::uint64_t available_count() const noexcept;
  std::uint64_t begin_reading();
  void end_reading(std::uint64_t generation);
  void wait_for_record(Freed freed);
  bool release_settled();
  void release(BlockRun run);

  loop::EventLoop& loop_;
  Host& host_;
  const std::uint64_t first_block_;
  BlockAllocator allocator_;
  std::deque<Generation> generations_;  ///< Oldest first; new reads join the last.
  std::uint64_t first_generation_ = 0;  ///< Number of generations_.front().
  std::uint64_t kept_count_ = 0;
  std::deque<Freed> waiting_;  ///< In the order of their records.
  std::uint64_t waiting_count_ = 0;
  std::uint64_t promised_count_ = 0;
  std::uint64_t spare_count_ = 0;  ///< Between take_spare() and end_spare().
  std::uint64_t reserve_count_ = 0;
  absl::btree_map<std::uint64_t, Region> regions_;  ///< By first block.
  std::vector<std::uint64_t> unused_regions_;       ///< First blocks of those that nobody uses.
  std::uint64_t region_block_count_ = 0;            ///< Of all regions.
  Status failed_;
  std::deque<AllocateOp*> waiters_;
};

}  // namespace benchfs::store
