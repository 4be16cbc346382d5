#pragma once

// Requests about the server itself: is it there, how does it do, what has it done, stop.
//
// Threading: loop thread only.

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/buffer_pool.h"
#include "server/exchange.h"
#include "server/handlers/data.h"
#include "server/metrics.h"
#include "store/chunk_store.h"
#include "wire/messages.h"
#include "wire/metrics.h"

namespace benchfs::server {

class AdminService {
 public:
  struct Parts {
    Clock& clock;
    Exchange& exchange;
    const rpc::Dispatcher& dispatcher;
    const store::ChunkStore& store;
    const io::BufferPool& pool;
    const DataService& data;
    const Metrics& metrics;
    std::function<LiveCounts()> counts;
    /// Called when a shutdown is asked for, which is answered all the same.
    std::function<void(bool keep_store)> stop;
  };

  /// Registers its handlers.
  AdminService(ServerFacts facts, Parts parts);
  AdminService(const AdminService&) = delete;
  AdminService& operator=(const AdminService&) = delete;

 private:
  coro::Task<Result<wire::EmptyReply>> ping(Context context, wire::PingRequest body);
  coro::Task<Result<wire::StatusReply>> status(Context context, wire::StatusRequest body);
  coro::Task<Result<wire::MetricsReply>> metrics(Context context, wire::MetricsRequest body);
  coro::Task<Result<wire::StatFsReply>> stat_fs(Context context, wire::StatFsRequest body);
  coro::Task<Result<wire::EmptyReply>> shutdown(Context context, wire::ShutdownRequest body);

  const ServerFacts facts_;
  const Parts parts_;
  const std::uint64_t started_ns_;
};

}  // namespace benchfs::server
