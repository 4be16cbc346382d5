// Goal: what the ranks of a job write by MPI-IO on all of its nodes, every rank reads back, whoever
// wrote it. Method: blocks of all ranks are interleaved in one file, written collectively; then
// each rank reads the blocks of every other rank by itself, and compares every byte. Prints the
// node of each rank.
//
// exchange FILE [SECONDS]: does it over and over for that long; stops at the first error, with
// status 1.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <mpi.h>

#include "mpi/mpi_report.h"

namespace {

using benchfs::mpitest::bytes_at;
using benchfs::mpitest::count_of;
using benchfs::mpitest::Report;

constexpr int kBlockBytes = 200'000;  // No multiple of a chunk or a page.
constexpr int kRounds = 5;

MPI_Offset offset_of(int round, int rank, const Report& report) {
  return MPI_Offset{kBlockBytes} * (MPI_Offset{round} * report.rank_count() + rank);
}

/// The error of the first call that failed.
int write_all(MPI_File file, unsigned seed, const Report& report) {
  for (int round = 0; round < kRounds; ++round) {
    const MPI_Offset offset = offset_of(round, report.rank(), report);
    const auto bytes = bytes_at(seed, static_cast<std::uint64_t>(offset), kBlockBytes);
    const int error =
        MPI_File_write_at_all(file, offset, bytes.data(), kBlockBytes, MPI_BYTE, MPI_STATUS_IGNORE);
    if (error != MPI_SUCCESS) {
      return error;
    }
  }
  return MPI_SUCCESS;
}

struct Reading {
  int error = MPI_SUCCESS;
  bool is_right = true;
};

Reading read_others(MPI_File file, unsigned seed, const Report& report) {
  Reading reading;
  std::vector<unsigned char> bytes(kBlockBytes);
  for (int rank = 0; rank < report.rank_count(); ++rank) {
    for (int round = 0; round < kRounds && reading.error == MPI_SUCCESS; ++round) {
      const MPI_Offset offset = offset_of(round, rank, report);
      MPI_Status status;
      reading.error = MPI_File_read_at(file, offset, bytes.data(), kBlockBytes, MPI_BYTE, &status);
      reading.is_right = reading.is_right && reading.error == MPI_SUCCESS &&
                         count_of(status) == kBlockBytes &&
                         bytes == bytes_at(seed, static_cast<std::uint64_t>(offset), kBlockBytes);
    }
  }
  return reading;
}

void exchange(const char* name, unsigned seed, Report& report) {
  MPI_File file = MPI_FILE_NULL;
  report.check_call(
      "the file opens",
      MPI_File_open(MPI_COMM_WORLD, name, MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file));
  if (report.exit_status() != 0) {
    return;
  }
  report.check_call("every rank writes", write_all(file, seed, report));
  report.check_call("what was written is there for all", MPI_File_sync(file));
  MPI_Barrier(MPI_COMM_WORLD);
  const Reading reading = read_others(file, seed, report);
  report.check_call("every rank reads", reading.error);
  report.check("every byte of every rank is right", reading.is_right);
  report.check_call("the file closes", MPI_File_close(&file));
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  Report report;
  char host[MPI_MAX_PROCESSOR_NAME];
  int length = 0;
  MPI_Get_processor_name(host, &length);
  std::printf("rank %d of %d on %s\n", report.rank(), report.rank_count(), host);
  std::fflush(stdout);
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(argc > 2 ? std::atoi(argv[2]) : 0);
  unsigned seed = 0;
  int again = 1;
  while (again != 0 && argc > 1) {
    exchange(argv[1], ++seed, report);
    again = report.exit_status() == 0 && std::chrono::steady_clock::now() < end ? 1 : 0;
    MPI_Bcast(&again, 1, MPI_INT, 0, MPI_COMM_WORLD);
  }
  if (report.rank() == 0) {
    std::printf("%s after %u rounds\n", report.exit_status() == 0 ? "exchanged" : "FAILED", seed);
  }
  MPI_Finalize();
  return argc > 1 ? report.exit_status() : 2;
}
