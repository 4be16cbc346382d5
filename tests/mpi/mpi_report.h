#pragma once

// What the MPI test programs share: checks that all ranks make together, and bytes that tell where
// they belong.
//
// A check is collective over MPI_COMM_WORLD: it holds if it holds on every rank. Rank 0 prints one
// line for it. Nothing here stops the program; main returns exit_status().

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <mpi.h>

namespace benchfs::mpitest {

class Report {
 public:
  Report() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &rank_count_);
  }

  int rank() const { return rank_; }
  int rank_count() const { return rank_count_; }
  int exit_status() const { return failure_count_ == 0 ? 0 : 1; }

  /// Collective. `sentence` says what holds.
  void check(const std::string& sentence, bool holds_here) {
    const int mine = holds_here ? rank_count_ : rank_;
    int first_failed = 0;
    MPI_Allreduce(&mine, &first_failed, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (first_failed < rank_count_) {
      failure_count_++;
    }
    if (rank_ != 0) {
      return;
    }
    if (first_failed == rank_count_) {
      std::printf("ok    %s\n", sentence.c_str());
    } else {
      std::printf("FAIL  %s (rank %d)\n", sentence.c_str(), first_failed);
    }
    std::fflush(stdout);
  }

  /// Collective. An MPI call must have succeeded on every rank.
  void check_call(const std::string& sentence, int error_code) {
    if (error_code != MPI_SUCCESS) {
      char text[MPI_MAX_ERROR_STRING];
      int length = 0;
      MPI_Error_string(error_code, text, &length);
      std::fprintf(stderr, "rank %d: %s: %s\n", rank_, sentence.c_str(), text);
    }
    check(sentence, error_code == MPI_SUCCESS);
  }

 private:
  int rank_ = 0;
  int rank_count_ = 1;
  int failure_count_ = 0;
};

inline int error_class(int error_code) {
  int result = MPI_SUCCESS;
  MPI_Error_class(error_code, &result);
  return result;
}

/// The byte that belongs at `offset` of the data set `seed`. Never 0, so that it differs from a
/// hole.
inline unsigned char byte_at(std::uint64_t seed, std::uint64_t offset) {
  std::uint64_t mixed = (offset + 1) * 0x9E3779B97F4A7C15U ^ (seed + 1) * 0xC2B2AE3D27D4EB4FU;
  mixed ^= mixed >> 29U;
  mixed *= 0xBF58476D1CE4E5B9U;
  return static_cast<unsigned char>((mixed >> 56U) % 255U + 1U);
}

/// `length` bytes as they belong from `offset` on.
inline std::vector<unsigned char> bytes_at(std::uint64_t seed, std::uint64_t offset,
                                           std::size_t length) {
  std::vector<unsigned char> bytes(length);
  for (std::size_t i = 0; i < length; ++i) {
    bytes[i] = byte_at(seed, offset + i);
  }
  return bytes;
}

inline int count_of(const MPI_Status& status) {
  int count = 0;
  MPI_Get_count(&status, MPI_BYTE, &count);
  return count;
}

/// An info object that frees itself.
class Hints {
 public:
  Hints() { MPI_Info_create(&info_); }
  Hints(std::initializer_list<std::pair<const char*, const char*>> hints) : Hints() {
    for (const auto& [key, value] : hints) {
      MPI_Info_set(info_, key, value);
    }
  }
  Hints(const Hints&) = delete;
  Hints& operator=(const Hints&) = delete;
  ~Hints() { MPI_Info_free(&info_); }

  MPI_Info get() const { return info_; }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

}  // namespace benchfs::mpitest
