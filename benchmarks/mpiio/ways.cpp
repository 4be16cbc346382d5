#include "ways.h"

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace benchfs::mpiio_bench {

void give_up(const std::string& what) {
  std::fprintf(stderr, "mpiio_bench: %s\n", what.c_str());
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

void check(int error_code, const std::string& what) {
  if (error_code == MPI_SUCCESS) {
    return;
  }
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(error_code, text, &length);
  give_up(what + ": " + text);
}

Way::Way(const std::string& text) {
  std::istringstream parts(text);
  std::getline(parts, name, '=');
  std::getline(parts, file, ',');
  if (name.empty() || file.empty()) {
    give_up("--way " + text + " is not NAME=FILE[,HINT=VALUE...]");
  }
  for (std::string hint; std::getline(parts, hint, ',');) {
    const std::size_t equals = hint.find('=');
    if (equals == std::string::npos) {
      give_up("--way " + text + ": " + hint + " is not HINT=VALUE");
    }
    if (info_ == MPI_INFO_NULL) {
      MPI_Info_create(&info_);
    }
    MPI_Info_set(info_, hint.substr(0, equals).c_str(), hint.substr(equals + 1).c_str());
  }
}

MPI_File open_file(const Way& way, int mode) {
  MPI_File file = MPI_FILE_NULL;
  check(MPI_File_open(MPI_COMM_WORLD, way.file.c_str(), mode, way.info(), &file),
        "opening " + way.file);
  return file;
}

void delete_file(const Way& way, int rank) {
  if (rank == 0) {
    MPI_File_delete(way.file.c_str(), MPI_INFO_NULL);  // May well not be there.
  }
  MPI_Barrier(MPI_COMM_WORLD);
}

void drop_from_cache(const Way& way, int rank) {
  if (rank == 0 && !way.is_benchfs()) {
    const int descriptor = ::open(way.file.c_str(), O_RDONLY);
    if (descriptor < 0 || ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) != 0) {
      give_up("cannot drop " + way.file + " from the page cache");
    }
    ::close(descriptor);
  }
  MPI_Barrier(MPI_COMM_WORLD);
}

std::string hint_of(MPI_File file, const char* key) {
  MPI_Info info = MPI_INFO_NULL;
  char value[MPI_MAX_INFO_VAL + 1] = "";
  int is_given = 0;
  MPI_File_get_info(file, &info);
  MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &is_given);
  MPI_Info_free(&info);
  return is_given != 0 ? value : "";
}

std::string as_json(const std::vector<double>& values) {
  std::ostringstream out;
  const char* comma = "";
  out << '[';
  for (const double value : values) {
    out << comma << value;
    comma = ", ";
  }
  out << ']';
  return out.str();
}

}  // namespace benchfs::mpiio_bench
