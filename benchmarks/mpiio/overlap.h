#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace benchfs::mpiio_bench {

/// Collective. Per way and round: seconds of computing alone, of MPI_File_iwrite_at and its wait
/// alone, and of computing between the two. What was written is read back and compared. Prints one
/// line of JSON.
void measure_overlap(const std::vector<std::string>& ways, std::uint64_t bytes_per_rank,
                     int round_count);

}  // namespace benchfs::mpiio_bench
