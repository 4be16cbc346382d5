#pragma once

// Requests about the server itself: is it there, how does it do, stop.
//
// Threading: loop thread only.

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/buffer_pool.h"
#include "server/exchange.h"
#include "server/handlers/data.h"
#include "store/chunk_store.h"
#include "wire/messages.h"

namespace benchfs::server {

/// What the server is, fixed at its start.
struct ServerFacts {
  std::string host;
  std::string disk_backend;
  std::string store_directory;
  bool direct_io = false;
};

/// What other parts of the server know of themselves.
struct LiveCounts {
  std::uint64_t inode_count = 0;
  std::uint64_t open_count = 0;
  std::uint64_t client_count = 0;
  bool read_only = false;
};

class AdminService {
 public:
  struct Parts {
    Clock& clock;
    Exchange& exchange;
    const rpc::Dispatcher& dispatcher;
    const store::ChunkStore& store;
    const io::BufferPool& pool;
    const DataService& data;
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
  coro::Task<Result<wire::StatFsReply>> stat_fs(Context context, wire::StatFsRequest body);
  coro::Task<Result<wire::EmptyReply>> shutdown(Context context, wire::ShutdownRequest body);

  const ServerFacts facts_;
  const Parts parts_;
  const std::uint64_t started_ns_;
};

}  // namespace benchfs::server
