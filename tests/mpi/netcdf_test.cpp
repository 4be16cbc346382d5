// Goal: netCDF and PnetCDF write and read in parallel on benchfs as they are. Method: every element
// is a function of variable, time and place; each rank writes its columns and reads those of
// another. netCDF-4 (over parallel HDF5) is opened again in benchfs; PnetCDF looks at a file's
// first bytes by POSIX before it opens one, so without a mount its files are read through the
// handle that wrote them, and, copied out of benchfs, opened again; with one at $BENCHFS_MOUNT they
// are opened where they are. Run under mpirun with 1 or more ranks. Arguments: the name of a file
// of benchfs, which with a mount is one below it; `benchfs`, which copies.

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <mpi.h>
#include <netcdf.h>
#include <netcdf_par.h>
#include <pnetcdf.h>
#include <unistd.h>

#include "mpi_report.h"

namespace {

using benchfs::mpitest::Report;

constexpr std::size_t kRowCount = 67;
constexpr std::size_t kColumnCount = 53;  // Of each rank.
constexpr std::size_t kTimeCount = 5;

double value_at(std::size_t variable, std::size_t time, std::size_t row, std::size_t column) {
  return static_cast<double>(variable) * 1e9 + static_cast<double>(time) * 1e7 +
         static_cast<double>(row) * 1e4 + static_cast<double>(column) + 0.5;
}

std::vector<double> values_of(std::size_t variable, std::size_t time, int rank) {
  std::vector<double> values;
  for (std::size_t row = 0; row < kRowCount; ++row) {
    for (std::size_t column = 0; column < kColumnCount; ++column) {
      values.push_back(
          value_at(variable, time, row, static_cast<std::size_t>(rank) * kColumnCount + column));
    }
  }
  return values;
}

// Where the columns of `rank` lie at `time`. Both libraries take offsets and counts like these.
template <typename Offset>
struct Place {
  Place(std::size_t time, int rank)
      : start{static_cast<Offset>(time), 0,
              static_cast<Offset>(rank) * static_cast<Offset>(kColumnCount)},
        count{1, static_cast<Offset>(kRowCount), static_cast<Offset>(kColumnCount)} {}
  std::array<Offset, 3> start;
  std::array<Offset, 3> count;
};

constexpr std::array kVariables = {"contiguous", "deflated"};

bool define_netcdf(int file, int rank_count, std::array<int, kVariables.size()>& variables) {
  std::array<int, 3> dimensions{};
  bool ok = nc_def_dim(file, "time", NC_UNLIMITED, &dimensions[0]) == NC_NOERR &&
            nc_def_dim(file, "row", kRowCount, &dimensions[1]) == NC_NOERR &&
            nc_def_dim(file, "column", kColumnCount * static_cast<std::size_t>(rank_count),
                       &dimensions[2]) == NC_NOERR;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    ok = ok && nc_def_var(file, kVariables[i], NC_DOUBLE, 3, dimensions.data(), &variables[i]) ==
                   NC_NOERR;
  }
  ok = ok && nc_def_var_deflate(file, variables[1], 1, 1, 3) == NC_NOERR;
  for (const int variable : variables) {
    ok = ok && nc_var_par_access(file, variable, NC_COLLECTIVE) == NC_NOERR;
  }
  return ok && nc_put_att_text(file, NC_GLOBAL, "title", 7, "benchfs") == NC_NOERR &&
         nc_enddef(file) == NC_NOERR;
}

bool reads_netcdf(int file, const char* name, std::size_t index, int rank, int access) {
  int variable = 0;
  bool ok = nc_inq_varid(file, name, &variable) == NC_NOERR &&
            nc_var_par_access(file, variable, access) == NC_NOERR;
  for (std::size_t time = 0; time < kTimeCount; ++time) {
    const Place<std::size_t> place(time, rank);
    std::vector<double> read(kRowCount * kColumnCount);
    ok = nc_get_vara_double(file, variable, place.start.data(), place.count.data(), read.data()) ==
             NC_NOERR &&
         ok;
    ok = ok && read == values_of(index, time, rank);
  }
  return ok;
}

void test_netcdf(Report& report, const std::string& name) {
  int file = 0;
  report.check("netCDF-4 creates a file",
               nc_create_par(name.c_str(), NC_NETCDF4 | NC_CLOBBER, MPI_COMM_WORLD, MPI_INFO_NULL,
                             &file) == NC_NOERR);
  std::array<int, kVariables.size()> variables{};
  report.check("defines dimensions and variables",
               define_netcdf(file, report.rank_count(), variables));
  bool ok = true;
  for (std::size_t time = 0; time < kTimeCount; ++time) {
    const Place<std::size_t> place(time, report.rank());
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const std::vector<double> mine = values_of(i, time, report.rank());
      ok = nc_put_vara_double(file, variables[i], place.start.data(), place.count.data(),
                              mine.data()) == NC_NOERR &&
           ok;
    }
  }
  report.check("writes collectively", ok);
  report.check("closes", nc_close(file) == NC_NOERR);

  report.check("opens it again", nc_open_par(name.c_str(), NC_NOWRITE, MPI_COMM_WORLD,
                                             MPI_INFO_NULL, &file) == NC_NOERR);
  const int other = (report.rank() + 1) % report.rank_count();
  for (std::size_t i = 0; i < kVariables.size(); ++i) {
    const std::string what = kVariables[i];
    report.check(what + " is read collectively",
                 reads_netcdf(file, kVariables[i], i, other, NC_COLLECTIVE));
  }
  // netCDF reads filtered variables collectively only.
  report.check("contiguous is read independently",
               reads_netcdf(file, kVariables[0], 0, other, NC_INDEPENDENT));
  std::array<char, 8> title{};
  report.check("its attribute is there",
               nc_get_att_text(file, NC_GLOBAL, "title", title.data()) == NC_NOERR &&
                   std::string(title.data()) == "benchfs");
  nc_close(file);
}

bool reads_pnetcdf(int file, int variable, int rank) {
  bool ok = true;
  for (std::size_t time = 0; time < kTimeCount; ++time) {
    const Place<MPI_Offset> place(time, rank);
    std::vector<double> read(kRowCount * kColumnCount);
    ok = ncmpi_get_vara_double_all(file, variable, place.start.data(), place.count.data(),
                                   read.data()) == NC_NOERR &&
         ok;
    ok = ok && read == values_of(9, time, rank);
  }
  return ok;
}

// Several writes are put together and sent by one collective call, as PnetCDF's users do.
bool writes_pnetcdf(int file, int variable, int rank) {
  std::vector<std::vector<double>> mine;
  std::vector<int> requests(kTimeCount);
  std::vector<int> outcomes(kTimeCount, NC_NOERR);
  bool ok = true;
  for (std::size_t time = 0; time < kTimeCount; ++time) {
    mine.push_back(values_of(9, time, rank));
    const Place<MPI_Offset> place(time, rank);
    ok = ncmpi_iput_vara_double(file, variable, place.start.data(), place.count.data(),
                                mine.back().data(), &requests[time]) == NC_NOERR &&
         ok;
  }
  ok = ncmpi_wait_all(file, static_cast<int>(kTimeCount), requests.data(), outcomes.data()) ==
           NC_NOERR &&
       ok;
  return ok && outcomes == std::vector<int>(kTimeCount, NC_NOERR);
}

void test_pnetcdf(Report& report, const std::string& name, const std::string& tool) {
  int file = 0;
  report.check("PnetCDF creates a file",
               ncmpi_create(MPI_COMM_WORLD, name.c_str(), NC_CLOBBER | NC_64BIT_DATA, MPI_INFO_NULL,
                            &file) == NC_NOERR);
  std::array<int, 3> dimensions{};
  int variable = 0;
  const auto columns = static_cast<MPI_Offset>(kColumnCount) * report.rank_count();
  report.check(
      "defines dimensions and a variable",
      ncmpi_def_dim(file, "time", NC_UNLIMITED, &dimensions[0]) == NC_NOERR &&
          ncmpi_def_dim(file, "row", kRowCount, &dimensions[1]) == NC_NOERR &&
          ncmpi_def_dim(file, "column", columns, &dimensions[2]) == NC_NOERR &&
          ncmpi_def_var(file, "records", NC_DOUBLE, 3, dimensions.data(), &variable) == NC_NOERR &&
          ncmpi_enddef(file) == NC_NOERR);
  const int other = (report.rank() + 1) % report.rank_count();
  report.check("writes by non-blocking calls", writes_pnetcdf(file, variable, report.rank()));
  report.check("reads what another rank wrote", reads_pnetcdf(file, variable, other));
  report.check("closes", ncmpi_close(file) == NC_NOERR);

  const bool is_mounted = std::getenv("BENCHFS_MOUNT") != nullptr;
  const std::string scratch = std::filesystem::temp_directory_path();
  const std::string copy =
      is_mounted ? name : scratch + "/benchfs-pnetcdf-" + std::to_string(getppid());
  if (!is_mounted) {
    const std::string command = "\"" + tool + "\" cp \"" + name + "\" \"" + copy + "\"";
    report.check("it is copied out", report.rank() != 0 || std::system(command.c_str()) == 0);
  }
  std::array<char, 4> magic{};
  std::ifstream(copy, std::ios::binary).read(magic.data(), magic.size());
  report.check("POSIX reads its first bytes", std::string(magic.data(), 4) == "CDF\5");
  report.check("it opens again", ncmpi_open(MPI_COMM_WORLD, copy.c_str(), NC_NOWRITE, MPI_INFO_NULL,
                                            &file) == NC_NOERR);
  report.check("and holds the same", ncmpi_inq_varid(file, "records", &variable) == NC_NOERR &&
                                         reads_pnetcdf(file, variable, other));
  ncmpi_close(file);
  if (report.rank() == 0) {
    std::filesystem::remove(copy);
  }
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s FILE BENCHFS\n", argv[0]);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  Report report;
  const char* const mount = std::getenv("BENCHFS_MOUNT");
  const std::string name = mount == nullptr ? argv[1] : std::string(mount) + "/" + argv[1];
  test_netcdf(report, name + ".nc4");
  test_pnetcdf(report, name + ".nc5", argv[2]);
  MPI_Finalize();
  return report.exit_status();
}
