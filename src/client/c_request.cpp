// benchfs.h: asynchronous operations.

#include <memory>

#include "client/c_handles.h"

using namespace benchfs;          // NOLINT(google-build-using-namespace)
using namespace benchfs::client;  // NOLINT(google-build-using-namespace)

struct benchfs_request {
  benchfs_request(benchfs_file* its_file, IoLists its_lists)
      : file(*its_file),
        use(its_file->file.users()),
        lists(std::move(its_lists)),
        context{.subject = its_file->file.name(), .server = {}} {}

  benchfs_file& file;
  const benchfs_use use;
  const IoLists lists;
  Context context;
  std::optional<Result<std::uint64_t>> count;
  std::optional<Operation> operation;
};

namespace {

enum class Direction { kRead, kWrite };

benchfs_request* begin(benchfs_file* file, std::optional<IoLists> lists, Direction direction) {
  if (!lists.has_value()) {
    return nullptr;
  }
  auto request = std::make_unique<benchfs_request>(file, std::move(*lists));
  File& its_file = file->file;
  const std::span<const iovec> memory = request->lists.memory;
  const std::span<const Extent> extents = request->lists.extents;
  auto task = direction == Direction::kRead ? its_file.read(request->context, memory, extents)
                                            : its_file.write(request->context, memory, extents);
  request->operation.emplace(coro::detail::run_into(std::move(task), request->count));
  Engine& engine = file->mount.engine();
  engine.submit(*request->operation);
  engine.test(*request->operation);  // So that it is on its way, and not only noted.
  return request.release();
}

/// Frees `request`, whose operation is done, and returns what the blocking call would have.
ssize_t end(benchfs_request* request) {
  const std::unique_ptr<benchfs_request> owned(request);
  return to_c(owned->file.mount, owned->context, *owned->count);
}

bool check_request(const benchfs_request* request) noexcept {
  if (request == nullptr) {
    set_error(EINVAL, "the request is NULL");
    return false;
  }
  return check(&request->file);
}

}  // namespace

benchfs_request* benchfs_pread_begin(benchfs_file* file, void* buffer, size_t length,
                                     off_t offset) {
  const iovec iov{.iov_base = buffer, .iov_len = length};
  return begin(file, take_range(file, &iov, 1, offset, false), Direction::kRead);
}

benchfs_request* benchfs_pwrite_begin(benchfs_file* file, const void* buffer, size_t length,
                                      off_t offset) {
  const iovec iov{.iov_base = const_cast<void*>(buffer), .iov_len = length};
  return begin(file, take_range(file, &iov, 1, offset, true), Direction::kWrite);
}

benchfs_request* benchfs_read_list_begin(benchfs_file* file, const struct iovec* iov, int iov_count,
                                         const benchfs_extent* extents, size_t extent_count) {
  return begin(file, take_lists(file, iov, iov_count, extents, extent_count), Direction::kRead);
}

benchfs_request* benchfs_write_list_begin(benchfs_file* file, const struct iovec* iov,
                                          int iov_count, const benchfs_extent* extents,
                                          size_t extent_count) {
  return begin(file, take_lists(file, iov, iov_count, extents, extent_count), Direction::kWrite);
}

int benchfs_request_test(benchfs_request* request, ssize_t* result) {
  if (!check_request(request)) {
    return -1;
  }
  if (!request->file.mount.engine().test(*request->operation)) {
    return 0;
  }
  const ssize_t returned = end(request);
  if (result != nullptr) {
    *result = returned;
  }
  return 1;
}

ssize_t benchfs_request_wait(benchfs_request* request) {
  if (!check_request(request)) {
    return -1;
  }
  request->file.mount.engine().wait(*request->operation);
  return end(request);
}
