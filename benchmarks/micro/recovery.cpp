// How long a killed server takes to read its store back.
//
//   benchfs-recovery --dir DIR [--files N] [--limit SECONDS]
//
// A child process makes a store with its journal in a file in DIR, the namespace beside it, writes,
// and kills itself. This process then recovers it, and times that. Three stores: `files` files of
// 100 bytes each; files / 10 of them written once; the same as before, but each removed and made
// again or written over until it has been written ten times. Fails if the first takes longer than
// the limit, or the third more than twice as long as the second (and a tenth of a second). The
// processor's time stands beside the clock's: on a busy machine they differ.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "coro/scope.h"
#include "io/buffer_pool.h"
#include "io/data_file.h"
#include "journal/journal.h"
#include "loop/event_loop.h"
#include "placement/placement.h"
#include "server/handlers/namespace_keeper.h"
#include "server/journal_ledger.h"
#include "store/chunk_store.h"

namespace benchfs {
namespace {

constexpr std::uint64_t kCapacityBytes = 4 * kGiB;
constexpr std::size_t kFileBytes = 100;
constexpr int kWorkers = 256;

[[noreturn]] void die(const char* what, const Status& status) {
  std::fprintf(stderr, "%s: %s\n", what, to_string(status.error()).c_str());
  std::exit(1);
}

/// What a server has below its handlers.
class Server {
 public:
  Server(const std::string& path, bool is_new)
      : loop_(clock_, sleeper_), pool_(std::move(*io::BufferPool::create(loop_, 64 * kMiB))) {
    const io::DataFileOptions options = {.path = path, .size_bytes = kCapacityBytes};
    auto disk = is_new ? io::create_data_file(loop_, options, pool_.get())
                       : io::open_data_file(loop_, options, pool_.get());
    // The kernel closes the ring of a killed process, and with it the file, when it comes to it.
    for (int left = 1000; left > 0 && !disk.has_value() && disk.error().code == Errc::kBusy;
         --left) {
      ::usleep(10'000);
      disk = io::open_data_file(loop_, options, pool_.get());
    }
    if (!disk.has_value()) {
      die("the data file", fail(disk.error()));
    }
    disk_ = std::move(*disk);
    journal_.emplace(loop_, *disk_, journal::JournalOptions{.store_id = 1});
    store_.emplace(loop_, *disk_, *pool_, *journal_);
    ledger_.emplace(*journal_);
    appends_.emplace(*ledger_, ServerId{0});
    outcomes_.emplace(loop_, *ledger_);
    range_locks_.emplace(loop_, *ledger_, ServerId{0});
    counters_.emplace(*ledger_, ServerId{0});
    keeper_.emplace(*ledger_, server::NamespaceKeeper::Tables{.names = *names_,
                                                              .debts = *debts_,
                                                              .appends = *appends_,
                                                              .range_locks = *range_locks_,
                                                              .counters = *counters_,
                                                              .outcomes = *outcomes_});
    names_.emplace(meta::NamespaceOptions{.self = ServerId{0}, .server_count = 1}, &*keeper_);
    debts_.emplace(*ledger_, ServerId{0}, 1);
    journal_->add_participant(journal::RecordKind::kNamespaceFirst,
                              journal::RecordKind::kNamespaceLast, *keeper_);
    store_->set_metadata_bytes([this] { return keeper_->snapshot_bytes(); });
  }

  /// Writes `files` files `times` times, and ends the process as kill -9 does.
  [[noreturn]] void build(std::uint64_t files, std::uint64_t times) {
    run(journal_->create(), "create");
    run(begin(), "begin");
    inodes_.resize(files);
    for (std::uint64_t time = 0; time < times; ++time) {
      next_file_ = 0;
      std::vector<coro::Task<void>> workers;
      for (int i = 0; i < kWorkers; ++i) {
        workers.push_back(work(time));
      }
      run(all(std::move(workers)), "write");
    }
    ::kill(::getpid(), SIGKILL);
    std::abort();
  }

  journal::Recovered recover(double& seconds) {
    const auto begin = std::chrono::steady_clock::now();
    coro::Task<Result<journal::Recovered>> recovering = journal_->recover();
    const Result<journal::Recovered> found = wait(recovering);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (!found.has_value()) {
      die("recover", fail(found.error()));
    }
    return *found;
  }

  std::uint64_t file_count() const { return store_->usage().file_count; }

  void stop() { run(end_all(), "stop"); }

 private:
  template <typename T>
  T wait(coro::Task<T>& task) {
    task.start();
    while (!task.done()) {
      loop_.run_once(loop_.now_ns() + 100 * kNsPerMs);
    }
    return task.take();
  }
  void run(coro::Task<Status> task, const char* what) {
    const Status status = wait(task);
    if (!status.has_value()) {
      die(what, status);
    }
  }

  static coro::Task<Status> all(std::vector<coro::Task<void>> tasks) {
    coro::Task<void> waiting = coro::when_all(std::move(tasks));
    co_await waiting;
    co_return Status();
  }

  coro::Task<Status> begin() {
    auto admitting = ledger_->admit();
    BENCHFS_CO_TRY(const auto room, admitting);
    names_->begin_run(1);
    debts_->begin_run(1);
    names_->add_holder(kRootInode, ServerId{0});
    names_->attach(kRootInode);
    co_return Status();
  }

  coro::Task<Status> end_all() {
    store_->set_metadata_bytes({});
    auto stopping = store_->stop();
    co_await stopping;
    auto ending = journal_->stop();
    co_return co_await ending;
  }

  coro::Task<void> work(std::uint64_t time) {
    while (next_file_ < inodes_.size()) {
      const std::uint64_t file = next_file_++;
      coro::Task<Status> changing = change(file, time);
      const Status status = co_await changing;
      if (!status.has_value()) {
        die("change", status);
      }
    }
  }

  /// Made at first; then, in turns, written over, and removed and made again.
  coro::Task<Status> change(std::uint64_t file, std::uint64_t time) {
    const wire::EntryKey key = {.parent = kRootInode, .name = "file" + std::to_string(file)};
    if (time == 0 || time % 2 == 0) {
      if (time > 0) {
        auto removing = store_->remove(inodes_[file]);
        BENCHFS_CO_CHECK(removing);
      }
      auto admitting = ledger_->admit();
      BENCHFS_CO_TRY(auto room, admitting);
      if (time > 0) {
        names_->erase_entry(key, time);
        names_->unlink_file(inodes_[file], time);
        names_->remove_file(inodes_[file]);
      }
      inodes_[file] =
          names_->create_file(key, {.mode = 0600}, {.chunk_bytes = kMiB, .stripe_count = 1}, time);
    }
    io::BufferPool::AcquireOp acquire(*pool_, kFileBytes);
    io::PoolBuffer buffer = co_await acquire;
    std::memset(buffer.bytes().data(), static_cast<int>(file), kFileBytes);
    const store::Piece piece = {.offset_bytes = 0, .size_bytes = kFileBytes};
    auto writing = store_->write(inodes_[file], std::span(&piece, 1), std::move(buffer));
    co_return co_await writing;
  }

  SystemClock clock_;
  loop::PollSleeper sleeper_;
  loop::EventLoop loop_;
  std::unique_ptr<io::BufferPool> pool_;
  std::unique_ptr<io::Disk> disk_;
  std::optional<journal::Journal> journal_;
  std::optional<store::ChunkStore> store_;
  std::optional<server::JournalLedger> ledger_;
  std::optional<server::NamespaceKeeper> keeper_;
  std::optional<meta::Namespace> names_;
  std::optional<server::Debts> debts_;
  std::optional<server::AppendEnds> appends_;
  std::optional<server::RangeLocks> range_locks_;
  std::optional<server::Counters> counters_;
  std::optional<server::Outcomes> outcomes_;
  std::vector<InodeId> inodes_;
  std::uint64_t next_file_ = 0;
};

double time_of(const std::string& directory, std::uint64_t files, std::uint64_t times) {
  const std::string path = directory + "/benchfs-recovery." + std::to_string(::getpid());
  const pid_t child = ::fork();
  if (child == 0) {
    Server(path, true).build(files, times);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  double seconds = -1;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    Server server(path, false);
    const std::clock_t cpu_begin = std::clock();
    const journal::Recovered found = server.recover(seconds);
    const double cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
    std::printf(
        "%9lu files written %3lu times: %.3f s (processor %.3f s) for %lu records of a "
        "snapshot and %lu of the log\n",
        files, times, seconds, cpu, found.snapshot_records, found.log_records);
    if (server.file_count() != files) {
      std::printf("%lu files are there\n", server.file_count());
      seconds = -1;
    }
    server.stop();
  }
  std::filesystem::remove(path);
  if (seconds < 0) {
    std::exit(1);
  }
  return seconds;
}

}  // namespace
}  // namespace benchfs

int main(int argc, char** argv) {
  std::string directory = ".";
  std::uint64_t files = 1'000'000;
  double limit = 5;
  CLI::App app("How long a killed server takes to read its store back");
  app.add_option("--dir", directory, "where the stores are made, one after the other");
  app.add_option("--files", files, "files of the largest");
  app.add_option("--limit", limit, "seconds that it may take");
  CLI11_PARSE(app, argc, argv);
  benchfs::configure_log(benchfs::LogLevel::kError, "benchfs-recovery");
  const double many = benchfs::time_of(directory, files, 1);
  const double once = benchfs::time_of(directory, files / 10, 1);
  const double often = benchfs::time_of(directory, files / 10, 10);
  std::printf("history: %.2f times as long as without\n", often / once);
  return many <= limit && often <= 2 * once + 0.1 ? 0 : 1;
}
