#include "server/handlers/admin.h"

#include <utility>

#include <unistd.h>

#include "server/process_usage.h"

namespace benchfs::server {
AdminService::AdminService(ServerFacts facts, Parts parts)
    : facts_(std::move(facts)), parts_(std::move(parts)), started_ns_(parts_.clock.now_ns()) {
  parts_.exchange.on<wire::PingRequest>(*this, &AdminService::ping);
  parts_.exchange.on<wire::StatusRequest>(*this, &AdminService::status);
  parts_.exchange.on<wire::StatFsRequest>(*this, &AdminService::stat_fs);
  parts_.exchange.on<wire::MetricsRequest>(*this, &AdminService::metrics);
  parts_.exchange.on<wire::ShutdownRequest>(*this, &AdminService::shutdown);
}

coro::Task<Result<wire::EmptyReply>> AdminService::ping(Context /*context*/,
                                                        wire::PingRequest /*body*/) {
  co_return wire::EmptyReply{};
}

coro::Task<Result<wire::StatusReply>> AdminService::status(Context /*context*/,
                                                           wire::StatusRequest /*body*/) {
  const store::Usage usage = parts_.store.usage();
  const LiveCounts counts = parts_.counts();
  const ProcessUsage process = process_usage();
  wire::StatusReply reply = {
      .server = parts_.exchange.self(),
      .pid = static_cast<std::uint32_t>(::getpid()),
      .host = facts_.host,
      .version = BENCHFS_VERSION,
      .disk_backend = facts_.disk_backend,
      .store_directory = facts_.store_directory,
      .direct_io = facts_.direct_io,
      .read_only = counts.read_only,
      .uptime_ns = parts_.clock.now_ns() - started_ns_,
      .capacity_bytes = usage.capacity_bytes,
      .used_bytes = usage.used_bytes,
      .inode_count = counts.inode_count,
      .open_count = counts.open_count,
      .client_count = counts.client_count,
      .written_bytes = parts_.data.counters().written_bytes,
      .read_bytes = parts_.data.counters().read_bytes,
      .cpu_ns = process.cpu_ns,
      .memory_peak_bytes = process.memory_peak_bytes,
      .memory_bytes = process.memory_bytes,
      .pool_bytes = parts_.pool.region().size(),
      .pool_used_bytes = parts_.pool.used_bytes(),
      .ops = {},
  };
  for (std::uint16_t number = 1; number <= wire::kOpLast; ++number) {
    const auto op = static_cast<wire::Op>(number);
    const rpc::OpCounters& counters = parts_.dispatcher.counters(op);
    if (counters.count > 0) {
      reply.ops.push_back({.op = op, .count = counters.count, .error_count = counters.error_count});
    }
  }
  co_return reply;
}

coro::Task<Result<wire::MetricsReply>> AdminService::metrics(Context /*context*/,
                                                             wire::MetricsRequest /*body*/) {
  wire::MetricsReply reply = parts_.metrics.snapshot();
  --reply.requests_in_flight;  // Without the question.
  co_return reply;
}

coro::Task<Result<wire::StatFsReply>> AdminService::stat_fs(Context /*context*/,
                                                            wire::StatFsRequest /*body*/) {
  const store::Usage usage = parts_.store.usage();
  co_return wire::StatFsReply{.capacity_bytes = usage.capacity_bytes,
                              .used_bytes = usage.used_bytes,
                              .inode_count = parts_.counts().inode_count};
}

coro::Task<Result<wire::EmptyReply>> AdminService::shutdown(Context /*context*/,
                                                            wire::ShutdownRequest body) {
  parts_.stop(body.keep_store);
  co_return wire::EmptyReply{};
}

}  // namespace benchfs::server
