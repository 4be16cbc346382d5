// Staging: whole files out of the session.

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "coro/scope.h"
#include "server/handlers/stage_cells.h"
#include "server/handlers/staging.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

/// From so many files on one sync of the whole file system, where that can be relied on, is cheaper
/// than one of each.
constexpr std::size_t kWholeSyncFilesMin = 8;

bool is_same(const wire::Attributes& a, const wire::Attributes& b) noexcept {
  return a.size_bytes == b.size_bytes && a.mtime_ns == b.mtime_ns && a.ctime_ns == b.ctime_ns;
}

}  // namespace

struct StagingService::OutFile {
  wire::StageOutFile file;
  std::string temporary;
  wire::StageResult result;
  Status status;
  bool written = false;     ///< Under its temporary name.
  bool whole_sync = false;  ///< It waits for a sync of its file system.
};

struct StagingService::OutFiles {
  Context context;
  wire::StageOutRequest asked;
  std::vector<OutFile> files;
};

coro::Task<Result<wire::StageFilesReply>> StagingService::stage_out(Context context,
                                                                    wire::StageOutRequest body,
                                                                    rpc::Request& request) {
  if (request.payload_bytes() == 0 || request.payload_bytes() > kBodyBytesMax) {
    co_return fail(Errc::kProtocol, "stage_out.payload");
  }
  std::vector<std::byte> payload(request.payload_bytes());
  BENCHFS_CO_CHECK(request.receive_payload(payload));
  wire::StageOutFiles list;
  wire::Decoder decoder{ConstBytes(payload)};
  decoder& list;
  if (!decoder.finished() || list.files.empty() || list.files.size() > wire::kStageFilesMax) {
    co_return fail(Errc::kProtocol, "stage_out.files");
  }
  OutFiles all{.context = context, .asked = body, .files = {}};
  for (wire::StageOutFile& file : list.files) {
    if (file.outside.empty() || file.outside.front() != '/' || file.outside.back() == '/' ||
        file.outside.size() > wire::kOutsidePathBytesMax ||
        file.outside.find('\0') != std::string::npos) {
      co_return fail(Errc::kProtocol, "stage_out.file");
    }
    OutFile out;
    const std::string directory = outside_directory(file.outside);
    const std::string name = file.outside.substr(file.outside.rfind('/') + 1);
    out.temporary =
        directory + (directory.back() == '/' ? "" : "/") + stage_temporary_name(body.run, name, 0);
    out.file = std::move(file);
    all.files.push_back(std::move(out));
  }
  BENCHFS_CO_CHECK(ensure_threads());
  coro::Scope scope;
  Status wanted;
  for (OutFile& file : all.files) {
    auto place = cells_.acquire(1);
    co_await place;
    wanted = request.still_wanted();
    if (!wanted.has_value()) {
      cells_.release(1);
      break;
    }
    scope.spawn(bring_out(all, file));
  }
  co_await scope.join();
  if (wanted.has_value()) {
    auto publishing = publish(all);
    co_await publishing;
  }
  wire::StageFilesReply reply;
  auto cleaning = in_thread([&] {
    for (OutFile& file : all.files) {
      const Status status = wanted.has_value() ? file.status : wanted;
      if (!status.has_value()) {
        note_failure(file.result, status.error());
        if (file.written) {
          remove_outside(file.temporary);
        }
      }
    }
  });
  co_await cleaning;
  BENCHFS_CO_CHECK_NOW(wanted);
  for (OutFile& file : all.files) {
    reply.results.push_back(file.result);
  }
  co_return reply;
}

coro::Task<void> StagingService::bring_out(OutFiles& all, OutFile& file) {
  auto writing = write_out(all, file);
  const Status status = co_await writing;
  file.status = status;
  cells_.release(1);
}

coro::Task<Status> StagingService::write_out(OutFiles& all, OutFile& file) {
  const InodeId inode = file.file.inode;
  const std::uint64_t stamp = parts_.store.change_stamp(inode);
  auto asking = parts_.names.attributes_of(all.context, inode);
  BENCHFS_CO_TRY(const wire::Attributes before, asking);
  if (before.type != wire::FileType::kFile) {
    co_return fail(Errc::kInvalid, "stage_out.type");
  }
  if (before.size_bytes > wire::kStageWholeBytesMax ||
      before.size_bytes > before.layout.chunk_bytes) {
    co_return fail(Errc::kTooLarge, "stage_out.size");
  }
  if (data_server(before) != parts_.exchange.self()) {
    co_return fail(Errc::kProtocol, "stage_out.server");
  }
  store::ReadData got;
  if (before.size_bytes > 0) {
    const store::Piece cell{.offset_bytes = 0, .size_bytes = before.size_bytes};
    auto reading = parts_.store.read(inode, std::span(&cell, 1));
    BENCHFS_CO_TRY(got, reading);
  }
  auto asking_again = parts_.names.attributes_of(all.context, inode);
  BENCHFS_CO_TRY(const wire::Attributes after, asking_again);
  if (!is_same(before, after) || parts_.store.change_stamp(inode) != stamp) {
    co_return fail(Errc::kStale, "stage_out.source");
  }
  file.result.size_bytes = before.size_bytes;
  file.result.mtime_ns = before.mtime_ns;
  file.result.ctime_ns = before.ctime_ns;
  const OutsideStatus like{.size_bytes = before.size_bytes,
                           .atime_ns = before.atime_ns,
                           .mtime_ns = before.mtime_ns,
                           .mode = before.mode,
                           .uid = before.uid,
                           .gid = before.gid};
  const bool many = all.files.size() >= kWholeSyncFilesMin;
  Status status;
  auto writing = in_thread([&]() -> void {
    auto made = OutsideFile::create(file.temporary);
    if (!made.has_value()) {
      status = fail(made.error());
      return;
    }
    file.written = true;
    file.result.sum = sum_of_cell(got.data, 0);
    if (file.result.sum != 0) {
      std::vector<store::Piece> runs{{.offset_bytes = 0, .size_bytes = got.data.size()}};
      if (got.has_hole) {
        runs = data_runs(got.data, 0);
      }
      for (const store::Piece& run : runs) {
        if (status.has_value()) {
          status =
              made->write(got.data.subspan(run.offset_bytes, run.size_bytes), run.offset_bytes);
        }
      }
    }
    const bool ends_in_hole = file.result.sum == 0 || got.has_hole;
    if (status.has_value() && ends_in_hole && like.size_bytes > 0) {
      status = made->resize(like.size_bytes);
    }
    if (status.has_value()) {
      status = made->set_attributes(like);
    }
    file.whole_sync = many && made->has_whole_sync();
    if (status.has_value() && !file.whole_sync) {
      status = made->fsync();
    }
  });
  co_await writing;
  co_return status;
}

coro::Task<void> StagingService::publish(OutFiles& all) {
  auto syncing = sync_out(all, /*names=*/false);
  co_await syncing;
  if (all.asked.verify) {
    std::vector<coro::Task<void>> checks;
    for (OutFile& file : all.files) {
      if (file.status.has_value()) {
        checks.push_back(verify_out(file));
      }
    }
    auto checking = coro::when_all(std::move(checks));
    co_await checking;
  }
  std::vector<coro::Task<void>> renames;
  for (OutFile& file : all.files) {
    if (file.status.has_value()) {
      renames.push_back(rename_out(file));
    }
  }
  auto renaming = coro::when_all(std::move(renames));
  co_await renaming;
  auto syncing_names = sync_out(all, /*names=*/true);
  co_await syncing_names;
}

coro::Task<void> StagingService::verify_out(OutFile& file) {
  auto place = cells_.acquire(1);
  co_await place;
  io::PoolBuffer buffer;
  const std::uint64_t size_bytes = file.result.size_bytes;
  if (size_bytes > 0) {
    io::BufferPool::AcquireOp acquiring(parts_.pool, size_bytes);
    buffer = co_await acquiring;
  }
  auto reading = in_thread([&]() -> void {
    auto opened = OutsideFile::open_source(file.temporary);
    if (!opened.has_value()) {
      file.status = fail(opened.error());
      return;
    }
    opened->drop_cache();
    const auto now = opened->status();
    const Status read = size_bytes > 0 ? opened->read(buffer.bytes(), 0) : Status();
    if (!now.has_value() || now->size_bytes != size_bytes || !read.has_value() ||
        (size_bytes > 0 && sum_of_cell(buffer.bytes(), 0) != file.result.sum)) {
      file.status = fail(Errc::kCorrupt, "stage_out.verify");
    }
  });
  co_await reading;
  cells_.release(1);
}

coro::Task<void> StagingService::rename_out(OutFile& file) {
  auto renaming =
      in_thread([&] { file.status = rename_outside(file.temporary, file.file.outside); });
  co_await renaming;
  file.written = !file.status.has_value();
}

coro::Task<void> StagingService::sync_out(OutFiles& all, bool names) {
  // Directories, and whether all of their file systems are to be synced; what fails concerns every
  // file that relies on it.
  std::map<std::string, bool> directories;
  for (const OutFile& file : all.files) {
    if (file.status.has_value() && (names || file.whole_sync)) {
      directories[outside_directory(file.file.outside)] |= file.whole_sync;
    }
  }
  std::map<std::string, Status> outcomes;
  auto syncing = in_thread([&] {
    std::set<std::uint64_t> synced;  // File systems.
    for (const auto& [directory, whole] : directories) {
      if (!whole) {
        outcomes[directory] = fsync_directory(directory);
        continue;
      }
      const auto device = device_number_of(directory);
      if (device.has_value() && !synced.insert(*device).second) {
        outcomes[directory] = Status();
        continue;
      }
      outcomes[directory] = device.has_value() ? sync_file_system(directory) : fail(device.error());
      if (!outcomes[directory].has_value() && device.has_value()) {
        synced.erase(*device);  // Whoever comes next hears of it too.
      }
    }
  });
  co_await syncing;
  for (OutFile& file : all.files) {
    if (file.status.has_value() && (names || file.whole_sync)) {
      file.status = outcomes[outside_directory(file.file.outside)];
    }
  }
}

}  // namespace benchfs::server
