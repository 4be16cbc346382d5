#pragma once

// A way to serve an access: a name for the table, a file, and hints. And what the benchmarks do
// with such files; every function here is collective over MPI_COMM_WORLD unless it takes a rank.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <mpi.h>

namespace benchfs::mpiio_bench {

[[noreturn]] void give_up(const std::string& what);

/// Ends the job if an MPI call has failed.
void check(int error_code, const std::string& what);

class Way {
 public:
  /// `text` is NAME=FILE[,HINT=VALUE...].
  explicit Way(const std::string& text);

  /// MPI_INFO_NULL or the hints. Lives until MPI is finalised.
  MPI_Info info() const { return info_; }
  bool is_benchfs() const { return file.rfind("benchfs:", 0) == 0; }

  std::string name;
  std::string file;
  std::vector<double> write_s;
  std::vector<double> read_s;
  std::string aggregator_count;
  std::uint64_t wrong_words = 0;

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

MPI_File open_file(const Way& way, int mode);

/// Rank 0 deletes it, if it is there, before anybody goes on.
void delete_file(const Way& way, int rank);

/// A local file is dropped from the page cache; benchfs has none.
void drop_from_cache(const Way& way, int rank);

/// What MPI_File_get_info says; empty if nothing.
std::string hint_of(MPI_File file, const char* key);

/// [1.5, 2.5]
std::string as_json(const std::vector<double>& values);

}  // namespace benchfs::mpiio_bench
