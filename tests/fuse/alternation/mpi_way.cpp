#include <algorithm>
#include <cerrno>

#include <mpi.h>

#include "way.h"

namespace alternation {
namespace {

int error_of(int code) {
  int kind = MPI_SUCCESS;
  MPI_Error_class(code, &kind);
  return kind == MPI_SUCCESS            ? 0
         : kind == MPI_ERR_NO_SUCH_FILE ? ENOENT
         : kind == MPI_ERR_FILE_EXISTS  ? EEXIST
                                        : EIO;
}

/// An open file of this process alone.
class Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { close(); }

  int open(const std::string& path, int mode) {
    close();
    return error_of(MPI_File_open(MPI_COMM_SELF, path.c_str(), mode, MPI_INFO_NULL, &file_));
  }
  MPI_File get() const { return file_; }
  bool is_open() const { return file_ != MPI_FILE_NULL; }

  int write(std::uint64_t offset, const std::string& bytes) const {
    MPI_Status status;
    const int code = MPI_File_write_at(file_, static_cast<MPI_Offset>(offset), bytes.data(),
                                       static_cast<int>(bytes.size()), MPI_BYTE, &status);
    return written(code, status, bytes);
  }
  int write_next(const std::string& bytes) const {
    MPI_Status status;
    const int code =
        MPI_File_write(file_, bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, &status);
    return written(code, status, bytes);
  }
  Seen read_all() const {
    Seen seen;
    MPI_Offset size = 0;
    MPI_Status status;
    seen.error = error_of(MPI_File_get_size(file_, &size));
    if (seen.error != 0) {
      return seen;
    }
    seen.told_size = static_cast<std::uint64_t>(size);
    seen.bytes.resize(seen.told_size + 1);
    seen.error = error_of(MPI_File_read_at(file_, 0, seen.bytes.data(),
                                           static_cast<int>(seen.bytes.size()), MPI_BYTE, &status));
    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    seen.bytes.resize(static_cast<std::size_t>(std::max(count, 0)));
    return seen;
  }

 private:
  static int written(int code, const MPI_Status& status, const std::string& bytes) {
    int count = 0;
    MPI_Get_count(&status, MPI_BYTE, &count);
    return code != MPI_SUCCESS                               ? error_of(code)
           : static_cast<std::size_t>(count) == bytes.size() ? 0
                                                             : EIO;
  }
  void close() {
    if (is_open()) {
      MPI_File_close(&file_);
    }
  }

  MPI_File file_ = MPI_FILE_NULL;
};

class MpiWay final : public Way {
 public:
  explicit MpiWay(const std::string& directory) : directory_(directory) {}
  const char* name() const override { return "MPI-IO"; }

  int create(const std::string& file) override {
    Handle handle;
    return handle.open(path(file), MPI_MODE_CREATE | MPI_MODE_EXCL | MPI_MODE_RDWR);
  }
  int write(const std::string& file, std::uint64_t offset, const std::string& bytes) override {
    Handle handle;
    const int failed = handle.open(path(file), MPI_MODE_WRONLY);
    return failed != 0 ? failed : handle.write(offset, bytes);
  }
  int append(const std::string& file, const std::string& bytes) override {
    Handle handle;
    const int failed = handle.open(path(file), MPI_MODE_WRONLY | MPI_MODE_APPEND);
    return failed != 0 ? failed : handle.write_next(bytes);
  }
  int truncate(const std::string& file, std::uint64_t size) override {
    Handle handle;
    const int failed = handle.open(path(file), MPI_MODE_RDWR);
    return failed != 0 ? failed
                       : error_of(MPI_File_set_size(handle.get(), static_cast<MPI_Offset>(size)));
  }
  int rename(const std::string& /*from*/, const std::string& /*to*/) override {
    return kNotOffered;
  }
  int remove(const std::string& file) override {
    return error_of(MPI_File_delete(path(file).c_str(), MPI_INFO_NULL));
  }
  int replace(const std::string& /*file*/, const std::string& /*bytes*/) override {
    return kNotOffered;
  }

  Seen look(const std::string& file) override {
    Handle handle;
    const int failed = handle.open(path(file), MPI_MODE_RDONLY);
    return failed != 0 ? Seen{.error = failed, .bytes = {}} : handle.read_all();
  }

  int keep(const std::string& file) override { return kept_.open(path(file), MPI_MODE_RDWR); }
  Seen look_at_kept() override { return kept_.read_all(); }
  int write_kept(std::uint64_t offset, const std::string& bytes) override {
    return kept_.write(offset, bytes);
  }

 private:
  std::string path(const std::string& file) const { return directory_ + "/" + file; }

  const std::string directory_;
  Handle kept_;
};

}  // namespace

std::unique_ptr<Way> make_mpi_way(const std::string& directory) {
  return std::make_unique<MpiWay>(directory);
}

}  // namespace alternation
