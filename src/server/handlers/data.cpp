#include "server/handlers/data.h"

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace benchfs::server {
namespace {

/// The pieces of a request as the store takes them, and their total.
struct Pieces {
  std::vector<store::Piece> list;
  std::uint64_t total_bytes = 0;
};

Result<Pieces> check_pieces(const std::vector<wire::DataPiece>& asked) {
  if (asked.empty() || asked.size() > kPiecesMax) {
    return fail(Errc::kProtocol, "data.pieces");
  }
  Pieces pieces;
  pieces.list.reserve(asked.size());
  for (const wire::DataPiece& piece : asked) {
    if (piece.size_bytes == 0) {
      return fail(Errc::kProtocol, "data.piece");
    }
    if (piece.offset_bytes > kFileBytesMax - piece.size_bytes) {
      return fail(Errc::kTooLarge, "data.piece");
    }
    pieces.list.push_back({.offset_bytes = piece.offset_bytes, .size_bytes = piece.size_bytes});
    pieces.total_bytes += piece.size_bytes;
  }
  if (pieces.total_bytes > kTransferBytesMax) {
    return fail(Errc::kProtocol, "data.total");
  }
  return pieces;
}

}  // namespace

DataService::DataService(rpc::Dispatcher& dispatcher, io::BufferPool& pool,
                         store::ChunkStore& store, Outcomes* outcomes)
    : pool_(pool), order_(dispatcher.loop()), store_(store), outcomes_(outcomes) {
  dispatcher.on<wire::WriteRequest>(
      [this](rpc::Request& request, wire::WriteRequest body, rpc::ReplyPayload& /*payload*/) {
        const bool once =
            outcomes_ != nullptr && Outcomes::key_of(request.peer(), request.fixed()).has_value();
        return once ? write_once(request, std::move(body)) : write(request, std::move(body));
      });
  dispatcher.on<wire::ReadRequest>(
      [this](rpc::Request& /*request*/, wire::ReadRequest body, rpc::ReplyPayload& payload) {
        return read(std::move(body), payload);
      });
  dispatcher.on<wire::FsyncRequest>([this](rpc::Request& /*request*/, wire::FsyncRequest /*body*/,
                                           rpc::ReplyPayload& /*payload*/) { return fsync(); });
}

coro::Task<Result<wire::EmptyReply>> DataService::write_once(rpc::Request& request,
                                                             wire::WriteRequest body) {
  const OperationKey operation = *Outcomes::key_of(request.peer(), request.fixed());
  BENCHFS_CO_CHECK_NOW(outcomes_->arrive(operation.client, request.fixed().operation));
  // Its turn first: who waits for it takes no place among the writes, and no buffer.
  Outcomes::Turns::LockOp entering(outcomes_->turns(), operation, request.deadline_ns());
  BENCHFS_CO_TRY(const auto turn, entering);
  if (outcomes_->is_given_up(operation)) {
    co_return fail(Errc::kTimedOut, "data.write.given_up");
  }
  if (auto known = outcomes_->find<wire::EmptyReply>(operation, wire::Op::kWrite)) {
    co_return std::move(*known);
  }
  auto writing = write(request, std::move(body), operation);
  co_return co_await writing;
}

coro::Task<Result<wire::EmptyReply>> DataService::write(rpc::Request& request,
                                                        wire::WriteRequest body,
                                                        OperationKey operation) {
  BENCHFS_CO_TRY_NOW(const Pieces pieces, check_pieces(body.pieces));
  if (request.payload_bytes() != pieces.total_bytes) {
    co_return fail(Errc::kProtocol, "data.write.payload");
  }
  // Whoever asked may give up while the request waits, and then write newer bytes to the same
  // place. So a late write must not begin, and the newer one waits for one that has begun.
  WriteOrder::Place place(order_, request.peer().id, body.inode, pieces.list);
  io::BufferPool::AcquireOp acquiring(pool_, pieces.total_bytes);
  io::PoolBuffer buffer = co_await acquiring;
  BENCHFS_CO_CHECK_NOW(request.still_wanted());
  BENCHFS_CO_CHECK(request.receive_payload(buffer.bytes()));
  co_await place;
  BENCHFS_CO_CHECK_NOW(request.still_wanted());
  store::Companion outcome;
  if (operation) {
    outcome.bytes = kOutcomeRecordBytesMax;
    outcome.append = [this, operation] {
      outcomes_->keep(operation, wire::Op::kWrite, wire::EmptyReply{});
    };
  }
  auto writing = store_.write(body.inode, pieces.list, std::move(buffer), std::move(outcome));
  BENCHFS_CO_CHECK(writing);
  counters_.written_bytes += pieces.total_bytes;
  co_return wire::EmptyReply{};
}

coro::Task<Result<wire::ReadReply>> DataService::read(wire::ReadRequest body,
                                                      rpc::ReplyPayload& payload) {
  BENCHFS_CO_TRY_NOW(const Pieces pieces, check_pieces(body.pieces));
  auto reading = store_.read(body.inode, pieces.list);
  BENCHFS_CO_TRY(store::ReadData data, reading);
  counters_.read_bytes += pieces.total_bytes;
  const wire::ReadReply reply = {.has_hole = data.has_hole};
  if (!data.data.empty()) {
    auto owner = std::make_shared<store::ReadData>(std::move(data));
    payload.bytes = owner->data;
    payload.owner = std::move(owner);
  }
  co_return reply;
}

coro::Task<Result<wire::FsyncReply>> DataService::fsync() {
  auto syncing = store_.fsync();
  BENCHFS_CO_CHECK(syncing);
  co_return wire::FsyncReply{.power_era = store_.power_era()};
}

}  // namespace benchfs::server
