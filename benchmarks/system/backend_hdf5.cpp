// Parallel HDF5: a file is one dataset of bytes, which is written and read by contiguous
// selections. Its calls block, so there is one transfer under way.

#include <utility>

#include <hdf5.h>
#include <mpi.h>

#include "backend.h"
#include "borrowed_names.h"

namespace benchfs::bench {

namespace {

constexpr const char* kDataset = "bytes";
constexpr hsize_t kAlignmentBytes = 1 << 20;

hid_t must(const std::string& what, hid_t result, const char* call) {
  if (result < 0) {
    throw Failure(what + ": " + call + " failed; HDF5's own messages are above");
  }
  return result;
}

/// An identifier of HDF5 and how it is given back.
class Handle {
 public:
  Handle(hid_t id, herr_t (*release)(hid_t)) : id_(id), release_(release) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), release_(other.release_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) {
      release_(id_);
    }
  }
  hid_t get() const noexcept { return id_; }
  herr_t close() { return release_(std::exchange(id_, -1)); }

 private:
  hid_t id_;
  herr_t (*release_)(hid_t);
};

class Hdf5File final : public DataFile {
 public:
  Hdf5File(std::string path, Handle file, Handle dataset)
      : path_(std::move(path)), file_(std::move(file)), dataset_(std::move(dataset)) {}

  void begin_write(unsigned /*slot*/, std::span<const std::byte> bytes,
                   std::uint64_t offset) override {
    const Handle memory = select(bytes.size(), offset);
    must(path_,
         H5Dwrite(dataset_.get(), H5T_NATIVE_UCHAR, memory.get(), space_.get(), H5P_DEFAULT,
                  bytes.data()),
         "H5Dwrite");
    done_ = bytes.size();
  }
  void begin_read(unsigned /*slot*/, std::span<std::byte> bytes, std::uint64_t offset) override {
    const Handle memory = select(bytes.size(), offset);
    must(path_,
         H5Dread(dataset_.get(), H5T_NATIVE_UCHAR, memory.get(), space_.get(), H5P_DEFAULT,
                 bytes.data()),
         "H5Dread");
    done_ = bytes.size();
  }
  std::uint64_t finish(unsigned /*slot*/) override { return done_; }
  void sync() override { must(path_, H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), "H5Fflush"); }
  std::uint64_t size_bytes() override {
    hsize_t size = 0;
    H5Sget_simple_extent_dims(space_.get(), &size, nullptr);
    return size;
  }
  void close() override {
    space_.close();
    must(path_, dataset_.close(), "H5Dclose");
    must(path_, file_.close(), "H5Fclose");
  }

 private:
  /// Selects the bytes in the file; returns the selection in memory.
  Handle select(hsize_t size, hsize_t offset) {
    must(path_, H5Sselect_hyperslab(space_.get(), H5S_SELECT_SET, &offset, nullptr, &size, nullptr),
         "H5Sselect_hyperslab");
    return {must(path_, H5Screate_simple(1, &size, nullptr), "H5Screate_simple"), &H5Sclose};
  }

  const std::string path_;
  Handle file_;
  Handle dataset_;
  Handle space_{H5Dget_space(dataset_.get()), &H5Sclose};
  std::uint64_t done_ = 0;
};

class Hdf5Backend final : public BorrowedNames {
 public:
  explicit Hdf5Backend(std::unique_ptr<Backend> names) : BorrowedNames(std::move(names)) {}

  std::unique_ptr<DataFile> open(const FileSpec& spec) override {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose);
    const MPI_Comm comm = spec.sharing == Sharing::kShared ? MPI_COMM_WORLD : MPI_COMM_SELF;
    must(spec.path, H5Pset_fapl_mpio(access.get(), comm, MPI_INFO_NULL), "H5Pset_fapl_mpio");
    must(spec.path, H5Pset_alignment(access.get(), kAlignmentBytes, kAlignmentBytes),
         "H5Pset_alignment");
    const char* const path = spec.path.c_str();
    if (spec.access == Access::kCreate) {
      Handle file(
          must(spec.path, H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), "H5Fcreate"),
          &H5Fclose);
      Handle dataset = create_dataset(spec, file);
      return std::make_unique<Hdf5File>(spec.path, std::move(file), std::move(dataset));
    }
    const unsigned flags = spec.access == Access::kUpdate ? H5F_ACC_RDWR : H5F_ACC_RDONLY;
    Handle file(must(spec.path, H5Fopen(path, flags, access.get()), "H5Fopen"), &H5Fclose);
    Handle dataset(must(spec.path, H5Dopen2(file.get(), kDataset, H5P_DEFAULT), "H5Dopen"),
                   &H5Dclose);
    return std::make_unique<Hdf5File>(spec.path, std::move(file), std::move(dataset));
  }

 private:
  static Handle create_dataset(const FileSpec& spec, const Handle& file) {
    const hsize_t size = spec.size_bytes;
    const Handle space(must(spec.path, H5Screate_simple(1, &size, nullptr), "H5Screate_simple"),
                       &H5Sclose);
    const Handle create(H5Pcreate(H5P_DATASET_CREATE), &H5Pclose);
    // All of it will be written: zeros first would be half of the time.
    must(spec.path, H5Pset_fill_time(create.get(), H5D_FILL_TIME_NEVER), "H5Pset_fill_time");
    return {must(spec.path,
                 H5Dcreate2(file.get(), kDataset, H5T_NATIVE_UCHAR, space.get(), H5P_DEFAULT,
                            create.get(), H5P_DEFAULT),
                 "H5Dcreate"),
            &H5Dclose};
  }
};

}  // namespace

std::unique_ptr<Backend> make_hdf5_backend(const BackendOptions& options,
                                           std::unique_ptr<Backend> names) {
  if (options.depth != 1) {
    throw Failure("hdf5 has blocking calls only: give --depth 1");
  }
  return std::make_unique<Hdf5Backend>(std::move(names));
}

}  // namespace benchfs::bench
