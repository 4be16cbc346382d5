// The journal and the store of a server on a drive: a file in $BENCHFS_MICRO_DIR (by default the
// working directory), with io_uring and O_DIRECT where they are to be had; the label says what was.

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "coro/scope.h"
#include "harness.h"
#include "io/buffer_pool.h"
#include "io/data_file.h"
#include "journal/journal.h"
#include "store/chunk_store.h"

namespace benchfs::micro {
namespace {

constexpr std::uint64_t kCapacityBytes = 2 * kGiB;
constexpr std::uint64_t kFileBytes = 256 * kMiB;
constexpr InodeId kFile{7};

std::string data_file() {
  const char* const directory = std::getenv("BENCHFS_MICRO_DIR");
  return std::string(directory == nullptr ? "." : directory) + "/benchfs-micro-" +
         std::to_string(::getpid());
}

/// A new store on a new file, gone with this object.
class Drive {
 public:
  Drive() : path_(data_file()), pool_(std::move(*io::BufferPool::create(world.loop, 64 * kMiB))) {
    auto made = io::create_data_file(world.loop, {.path = path_, .size_bytes = kCapacityBytes},
                                     pool_.get());
    must(made, path_.c_str());
    disk_ = std::move(*made);
    journal.emplace(world.loop, *disk_, journal::JournalOptions{.store_id = 1});
    store.emplace(world.loop, *disk_, *pool_, *journal);
    must(world.finish(journal->create()), "create");
  }
  ~Drive() {
    world.finish(stop());
    store.reset();
    journal.reset();
    disk_.reset();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Drive(const Drive&) = delete;
  Drive& operator=(const Drive&) = delete;

  coro::Task<Status> write(std::uint64_t offset, std::size_t size) {
    io::BufferPool::AcquireOp acquire(*pool_, size);
    io::PoolBuffer buffer = co_await acquire;
    const store::Piece piece{.offset_bytes = offset, .size_bytes = size};
    coro::Task<Status> writing = store->write(kFile, {&piece, 1}, std::move(buffer));
    const Status status = co_await writing;
    co_return status;
  }
  coro::Task<Status> read(std::uint64_t offset, std::size_t size) {
    const store::Piece piece{.offset_bytes = offset, .size_bytes = size};
    coro::Task<Result<store::ReadData>> reading = store->read(kFile, {&piece, 1});
    const Result<store::ReadData> got = co_await reading;
    if (!got.has_value()) {
      co_return fail(got.error());
    }
    co_return Status();
  }
  std::string label() const {
    const io::DiskTraits traits = disk_->traits();
    return std::string(traits.backend) + (traits.direct_io ? ", O_DIRECT" : ", page cache");
  }

  World world;
  std::optional<journal::Journal> journal;
  std::optional<store::ChunkStore> store;

 private:
  coro::Task<bool> stop() {
    auto stopping_store = store->stop();
    co_await stopping_store;
    auto stopping_journal = journal->stop();
    co_await stopping_journal;
    co_return true;
  }

  const std::string path_;
  std::unique_ptr<io::BufferPool> pool_;
  std::unique_ptr<io::Disk> disk_;
};

/// What a name that is created costs the journal: its record, and the wait until it is written.
coro::Task<Status> append_one(journal::Journal& journal, ConstBytes body) {
  journal::Admission admission(journal, body.size());
  BENCHFS_CO_CHECK(admission);
  // Of a kind that nobody replays: this store is never read back.
  const journal::Lsn lsn = journal.append(journal::RecordKind::kNamespaceFirst, body);
  journal::Journal::CommitOp committing(journal, lsn);
  co_return co_await committing;
}

/// So many appends of 100 bytes at once, each of which waits until it is written.
void journal_append(benchmark::State& state) {
  Drive drive;
  const std::vector<std::byte> body(100, std::byte{3});
  for (auto _ : state) {
    std::vector<coro::Task<Status>> appends;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      appends.push_back(append_one(*drive.journal, body));
    }
    for (const Status& status : drive.world.finish(coro::when_all(std::move(appends)))) {
      must(status, "append");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetLabel(drive.label());
}
BENCHMARK(journal_append)->Arg(1)->Arg(32)->UseRealTime();

/// Runs `count` transfers of `size` bytes at once, over and over through the file.
template <typename Transfer>
void transfers(benchmark::State& state, Drive& drive, Transfer&& transfer) {
  const auto size = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t next = 0;
  for (auto _ : state) {
    std::vector<coro::Task<Status>> tasks;
    for (std::int64_t i = 0; i < state.range(1); ++i) {
      tasks.push_back(transfer(next++ * size % kFileBytes));
    }
    for (const Status& status : drive.world.finish(coro::when_all(std::move(tasks)))) {
      must(status, "transfer");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.items_processed() * state.range(0));
  state.SetLabel(drive.label());
}

void store_write(benchmark::State& state) {
  Drive drive;
  const auto size = static_cast<std::size_t>(state.range(0));
  transfers(state, drive, [&](std::uint64_t offset) { return drive.write(offset, size); });
}

void store_read(benchmark::State& state) {
  Drive drive;
  const auto size = static_cast<std::size_t>(state.range(0));
  for (std::uint64_t offset = 0; offset < kFileBytes; offset += kMiB) {
    must(drive.world.finish(drive.write(offset, kMiB)), "write");
  }
  transfers(state, drive, [&](std::uint64_t offset) { return drive.read(offset, size); });
}

// Bytes of a transfer, and how many at once.
BENCHMARK(store_write)
    ->Args({4096, 1})
    ->Args({4096, 16})
    ->Args({1 << 20, 1})
    ->Args({1 << 20, 16})
    ->UseRealTime();
BENCHMARK(store_read)
    ->Args({4096, 1})
    ->Args({4096, 16})
    ->Args({1 << 20, 1})
    ->Args({1 << 20, 16})
    ->UseRealTime();

}  // namespace
}  // namespace benchfs::micro
