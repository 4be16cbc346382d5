// benchfs.h: staging.

#include <cerrno>
#include <memory>
#include <vector>

#include "client/c_handles.h"
#include "client/staging.h"

using namespace benchfs;          // NOLINT(google-build-using-namespace)
using namespace benchfs::client;  // NOLINT(google-build-using-namespace)

struct benchfs_stage {
  benchfs_stage(benchfs_file* its_file, StageFile::Direction direction, const char* outside,
                std::uint64_t size_bytes)
      : file(*its_file),
        use(its_file->file.users()),
        stage(its_file->mount.servers(), striping_of(*its_file), outside, direction, size_bytes),
        context{.subject = its_file->file.name(), .server = {}} {}

  static placement::Striping striping_of(const benchfs_file& its_file) {
    const File::Identity& identity = its_file.file.identity();
    return {.file = identity.inode,
            .chunk_bytes = identity.layout.chunk_bytes,
            .stripe_count = identity.layout.stripe_count,
            .server_count = its_file.mount.server_count()};
  }

  benchfs_file& file;
  const benchfs_use use;
  StageFile stage;
  Context context;
};

namespace {

bool check_outside(const char* outside) {
  if (outside == nullptr || outside[0] != '/' ||
      std::string_view(outside).size() > wire::kOutsidePathBytesMax) {
    set_error(EINVAL, "a path outside of the session is absolute, and of 4095 bytes at most");
    return false;
  }
  return true;
}

bool check_stage(const benchfs_stage* stage) {
  if (stage == nullptr) {
    set_error(EINVAL, "the stage is NULL");
    return false;
  }
  return check(&stage->file);
}

int error_of(const wire::StageResult& result) {
  if (result.error == 0) {
    return 0;
  }
  return result.os_error > 0 ? result.os_error : to_errno(static_cast<Errc>(result.error));
}

}  // namespace

int benchfs_stage_files(benchfs_mount* mount, benchfs_stage_direction direction,
                        benchfs_stage_item* items, size_t count, uint64_t run, int verify) {
  if (!check(mount)) {
    return -1;
  }
  if (items == nullptr && count > 0) {
    return set_error(EINVAL, "the items are NULL");
  }
  std::vector<StageItem> list(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!check_outside(items[i].outside)) {
      return -1;
    }
    if (direction == BENCHFS_STAGE_IN) {
      auto path = take_path(items[i].inside);
      if (!path.has_value()) {
        return -1;
      }
      list[i].inside = std::move(*path);
    }
    list[i].inode = InodeId{items[i].inode};
    list[i].outside = items[i].outside;
    list[i].size_bytes = items[i].size;
  }
  Mount& its = *mount->mount;
  its.run(direction == BENCHFS_STAGE_IN
              ? stage_files_in(its.servers(), its.names(), list, run, verify != 0)
              : stage_files_out(its.servers(), list, run, verify != 0));
  for (std::size_t i = 0; i < count; ++i) {
    const wire::StageResult& result = list[i].result;
    items[i].error = error_of(result);
    items[i].copied_size = result.size_bytes;
    items[i].mtime_ns = result.mtime_ns;
    items[i].ctime_ns = result.ctime_ns;
    items[i].sum = result.sum;
  }
  return 0;
}

int benchfs_stage_sync(benchfs_mount* mount, uint64_t* era) {
  if (!check(mount)) {
    return -1;
  }
  Context context{.subject = "sync", .server = {}};
  const auto result = mount->mount->run(sync_all(mount->mount->servers(), context));
  if (result.has_value() && era != nullptr) {
    *era = *result;
  }
  return result.has_value() ? 0 : static_cast<int>(to_c(*mount->mount, context, result));
}

benchfs_stage* benchfs_stage_open(benchfs_file* file, benchfs_stage_direction direction,
                                  const char* outside, uint64_t size) {
  if (!check(file) || !check_outside(outside)) {
    return nullptr;
  }
  const bool in = direction == BENCHFS_STAGE_IN;
  if (in ? !file->file.may_write() : !file->file.may_read()) {
    set_error(EBADF, fmt::format("{}: not open for staging in this direction", file->file.name()));
    return nullptr;
  }
  auto stage = std::make_unique<benchfs_stage>(
      file, in ? StageFile::Direction::kIn : StageFile::Direction::kOut, outside, size);
  const auto begun = file->mount.run(stage->stage.begin(stage->context));
  if (!begun.has_value()) {
    to_c(file->mount, stage->context, begun);
    return nullptr;
  }
  return stage.release();
}

ssize_t benchfs_stage_copy(benchfs_stage* stage, off_t offset, size_t length) {
  if (!check_stage(stage)) {
    return -1;
  }
  if (offset < 0 || length == 0 || length > kFileBytesMax - static_cast<std::uint64_t>(offset)) {
    return set_error(EINVAL, "no such range");
  }
  const auto result = stage->file.mount.run(
      stage->stage.copy(stage->context, static_cast<std::uint64_t>(offset), length));
  return to_c(stage->file.mount, stage->context, result);
}

int benchfs_stage_finish(benchfs_stage* stage, uint64_t* sum) {
  if (!check_stage(stage)) {
    return -1;
  }
  const auto result = stage->file.mount.run(stage->stage.finish(stage->context));
  if (result.has_value() && sum != nullptr) {
    *sum = stage->stage.sum();
  }
  return static_cast<int>(to_c(stage->file.mount, stage->context, result));
}

int benchfs_stage_sum(benchfs_stage* stage, int inside, uint64_t* sum) {
  if (!check_stage(stage)) {
    return -1;
  }
  const auto result = stage->file.mount.run(stage->stage.sum_of(stage->context, inside != 0));
  if (!result.has_value()) {
    return static_cast<int>(to_c(stage->file.mount, stage->context, result));
  }
  if (sum != nullptr) {
    *sum = *result;
  }
  return 0;
}

void benchfs_stage_close(benchfs_stage* stage) {
  delete stage;
}
