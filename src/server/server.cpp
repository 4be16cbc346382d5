#include "server/server.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"
#include "coro/scope.h"
#include "loop/timer_queue.h"

namespace benchfs::server {
namespace {

/// How long a stopping server waits for its peers to hear of it.
constexpr std::uint64_t kCloseNsMax = 2 * kNsPerSec;

/// How long a stopping server waits for what it has begun. Requests may have deadlines of hours.
constexpr std::uint64_t kDrainNsMax = 3 * kNsPerSec;

/// How long other servers may take to hear that this one has started again.
constexpr std::uint64_t kAnnounceNsMax = kTimeoutNsDefault;
/// Between two attempts to reach those that have not.
constexpr std::uint64_t kAnnouncePauseNsMin = kNsPerSec;
constexpr std::uint64_t kAnnouncePauseNsMax = 10 * kNsPerSec;

std::uint64_t incarnation_of(const Membership& membership) noexcept {
  return membership.session.servers[to_integer(membership.self)].incarnation;
}

std::vector<std::vector<std::byte>> addresses_of(const Membership& membership) {
  std::vector<std::vector<std::byte>> addresses;
  for (const session::Server& server : membership.session.servers) {
    addresses.push_back(server.address);
  }
  return addresses;
}

/// Loses all connections if it lives too long: what waits for a peer that hangs ends then, and what
/// waits for that in turn.
class DrainLimit final : private loop::Timer {
 public:
  DrainLimit(loop::EventLoop& loop, net::Transport& transport)
      : Timer(&DrainLimit::expired), loop_(loop), transport_(transport) {
    loop_.timers().arm(*this, loop_.now_ns() + kDrainNsMax);
  }

  /// Until the connections are closed, by this or because the limit was reached.
  coro::Task<void> close() {
    if (armed()) {
      cancel();
      closing_.spawn(close_transport());
    }
    co_await closing_.join();
  }

 private:
  static void expired(Timer& timer) noexcept {
    auto& self = static_cast<DrainLimit&>(timer);
    log_warning("requests of peers that do not answer are given up");
    self.closing_.spawn(self.close_transport());
  }
  coro::Task<void> close_transport() {
    auto closing = transport_.close(loop_.now_ns() + kCloseNsMax);
    co_await closing;
  }

  loop::EventLoop& loop_;
  net::Transport& transport_;
  coro::Scope closing_;
};

}  // namespace

Server::Server(Platform platform, Membership membership, ServerFacts facts, RootOwner root)
    : platform_(platform),
      incarnation_(incarnation_of(membership)),
      caller_(platform.loop, incarnation_),
      dispatcher_(platform.loop, incarnation_),
      peers_(platform.loop, platform.transport, caller_, addresses_of(membership)),
      exchange_(membership.self, dispatcher_, peers_, platform.ledger),
      data_(dispatcher_, platform.pool, platform.store, &exchange_.outcomes()),
      namespace_(platform.loop, exchange_, platform.store, root),
      staging_(StagingService::Parts{.loop = platform.loop,
                                     .dispatcher = dispatcher_,
                                     .peers = peers_,
                                     .exchange = exchange_,
                                     .pool = platform.pool,
                                     .store = platform.store,
                                     .names = namespace_}),
      membership_(std::move(membership),
                  MembershipService::Parts{
                      .dispatcher = dispatcher_, .peers = peers_, .exchange = exchange_}),
      metrics_(facts, Metrics::Parts{.self = exchange_.self(),
                                     .incarnation = incarnation_,
                                     .clock = platform.loop.clock(),
                                     .dispatcher = dispatcher_,
                                     .store = platform.store,
                                     .pool = platform.pool,
                                     .data = data_,
                                     .journal = platform.journal,
                                     .drive = platform.drive,
                                     .counts = [this] { return counts(); }}),
      admin_(std::move(facts), AdminService::Parts{
                                   .clock = platform.loop.clock(),
                                   .exchange = exchange_,
                                   .dispatcher = dispatcher_,
                                   .store = platform.store,
                                   .pool = platform.pool,
                                   .data = data_,
                                   .metrics = metrics_,
                                   .counts = [this] { return counts(); },
                                   .stop =
                                       [this](bool keep_store) {
                                         after_stop_ = keep_store ? AfterStop::kKeepStore
                                                                  : AfterStop::kRemoveStore;
                                         session_is_over_ = true;
                                         request_stop();
                                       },
                               }),
      announce_pause_(platform.loop) {
  platform_.store.set_metadata_bytes([this] { return namespace_.snapshot_bytes(); });
}

Server::~Server() {
  platform_.store.set_metadata_bytes({});
}

LiveCounts Server::counts() {
  return {.inode_count = namespace_.inode_count(),
          .open_count = namespace_.open_count(),
          .client_count = client_connections_.size(),
          .read_only = exchange_.ledger().has_failed()};
}

coro::Task<Status> Server::start() {
  auto starting = namespace_.start(incarnation_);
  BENCHFS_CO_CHECK(starting);
  platform_.transport.listen(*this);
  co_return Status();
}

void Server::run() {
  platform_.loop.run_until(stop_requested_);
  if (deaf_) {
    return;
  }
  auto stopping = stop();
  stopping.start();
  while (!stopping.done()) {
    platform_.loop.run_once(platform_.loop.now_ns() + kNsPerSec);
  }
}

void Server::announce() {
  announcing_.spawn(announce_until_heard());
}

coro::Task<void> Server::announce_until_heard() {
  for (std::uint64_t pause_ns = kAnnouncePauseNsMin; !stopping_;
       pause_ns = std::min(2 * pause_ns, kAnnouncePauseNsMax)) {
    auto announcing = membership_.announce(platform_.loop.now_ns() + kAnnounceNsMax);
    const bool all_answered = co_await announcing;
    if (all_answered) {
      co_return;
    }
    announce_pause_.set(pause_ns);
    co_await announce_pause_;
  }
}

void Server::Pause::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  loop_.timers().arm(*this, loop_.now_ns() + pause_ns_);
}

void Server::Pause::expired(Timer& timer) noexcept {
  auto& self = static_cast<Pause&>(timer);
  self.loop_.post(std::exchange(self.waiter_, {}));
}

void Server::Pause::end() noexcept {
  ended_ = true;
  if (waiter_) {
    cancel();
    loop_.post(std::exchange(waiter_, {}));
  }
}

coro::Task<void> Server::stop() {
  stopping_ = true;
  announce_pause_.end();
  DrainLimit limit(platform_.loop, platform_.transport);
  dispatcher_.close();
  co_await dispatcher_.join();
  auto settling = namespace_.stop();
  co_await settling;
  auto closing = limit.close();
  co_await closing;
  co_await announcing_.join();  // Closing the connections has ended what it waited for.
  co_await dispatcher_.join();  // Refusals of what came meanwhile.
}

void Server::on_accept(const std::shared_ptr<net::Connection>& connection) noexcept {
  if (connection->peer().role == net::PeerIdentity::Role::kClient) {
    auto& connections = client_connections_[connection->peer().id];
    // A client connects again only after it has given the old connection up, with whatever it had
    // asked for there. What of that is still on its way must not be done behind the new requests.
    for (const std::shared_ptr<net::Connection>& old : connections) {
      old->abort(Error{.code = Errc::kPeerLost, .where = "server.replaced"});
    }
    connections.push_back(connection);
    namespace_.on_client_found(ClientId{connection->peer().id});
  }
}

void Server::on_message(const std::shared_ptr<net::Connection>& connection,
                        net::Message message) noexcept {
  const auto fixed = wire::decode_fixed_header(message.header());
  if (!fixed.has_value()) {
    // Without a header that makes sense there is no request to answer. The peer knows the secret,
    // so it is ours and broken; its other requests are harmed least if this connection goes on.
    if (!std::exchange(malformed_logged_, true)) {
      log_warning("dropped a malformed message of {} bytes from {} {}", message.header().size(),
                  connection->peer().role == net::PeerIdentity::Role::kServer ? "server" : "client",
                  connection->peer().id);
    }
    return;
  }
  if ((fixed->flags & wire::kIsReply) != 0) {
    caller_.on_reply(connection, *fixed, std::move(message));
  } else {
    dispatcher_.on_request(connection, *fixed, std::move(message));
  }
}

void Server::on_deaf() noexcept {
  deaf_ = true;
  request_stop();
}

void Server::on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept {
  caller_.on_lost(*connection, reason);
  peers_.on_lost(*connection);
  const net::PeerIdentity& peer = connection->peer();
  if (peer.role == net::PeerIdentity::Role::kServer) {
    namespace_.on_server_lost(ServerId{static_cast<std::uint16_t>(peer.id)});
    return;
  }
  const auto found = client_connections_.find(peer.id);
  if (found != client_connections_.end() && std::erase(found->second, connection) > 0 &&
      found->second.empty()) {
    client_connections_.erase(found);
    namespace_.on_client_lost(ClientId{peer.id});
  }
}

}  // namespace benchfs::server
