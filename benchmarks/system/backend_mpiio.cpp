// MPI-IO: independent transfers, as many nonblocking ones under way as there are slots.

#include <array>
#include <utility>
#include <vector>

#include <mpi.h>

#include "backend.h"
#include "borrowed_names.h"

namespace benchfs::bench {

namespace {

void must(const std::string& what, int result) {
  if (result == MPI_SUCCESS) {
    return;
  }
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(result, text.data(), &length);
  throw Failure(what + ": " + text.data());
}

class MpiFile final : public DataFile {
 public:
  MpiFile(MPI_File file, std::string path, unsigned depth)
      : file_(file), path_(std::move(path)), requests_(depth, MPI_REQUEST_NULL) {}

  void begin_write(unsigned slot, std::span<const std::byte> bytes, std::uint64_t offset) override {
    must(path_, MPI_File_iwrite_at(file_, static_cast<MPI_Offset>(offset), bytes.data(),
                                   static_cast<int>(bytes.size()), MPI_BYTE, &requests_[slot]));
  }
  void begin_read(unsigned slot, std::span<std::byte> bytes, std::uint64_t offset) override {
    must(path_, MPI_File_iread_at(file_, static_cast<MPI_Offset>(offset), bytes.data(),
                                  static_cast<int>(bytes.size()), MPI_BYTE, &requests_[slot]));
  }
  std::uint64_t finish(unsigned slot) override {
    MPI_Status status;
    must(path_, MPI_Wait(&requests_[slot], &status));
    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    return count == MPI_UNDEFINED ? 0 : static_cast<std::uint64_t>(count);
  }
  void sync() override { must(path_, MPI_File_sync(file_)); }
  std::uint64_t size_bytes() override {
    MPI_Offset size = 0;
    must(path_, MPI_File_get_size(file_, &size));
    return static_cast<std::uint64_t>(size);
  }
  void close() override { must(path_, MPI_File_close(&file_)); }

 private:
  MPI_File file_;
  const std::string path_;
  std::vector<MPI_Request> requests_;
};

int amode_of(Access access) {
  switch (access) {
    case Access::kCreate:
      return MPI_MODE_RDWR | MPI_MODE_CREATE;
    case Access::kUpdate:
      return MPI_MODE_RDWR;
    case Access::kRead:
      return MPI_MODE_RDONLY;
  }
  return MPI_MODE_RDONLY;
}

class MpiBackend final : public BorrowedNames {
 public:
  MpiBackend(const BackendOptions& options, std::unique_ptr<Backend> names)
      : BorrowedNames(std::move(names)), depth_(options.depth) {}

  std::unique_ptr<DataFile> open(const FileSpec& spec) override {
    MPI_File file = MPI_FILE_NULL;
    must(spec.path, MPI_File_open(spec.sharing == Sharing::kShared ? MPI_COMM_WORLD : MPI_COMM_SELF,
                                  spec.path.c_str(), amode_of(spec.access), MPI_INFO_NULL, &file));
    if (spec.access == Access::kCreate) {
      must(spec.path, MPI_File_set_size(file, 0));
    }
    return std::make_unique<MpiFile>(file, spec.path, depth_);
  }

 private:
  const unsigned depth_;
};

}  // namespace

std::unique_ptr<Backend> make_mpiio_backend(const BackendOptions& options,
                                            std::unique_ptr<Backend> names) {
  return std::make_unique<MpiBackend>(options, std::move(names));
}

}  // namespace benchfs::bench
