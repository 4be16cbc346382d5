#include "client/cluster.h"

#include <algorithm>
#include <utility>

#include "coro/event.h"
#include "coro/scope.h"

namespace benchfs::client {
namespace {

/// Servers asked at the same time.
constexpr std::uint64_t kAskedAtOnceMax = 64;

struct Sum {
  wire::StatFsReply total;
  Status status;
  coro::Semaphore window{kAskedAtOnceMax};
};

coro::Task<void> add_one(Servers& servers, Context& context, ServerId server, Sum& sum) {
  Context own;
  auto calling = servers.call(own, server, wire::StatFsRequest());
  const auto answer = co_await calling;
  sum.window.release(1);
  if (answer.has_value()) {
    const wire::StatFsReply& reply = answer->reply;
    sum.total.capacity_bytes += reply.capacity_bytes;
    // Never more used than there is, whatever a server says: the free space is the difference.
    sum.total.used_bytes += std::min(reply.used_bytes, reply.capacity_bytes);
    sum.total.inode_count += reply.inode_count;
  } else if (sum.status.has_value()) {
    sum.status = fail(answer.error());
    context.server = own.server;
  }
}

}  // namespace

coro::Task<Status> ping(Servers& servers, Context& context, ServerId server) {
  auto calling = servers.call(context, server, wire::PingRequest());
  BENCHFS_CO_CHECK(calling);
  co_return Status();
}

coro::Task<Result<wire::StatusReply>> ask_status(Servers& servers, Context& context,
                                                 ServerId server) {
  auto calling = servers.call(context, server, wire::StatusRequest());
  auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  co_return std::move(answer->reply);
}

coro::Task<Result<wire::MetricsReply>> ask_metrics(Servers& servers, Context& context,
                                                   ServerId server) {
  auto calling = servers.call(context, server, wire::MetricsRequest());
  auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  co_return std::move(answer->reply);
}

coro::Task<Status> ask_shutdown(Servers& servers, Context& context, ServerId server,
                                bool keep_store) {
  const wire::ShutdownRequest request{.keep_store = keep_store};
  auto calling = servers.call(context, server, request);
  BENCHFS_CO_CHECK(calling);
  co_return Status();
}

coro::Task<Result<wire::StatFsReply>> measure(Servers& servers, Context& context) {
  Sum sum;
  coro::Scope scope;
  for (std::uint16_t i = 0; i < servers.count(); ++i) {
    auto window = sum.window.acquire(1);
    co_await window;
    scope.spawn(add_one(servers, context, ServerId{i}, sum));
  }
  co_await scope.join();
  if (!sum.status.has_value()) {
    co_return fail(sum.status.error());
  }
  co_return sum.total;
}

}  // namespace benchfs::client
