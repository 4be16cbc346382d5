#pragma once

// Questions about the servers themselves, for statvfs and the command line tools.
//
// Threading: loop thread only. Coroutines borrow `servers` and `context` until they end.

#include "base/ids.h"
#include "base/result.h"
#include "client/errno_map.h"
#include "client/servers.h"
#include "coro/task.h"
#include "wire/messages.h"
#include "wire/metrics.h"

namespace benchfs::client {

coro::Task<Status> ping(Servers& servers, Context& context, ServerId server);

coro::Task<Result<wire::StatusReply>> ask_status(Servers& servers, Context& context,
                                                 ServerId server);

coro::Task<Result<wire::MetricsReply>> ask_metrics(Servers& servers, Context& context,
                                                   ServerId server);

/// Asks the server to stop in order. It answers before it does.
coro::Task<Status> ask_shutdown(Servers& servers, Context& context, ServerId server,
                                bool keep_store);

/// The sums over all servers; fails if one of them does.
coro::Task<Result<wire::StatFsReply>> measure(Servers& servers, Context& context);

}  // namespace benchfs::client
