#pragma once

// A file of a test, that all ranks have open.

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <mpi.h>

#include "mpi_report.h"

namespace benchfs::mpitest {

using Bytes = std::vector<unsigned char>;

inline int to_int(std::size_t value) {
  return static_cast<int>(value);
}

/// An open file, new and empty, that all ranks share. Closes and deletes itself.
class TestFile {
 public:
  TestFile(Report& report, const std::string& name, MPI_Info info = MPI_INFO_NULL)
      : report_(report), name_(name) {
    if (report_.rank() == 0) {
      MPI_File_delete(name_.c_str(), MPI_INFO_NULL);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    report_.check_call("open", MPI_File_open(MPI_COMM_WORLD, name_.c_str(),
                                             MPI_MODE_CREATE | MPI_MODE_RDWR, info, &file_));
  }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;
  ~TestFile() {
    close();
    if (report_.rank() == 0) {
      MPI_File_delete(name_.c_str(), MPI_INFO_NULL);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }

  MPI_File get() const { return file_; }
  void close() {
    if (file_ != MPI_FILE_NULL) {
      report_.check_call("close", MPI_File_close(&file_));
    }
  }

  /// What `size` bytes from `offset` on are, read by another open.
  Bytes read(MPI_Offset offset, std::size_t size) const {
    Bytes bytes(size);
    MPI_File file = MPI_FILE_NULL;
    MPI_Status status;
    if (MPI_File_open(MPI_COMM_SELF, name_.c_str(), MPI_MODE_RDONLY, MPI_INFO_NULL, &file) !=
        MPI_SUCCESS) {
      return {};
    }
    MPI_File_read_at(file, offset, bytes.data(), to_int(size), MPI_BYTE, &status);
    MPI_File_close(&file);
    bytes.resize(static_cast<std::size_t>(std::max(count_of(status), 0)));
    return bytes;
  }

 private:
  Report& report_;
  std::string name_;
  MPI_File file_ = MPI_FILE_NULL;
};

}  // namespace benchfs::mpitest
