#include "rpc/peer_table.h"

#include <utility>

#include "base/assert.h"

namespace benchfs::rpc {

/// Waits for a connection that somebody else is making, until its own deadline. Lives in its
/// awaiter's frame.
struct PeerTable::Waiter : loop::Timer {
  Waiter(loop::EventLoop& event_loop, Peer& of, std::uint64_t deadline_ns)
      : Timer(&Waiter::deadline_passed), loop(event_loop), peer(of) {
    next = std::exchange(peer.waiters, this);
    loop.timers().arm(*this, deadline_ns);
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}

  static void deadline_passed(Timer& timer) noexcept {
    auto& self = static_cast<Waiter&>(timer);
    Waiter** link = &self.peer.waiters;
    while (*link != &self) {
      link = &(*link)->next;
    }
    *link = self.next;
    self.loop.post(self.waiter);
  }

  loop::EventLoop& loop;
  Peer& peer;
  std::coroutine_handle<> waiter;
  Waiter* next = nullptr;
};

PeerTable::PeerTable(loop::EventLoop& loop, net::Transport& transport, Caller& caller,
                     std::vector<std::vector<std::byte>> addresses)
    : loop_(loop), transport_(transport), caller_(caller) {
  peers_.reserve(addresses.size());
  for (std::vector<std::byte>& address : addresses) {
    peers_.emplace_back().address = std::move(address);
  }
}

PeerTable::~PeerTable() {
  for (const Peer& peer : peers_) {
    BENCHFS_ASSERT(!peer.connecting && peer.waiters == nullptr);
  }
}

coro::Task<Result<std::shared_ptr<net::Connection>>> PeerTable::connect(ServerId server,
                                                                        std::uint64_t deadline_ns) {
  BENCHFS_ASSERT(to_integer(server) < peers_.size());
  Peer& peer = peers_[to_integer(server)];  // The table never grows: this stays valid.
  while (peer.connecting) {
    Waiter waiter(loop_, peer, deadline_ns);
    co_await waiter;
    // Who makes the connection has a deadline of its own; if it failed, try again within ours.
    if (peer.connection == nullptr && loop_.now_ns() >= deadline_ns) {
      co_return fail(Errc::kTimedOut, "peer.connect");
    }
    if (peer.connection == nullptr && !peer.connecting) {
      if (const Error shared = peer.last_error; shared.code != Errc::kTimedOut) {
        co_return fail(shared);
      }
    }
  }
  if (peer.connection != nullptr && !peer.connection->lost()) {
    co_return peer.connection;
  }
  if (std::exchange(peer.connection, nullptr) != nullptr) {
    ++peer.loss_count;
  }
  peer.connecting = true;
  auto connecting = connect_anew(peer, server, deadline_ns);
  auto connected = co_await connecting;
  peer.connecting = false;
  if (connected.has_value()) {
    peer.connection = *connected;
  } else {
    peer.last_error = connected.error();
  }
  wake_waiters(peer);
  co_return connected;
}

coro::Task<Result<std::shared_ptr<net::Connection>>> PeerTable::connect_anew(
    Peer& peer, ServerId server, std::uint64_t deadline_ns) {
  const net::PeerIdentity expected = {.role = net::PeerIdentity::Role::kServer,
                                      .id = to_integer(server)};
  for (;;) {
    const std::uint64_t incarnation = peer.incarnation;
    auto connecting = transport_.connect(peer.address, expected, deadline_ns);
    auto connected = co_await connecting;
    if (peer.incarnation == incarnation) {
      co_return connected;
    }
    // Meanwhile we heard that it has started again: whoever answered is, or was, another one.
    if (connected.has_value()) {
      (*connected)->abort(Error{.code = Errc::kPeerLost, .where = "peer.restarted"});
    }
    if (loop_.now_ns() >= deadline_ns) {
      co_return fail(Errc::kTimedOut, "peer.connect");
    }
  }
}

void PeerTable::wake_waiters(Peer& peer) noexcept {
  for (Waiter* waiter = std::exchange(peer.waiters, nullptr); waiter != nullptr;) {
    // The waiter is gone once it runs, but it runs only when the loop takes it from its queue.
    Waiter* const next = waiter->next;
    waiter->cancel();
    loop_.post(waiter->waiter);
    waiter = next;
  }
}

bool PeerTable::update(ServerId server, std::uint64_t incarnation, std::vector<std::byte> address) {
  BENCHFS_ASSERT(to_integer(server) < peers_.size());
  Peer& peer = peers_[to_integer(server)];
  if (incarnation <= peer.incarnation) {
    return false;
  }
  peer.incarnation = incarnation;
  peer.address = std::move(address);
  if (const std::shared_ptr<net::Connection> old = std::exchange(peer.connection, nullptr)) {
    ++peer.loss_count;
    old->abort(Error{.code = Errc::kPeerLost, .where = "peer.restarted"});
  }
  return true;
}

void PeerTable::on_lost(const net::Connection& connection) noexcept {
  for (Peer& peer : peers_) {
    if (peer.connection.get() == &connection) {
      peer.connection = nullptr;
      ++peer.loss_count;
    }
  }
}

}  // namespace benchfs::rpc
