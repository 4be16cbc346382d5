// How fast MPI-IO moves pieces of a file: one pattern of access, several ways to serve it (a name
// and hints each), in one run on the same nodes with the same data. Rounds alternate between the
// ways. In each, a new file is written, synced and read back, and every byte that was read is
// compared with what belongs there. Prints one line of JSON; mpiio_run.py calls it and makes the
// tables.
//
//   mpiio_bench --pattern interleaved --piece 4096 --bytes 8388608 --call independent
//     --way list=benchfs:/a --way sieving=benchfs:/b,romio_ds_read=enable,romio_ds_write=enable
//
// Patterns, with `bytes` per rank in pieces of `piece` bytes:
//   interleaved  piece after piece goes to the next rank
//   gaps         each rank has a part of the file of its own, and uses every second piece of it
//
// Time is from a barrier to the end of the slowest rank: of the write with MPI_File_sync, of the
// read alone. A file that is not in benchfs is dropped from the page cache before it is read.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <mpi.h>
#include <unistd.h>

#include "overlap.h"
#include "ways.h"

namespace benchfs::mpiio_bench {
namespace {

struct Options {
  std::string pattern = "interleaved";
  std::string call = "independent";
  std::uint64_t piece_bytes = 4096;
  std::uint64_t bytes_per_rank = 8U << 20U;
  int round_count = 5;
  std::vector<std::string> ways;
};

/// The word that belongs at the file's word `index` in a round. Other rounds have others.
std::uint64_t word_at(std::uint64_t round, std::uint64_t index) {
  std::uint64_t mixed = (index + 1) * 0x9E3779B97F4A7C15U ^ (round + 1) * 0xC2B2AE3D27D4EB4FU;
  mixed ^= mixed >> 29U;
  return mixed * 0xBF58476D1CE4E5B9U;
}

/// Which pieces of the file are this rank's.
struct Share {
  std::uint64_t first_piece;
  std::uint64_t step;
};

Share share_of(const Options& options, int rank, int rank_count) {
  const auto number = static_cast<std::uint64_t>(rank);
  if (options.pattern == "gaps") {
    return {.first_piece = number * 2 * (options.bytes_per_rank / options.piece_bytes), .step = 2};
  }
  return {.first_piece = number, .step = static_cast<std::uint64_t>(rank_count)};
}

template <typename Visit>
void for_each_word(const Options& options, const Share& share, Visit visit) {
  const std::uint64_t words_per_piece = options.piece_bytes / sizeof(std::uint64_t);
  std::uint64_t in_memory = 0;
  for (std::uint64_t i = 0; i < options.bytes_per_rank / options.piece_bytes; ++i) {
    const std::uint64_t in_file = (share.first_piece + i * share.step) * words_per_piece;
    for (std::uint64_t word = 0; word < words_per_piece; ++word) {
      visit(in_memory++, in_file + word);
    }
  }
}

/// A view that shows this rank its pieces only.
void set_view(MPI_File file, const Options& options, const Share& share, MPI_Info info) {
  MPI_Datatype piece = MPI_DATATYPE_NULL;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(static_cast<int>(options.piece_bytes), MPI_BYTE, &piece);
  MPI_Type_create_resized(piece, 0, static_cast<MPI_Aint>(options.piece_bytes * share.step), &type);
  MPI_Type_commit(&type);
  const auto begin = static_cast<MPI_Offset>(share.first_piece * options.piece_bytes);
  check(MPI_File_set_view(file, begin, MPI_BYTE, type, "native", info), "MPI_File_set_view");
  MPI_Type_free(&type);
  MPI_Type_free(&piece);
}

/// Seconds that `work` takes on the slowest rank.
template <typename Work>
double time_of(Work work) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double begin = MPI_Wtime();
  work();
  const double mine = MPI_Wtime() - begin;
  double slowest = 0;
  MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return slowest;
}

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &rank_count_);
    share_ = share_of(options_, rank_, rank_count_);
    words_.resize(options_.bytes_per_rank / sizeof(std::uint64_t));
    for (const std::string& text : options_.ways) {
      ways_.emplace_back(text);
    }
  }

  void run() {
    for (int round = -1; round < options_.round_count; ++round) {  // The first one warms up.
      for (Way& way : ways_) {
        const Seconds seconds = run_round(way, static_cast<std::uint64_t>(round + 1));
        if (round >= 0) {
          way.write_s.push_back(seconds.write);
          way.read_s.push_back(seconds.read);
        }
      }
    }
    print();
  }

 private:
  struct Seconds {
    double write;
    double read;
  };

  Seconds run_round(Way& way, std::uint64_t round) {
    delete_file(way, rank_);
    const MPI_File file = open_file(way, MPI_MODE_CREATE | MPI_MODE_RDWR);
    set_view(file, options_, share_, way.info());
    way.aggregator_count = hint_of(file, "cb_nodes");
    for_each_word(options_, share_, [&](std::uint64_t in_memory, std::uint64_t in_file) {
      words_[in_memory] = word_at(round, in_file);
    });
    Seconds seconds{};
    seconds.write = time_of([&] {
      transfer(file, true);
      check(MPI_File_sync(file), "MPI_File_sync");
    });
    drop_from_cache(way, rank_);
    std::fill(words_.begin(), words_.end(), 0);
    seconds.read = time_of([&] { transfer(file, false); });
    MPI_File handle = file;
    check(MPI_File_close(&handle), "MPI_File_close");
    verify(way, round);
    delete_file(way, rank_);
    return seconds;
  }

  void transfer(MPI_File file, bool is_write) {
    const int count = static_cast<int>(options_.bytes_per_rank);
    const bool is_collective = options_.call == "collective";
    const auto call = is_write ? (is_collective ? write_all : write_alone)
                               : (is_collective ? MPI_File_read_at_all : MPI_File_read_at);
    MPI_Status status;
    int moved = 0;
    check(call(file, 0, words_.data(), count, MPI_BYTE, &status), is_write ? "write" : "read");
    MPI_Get_count(&status, MPI_BYTE, &moved);
    if (moved != count) {
      give_up("a transfer moved " + std::to_string(moved) + " bytes, not " + std::to_string(count));
    }
  }

  static int write_all(MPI_File file, MPI_Offset offset, void* buffer, int count,
                       MPI_Datatype datatype, MPI_Status* status) {
    return MPI_File_write_at_all(file, offset, buffer, count, datatype, status);
  }
  static int write_alone(MPI_File file, MPI_Offset offset, void* buffer, int count,
                         MPI_Datatype datatype, MPI_Status* status) {
    return MPI_File_write_at(file, offset, buffer, count, datatype, status);
  }

  /// A way that gives wrong bytes is told apart by its count, not stopped: other people's may.
  void verify(Way& way, std::uint64_t round) const {
    std::uint64_t wrong = 0;
    for_each_word(options_, share_, [&](std::uint64_t in_memory, std::uint64_t in_file) {
      wrong += words_[in_memory] != word_at(round, in_file);
    });
    std::uint64_t sum = 0;
    MPI_Allreduce(&wrong, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    way.wrong_words += sum;
  }

  void print() const {
    if (rank_ != 0) {
      return;
    }
    std::printf(
        R"({"pattern": "%s", "call": "%s", "piece": %llu, "bytes": %llu, "ranks": %d, "ways": {)",
        options_.pattern.c_str(), options_.call.c_str(),
        static_cast<unsigned long long>(options_.piece_bytes),
        static_cast<unsigned long long>(options_.bytes_per_rank *
                                        static_cast<std::uint64_t>(rank_count_)),
        rank_count_);
    const char* comma = "";
    for (const Way& way : ways_) {
      std::printf(
          R"(%s"%s": {"write_s": %s, "read_s": %s, "aggregators": "%s", "wrong_words": %llu})",
          comma, way.name.c_str(), as_json(way.write_s).c_str(), as_json(way.read_s).c_str(),
          way.aggregator_count.c_str(), static_cast<unsigned long long>(way.wrong_words));
      comma = ", ";
    }
    std::printf("}}\n");
  }

  Options options_;
  Share share_{};
  int rank_ = 0;
  int rank_count_ = 1;
  std::vector<std::uint64_t> words_;
  std::vector<Way> ways_;
};

}  // namespace
}  // namespace benchfs::mpiio_bench

int main(int argc, char** argv) {
  using namespace benchfs::mpiio_bench;
  Options options;
  CLI::App app{"MPI-IO of pieces, several ways to serve it in one run."};
  app.add_option("--pattern", options.pattern, "which pieces are a rank's")
      ->check(CLI::IsMember({"interleaved", "gaps", "overlap"}));
  app.add_option("--call", options.call, "the MPI call")
      ->check(CLI::IsMember({"independent", "collective"}));
  app.add_option("--piece", options.piece_bytes, "bytes of a piece, a multiple of 8");
  app.add_option("--bytes", options.bytes_per_rank, "bytes of a rank, a multiple of the piece");
  app.add_option("--rounds", options.round_count, "rounds that count, after one that does not");
  app.add_option("--way", options.ways, "NAME=FILE[,HINT=VALUE...]; several")->required();
  MPI_Init(&argc, &argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    MPI_Finalize();
    return status;
  }
  if (options.piece_bytes == 0 || options.piece_bytes % 8 != 0 ||
      options.bytes_per_rank % options.piece_bytes != 0 || options.bytes_per_rank > INT32_MAX) {
    give_up("--piece must be a multiple of 8, and --bytes a multiple of it below 2 GiB");
  }
  if (options.pattern == "overlap") {
    measure_overlap(options.ways, options.bytes_per_rank, options.round_count);
  } else {
    Bench(options).run();
  }
  MPI_Finalize();
  return 0;
}
