#include "sim/shared_files.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace benchfs::sim {
namespace {

constexpr char kFolder[] = "/shared";

/// A read is over as many bytes as the file may have and some behind them, this many at once.
constexpr std::uint64_t kVerifyBytes = 256 * kKiB;

}  // namespace

struct SharedFiles::Worker {
  User& user;
  Chance chance;
  std::vector<User::FilePointer> handles;
  /// Since when each of them has not heard of a power failure.
  std::vector<std::uint64_t> told_ns;
};

coro::Task<void> SharedFiles::set_up(User& user) {
  auto making = user.mkdir(kFolder);
  const Status made = co_await making;
  BENCHFS_ASSERT(made.has_value() || user.world().failed());
  for (std::uint64_t i = 0; i < plan_.file_count && !user.world().failed(); ++i) {
    const std::string path = fmt::format("{}/file{}", kFolder, i);
    const wire::Layout layout{.chunk_bytes = plan_.chunk_bytes};
    auto opening = user.open(
        path, wire::kOpenRead | wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive,
        layout);
    const auto handle = co_await opening;
    if (!handle.has_value()) {
      user.world().violate("a file cannot be made");
      co_return;
    }
    const client::File::Identity& identity = (*handle)->identity();
    files_.push_back({.path = path,
                      .model = std::make_unique<FileModel>(
                          user.world(), path,
                          placement::Striping{.file = identity.inode,
                                              .chunk_bytes = identity.layout.chunk_bytes,
                                              .stripe_count = identity.layout.stripe_count,
                                              .server_count = plan_.server_count},
                          plan_.power_cut_ns > 0)});
    auto syncing = user.fsync(*handle);
    const Status synced = co_await syncing;
    auto closing = user.close(*handle);
    const Status closed = co_await closing;
    if (!synced.has_value() || !closed.has_value()) {
      user.world().violate("a new file cannot be synced and closed");
    }
  }
}

void SharedFiles::power_cut(ServerId server) {
  for (File& file : files_) {
    file.model->power_cut(server);
  }
}

coro::Task<void> SharedFiles::work(User& user, Chance chance, const std::uint64_t& until_ns) {
  Worker worker{.user = user, .chance = chance, .handles = {}, .told_ns = {}};
  worker.handles.resize(files_.size());
  worker.told_ns.resize(files_.size());
  for (std::uint64_t i = 0; i < plan_.operations_max; ++i) {
    if (user.dead() || user.world().failed() || user.world().now_ns() >= until_ns) {
      break;
    }
    auto stepping = step(worker);
    co_await stepping;
    if (plan_.think_ns_max > 0) {
      auto thinking = user.sleep(worker.chance.below(plan_.think_ns_max));
      co_await thinking;
    }
  }
  for (const User::FilePointer& handle : worker.handles) {
    if (handle != nullptr) {
      auto closing = user.close(handle);
      const Status ignored = co_await closing;
      static_cast<void>(ignored);
    }
  }
}

coro::Task<void> SharedFiles::step(Worker& worker) {
  const std::size_t index = worker.chance.below(files_.size());
  User::FilePointer& handle = worker.handles[index];
  if (handle == nullptr) {
    auto opening = worker.user.open(files_[index].path, wire::kOpenRead | wire::kOpenWrite);
    const auto opened = co_await opening;
    if (opened.has_value()) {
      handle = *opened;
      worker.told_ns[index] = worker.user.world().now_ns();
    } else if (!worker.user.dead() && opened.error().code == Errc::kNotFound) {
      worker.user.world().violate(fmt::format("{} is not there", files_[index].path));
    }
    co_return;
  }
  const std::uint64_t what = worker.chance.below(100);
  if (what < 40) {
    auto task = write(worker, index);
    co_await task;
  } else if (what < 75) {
    auto task = read(worker, index);
    co_await task;
  } else if (what < 81) {
    auto task = truncate(worker, index);
    co_await task;
  } else if (what < 88) {
    auto task = stat(worker, index);
    co_await task;
  } else if (what < 95) {
    auto task = fsync(worker, index);
    co_await task;
  } else {
    auto closing = worker.user.close(std::exchange(handle, nullptr));
    const Status ignored = co_await closing;
    static_cast<void>(ignored);
  }
}

coro::Task<void> SharedFiles::write(Worker& worker, std::size_t index) {
  FileModel& model = *files_[index].model;
  const User::FilePointer handle = worker.handles[index];
  std::vector<client::Extent> extents;
  std::vector<std::uint64_t> ids;
  std::vector<std::byte> data;
  const std::uint64_t count = worker.chance.percent(20) ? worker.chance.between(2, 4) : 1;
  std::uint64_t from = worker.chance.below(plan_.file_bytes_max);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t size = worker.chance.magnitude(plan_.io_bytes_max);
    extents.push_back({.offset_bytes = from, .size_bytes = size});
    ids.push_back(model.begin_write(from, size));
    data.resize(data.size() + size);
    fill_pattern(ids.back(), from, Bytes(data).last(size));
    from += size + 1 + worker.chance.magnitude(plan_.io_bytes_max);
  }
  auto writing = worker.user.write(handle, extents, data);
  const Status status = co_await writing;
  const bool done = status.has_value() && !worker.user.dead();
  for (const std::uint64_t id : ids) {
    model.end(id, done ? Ended::kDone : Ended::kMaybe);
  }
}

coro::Task<void> SharedFiles::read(Worker& worker, std::size_t index) {
  const std::uint64_t offset = worker.chance.below(plan_.file_bytes_max);
  const std::uint64_t size = worker.chance.magnitude(2 * plan_.io_bytes_max);
  auto reading = read_range(worker.user, worker.handles[index], *files_[index].model, offset, size);
  co_await reading;
}

coro::Task<void> SharedFiles::read_range(User& user, User::FilePointer handle, FileModel& model,
                                         std::uint64_t offset, std::uint64_t size) {
  std::vector<std::byte> data(size, std::byte{0xA5});
  std::vector<client::Extent> extents{{.offset_bytes = offset, .size_bytes = size}};
  const FileModel::LookHandle look = model.begin_look();
  auto reading = user.read(handle, extents, data);
  const auto count = co_await reading;
  if (count.has_value() && !user.dead()) {
    model.end_read(look, offset, data, *count);
  } else {
    model.give_up(look);
  }
}

coro::Task<void> SharedFiles::truncate(Worker& worker, std::size_t index) {
  FileModel& model = *files_[index].model;
  const std::uint64_t size = worker.chance.percent(20)
                                 ? 0
                                 : worker.chance.below(plan_.file_bytes_max + plan_.io_bytes_max);
  const std::uint64_t id = model.begin_truncate(size);
  auto cutting = worker.user.truncate(worker.handles[index], size);
  const Status status = co_await cutting;
  model.end(id, status.has_value() && !worker.user.dead() ? Ended::kDone : Ended::kMaybe);
}

coro::Task<void> SharedFiles::stat(Worker& worker, std::size_t index) {
  FileModel& model = *files_[index].model;
  const FileModel::LookHandle look = model.begin_look();
  auto asking = worker.user.stat_open(worker.handles[index]);
  const auto attributes = co_await asking;
  if (attributes.has_value() && !worker.user.dead()) {
    model.end_stat(look, attributes->size_bytes);
  } else {
    model.give_up(look);
  }
}

coro::Task<void> SharedFiles::fsync(Worker& worker, std::size_t index) {
  FileModel& model = *files_[index].model;
  World& world = worker.user.world();
  std::uint64_t& told_ns = worker.told_ns[index];
  const FileModel::LookHandle look = model.begin_look();
  const std::uint64_t began_ns = world.now_ns();
  auto syncing = worker.user.fsync(worker.handles[index]);
  const Status status = co_await syncing;
  if (status.has_value() && !worker.user.dead()) {
    model.end_fsync(look, told_ns);
    told_ns = began_ns;
  } else {
    model.give_up(look);
    if (!status.has_value() && status.error().code == Errc::kPowerLost) {
      told_ns = world.now_ns();
    }
  }
}

coro::Task<void> SharedFiles::verify(User& user) {
  for (File& file : files_) {
    FileModel& model = *file.model;
    auto opening = user.open(file.path, wire::kOpenRead);
    const auto opened = co_await opening;
    if (!opened.has_value()) {
      user.world().violate(
          fmt::format("{} cannot be opened: {}", file.path, to_string(opened.error())));
      co_return;
    }
    const User::FilePointer handle = *opened;
    const FileModel::LookHandle look = model.begin_look();
    auto asking = user.stat_open(handle);
    const auto attributes = co_await asking;
    if (!attributes.has_value()) {
      user.world().violate(fmt::format("{} has no attributes", file.path));
      co_return;
    }
    model.end_stat(look, attributes->size_bytes);
    const std::uint64_t end = std::max(model.size_max(), attributes->size_bytes) + 5000;
    for (std::uint64_t at = 0; at < end && !user.world().failed(); at += kVerifyBytes) {
      auto reading = read_range(user, handle, model, at, std::min(kVerifyBytes, end - at));
      co_await reading;
    }
    auto closing = user.close(handle);
    const Status ignored = co_await closing;
    static_cast<void>(ignored);
  }
}

}  // namespace benchfs::sim
