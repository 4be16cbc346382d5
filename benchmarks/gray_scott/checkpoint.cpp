#include "checkpoint.h"

#include <array>
#include <vector>

#include <fmt/format.h>

#include "hdf5_handle.h"

namespace gray_scott {
namespace {

constexpr std::uint64_t kFormat = 1;
// Large objects start at multiples of this, so that they meet the chunks or stripes of most file
// systems.
constexpr hsize_t kAlignmentBytes = 1 << 20;

struct NamedRate {
  const char* name;
  double Parameters::*value;
};
constexpr std::array kRates{NamedRate{"feed", &Parameters::feed},
                            NamedRate{"kill", &Parameters::kill},
                            NamedRate{"diffusion_u", &Parameters::diffusion_u},
                            NamedRate{"diffusion_v", &Parameters::diffusion_v},
                            NamedRate{"time_step", &Parameters::time_step}};

// One row of /blocks.
using BlockRow = std::array<std::uint64_t, 5>;

BlockRow block_row(const Block& block, std::uint64_t checksum) {
  return {static_cast<std::uint64_t>(block.row), static_cast<std::uint64_t>(block.column),
          static_cast<std::uint64_t>(block.rows), static_cast<std::uint64_t>(block.columns),
          checksum};
}

const char* name_of(Plane plane) {
  return plane == Plane::kU ? "u" : "v";
}

Hdf5Handle file_access(const Decomposition& decomposition) {
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_mpio(access.get(), decomposition.comm(), MPI_INFO_NULL);
  H5Pset_alignment(access.get(), kAlignmentBytes, kAlignmentBytes);
  H5Pset_coll_metadata_write(access.get(), true);
  H5Pset_all_coll_metadata_ops(access.get(), true);
  return access;
}

Hdf5Handle collective_transfer() {
  Hdf5Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE);
  return transfer;
}

Hdf5Handle space_of(hsize_t rows, hsize_t columns) {
  const hsize_t sides[2] = {rows, columns};
  return {H5Screate_simple(2, sides, nullptr), H5Sclose};
}

bool select(const Hdf5Handle& space, hsize_t row, hsize_t column, hsize_t rows, hsize_t columns) {
  const hsize_t start[2] = {row, column};
  const hsize_t count[2] = {rows, columns};
  return H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, count, nullptr) >= 0;
}

// This rank's selections of the file's dataset and of memory.
struct Selections {
  Hdf5Handle file;
  Hdf5Handle memory;
};

// Its block of the grid, and the cells inside the frame.
Result<Selections> block_selections(const Decomposition& decomposition, const Field& field) {
  const Grid& grid = decomposition.grid();
  const Block& block = decomposition.block();
  const auto size = [](std::int64_t cells) { return static_cast<hsize_t>(cells); };
  Selections selections{space_of(size(grid.rows), size(grid.columns)),
                        space_of(size(field.rows() + 2), size(field.stride()))};
  if (!select(selections.file, size(block.row), size(block.column), size(block.rows),
              size(block.columns)) ||
      !select(selections.memory, 1, 1, size(block.rows), size(block.columns))) {
    return fail(hdf5_error_text());
  }
  return selections;
}

bool write_attribute(const Hdf5Handle& file, const char* name, hid_t stored, hid_t native,
                     const void* value) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  Hdf5Handle attribute(H5Acreate2(file.get(), name, stored, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                       H5Aclose);
  return attribute && H5Awrite(attribute.get(), native, value) >= 0 && attribute.close();
}

bool write_attributes(const Hdf5Handle& file, const StateId& id, const Parameters& parameters) {
  const auto number = [&](const char* name, std::uint64_t value) {
    return write_attribute(file, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
  };
  bool written =
      number("format", kFormat) && number("step", id.step) && number("checksum", id.checksum);
  for (const NamedRate& rate : kRates) {
    written = written && write_attribute(file, rate.name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                                         &(parameters.*rate.value));
  }
  return written;
}

// How the values of a dataset lie in the file and in memory.
struct ValueType {
  hid_t stored;
  hid_t native;
};

// Creates the dataset and writes each rank's selection.
bool write_dataset(const Hdf5Handle& file, const char* name, const ValueType& type,
                   const Selections& selections, const void* data) {
  // Times of creation would make equal states differ as files.
  const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
  const Hdf5Handle transfer = collective_transfer();
  Hdf5Handle dataset(H5Dcreate2(file.get(), name, type.stored, selections.file.get(), H5P_DEFAULT,
                                creation.get(), H5P_DEFAULT),
                     H5Dclose);
  return dataset &&
         H5Dwrite(dataset.get(), type.native, selections.memory.get(), selections.file.get(),
                  transfer.get(), data) >= 0 &&
         dataset.close();
}

bool write_blocks(const Hdf5Handle& file, const Decomposition& decomposition,
                  std::uint64_t checksum) {
  const BlockRow row = block_row(decomposition.block(), checksum);
  const Selections selections{
      space_of(static_cast<hsize_t>(decomposition.rank_count()), row.size()),
      space_of(1, row.size())};
  return select(selections.file, static_cast<hsize_t>(decomposition.rank()), 0, 1, row.size()) &&
         write_dataset(file, "blocks", {H5T_STD_U64LE, H5T_NATIVE_UINT64}, selections, row.data());
}

template <typename T>
Status expect_attribute(const Hdf5Handle& file, const char* name, hid_t native, T expected) {
  const Hdf5Handle attribute(H5Aopen(file.get(), name, H5P_DEFAULT), H5Aclose);
  T found{};
  if (!attribute || H5Aread(attribute.get(), native, &found) < 0) {
    return fail(fmt::format("attribute {}: {}", name, hdf5_error_text()));
  }
  if (found != expected) {
    return fail(fmt::format("attribute {} is {}, not {}", name, found, expected));
  }
  return {};
}

Status expect_attributes(const Hdf5Handle& file, const StateId& id, const Parameters& parameters) {
  struct Number {
    const char* name;
    std::uint64_t value;
  };
  for (const Number& number :
       {Number{"format", kFormat}, Number{"step", id.step}, Number{"checksum", id.checksum}}) {
    if (Status same = expect_attribute(file, number.name, H5T_NATIVE_UINT64, number.value); !same) {
      return same;
    }
  }
  for (const NamedRate& rate : kRates) {
    if (Status same = expect_attribute(file, rate.name, H5T_NATIVE_DOUBLE, parameters.*rate.value);
        !same) {
      return same;
    }
  }
  return {};
}

Status read_plane(const Hdf5Handle& file, const Decomposition& decomposition, Plane plane,
                  Field& field) {
  const char* name = name_of(plane);
  const Hdf5Handle dataset(H5Dopen2(file.get(), name, H5P_DEFAULT), H5Dclose);
  if (!dataset) {
    return fail(fmt::format("dataset {}: {}", name, hdf5_error_text()));
  }
  const Result<Selections> selections = block_selections(decomposition, field);
  if (!selections) {
    return fail(selections.error());
  }
  const Hdf5Handle stored_space(H5Dget_space(dataset.get()), H5Sclose);
  if (H5Sextent_equal(stored_space.get(), selections->file.get()) <= 0) {
    return fail(fmt::format("dataset {} is not {} x {} cells", name, decomposition.grid().rows,
                            decomposition.grid().columns));
  }
  const Hdf5Handle transfer = collective_transfer();
  if (H5Dread(dataset.get(), H5T_NATIVE_DOUBLE, selections->memory.get(), selections->file.get(),
              transfer.get(), field.plane(plane)) < 0) {
    return fail(fmt::format("dataset {}: {}", name, hdf5_error_text()));
  }
  return {};
}

// Names the block that is not as it was written, if the file was cut into the same blocks.
Status expect_block(const Hdf5Handle& file, const Decomposition& decomposition,
                    std::uint64_t checksum) {
  const Hdf5Handle dataset(H5Dopen2(file.get(), "blocks", H5P_DEFAULT), H5Dclose);
  const Hdf5Handle space(dataset ? H5Dget_space(dataset.get()) : -1, H5Sclose);
  hsize_t sides[2] = {0, 0};
  if (!space || H5Sget_simple_extent_ndims(space.get()) != 2 ||
      H5Sget_simple_extent_dims(space.get(), sides, nullptr) != 2 ||
      sides[1] != BlockRow().size()) {
    return fail(fmt::format("dataset blocks: {}", hdf5_error_text()));
  }
  if (sides[0] != static_cast<hsize_t>(decomposition.rank_count())) {
    return {};
  }
  std::vector<BlockRow> rows(sides[0]);
  if (H5Dread(dataset.get(), H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()) < 0) {
    return fail(fmt::format("dataset blocks: {}", hdf5_error_text()));
  }
  const BlockRow& written = rows[static_cast<std::size_t>(decomposition.rank())];
  const BlockRow found = block_row(decomposition.block(), checksum);
  if (std::equal(found.begin(), found.end() - 1, written.begin()) &&
      found.back() != written.back()) {
    return fail(fmt::format("the block of rank {} has checksum {:016x}, written was {:016x}",
                            decomposition.rank(), found.back(), written.back()));
  }
  return {};
}

Status read_state(const std::string& path, const Decomposition& decomposition,
                  const Parameters& parameters, const StateId& id, Field& field) {
  const Hdf5Handle access = file_access(decomposition);
  const Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file) {
    return fail(hdf5_error_text());
  }
  if (Status same = expect_attributes(file, id, parameters); !same) {
    return same;
  }
  for (const Plane plane : {Plane::kU, Plane::kV}) {
    if (Status read = read_plane(file, decomposition, plane, field); !read) {
      return read;
    }
  }
  return expect_block(file, decomposition,
                      checksum_of(field, decomposition.block(), decomposition.grid()));
}

}  // namespace

std::uint64_t total_checksum(const Field& field, const Decomposition& decomposition) {
  const std::uint64_t mine = checksum_of(field, decomposition.block(), decomposition.grid());
  std::uint64_t total = 0;
  MPI_Allreduce(&mine, &total, 1, MPI_UINT64_T, MPI_SUM, decomposition.comm());
  return total;
}

Status write_checkpoint(const std::string& path, const Decomposition& decomposition,
                        const Parameters& parameters, const Field& field, const StateId& id) {
  const Result<Selections> selections = block_selections(decomposition, field);
  if (!selections) {
    return fail(selections.error());
  }
  const Hdf5Handle access = file_access(decomposition);
  Hdf5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
  bool written = static_cast<bool>(file) && write_attributes(file, id, parameters);
  for (const Plane plane : {Plane::kU, Plane::kV}) {
    written = written && write_dataset(file, name_of(plane), {H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE},
                                       *selections, field.plane(plane));
  }
  written = written &&
            write_blocks(file, decomposition,
                         checksum_of(field, decomposition.block(), decomposition.grid())) &&
            H5Fflush(file.get(), H5F_SCOPE_GLOBAL) >= 0 && file.close();
  if (!written) {
    return fail(fmt::format("{}: cannot write: {}", path, hdf5_error_text()));
  }
  return {};
}

Status read_checkpoint(const std::string& path, const Decomposition& decomposition,
                       const Parameters& parameters, const StateId& id, Field& field) {
  const Status read =
      agree(decomposition.comm(), read_state(path, decomposition, parameters, id, field));
  if (!read) {
    return fail(fmt::format("{}: {}", path, read.error()));
  }
  const std::uint64_t total = total_checksum(field, decomposition);
  if (total != id.checksum) {
    return fail(
        fmt::format("{}: the fields have checksum {:016x}, not {:016x}", path, total, id.checksum));
  }
  return {};
}

}  // namespace gray_scott
