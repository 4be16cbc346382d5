#pragma once

// Who the servers of the session are at this moment: what this server has heard of restarts, and
// what it tells others. session/README.md says how news merge.
//
// Threading: loop thread only. Adopting news changes the session file of this node, which blocks
// for some milliseconds: it happens when a server has started again, and only then.

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "coro/event.h"
#include "coro/task.h"
#include "rpc/dispatcher.h"
#include "rpc/peer_table.h"
#include "server/exchange.h"
#include "session/session_file.h"
#include "wire/membership.h"

namespace benchfs::server {

/// Who this server is among the others.
struct Membership {
  ServerId self{};
  session::Session session;
  std::string session_directory;  ///< Of this node; empty: there is no file to keep up to date.
};

class MembershipService {
 public:
  struct Parts {
    rpc::Dispatcher& dispatcher;
    rpc::PeerTable& peers;  ///< Is told of all servers now, and of news later.
    Exchange& exchange;
  };

  /// Registers its handlers. Borrows the parts, which outlive it.
  MembershipService(Membership membership, Parts parts);
  MembershipService(const MembershipService&) = delete;
  MembershipService& operator=(const MembershipService&) = delete;

  /// Tells every other server that this one runs, as it stands in the session, and hears from them
  /// of restarts that it has missed, until there is nothing new. First of all it looks at the
  /// session file: of two servers of a node that start again at once, each knows only where the
  /// other has been, and whichever publishes last finds the other there. Servers that do not answer
  /// are named in the log, the first time. Whether all have answered: one that is down asks when it
  /// starts again, but one that could not be reached never will.
  coro::Task<bool> announce(std::uint64_t deadline_ns);

  const session::Session& session() const noexcept { return membership_.session; }

 private:
  struct Round;

  coro::Task<Result<wire::JoinReply>> join(rpc::Request& request);
  coro::Task<Result<wire::ServerEntry>> get_server(Context context, wire::GetServerRequest request);

  wire::ServerEntry entry_of(ServerId server) const;
  /// Takes the entry over if it is news. kProtocol if it makes no sense.
  Status adopt(wire::ServerEntry entry);
  void take_over(ServerId server, session::Server news);
  void look_at_published();
  coro::Task<void> tell(ServerId server, Round& round);
  coro::Task<Status> hear_more(ServerId from, const wire::JoinReply& reply, Round& round);

  Membership membership_;
  Parts parts_;
  bool silence_logged_ = false;
};

}  // namespace benchfs::server
