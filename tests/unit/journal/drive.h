#pragma once

// A drive in memory that can be slowed and failed, journals on it, and what a recovery finds there.

#include <cstdint>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "coro/task.h"
#include "io/memory_disk.h"
#include "journal/journal.h"
#include "support/faulty_disk.h"
#include "support/journal_fixture.h"
#include "support/run_task.h"

namespace benchfs::journal {

using test::JournalOnDisk;
using test::run_task;

inline constexpr std::uint64_t kStoreId = 0x5709E;

struct Drive {
  explicit Drive(std::uint64_t block_count = 2048)
      : memory(std::move(*io::MemoryDisk::create(real.loop, block_count * kBlockBytes))),
        disk(real.loop, *memory) {}
  loop::EventLoop& loop() { return real.loop; }

  test::RealLoop real;
  std::unique_ptr<io::MemoryDisk> memory;
  test::FaultyDisk disk;
};

inline JournalOptions options_of(std::uint64_t ring_blocks) {
  return {.store_id = kStoreId, .ring_blocks = ring_blocks};
}

inline void create(Drive& drive, JournalOnDisk& on_disk) {
  ASSERT_TRUE(run_task(drive.loop(), on_disk.journal.create()).has_value());
}
inline void stop(Drive& drive, JournalOnDisk& on_disk) {
  EXPECT_TRUE(run_task(drive.loop(), on_disk.journal.stop()).has_value());
}

/// A journal that another has left on `drive`, recovered.
struct Reopened {
  Reopened(Drive& drive, std::uint64_t ring_blocks)
      : on_disk(drive.loop(), drive.disk, options_of(ring_blocks)),
        found(run_task(drive.loop(), on_disk.journal.recover())) {}
  JournalOnDisk on_disk;
  Result<Recovered> found;
};

inline coro::Task<Status> commit(Journal& journal, Lsn lsn) {
  Journal::CommitOp committing(journal, lsn);
  co_return co_await committing;
}

/// Until nothing is to be done.
inline void settle(Drive& drive) {
  for (int quiet = 0; quiet < 3;) {
    quiet = drive.loop().turn() ? 0 : quiet + 1;
  }
}

}  // namespace benchfs::journal
