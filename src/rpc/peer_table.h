#pragma once

// Connections to the servers of the session, made when first needed and made again after a loss.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "net/transport.h"
#include "rpc/caller.h"

namespace benchfs::rpc {

class PeerTable {
 public:
  /// `addresses`: of the servers, by ServerId. Borrows the others.
  PeerTable(loop::EventLoop& loop, net::Transport& transport, Caller& caller,
            std::vector<std::vector<std::byte>> addresses);
  ~PeerTable();
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;

  std::uint16_t server_count() const noexcept { return static_cast<std::uint16_t>(peers_.size()); }

  /// The server runs as `incarnation` at `address` from now on; requests name that incarnation, and
  /// connections to an earlier one are given up. Returns false, and changes nothing, if that is not
  /// higher than what is known. 0 is what is known at first: then requests name the caller's.
  bool update(ServerId server, std::uint64_t incarnation, std::vector<std::byte> address);
  std::uint64_t incarnation(ServerId server) const noexcept {
    return peers_[to_integer(server)].incarnation;
  }

  /// How often a connection to the server was lost or given up. What the server keeps for as long
  /// as we are connected, it has kept only if this is still the same.
  std::uint64_t loss_count(ServerId server) const noexcept {
    return peers_[to_integer(server)].loss_count;
  }

  /// The live connection to `server`, or a new one. Callers that come while one is being made share
  /// it; each ends by its own deadline, whoever makes it.
  coro::Task<Result<std::shared_ptr<net::Connection>>> connect(ServerId server,
                                                               std::uint64_t deadline_ns);

  /// Calls over a connection that connect() returned.
  template <typename Request>
  coro::Task<Result<Answer<typename Request::Reply>>> call_over(
      std::shared_ptr<net::Connection> connection, ServerId server, Request request,
      CallOptions options) {
    options.epoch = peers_[to_integer(server)].incarnation;
    return caller_.call(std::move(connection), std::move(request), options);
  }

  /// Connects if need be, then calls. `server` must be below server_count().
  template <typename Request>
  coro::Task<Result<Answer<typename Request::Reply>>> call(ServerId server, Request request,
                                                           CallOptions options) {
    BENCHFS_CO_TRY(auto connection, connect(server, options.deadline_ns));
    auto calling = call_over(std::move(connection), server, std::move(request), options);
    co_return co_await calling;
  }

  /// Gives up the connection to the server, if there is one: what is asked over it is lost, and the
  /// server sees us go.
  void drop(ServerId server) noexcept {
    // The table forgets it meanwhile.
    const std::shared_ptr<net::Connection> connection = peers_[to_integer(server)].connection;
    if (connection != nullptr) {
      connection->abort(Error{.code = Errc::kPeerLost, .where = "peer_table.drop"});
    }
  }

  /// Forgets a lost connection. Call from Listener::on_lost.
  void on_lost(const net::Connection& connection) noexcept;

 private:
  struct Waiter;
  struct Peer {
    std::vector<std::byte> address;
    std::uint64_t incarnation = 0;
    std::uint64_t loss_count = 0;
    std::shared_ptr<net::Connection> connection;
    bool connecting = false;
    Waiter* waiters = nullptr;
    Error last_error{.code = Errc::kPeerLost};  ///< Of the last attempt that failed.
  };

  coro::Task<Result<std::shared_ptr<net::Connection>>> connect_anew(Peer& peer, ServerId server,
                                                                    std::uint64_t deadline_ns);
  void wake_waiters(Peer& peer) noexcept;

  loop::EventLoop& loop_;
  net::Transport& transport_;
  Caller& caller_;
  std::vector<Peer> peers_;
};

}  // namespace benchfs::rpc
