#include "backend.h"

#include <utility>

namespace benchfs::bench {

std::unique_ptr<Backend> make_backend(const std::string& name, const std::string& path,
                                      const BackendOptions& options) {
  if (name == "benchfs") {
    return make_benchfs_backend(options);
  }
  if (name == "posix") {
    return make_posix_backend(options);
  }
  if (name == "chfs") {
    return make_chfs_backend(options);
  }
  const bool in_session = path.starts_with("benchfs:");
  auto names = in_session ? make_benchfs_backend({}) : make_posix_backend({});
  if (name == "mpiio") {
    return make_mpiio_backend(options, std::move(names));
  }
  if (name == "hdf5") {
    return make_hdf5_backend(options, std::move(names));
  }
  throw Failure("no such back end: " + name);
}

}  // namespace benchfs::bench
