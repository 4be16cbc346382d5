#include "overlap.h"

#include <algorithm>
#include <cstdio>

#include <mpi.h>

#include "ways.h"

namespace benchfs::mpiio_bench {
namespace {

/// Work that only the processor does, without a call of MPI, so that the program looks into nothing
/// meanwhile.
class Computation {
 public:
  /// Makes it as long as `wanted_s`, at the speed that the machine has now.
  void fit(double wanted_s) {
    constexpr std::uint64_t kProbe = 10'000'000;
    const double begin = MPI_Wtime();
    compute(kProbe);
    const double per_step = (MPI_Wtime() - begin) / static_cast<double>(kProbe);
    step_count_ = static_cast<std::uint64_t>(wanted_s / per_step);
  }

  void run() { compute(step_count_); }
  /// Whoever looks at this makes sure that the work is done.
  std::uint64_t outcome() const { return state_; }

 private:
  void compute(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) {
      state_ ^= state_ << 13U;
      state_ ^= state_ >> 7U;
      state_ ^= state_ << 17U;
    }
  }

  std::uint64_t state_ = 0x9E3779B97F4A7C15U;
  std::uint64_t step_count_ = 0;
};

struct Sample {
  std::vector<double> compute_s;
  std::vector<double> io_s;
  std::vector<double> both_s;
};

double elapsed(double begin) {
  const double mine = MPI_Wtime() - begin;
  double slowest = 0;
  MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return slowest;
}

class Overlap {
 public:
  Overlap(const std::vector<std::string>& ways, std::uint64_t bytes_per_rank)
      : bytes_(bytes_per_rank) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    for (const std::string& text : ways) {
      ways_.emplace_back(text);
    }
    samples_.resize(ways_.size());
  }

  void run(int round_count) {
    for (int round = -1; round < round_count; ++round) {  // The first one warms up.
      for (std::size_t i = 0; i < ways_.size(); ++i) {
        run_round(i, round);
      }
    }
    print();
  }

 private:
  void run_round(std::size_t i, int round) {
    const auto seed = static_cast<unsigned char>(2 * round + 3);
    const double io_s = write(ways_[i], seed, nullptr);
    computation_.fit(io_s);
    MPI_Barrier(MPI_COMM_WORLD);
    const double begin = MPI_Wtime();
    computation_.run();
    const double compute_s = elapsed(begin);
    const double both_s = write(ways_[i], static_cast<unsigned char>(seed + 1), &computation_);
    if (round >= 0) {
      samples_[i].compute_s.push_back(compute_s);
      samples_[i].io_s.push_back(io_s);
      samples_[i].both_s.push_back(both_s);
    }
  }

  /// Seconds of the write, with the computation while it is under way if there is one.
  double write(Way& way, unsigned char seed, Computation* computation) {
    const MPI_File file = open_file(way, MPI_MODE_CREATE | MPI_MODE_RDWR);
    const auto begin_offset = static_cast<MPI_Offset>(bytes_) * rank_;
    const int count = static_cast<int>(bytes_);
    buffer_.assign(bytes_, seed);
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Barrier(MPI_COMM_WORLD);
    const double begin = MPI_Wtime();
    check(MPI_File_iwrite_at(file, begin_offset, buffer_.data(), count, MPI_BYTE, &request),
          "MPI_File_iwrite_at");
    if (computation != nullptr) {
      computation->run();
    }
    check(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
    const double seconds = elapsed(begin);
    std::fill(buffer_.begin(), buffer_.end(), static_cast<unsigned char>(~seed));
    check(MPI_File_read_at(file, begin_offset, buffer_.data(), count, MPI_BYTE, MPI_STATUS_IGNORE),
          "MPI_File_read_at");
    if (std::any_of(buffer_.begin(), buffer_.end(),
                    [seed](unsigned char byte) { return byte != seed; })) {
      give_up(way.name + ": what was written is not what is read");
    }
    MPI_File handle = file;
    check(MPI_File_close(&handle), "MPI_File_close");
    return seconds;
  }

  void print() {
    for (const Way& way : ways_) {
      delete_file(way, rank_);
    }
    if (rank_ != 0 || computation_.outcome() == 0) {
      return;
    }
    std::printf(R"({"pattern": "overlap", "bytes": %llu, "ways": {)",
                static_cast<unsigned long long>(bytes_));
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      std::printf(R"(%s"%s": {"compute_s": %s, "io_s": %s, "both_s": %s})", i == 0 ? "" : ", ",
                  ways_[i].name.c_str(), as_json(samples_[i].compute_s).c_str(),
                  as_json(samples_[i].io_s).c_str(), as_json(samples_[i].both_s).c_str());
    }
    std::printf("}}\n");
  }

  std::uint64_t bytes_;
  int rank_ = 0;
  std::vector<Way> ways_;
  Computation computation_;
  std::vector<Sample> samples_;
  std::vector<unsigned char> buffer_;
};

}  // namespace

void measure_overlap(const std::vector<std::string>& ways, std::uint64_t bytes_per_rank,
                     int round_count) {
  Overlap(ways, bytes_per_rank).run(round_count);
}

}  // namespace benchfs::mpiio_bench
