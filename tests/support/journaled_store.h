#pragma once

// A ChunkStore with its journal, new on an empty drive.

#include <cstdint>

#include "base/assert.h"
#include "coro/task.h"
#include "io/buffer_pool.h"
#include "io/disk.h"
#include "journal/journal.h"
#include "loop/event_loop.h"
#include "store/chunk_store.h"

namespace benchfs::test {

inline constexpr std::uint64_t kTestStoreId = 0xBE7C;

/// Turns `loop` until `task` has ended; for tests whose loop needs no clock to get there.
template <typename T>
T turn_until_done(loop::EventLoop& loop, coro::Task<T> task) {
  task.start();
  while (!task.done()) {
    loop.turn();
  }
  return task.take();
}

/// Files are rewritten as soon as they are a few extents, and beside everything else.
inline constexpr store::CompactionRules kEagerCompaction = {.file_extents_min = 3,
                                                            .window_extents_min = 2,
                                                            .mean_bytes_max = 64 * kKiB,
                                                            .look_after_ns = 0,
                                                            .give_way_ns = 0,
                                                            .give_way_max = 1};

class JournaledStore {
 public:
  enum class Start { kCreate, kLater };

  /// Borrows all. kLater: the caller calls journal.create() or recover() before anything else.
  JournaledStore(loop::EventLoop& loop, io::Disk& disk, io::BufferPool& pool,
                 std::uint64_t ring_blocks = 0, Start start = Start::kCreate,
                 const store::CompactionRules& compaction = {})
      : journal(loop, disk, {.store_id = kTestStoreId, .ring_blocks = ring_blocks}),
        store(loop, disk, pool, journal, compaction),
        loop_(loop) {
    if (start == Start::kCreate) {
      const Status created = turn_until_done(loop, journal.create());
      BENCHFS_ASSERT(created.has_value());
    }
  }
  /// Stops both, in whatever state the drive is.
  ~JournaledStore() { turn_until_done(loop_, stop()); }
  JournaledStore(const JournaledStore&) = delete;
  JournaledStore& operator=(const JournaledStore&) = delete;

  coro::Task<Status> stop() {
    if (stopped_) {
      co_return Status();
    }
    stopped_ = true;
    auto stopping_store = store.stop();
    co_await stopping_store;
    auto stopping_journal = journal.stop();
    const Status status = co_await stopping_journal;
    co_return status;
  }

  journal::Journal journal;
  store::ChunkStore store;

 private:
  loop::EventLoop& loop_;
  bool stopped_ = false;
};

}  // namespace benchfs::test
