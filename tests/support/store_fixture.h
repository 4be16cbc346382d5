#pragma once

// A ChunkStore with its journal on a drive in memory that is slow and fails as a test wants it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/units.h"
#include "coro/scope.h"
#include "io/buffer_pool.h"
#include "io/memory_disk.h"
#include "store/chunk_store.h"
#include "support/faulty_disk.h"
#include "support/journaled_store.h"
#include "support/run_task.h"

namespace benchfs::test {

using ByteVector = std::vector<std::byte>;

/// What a read brought, copied; `data` is as long as the pieces, with zeros for holes.
struct ReadOutcome {
  Result<ByteVector> data;
  bool has_hole = false;
};

/// What the journal and the reserve for snapshots take of a small drive.
inline constexpr std::uint64_t kFixtureRingBlocks = 256;
inline constexpr std::uint64_t kFixtureFirstBlock = journal::kAnchorBlocks + kFixtureRingBlocks;
inline constexpr std::uint64_t kFixtureReserveBlocks = 64;

class StoreFixture {
 public:
  /// `block_count` blocks can be written by a test that makes a few hundred extents at most.
  explicit StoreFixture(std::uint64_t block_count, std::uint64_t seed = 0,
                        std::uint64_t pool_bytes = 8 * kMiB,
                        std::uint64_t ring_blocks = kFixtureRingBlocks,
                        const store::CompactionRules& compaction = {})
      : memory(std::move(*io::MemoryDisk::create(real.loop, (journal::kAnchorBlocks + ring_blocks +
                                                             kFixtureReserveBlocks + block_count) *
                                                                kBlockBytes))),
        disk(real.loop, *memory, seed),
        pool(std::move(*io::BufferPool::create(real.loop, pool_bytes))),
        journaled(real.loop, disk, *pool, ring_blocks, JournaledStore::Start::kCreate, compaction),
        store(journaled.store),
        journal(journaled.journal) {
    disk.counters = {};
  }
  ~StoreFixture() {
    disk.hold = false;
    disk.delay_turns = 0;
  }
  StoreFixture(const StoreFixture&) = delete;
  StoreFixture& operator=(const StoreFixture&) = delete;

  /// Takes what it needs by value: it may run beside the caller.
  coro::Task<Status> write(InodeId file, std::vector<store::Piece> pieces, ByteVector data) {
    io::BufferPool::AcquireOp acquire(*pool, data.size());
    io::PoolBuffer buffer = co_await acquire;
    std::memcpy(buffer.bytes().data(), data.data(), data.size());
    coro::Task<Status> writing = store.write(file, pieces, std::move(buffer));
    const Status status = co_await writing;
    co_return status;
  }

  coro::Task<ReadOutcome> read(InodeId file, std::vector<store::Piece> pieces) {
    coro::Task<Result<store::ReadData>> reading = store.read(file, pieces);
    const Result<store::ReadData> got = co_await reading;
    if (!got.has_value()) {
      co_return ReadOutcome{.data = fail(got.error()), .has_hole = false};
    }
    std::size_t size = 0;
    for (const store::Piece& piece : pieces) {
      size += piece.size_bytes;
    }
    ByteVector data(size);
    if (!got->data.empty()) {
      BENCHFS_ASSERT(got->data.size() == size);
      std::memcpy(data.data(), got->data.data(), size);
    }
    co_return ReadOutcome{.data = std::move(data), .has_hole = got->has_hole};
  }

  Status write_now(std::uint64_t file, std::vector<store::Piece> pieces, ByteVector data) {
    return run_task(real.loop, write(InodeId{file}, std::move(pieces), std::move(data)));
  }
  ReadOutcome read_now(std::uint64_t file, std::vector<store::Piece> pieces) {
    return run_task(real.loop, read(InodeId{file}, std::move(pieces)));
  }
  Status truncate_now(std::uint64_t file, std::uint64_t size_bytes) {
    return run_task(real.loop, store.truncate(InodeId{file}, size_bytes));
  }
  Status remove_now(std::uint64_t file) { return run_task(real.loop, store.remove(InodeId{file})); }
  Status fsync_now() { return run_task(real.loop, store.fsync()); }
  /// Of data: without what is reserved for snapshots.
  std::uint64_t used_blocks() const {
    const store::Usage usage = store.usage();
    return (usage.used_bytes - usage.reserved_bytes) / kBlockBytes;
  }

  /// Turns the loop until nothing more happens by itself.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      quiet = real.loop.turn() ? 0 : quiet + 1;
    }
  }

  RealLoop real;
  std::unique_ptr<io::MemoryDisk> memory;
  FaultyDisk disk;
  std::unique_ptr<io::BufferPool> pool;
  JournaledStore journaled;
  store::ChunkStore& store;
  journal::Journal& journal;
};

/// Bytes that tell which write and which position they are from.
inline ByteVector pattern(std::uint64_t seed, std::size_t size) {
  ByteVector data(size);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
  for (std::byte& byte : data) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::byte>(state >> 56U);
  }
  return data;
}

}  // namespace benchfs::test
