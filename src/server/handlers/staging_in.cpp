// Staging: whole files into the session.

#include <algorithm>
#include <memory>
#include <utility>

#include "coro/scope.h"
#include "server/handlers/stage_cells.h"
#include "server/handlers/staging.h"
#include "wire/codec.h"

namespace benchfs::server {

struct StagingService::InFile {
  Context context;
  wire::StageInRequest asked;
  wire::StageInFile file;
};

coro::Task<Result<wire::StageFilesReply>> StagingService::stage_in(Context context,
                                                                   wire::StageInRequest body,
                                                                   rpc::Request& request) {
  if (request.payload_bytes() == 0 || request.payload_bytes() > kBodyBytesMax) {
    co_return fail(Errc::kProtocol, "stage_in.payload");
  }
  std::vector<std::byte> payload(request.payload_bytes());
  BENCHFS_CO_CHECK(request.receive_payload(payload));
  wire::StageInFiles list;
  wire::Decoder decoder{ConstBytes(payload)};
  decoder& list;
  if (!decoder.finished() || list.files.empty() || list.files.size() > wire::kStageFilesMax) {
    co_return fail(Errc::kProtocol, "stage_in.files");
  }
  for (const wire::StageInFile& file : list.files) {
    if (file.outside.empty() || file.outside.front() != '/' ||
        file.outside.size() > wire::kOutsidePathBytesMax ||
        file.outside.find('\0') != std::string::npos || !wire::is_valid_name(file.key.name)) {
      co_return fail(Errc::kProtocol, "stage_in.file");
    }
  }
  BENCHFS_CO_CHECK(ensure_threads());
  wire::StageFilesReply reply;
  reply.results.resize(list.files.size());
  coro::Scope scope;
  for (std::size_t i = 0; i < list.files.size(); ++i) {
    auto place = cells_.acquire(1);
    co_await place;
    const Status wanted = request.still_wanted();
    if (!wanted.has_value()) {
      cells_.release(1);
      co_await scope.join();
      co_return fail(wanted.error());
    }
    InFile file{.context = context, .asked = body, .file = std::move(list.files[i])};
    scope.spawn(stage_in_one(std::move(file), reply.results[i]));
  }
  co_await scope.join();
  co_return reply;
}

coro::Task<void> StagingService::stage_in_one(InFile file, wire::StageResult& result) {
  auto bringing = bring_in(file, result);
  const Status status = co_await bringing;
  if (!status.has_value()) {
    note_failure(result, status.error());
  }
  cells_.release(1);
}

coro::Task<Status> StagingService::bring_in(InFile& file, wire::StageResult& result) {
  io::PoolBuffer buffer;
  const std::uint64_t expected_bytes = file.file.size_bytes;
  if (expected_bytes > wire::kStageWholeBytesMax) {
    co_return fail(Errc::kTooLarge, "stage_in.size");
  }
  if (expected_bytes > 0) {
    io::BufferPool::AcquireOp acquiring(parts_.pool, expected_bytes);
    buffer = co_await acquiring;
  }
  Status status;
  OutsideStatus source;
  auto reading = in_thread([&]() -> void {
    auto opened = OutsideFile::open_source(file.file.outside);
    if (!opened.has_value()) {
      status = fail(opened.error());
      return;
    }
    const auto before = opened->status();
    if (!before.has_value()) {
      status = fail(before.error());
      return;
    }
    source = *before;
    if (source.size_bytes != expected_bytes) {
      const bool fits = source.size_bytes <= wire::kStageWholeBytesMax;
      status = fail(fits ? Errc::kStale : Errc::kTooLarge, "stage_in.size");
      return;
    }
    if (expected_bytes > 0) {
      status = opened->read(buffer.bytes(), 0);
      result.sum = sum_of_cell(buffer.bytes(), 0);
    }
    const auto after = opened->status();
    if (status.has_value() && (!after.has_value() || after->stamp() != source.stamp())) {
      status = fail(Errc::kStale, "stage_in.source");
    }
  });
  co_await reading;
  BENCHFS_CO_CHECK_NOW(status);
  result.size_bytes = source.size_bytes;
  result.mtime_ns = source.mtime_ns;
  result.ctime_ns = source.ctime_ns;

  NamespaceService::Staged staged{
      .temporary = temporary_key(file.file.key, file.asked.run),
      .key = file.file.key,
      .attributes = {.mask = wire::kSetMode | wire::kSetAtime | wire::kSetMtime,
                     .mode = source.mode,
                     .atime_ns = source.atime_ns,
                     .mtime_ns = source.mtime_ns},
      .size_bytes = source.size_bytes,
      .opened = {}};
  wire::OpenRequest how;
  how.mode = source.mode & 0700;
  how.uid = source.uid;
  how.gid = source.gid;
  auto beginning = parts_.names.begin_staged(file.context, staged, std::move(how));
  BENCHFS_CO_CHECK(beginning);
  const wire::Attributes made = staged.opened.entry.attributes;
  if (result.sum != 0) {
    auto writing = write_in(file, made, std::move(buffer));
    status = co_await writing;
  }
  if (status.has_value() && file.asked.verify && result.sum != 0) {
    auto checking = check_in(file, made, source.size_bytes, result.sum);
    status = co_await checking;
  }
  if (!status.has_value()) {
    auto abandoning = parts_.names.abandon_staged(file.context, staged);
    co_await abandoning;
    co_return status;
  }
  auto finishing = parts_.names.finish_staged(file.context, staged);
  co_return co_await finishing;
}

ServerId StagingService::data_server(const wire::Attributes& attributes) const noexcept {
  return placement::chunk_server({.file = attributes.inode,
                                  .chunk_bytes = attributes.layout.chunk_bytes,
                                  .stripe_count = attributes.layout.stripe_count,
                                  .server_count = parts_.exchange.server_count()},
                                 0);
}

coro::Task<Status> StagingService::write_in(InFile& file, const wire::Attributes& made,
                                            io::PoolBuffer buffer) {
  const InodeId inode = made.inode;
  const ServerId server = data_server(made);
  std::vector<store::Piece> runs = data_runs(buffer.bytes(), 0);
  auto packing = packed(std::move(buffer), 0, runs);
  io::PoolBuffer data = co_await packing;
  if (server == parts_.exchange.self()) {
    auto writing = parts_.store.write(inode, runs, std::move(data));
    co_return co_await writing;
  }
  // Nobody may hold data of a file that this server forgets.
  if (!parts_.exchange.ledger().committed()) {
    BENCHFS_CO_CHECK(parts_.exchange.ledger().commit());
  }
  wire::WriteRequest write{.inode = inode, .pieces = {}};
  for (const store::Piece& run : runs) {
    write.pieces.push_back({.offset_bytes = run.offset_bytes,
                            .size_bytes = static_cast<std::uint32_t>(run.size_bytes)});
  }
  rpc::CallOptions options;
  options.deadline_ns = file.context.deadline_ns;
  options.payload = data.bytes();
  auto calling = parts_.peers.call(server, std::move(write), options);
  BENCHFS_CO_CHECK(calling);
  co_return Status();
}

coro::Task<Status> StagingService::check_in(InFile& file, const wire::Attributes& made,
                                            std::uint64_t size_bytes, std::uint64_t sum) {
  wire::StageRangeRequest range;
  range.act = wire::StageAct::kSumInside;
  range.inode = made.inode;
  range.layout = made.layout;
  range.size_bytes = size_bytes;
  range.length_bytes = size_bytes;
  const ServerId server = data_server(made);
  std::uint64_t found = 0;
  if (server == parts_.exchange.self()) {
    const store::Piece cell{.offset_bytes = 0, .size_bytes = size_bytes};
    auto reading = parts_.store.read(made.inode, std::span(&cell, 1));
    BENCHFS_CO_TRY(const store::ReadData got, reading);
    found = sum_of_cell(got.data, 0);
  } else {
    rpc::CallOptions options;
    options.deadline_ns = file.context.deadline_ns;
    options.payload = std::as_bytes(std::span(file.file.outside));
    auto calling = parts_.peers.call(server, range, options);
    BENCHFS_CO_TRY(const auto answer, calling);
    found = answer.reply.sum;
  }
  co_return found == sum ? Status() : fail(Errc::kCorrupt, "stage_in.verify");
}

wire::EntryKey StagingService::temporary_key(const wire::EntryKey& key, std::uint64_t run) const {
  // Beside the final name on this server, so that the rename concerns nobody else.
  for (std::uint32_t number = 0;; ++number) {
    wire::EntryKey temporary{.parent = key.parent,
                             .name = stage_temporary_name(run, key.name, number)};
    if (placement::entry_server(temporary.parent, temporary.name, parts_.exchange.server_count()) ==
        parts_.exchange.self()) {
      return temporary;
    }
  }
}

}  // namespace benchfs::server
