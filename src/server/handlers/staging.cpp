// Staging: ranges of a file.

#include "server/handlers/staging.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "coro/scope.h"
#include "server/handlers/stage_cells.h"

namespace benchfs::server {

/// In the frame of its handler.
struct StagingService::Range {
  wire::StageRangeRequest asked;
  std::string path;
  OutsideFile outside;
  OutsideStatus before;
  wire::StageRangeReply reply;
  Status status;  ///< The first failure.
  /// Another server's question has a place there: two that waited for each other's would wait for
  /// ever.
  bool takes_places = true;
};

StagingService::StagingService(Parts parts)
    : parts_(parts),
      cells_(std::clamp<std::uint64_t>(parts.pool.region().size() / (4 * wire::kStageCellBytes), 1,
                                       kStageCellsMax)) {
  parts_.dispatcher.on<wire::StageRangeRequest>(
      [this](rpc::Request& request, wire::StageRangeRequest body, rpc::ReplyPayload& /*payload*/) {
        return range(request, body);
      });
  parts_.exchange.on_with_payload<wire::StageInRequest>(*this, &StagingService::stage_in);
  parts_.exchange.on_with_payload<wire::StageOutRequest>(*this, &StagingService::stage_out);
}

coro::Task<Status> StagingService::ensure_threads() {
  if (calls_ == nullptr) {
    co_await parts_.loop.yield();  // A source of the loop is not added while one makes progress.
  }
  if (calls_ == nullptr) {
    BENCHFS_CO_TRY_NOW(calls_, io::BlockingCalls::create(parts_.loop));
  }
  co_return Status();
}

coro::Task<Result<wire::StageRangeReply>> StagingService::range(rpc::Request& request,
                                                                wire::StageRangeRequest body) {
  BENCHFS_CO_TRY_NOW(const auto cells,
                     cells_of(body, parts_.exchange.self(), parts_.exchange.server_count()));
  if (request.payload_bytes() == 0 || request.payload_bytes() > wire::kOutsidePathBytesMax) {
    co_return fail(Errc::kProtocol, "stage.path");
  }
  BENCHFS_CO_CHECK(ensure_threads());
  Range work;
  work.asked = body;
  work.takes_places = request.peer().role == net::PeerIdentity::Role::kClient;
  work.path.resize(request.payload_bytes());
  const Bytes path_bytes(reinterpret_cast<std::byte*>(work.path.data()), work.path.size());
  BENCHFS_CO_CHECK(request.receive_payload(path_bytes));
  if (work.path.front() != '/' || work.path.find('\0') != std::string::npos) {
    co_return fail(Errc::kProtocol, "stage.path");
  }
  auto opening = open_outside(work);
  BENCHFS_CO_CHECK(opening);
  coro::Scope scope;
  for (const store::Piece& cell : cells) {
    if (work.takes_places) {
      auto place = cells_.acquire(1);
      co_await place;
    }
    if (work.status.has_value()) {
      work.status = request.still_wanted();
    }
    if (!work.status.has_value()) {
      leave_place(work);
      break;
    }
    scope.spawn(run_cell(work, cell));
  }
  co_await scope.join();
  if (!work.status.has_value()) {
    co_return fail(work.status.error());
  }
  if (work.asked.act == wire::StageAct::kCopyIn) {
    Result<OutsideStatus> after;
    auto looking = in_thread([&] { after = work.outside.status(); });
    co_await looking;
    BENCHFS_CO_TRY_NOW(const OutsideStatus now, std::move(after));
    if (now.stamp() != work.before.stamp()) {
      co_return fail(Errc::kStale, "stage.source");
    }
    work.reply.stamp = now.stamp();
  } else {
    work.reply.stamp = parts_.store.change_stamp(body.inode);
  }
  co_return work.reply;
}

coro::Task<Status> StagingService::open_outside(Range& work) {
  Status status;
  const wire::StageAct act = work.asked.act;
  if (act == wire::StageAct::kStamp || act == wire::StageAct::kSumInside) {
    co_return status;
  }
  auto opening = in_thread([&]() -> void {
    const bool reads = act == wire::StageAct::kCopyIn || act == wire::StageAct::kSumOutside;
    auto opened = reads ? OutsideFile::open_source(work.path) : OutsideFile::open_target(work.path);
    if (!opened.has_value()) {
      status = fail(opened.error());
      return;
    }
    work.outside = std::move(*opened);
    if (act == wire::StageAct::kSyncOutside) {
      status = work.outside.fsync();
      return;
    }
    const auto now = work.outside.status();
    if (!now.has_value()) {
      status = fail(now.error());
      return;
    }
    work.before = *now;
    if (now->size_bytes != work.asked.size_bytes) {
      status = fail(Errc::kStale, "stage.size");
    }
    if (act == wire::StageAct::kSumOutside) {
      work.outside.drop_cache();
    }
  });
  co_await opening;
  co_return status;
}

coro::Task<void> StagingService::run_cell(Range& work, store::Piece cell) {
  Status status;
  switch (work.asked.act) {
    case wire::StageAct::kCopyIn:
      status = co_await copy_in(work, cell);
      break;
    case wire::StageAct::kCopyOut:
      status = co_await copy_out(work, cell);
      break;
    case wire::StageAct::kSumInside:
      status = co_await sum_inside(work, cell);
      break;
    case wire::StageAct::kSumOutside:
      status = co_await sum_outside(work, cell);
      break;
    case wire::StageAct::kSyncOutside:
    case wire::StageAct::kStamp:
      break;
  }
  if (!status.has_value() && work.status.has_value()) {
    work.status = status;
  }
  leave_place(work);
}

void StagingService::leave_place(const Range& work) noexcept {
  if (work.takes_places) {
    cells_.release(1);
  }
}

coro::Task<Status> StagingService::copy_in(Range& work, store::Piece cell) {
  io::BufferPool::AcquireOp acquiring(parts_.pool, cell.size_bytes);
  io::PoolBuffer buffer = co_await acquiring;
  const Bytes bytes = buffer.bytes();
  Status status;
  std::uint64_t sum = 0;
  std::vector<store::Piece> runs{cell};
  auto reading = in_thread([&] {
    status = work.outside.read(bytes, cell.offset_bytes);
    sum = sum_of_cell(bytes, cell.offset_bytes);
    if (sum == 0) {
      runs.clear();  // What is made for this is new, and reads as zeros where nothing is written.
    } else if (work.before.sparse) {
      runs = data_runs(bytes, cell.offset_bytes);
    }
  });
  co_await reading;
  BENCHFS_CO_CHECK_NOW(status);
  work.reply.sum += sum;
  if (!runs.empty()) {
    work.reply.moved_bytes += cell.size_bytes;
    auto writing = write_sparse(work.asked.inode, std::move(buffer), cell, std::move(runs));
    BENCHFS_CO_CHECK(writing);
  }
  co_return Status();
}

coro::Task<Status> StagingService::write_sparse(InodeId file, io::PoolBuffer buffer,
                                                store::Piece cell, std::vector<store::Piece> runs) {
  auto packing = packed(std::move(buffer), cell.offset_bytes, runs);
  io::PoolBuffer data = co_await packing;
  auto writing = parts_.store.write(file, runs, std::move(data));
  co_return co_await writing;
}

coro::Task<io::PoolBuffer> StagingService::packed(io::PoolBuffer buffer, std::uint64_t offset_bytes,
                                                  const std::vector<store::Piece>& runs) {
  std::uint64_t total_bytes = 0;
  for (const store::Piece& run : runs) {
    total_bytes += run.size_bytes;
  }
  if (total_bytes == buffer.bytes().size()) {
    co_return buffer;
  }
  io::BufferPool::AcquireOp acquiring(parts_.pool, total_bytes);
  io::PoolBuffer out = co_await acquiring;
  std::size_t filled = 0;
  for (const store::Piece& run : runs) {
    std::memcpy(out.bytes().data() + filled,
                buffer.bytes().data() + (run.offset_bytes - offset_bytes), run.size_bytes);
    filled += run.size_bytes;
  }
  co_return out;
}

coro::Task<Status> StagingService::copy_out(Range& work, store::Piece cell) {
  auto reading = parts_.store.read(work.asked.inode, std::span(&cell, 1));
  BENCHFS_CO_TRY(const store::ReadData got, reading);
  if (got.data.empty()) {
    co_return Status();
  }
  Status status;
  std::uint64_t sum = 0;
  auto writing = in_thread([&] {
    sum = sum_of_cell(got.data, cell.offset_bytes);
    std::vector<store::Piece> runs;
    if (sum != 0) {
      runs = got.has_hole ? data_runs(got.data, cell.offset_bytes) : std::vector{cell};
    }
    for (const store::Piece& run : runs) {
      if (status.has_value()) {
        status = work.outside.write(
            got.data.subspan(run.offset_bytes - cell.offset_bytes, run.size_bytes),
            run.offset_bytes);
      }
    }
    if (!runs.empty() && status.has_value()) {
      work.outside.start_writing(cell.offset_bytes, cell.size_bytes);
    }
  });
  co_await writing;
  work.reply.sum += sum;
  work.reply.moved_bytes += sum != 0 ? cell.size_bytes : 0;
  co_return status;
}

coro::Task<Status> StagingService::sum_inside(Range& work, store::Piece cell) {
  auto reading = parts_.store.read(work.asked.inode, std::span(&cell, 1));
  BENCHFS_CO_TRY(const store::ReadData got, reading);
  if (!got.data.empty()) {
    std::uint64_t sum = 0;
    auto summing = in_thread([&] { sum = sum_of_cell(got.data, cell.offset_bytes); });
    co_await summing;
    work.reply.sum += sum;
  }
  co_return Status();
}

coro::Task<Status> StagingService::sum_outside(Range& work, store::Piece cell) {
  io::BufferPool::AcquireOp acquiring(parts_.pool, cell.size_bytes);
  const io::PoolBuffer buffer = co_await acquiring;
  Status status;
  std::uint64_t sum = 0;
  auto reading = in_thread([&] {
    status = work.outside.read(buffer.bytes(), cell.offset_bytes);
    sum = sum_of_cell(buffer.bytes(), cell.offset_bytes);
  });
  co_await reading;
  work.reply.sum += sum;
  co_return status;
}

void note_failure(wire::StageResult& result, const Error& error) noexcept {
  result.error = static_cast<std::uint16_t>(error.code);
  result.os_error = std::max(error.os_code, 0);
}

std::string stage_temporary_name(std::uint64_t run, const std::string& name, std::uint32_t number) {
  return fmt::format(".benchfs-stage.{:016x}.{:016x}.{}.part", run,
                     XXH3_64bits(name.data(), name.size()), number);
}

}  // namespace benchfs::server
