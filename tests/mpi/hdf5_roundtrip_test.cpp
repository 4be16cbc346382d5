// Goal: parallel HDF5 works on benchfs: contiguous, chunked and compressed data sets, written and
// read collectively and independently, attributes, and files that are opened again by other numbers
// of ranks. Method: every element is a function of data set and index; each rank writes its columns
// and reads the columns of another. Run under mpirun with 1 or more ranks. Argument: the name of a
// file of benchfs.

#include <array>
#include <string>
#include <utility>

#include <hdf5.h>
#include <mpi.h>

#include "mpi_report.h"

namespace {

using benchfs::mpitest::Report;

constexpr hsize_t kRowCount = 257;
constexpr hsize_t kColumnCount = 131;  // Of each rank.
constexpr int kStep = 4711;

/// An HDF5 object that closes itself.
class Handle {
 public:
  Handle(hid_t id, herr_t (*closer)(hid_t)) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { close(); }

  hid_t get() const { return id_; }
  bool is_good() const { return id_ >= 0; }
  bool close() {
    const hid_t id = std::exchange(id_, -1);
    return id < 0 || close_(id) >= 0;
  }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

struct Storage {
  const char* name;
  bool is_chunked;
  unsigned deflate_level;  // 0: not compressed. Compressed data can only be written collectively.
};

constexpr std::array kStorages = {
    Storage{.name = "contiguous", .is_chunked = false, .deflate_level = 0},
    Storage{.name = "chunked", .is_chunked = true, .deflate_level = 0},
    Storage{.name = "deflated", .is_chunked = true, .deflate_level = 3},
};

double value_at(std::size_t storage, hsize_t row, hsize_t column) {
  return static_cast<double>(storage) * 1e9 + static_cast<double>(row) * 1e5 +
         static_cast<double>(column);
}

/// `rank`'s columns of the data set `storage`.
std::vector<double> columns_of(std::size_t storage, hsize_t rank) {
  std::vector<double> values(kRowCount * kColumnCount);
  for (hsize_t row = 0; row < kRowCount; ++row) {
    for (hsize_t column = 0; column < kColumnCount; ++column) {
      values[row * kColumnCount + column] = value_at(storage, row, rank * kColumnCount + column);
    }
  }
  return values;
}

Handle access_by(MPI_Comm comm) {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_mpio(access.get(), comm, MPI_INFO_NULL);
  return access;
}

Handle transfer_by(H5FD_mpio_xfer_t mode) {
  Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  H5Pset_dxpl_mpio(transfer.get(), mode);
  return transfer;
}

Handle columns_in_file(hsize_t rank_count, hsize_t rank) {
  const std::array<hsize_t, 2> whole = {kRowCount, kColumnCount * rank_count};
  const std::array<hsize_t, 2> start = {0, kColumnCount * rank};
  const std::array<hsize_t, 2> count = {kRowCount, kColumnCount};
  Handle space(H5Screate_simple(2, whole.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  return space;
}

Handle columns_in_memory() {
  const std::array<hsize_t, 2> count = {kRowCount, kColumnCount};
  return {H5Screate_simple(2, count.data(), nullptr), H5Sclose};
}

bool write_data_set(const Report& report, hid_t file, std::size_t index, hid_t transfer) {
  const Storage& storage = kStorages[index];
  const auto rank = static_cast<hsize_t>(report.rank());
  const Handle in_file = columns_in_file(static_cast<hsize_t>(report.rank_count()), rank);
  const Handle in_memory = columns_in_memory();
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  if (storage.is_chunked) {
    const std::array<hsize_t, 2> chunk = {64, 50};
    H5Pset_chunk(creation.get(), 2, chunk.data());
  }
  if (storage.deflate_level > 0) {
    H5Pset_deflate(creation.get(), storage.deflate_level);
  }
  const std::array<hsize_t, 2> whole = {kRowCount,
                                        kColumnCount * static_cast<hsize_t>(report.rank_count())};
  const Handle space(H5Screate_simple(2, whole.data(), nullptr), H5Sclose);
  Handle data(H5Dcreate(file, storage.name, H5T_NATIVE_DOUBLE, space.get(), H5P_DEFAULT,
                        creation.get(), H5P_DEFAULT),
              H5Dclose);
  const std::vector<double> values = columns_of(index, rank);
  bool is_good = data.is_good() && H5Dwrite(data.get(), H5T_NATIVE_DOUBLE, in_memory.get(),
                                            in_file.get(), transfer, values.data()) >= 0;
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
  Handle step(H5Acreate(data.get(), "step", H5T_NATIVE_INT, scalar.get(), H5P_DEFAULT, H5P_DEFAULT),
              H5Aclose);
  is_good = is_good && H5Awrite(step.get(), H5T_NATIVE_INT, &kStep) >= 0;
  return step.close() && data.close() && is_good;
}

bool read_data_set(hid_t file, std::size_t index, hsize_t rank_count, hsize_t rank,
                   hid_t transfer) {
  const Handle in_file = columns_in_file(rank_count, rank);
  const Handle in_memory = columns_in_memory();
  const Handle data(H5Dopen(file, kStorages[index].name, H5P_DEFAULT), H5Dclose);
  std::vector<double> values(kRowCount * kColumnCount, -1);
  const Handle step(H5Aopen(data.get(), "step", H5P_DEFAULT), H5Aclose);
  int step_read = 0;
  return H5Dread(data.get(), H5T_NATIVE_DOUBLE, in_memory.get(), in_file.get(), transfer,
                 values.data()) >= 0 &&
         H5Aread(step.get(), H5T_NATIVE_INT, &step_read) >= 0 && step_read == kStep &&
         values == columns_of(index, rank);
}

void test_round_trip(Report& report, const std::string& name, H5FD_mpio_xfer_t mode) {
  const std::string how = mode == H5FD_MPIO_COLLECTIVE ? ", collectively" : ", independently";
  const Handle access = access_by(MPI_COMM_WORLD);
  if (mode == H5FD_MPIO_COLLECTIVE) {
    // The metadata too: one rank reads them for all, and all write them together.
    H5Pset_all_coll_metadata_ops(access.get(), true);
    H5Pset_coll_metadata_write(access.get(), true);
  }
  const Handle transfer = transfer_by(mode);
  const Handle collective = transfer_by(H5FD_MPIO_COLLECTIVE);
  Handle file(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
  report.check("H5Fcreate" + how, file.is_good());
  for (std::size_t i = 0; i < kStorages.size(); ++i) {
    const bool is_deflated = kStorages[i].deflate_level > 0;
    report.check(
        std::string("write ") + kStorages[i].name + how,
        write_data_set(report, file.get(), i, is_deflated ? collective.get() : transfer.get()));
  }
  report.check("H5Fflush" + how, H5Fflush(file.get(), H5F_SCOPE_GLOBAL) >= 0);
  report.check("H5Fclose" + how, file.close());

  const auto rank_count = static_cast<hsize_t>(report.rank_count());
  const auto other = (static_cast<hsize_t>(report.rank()) + 1) % rank_count;
  Handle again(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  report.check("H5Fopen" + how, again.is_good());
  for (std::size_t i = 0; i < kStorages.size(); ++i) {
    report.check(std::string("read the next rank's part of ") + kStorages[i].name + how,
                 read_data_set(again.get(), i, rank_count, other, transfer.get()));
  }
  report.check("H5Fclose after reading" + how, again.close());
}

void test_read_alone(Report& report, const std::string& name) {
  const Handle access = access_by(MPI_COMM_SELF);
  const Handle transfer = transfer_by(H5FD_MPIO_INDEPENDENT);
  Handle file(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  bool is_right = file.is_good();
  const auto rank_count = static_cast<hsize_t>(report.rank_count());
  for (hsize_t rank = 0; rank < rank_count && is_right; ++rank) {
    for (std::size_t i = 0; i < kStorages.size(); ++i) {
      is_right = is_right && read_data_set(file.get(), i, rank_count, rank, transfer.get());
    }
  }
  report.check("one rank alone reads all that all have written", is_right && file.close());
}

/// A file that nobody closes is closed by HDF5 when MPI is finalised, after the session was left.
void leave_open(Report& report, const std::string& name) {
  const Handle access = access_by(MPI_COMM_WORLD);
  const hid_t file = H5Fopen(name.c_str(), H5F_ACC_RDWR, access.get());
  report.check("open once more, and leave it to MPI_Finalize", file >= 0);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE\n", argv[0]);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  const std::string name = argv[1];
  Report report;
  test_round_trip(report, name, H5FD_MPIO_COLLECTIVE);
  test_round_trip(report, name, H5FD_MPIO_INDEPENDENT);
  test_read_alone(report, name);
  leave_open(report, name);
  MPI_Finalize();
  return report.exit_status();
}
