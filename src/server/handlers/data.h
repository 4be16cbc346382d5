#pragma once

// Reads, writes and fsync of what this server holds of the files.
//
// Threading: loop thread only.

#include <cstdint>

#include "base/result.h"
#include "coro/task.h"
#include "io/buffer_pool.h"
#include "rpc/dispatcher.h"
#include "server/outcomes.h"
#include "server/write_order.h"
#include "store/chunk_store.h"
#include "wire/messages.h"

namespace benchfs::server {

struct DataCounters {
  std::uint64_t written_bytes = 0;
  std::uint64_t read_bytes = 0;
};

class DataService {
 public:
  /// Borrows all; they outlive it. Registers its handlers. Without `outcomes` a write that is asked
  /// for again is done again.
  DataService(rpc::Dispatcher& dispatcher, io::BufferPool& pool, store::ChunkStore& store,
              Outcomes* outcomes = nullptr);
  DataService(const DataService&) = delete;
  DataService& operator=(const DataService&) = delete;

  const DataCounters& counters() const noexcept { return counters_; }

 private:
  coro::Task<Result<wire::EmptyReply>> write(rpc::Request& request, wire::WriteRequest body,
                                             OperationKey operation = {});
  coro::Task<Result<wire::EmptyReply>> write_once(rpc::Request& request, wire::WriteRequest body);
  coro::Task<Result<wire::ReadReply>> read(wire::ReadRequest body, rpc::ReplyPayload& payload);
  coro::Task<Result<wire::FsyncReply>> fsync();

  io::BufferPool& pool_;
  WriteOrder order_;
  store::ChunkStore& store_;
  Outcomes* const outcomes_;
  DataCounters counters_;
};

}  // namespace benchfs::server
