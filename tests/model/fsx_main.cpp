// Goal: whatever several ranks do to files through several mounts of a session, each finds what the
// files should hold, byte by byte, and their sizes.
// Method: steps drawn from a seed. In a step all ranks work at once: each on a file of its own, or
// all on one file, in ranges that touch but do not overlap, or appending to one file; or one rank
// uses the handles of all, in turn. Each operation is done to a file in memory too and compared.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "model/rank.h"
#include "model/world.h"

namespace benchfs::test {
namespace {

class Steps {
 public:
  explicit Steps(World& world) : world_(world) {}

  void run(std::uint64_t step) {
    Dice dice(mix(world_.options().seed + 1) + step);
    switch (dice.below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return on_files_of_their_own(step, dice);
      case 4:
      case 5:
      case 6:
        return on_one_file(step, dice);
      case 7:
        return appending(step, dice);
      default:
        return one_after_another(step, dice);
    }
  }

  void verify_all(std::uint64_t step) {
    Rank rank(world_, 0, step);
    for (Subject& subject : world_.subjects()) {
      rank.verify_whole(subject);
    }
    count(rank);
  }

  std::uint64_t written_bytes() const noexcept { return written_bytes_; }
  std::uint64_t read_bytes() const noexcept { return read_bytes_; }

 private:
  void count(const Rank& rank) {
    written_bytes_ += rank.written_bytes();
    read_bytes_ += rank.read_bytes();
  }

  /// Runs `work` for each rank, in threads of their own.
  void run_ranks(std::uint64_t step, const std::function<void(Rank&, unsigned)>& work) {
    const unsigned rank_count = world_.options().rank_count;
    std::vector<Rank> ranks;
    for (unsigned i = 0; i < rank_count; ++i) {
      ranks.emplace_back(world_, i, step);
    }
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < rank_count; ++i) {
      threads.emplace_back([this, &work, &ranks, i] {
        try {
          work(ranks[i], i);
        } catch (const std::system_error& error) {
          world_.fail(fmt::format("rank {}: {}", i, error.what()));
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const Rank& rank : ranks) {
      count(rank);
    }
  }

  void on_files_of_their_own(std::uint64_t step, Dice& dice) {
    const std::uint64_t first = dice.below(world_.subjects().size());
    const std::uint64_t operations = 1 + dice.below(16);
    run_ranks(step, [&](Rank& rank, unsigned i) {
      Subject& subject = world_.subjects()[(first + i) % world_.subjects().size()];
      rank.work_alone(subject, operations);
    });
  }

  void on_one_file(std::uint64_t step, Dice& dice) {
    Subject& subject = world_.subjects()[dice.below(world_.subjects().size())];
    const std::uint64_t operations = 1 + dice.below(16);
    std::vector<std::uint64_t> cuts = {0, world_.options().file_bytes_max};
    for (unsigned i = 1; i < world_.options().rank_count; ++i) {
      cuts.push_back(dice.below(world_.options().file_bytes_max));
    }
    std::sort(cuts.begin(), cuts.end());
    run_ranks(step, [&](Rank& rank, unsigned i) {
      rank.work_in(subject, {.begin_bytes = cuts[i], .end_bytes = cuts[i + 1]}, operations);
    });
    one_check(step, subject);
  }

  void appending(std::uint64_t step, Dice& dice) {
    Subject& subject = world_.subjects()[dice.below(world_.subjects().size())];
    const std::uint64_t begin_bytes = subject.model.size();
    const std::uint64_t piece_count = 1 + dice.below(8);
    std::vector<std::vector<std::vector<std::byte>>> pieces(world_.options().rank_count);
    run_ranks(step, [&](Rank& rank, unsigned i) {
      pieces[i] = rank.append_pieces(subject, piece_count);
    });
    place_pieces(subject, begin_bytes, std::move(pieces));
    one_check(step, subject);
    for (Handle& handle : subject.appending) {
      handle.position_bytes = handle.file.seek(0, SEEK_END);
    }
    if (subject.model.size() > world_.options().file_bytes_max) {
      subject.plain.front().file.truncate(begin_bytes);
      subject.model.resize(begin_bytes);
    }
  }

  /// Finds the order in which the ranks' pieces lie in the file, and does the same to the model.
  void place_pieces(Subject& subject, std::uint64_t at,
                    std::vector<std::vector<std::vector<std::byte>>> pieces) {
    std::vector<std::size_t> next(pieces.size(), 0);
    std::size_t left = pieces.size() * pieces.front().size();
    for (; left > 0; --left) {
      const auto is_next_of = [&](std::size_t rank) {
        if (next[rank] == pieces[rank].size()) {
          return false;
        }
        std::vector<std::byte> got(pieces[rank][next[rank]].size());
        return subject.plain.front().file.read(got, at) == got.size() &&
               got == pieces[rank][next[rank]];
      };
      std::size_t rank = 0;
      while (rank < pieces.size() && !is_next_of(rank)) {
        ++rank;
      }
      if (rank == pieces.size()) {
        world_.fail(
            fmt::format("file {}: what lies at {} is not what anybody appended next, with "
                        "{} pieces to come; the file ends at {}",
                        subject.id, at, left, subject.plain.front().file.size()));
      }
      const auto& piece = pieces[rank][next[rank]++];
      subject.model.write(piece, at);
      at += piece.size();
    }
  }

  void one_after_another(std::uint64_t step, Dice& dice) {
    Subject& subject = world_.subjects()[dice.below(world_.subjects().size())];
    Rank rank(world_, 0, step);
    rank.work_alone(subject, 1 + dice.below(24));
    count(rank);
  }

  /// After all have come to rest, sizes are exact again.
  void one_check(std::uint64_t step, Subject& subject) {
    Rank rank(world_, world_.options().rank_count, step);
    rank.verify_whole(subject);
    count(rank);
  }

  World& world_;
  std::uint64_t written_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
};

void run(const WorldOptions& options) {
  fmt::print("fsx: seed {}, {} operations, {} ranks, {} mounts\n", options.seed,
             options.operation_count, options.rank_count, options.mount_count);
  std::fflush(stdout);
  const auto start = std::chrono::steady_clock::now();
  World world(options);
  Steps steps(world);
  std::uint64_t step = 0;
  std::uint64_t told = 0;
  try {
    for (; world.history().count() < options.operation_count; ++step) {
      steps.run(step);
      if (world.history().count() / 100'000 > told) {
        told = world.history().count() / 100'000;
        fmt::print("fsx: {} operations\n", world.history().count());
        std::fflush(stdout);
      }
    }
    steps.verify_all(step);
    world.remove_all();
  } catch (const std::system_error& error) {
    world.fail(error.what());
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print(
      "fsx: {} operations in {} steps, {:.1f} MiB written, {:.1f} MiB read, {:.1f} s: all "
      "as in the model\n",
      world.history().count(), step, static_cast<double>(steps.written_bytes()) / (1 << 20),
      static_cast<double>(steps.read_bytes()) / (1 << 20), took.count());
}

}  // namespace
}  // namespace benchfs::test

int main(int argc, char** argv) {
  benchfs::test::WorldOptions options;
  options.seed = std::random_device()();
  CLI::App app("Compares files of $BENCHFS_SESSION with files in memory under random operations.");
  app.add_option("--seed", options.seed, "what is drawn; printed, and drawn itself if not given");
  app.add_option("--operations", options.operation_count, "stops after so many");
  app.add_option("--ranks", options.rank_count, "threads")->check(CLI::Range(1, 64));
  app.add_option("--mounts", options.mount_count, "times to join")->check(CLI::Range(1, 64));
  app.add_option("--file-bytes", options.file_bytes_max, "a file's largest size")
      ->check(CLI::Range(std::uint64_t{1} << 16U, std::uint64_t{1} << 32U));
  app.add_option("--transfer-bytes", options.transfer_bytes_max, "a transfer's largest size")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 28U));
  CLI11_PARSE(app, argc, argv);
  try {
    benchfs::test::run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fsx: %s\n", error.what());
    return 1;
  }
  return 0;
}
