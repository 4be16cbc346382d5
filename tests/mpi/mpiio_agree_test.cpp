// Goal: what fails on one rank of a collective call fails on all of them, and nobody is left
// waiting. Method: calls that one rank does for all are made to fail there; each check holds on
// every rank, and a rank that hangs is ended by the time limit of the test.
//
//   mpiexec -n RANKS mpiio_agree_test NAME

#include <string>

#include <mpi.h>

#include "mpi_report.h"
#include "test_file.h"

namespace {

using namespace benchfs::mpitest;  // NOLINT(google-build-using-namespace)

void check_class(Report& report, const std::string& sentence, int error_code, int expected) {
  report.check(sentence, error_class(error_code) == expected);
}

MPI_Offset shared_position(MPI_File file) {
  MPI_Offset position = -1;
  MPI_File_get_position_shared(file, &position);
  return position;
}

/// A seek to before the file's begin, the three ways there are.
void check_seek_shared(Report& report, const std::string& name) {
  const TestFile file(report, name);
  report.check_call("set_size", MPI_File_set_size(file.get(), 100));
  report.check_call("seek_shared", MPI_File_seek_shared(file.get(), 7, MPI_SEEK_SET));
  check_class(report, "seek_shared to before the begin, from the end, is refused on all ranks",
              MPI_File_seek_shared(file.get(), -101, MPI_SEEK_END), MPI_ERR_ARG);
  check_class(report, "seek_shared to before the begin, from where it is, is refused on all ranks",
              MPI_File_seek_shared(file.get(), -8, MPI_SEEK_CUR), MPI_ERR_ARG);
  check_class(report, "seek_shared to before the begin is refused on all ranks",
              MPI_File_seek_shared(file.get(), -1, MPI_SEEK_SET), MPI_ERR_ARG);
  check_class(report, "seek_shared to different places is refused on all ranks",
              MPI_File_seek_shared(file.get(), report.rank(), MPI_SEEK_SET), MPI_ERR_NOT_SAME);
  report.check("a refused seek leaves the pointer alone", shared_position(file.get()) == 7);
  MPI_Barrier(MPI_COMM_WORLD);
  report.check_call("seek_shared from where it is",
                    MPI_File_seek_shared(file.get(), -7, MPI_SEEK_CUR));
  report.check("it is at the begin", shared_position(file.get()) == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  report.check_call("seek_shared from the end",
                    MPI_File_seek_shared(file.get(), -100, MPI_SEEK_END));
  report.check("it is at the begin again", shared_position(file.get()) == 0);
  MPI_Barrier(MPI_COMM_WORLD);
}

/// Rank 0 alone writes what is reserved, which it may not here.
void check_preallocate(Report& report, const std::string& name) {
  const TestFile file(report, name);
  MPI_File read_only = MPI_FILE_NULL;
  report.check_call("open to be read", MPI_File_open(MPI_COMM_WORLD, name.c_str(), MPI_MODE_RDONLY,
                                                     MPI_INFO_NULL, &read_only));
  check_class(report, "preallocate of a file that may not be written is refused on all ranks",
              MPI_File_preallocate(read_only, 1 << 20), MPI_ERR_ACCESS);
  report.check_call("close", MPI_File_close(&read_only));
  MPI_Offset size = -1;
  report.check_call("get_size", MPI_File_get_size(file.get(), &size));
  report.check("and the file stays empty", size == 0);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int status = 1;
  if (argc == 2) {
    Report report;
    check_seek_shared(report, argv[1]);
    check_preallocate(report, argv[1]);
    status = report.exit_status();
  }
  MPI_Finalize();
  return status;
}
