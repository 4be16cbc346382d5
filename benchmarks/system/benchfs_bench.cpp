// One benchmark, several file systems: each MPI rank writes and reads a file of its own through the
// benchfs C API or through POSIX (O_DIRECT) on a directory, with so many operations in flight. Data
// is a pattern of file, rank and offset, and a read verifies every byte of it. Prints one line of
// JSON.
//
// Time is from a barrier before the first operation to the end of the slowest rank, with fsync
// where it writes. Reading takes the file of the next rank.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <mpi.h>
#include <unistd.h>

#include "benchfs/benchfs.h"

namespace {

struct Options {
  std::string backend = "benchfs";
  std::string mode = "write";
  std::string path = "/bench";
  std::uint64_t size_bytes = std::uint64_t{1} << 30;
  std::uint64_t transfer_bytes = std::uint64_t{1} << 20;
  unsigned depth = 16;
  unsigned repeats = 20000;
  bool verify = false;
};

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "benchfs-bench: %s: %s (%s)\n", what.c_str(), std::strerror(errno),
               benchfs_error_text());
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::uint64_t pattern(int file_rank, std::uint64_t word) {
  std::uint64_t x = word * 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(file_rank + 1);
  x ^= x >> 29;
  return x * 0xbf58476d1ce4e5b9U;
}

void fill(std::byte* buffer, std::uint64_t bytes, int file_rank, std::uint64_t offset) {
  auto* const words = reinterpret_cast<std::uint64_t*>(buffer);
  for (std::uint64_t i = 0; i < bytes / 8; ++i) {
    words[i] = pattern(file_rank, offset / 8 + i);
  }
}

bool matches(const std::byte* buffer, std::uint64_t bytes, int file_rank, std::uint64_t offset) {
  const auto* const words = reinterpret_cast<const std::uint64_t*>(buffer);
  for (std::uint64_t i = 0; i < bytes / 8; ++i) {
    if (words[i] != pattern(file_rank, offset / 8 + i)) {
      return false;
    }
  }
  return true;
}

/// Where the bytes go: one file at a time.
class Target {
 public:
  virtual ~Target() = default;
  virtual void open(const std::string& path, bool write) = 0;
  /// Starts or does the transfer; `slot` is free again after finish(slot).
  virtual void begin(unsigned slot, std::byte* buffer, std::uint64_t bytes,
                     std::uint64_t offset) = 0;
  virtual void finish(unsigned slot, std::uint64_t bytes) = 0;
  virtual void sync() = 0;
  virtual void close() = 0;
};

class BenchfsTarget final : public Target {
 public:
  explicit BenchfsTarget(unsigned depth) : requests_(depth), mount_(benchfs_mount_open(nullptr)) {
    if (mount_ == nullptr) {
      give_up("cannot join the session");
    }
  }
  ~BenchfsTarget() override { benchfs_mount_close(mount_); }

  void open(const std::string& path, bool write) override {
    write_ = write;
    file_ = benchfs_open(mount_, path.c_str(), write ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY, 0644,
                         nullptr);
    if (file_ == nullptr) {
      give_up("cannot open " + path);
    }
  }
  void begin(unsigned slot, std::byte* buffer, std::uint64_t bytes, std::uint64_t offset) override {
    const auto at = static_cast<off_t>(offset);
    requests_[slot] = write_ ? benchfs_pwrite_begin(file_, buffer, bytes, at)
                             : benchfs_pread_begin(file_, buffer, bytes, at);
    if (requests_[slot] == nullptr) {
      give_up("cannot start a transfer");
    }
  }
  void finish(unsigned slot, std::uint64_t bytes) override {
    if (benchfs_request_wait(requests_[slot]) != static_cast<ssize_t>(bytes)) {
      give_up("a transfer failed");
    }
  }
  void sync() override {
    if (benchfs_fsync(file_) != 0) {
      give_up("fsync");
    }
  }
  void close() override {
    if (benchfs_close(file_) != 0) {
      give_up("close");
    }
  }
  /// Microseconds of `repeats` empty round trips, sorted. Before each the client is silent for
  /// `pause`, long enough for a server to fall asleep if it is not zero.
  std::vector<double> ping(unsigned repeats, std::chrono::milliseconds pause) {
    std::vector<double> times;
    for (unsigned i = 0; i < repeats; ++i) {
      std::this_thread::sleep_for(pause);
      const double start = now_s();
      if (benchfs_ping(mount_, 0) != 0) {
        give_up("ping");
      }
      times.push_back((now_s() - start) * 1e6);
    }
    std::sort(times.begin(), times.end());
    return times;
  }

 private:
  std::vector<benchfs_request*> requests_;
  benchfs_mount* mount_;
  benchfs_file* file_ = nullptr;
  bool write_ = false;
};

/// Synchronous direct I/O on a local directory: the plain program that benchfs replaces.
class PosixTarget final : public Target {
 public:
  void open(const std::string& path, bool write) override {
    write_ = write;
    fd_ = ::open(path.c_str(), (write ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY) | O_DIRECT, 0644);
    if (fd_ < 0) {
      give_up("cannot open " + path);
    }
  }
  void begin(unsigned /*slot*/, std::byte* buffer, std::uint64_t bytes,
             std::uint64_t offset) override {
    const auto at = static_cast<off_t>(offset);
    const ssize_t done =
        write_ ? ::pwrite(fd_, buffer, bytes, at) : ::pread(fd_, buffer, bytes, at);
    if (done != static_cast<ssize_t>(bytes)) {
      give_up("a transfer failed");
    }
  }
  void finish(unsigned /*slot*/, std::uint64_t /*bytes*/) override {}
  void sync() override {
    if (::fdatasync(fd_) != 0) {
      give_up("fsync");
    }
  }
  void close() override { ::close(fd_); }

 private:
  int fd_ = -1;
  bool write_ = false;
};

struct Outcome {
  double seconds = 0;
  std::uint64_t wrong = 0;
};

/// Streams one file through `depth` buffers.
Outcome stream(Target& target, const Options& options, const std::string& path, int file_rank) {
  const bool write = options.mode == "write";
  const std::uint64_t bytes = options.transfer_bytes;
  const std::uint64_t count = options.size_bytes / bytes;
  void* memory = nullptr;
  if (::posix_memalign(&memory, 4096, bytes * options.depth) != 0) {
    give_up("memory");
  }
  const std::unique_ptr<void, void (*)(void*)> owner(memory, &std::free);
  auto* const buffers = static_cast<std::byte*>(memory);
  // Filled before the clock starts, and again only when the bytes are to be verified: a benchmark
  // of the file system should not measure the pattern.
  for (unsigned slot = 0; slot < options.depth; ++slot) {
    fill(buffers + slot * bytes, bytes, file_rank, slot * bytes);
  }

  Outcome outcome;
  MPI_Barrier(MPI_COMM_WORLD);
  const double start = now_s();
  target.open(path, write);
  for (std::uint64_t i = 0; i < count + options.depth; ++i) {
    const auto slot = static_cast<unsigned>(i % options.depth);
    std::byte* const buffer = buffers + slot * bytes;
    if (i >= options.depth && i - options.depth < count) {
      target.finish(slot, bytes);
      if (!write && options.verify &&
          !matches(buffer, bytes, file_rank, (i - options.depth) * bytes)) {
        ++outcome.wrong;
      }
    }
    if (i < count) {
      if (write && options.verify) {
        fill(buffer, bytes, file_rank, i * bytes);
      }
      target.begin(slot, buffer, bytes, i * bytes);
    }
  }
  if (write) {
    target.sync();
  }
  target.close();
  outcome.seconds = now_s() - start;
  return outcome;
}

int run(const Options& options) {
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (options.mode == "ping" || options.mode == "wake") {
    constexpr std::chrono::milliseconds kAsleepAfter(3);
    const auto pause = options.mode == "wake" ? kAsleepAfter : std::chrono::milliseconds(0);
    BenchfsTarget target(1);
    target.ping(options.repeats / 10, pause);
    const std::vector<double> times = target.ping(options.repeats, pause);
    if (rank == 0) {
      std::printf("{\"mode\": \"%s\", \"median_us\": %.3f, \"p99_us\": %.3f}\n",
                  options.mode.c_str(), times[times.size() / 2], times[times.size() * 99 / 100]);
    }
    return 0;
  }
  std::unique_ptr<Target> target;
  if (options.backend == "benchfs") {
    target = std::make_unique<BenchfsTarget>(options.depth);
  } else {
    target = std::make_unique<PosixTarget>();
  }
  const int file_rank = options.mode == "write" ? rank : (rank + 1) % size;
  Outcome mine =
      stream(*target, options, options.path + "." + std::to_string(file_rank), file_rank);
  Outcome all;
  MPI_Reduce(&mine.seconds, &all.seconds, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  MPI_Allreduce(&mine.wrong, &all.wrong, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
  if (rank == 0) {
    const double mib = static_cast<double>(options.size_bytes) * size / (1 << 20);
    std::printf(
        "{\"mode\": \"%s\", \"ranks\": %d, \"seconds\": %.4f, \"mib_per_s\": %.1f, "
        "\"verified\": %s, \"wrong\": %llu}\n",
        options.mode.c_str(), size, all.seconds, mib / all.seconds,
        options.verify ? "true" : "false", static_cast<unsigned long long>(all.wrong));
  }
  return all.wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  Options options;
  CLI::App app("Throughput and latency of benchfs, or of a directory, by MPI ranks",
               "benchfs-bench");
  app.add_option("--backend", options.backend)->check(CLI::IsMember({"benchfs", "posix"}));
  app.add_option("--mode", options.mode)->check(CLI::IsMember({"write", "read", "ping", "wake"}));
  app.add_option("--path", options.path, "Files are PATH.<rank>");
  app.add_option("--size", options.size_bytes, "Bytes of each rank's file")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--transfer", options.transfer_bytes, "Bytes of one operation, a multiple of 4096")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--depth", options.depth, "Operations in flight of each rank")
      ->check(CLI::Range(1, 1024));
  app.add_option("--repeats", options.repeats, "Round trips of ping")
      ->check(CLI::Range(10, 10000000));
  app.add_flag("--verify", options.verify,
               "Write a pattern of every offset, and check it when reading");
  int status = 0;
  try {
    app.parse(argc, argv);
    if (options.transfer_bytes == 0 || options.transfer_bytes % 4096 != 0 ||
        options.size_bytes < options.transfer_bytes) {
      throw CLI::ValidationError("--transfer", "must be a multiple of 4096 and at most --size");
    }
    status = run(options);
  } catch (const CLI::ParseError& error) {
    status = app.exit(error);
  }
  MPI_Finalize();
  return status;
}
