#pragma once

// Servers and clients on a FakeNetwork, in one thread: everything that a server is made of but the
// process around it. Servers can crash and start again on what they had written down. Time is
// manual, so deadlines cost nothing and a seed repeats a run.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/units.h"
#include "io/buffer_pool.h"
#include "io/memory_disk.h"
#include "loop/event_loop.h"
#include "placement/placement.h"
#include "rpc/caller.h"
#include "rpc/dispatcher.h"
#include "rpc/peer_table.h"
#include "server/exchange.h"
#include "server/handlers/namespace.h"
#include "store/chunk_store.h"
#include "support/fake_network.h"
#include "support/journaled_store.h"
#include "support/manual_clock.h"
#include "support/memory_ledger.h"

namespace benchfs::test {

inline constexpr std::uint64_t kFakeEpoch = 7;
/// How long a FakePeer waits for an answer.
inline constexpr std::uint64_t kPatienceNs = 10 * kNsPerSec;

/// Moves a ManualClock instead of sleeping.
class JumpSleeper final : public loop::Sleeper {
 public:
  explicit JumpSleeper(ManualClock& clock) : clock_(clock) {}
  void sleep(std::span<const int> /*fds*/, std::uint64_t timeout_ns) noexcept override {
    BENCHFS_ASSERT(timeout_ns != UINT64_MAX);  // Nothing could ever end it.
    clock_.advance(timeout_ns);
  }

 private:
  ManualClock& clock_;
};

/// What can call servers.
class FakePeer : public net::Listener {
 public:
  FakePeer(FakeNetwork& network, net::PeerIdentity identity, std::uint64_t epoch = kFakeEpoch)
      : transport(network, identity), caller(network.loop(), epoch), loop_(network.loop()) {
    transport.listen(*this);
  }

  void meet(std::vector<std::vector<std::byte>> addresses) {
    peers = std::make_unique<rpc::PeerTable>(loop_, transport, caller, std::move(addresses));
  }

  /// Asks `server`, as a client of the deadline does.
  template <typename Request>
  coro::Task<Result<typename Request::Reply>> ask(ServerId server, Request request,
                                                  std::uint64_t patience_ns = kPatienceNs,
                                                  ConstBytes payload = {},
                                                  wire::Operation operation = {}) {
    const rpc::CallOptions options{.deadline_ns = loop_.now_ns() + patience_ns,
                                   .operation = operation,
                                   .payload = payload,
                                   .reply_buffer = {}};
    auto calling = peers->call(server, std::move(request), options);
    BENCHFS_CO_TRY(auto answer, calling);
    co_return std::move(answer.reply);
  }

  void on_accept(const std::shared_ptr<net::Connection>&) noexcept override {}
  void on_message(const std::shared_ptr<net::Connection>& connection,
                  net::Message message) noexcept override {
    const auto fixed = wire::decode_fixed_header(message.header());
    BENCHFS_ASSERT(fixed.has_value());
    if ((fixed->flags & wire::kIsReply) != 0) {
      caller.on_reply(connection, *fixed, std::move(message));
    } else {
      on_request(connection, *fixed, std::move(message));
    }
  }
  void on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept override {
    caller.on_lost(*connection, reason);
    peers->on_lost(*connection);
  }

  FakeTransport transport;
  rpc::Caller caller;
  std::unique_ptr<rpc::PeerTable> peers;

 protected:
  virtual void on_request(const std::shared_ptr<net::Connection>&, const wire::FixedHeader&,
                          net::Message) noexcept {}
  loop::EventLoop& loop_;
};

class FakeClient final : public FakePeer {
 public:
  FakeClient(FakeNetwork& network, ClientId self)
      : FakePeer(network, {.role = net::PeerIdentity::Role::kClient, .id = to_integer(self)}),
        id(self) {}

  const ClientId id;
};

/// What is left of a server that crashes.
struct FakeDrive {
  explicit FakeDrive(loop::EventLoop& loop)
      : pool(std::move(*io::BufferPool::create(loop, 4 * kMiB))),
        disk(std::move(*io::MemoryDisk::create(loop, 16 * kMiB))),
        journaled(loop, *disk, *pool),
        store(journaled.store) {}

  std::unique_ptr<io::BufferPool> pool;
  std::unique_ptr<io::MemoryDisk> disk;
  JournaledStore journaled;
  store::ChunkStore& store;
  std::vector<LedgerRecord> records;
};

class FakeServer final : public FakePeer {
 public:
  /// The `run`-th run of the server, from 0, on the drive.
  FakeServer(FakeNetwork& network, ServerId id, std::shared_ptr<FakeDrive> kept,
             std::uint64_t run = 0)
      : FakePeer(network, {.role = net::PeerIdentity::Role::kServer, .id = to_integer(id)},
                 kFakeEpoch + run),
        self(id),
        run_number(run),
        drive(std::move(kept)),
        dispatcher(network.loop(), kFakeEpoch + run),
        pool(drive->pool),
        store(drive->store),
        ledger(network.loop()) {
    ledger.begin_with(drive->records);
  }

  /// After meet(). Recovers what the run before has left.
  void serve() {
    exchange = std::make_unique<server::Exchange>(self, dispatcher, *peers, &ledger);
    names = std::make_unique<server::NamespaceService>(loop_, *exchange, store);
    for (const LedgerRecord& record : std::vector<LedgerRecord>(ledger.records())) {
      const Status taken = names->participant().replay(record.kind, record.body, {});
      BENCHFS_ASSERT(taken.has_value());
    }
    const Status finished = names->participant().finish_replay();
    BENCHFS_ASSERT(finished.has_value());
  }

  /// The process dies. What runs in it goes on without effect until it notices.
  void crash() {
    drive->records = ledger.crash();
    transport.kill();
  }

  coro::Task<void> stop() {
    dispatcher.close();
    co_await dispatcher.join();
    co_await names->stop();
  }

  void on_accept(const std::shared_ptr<net::Connection>& connection) noexcept override {
    const net::PeerIdentity& peer = connection->peer();
    if (peer.role == net::PeerIdentity::Role::kClient) {
      auto& connections = client_connections[peer.id];
      for (const auto& old : connections) {
        old->abort(Error{.code = Errc::kPeerLost, .where = "fake.replaced"});
      }
      connections.push_back(connection);
      names->on_client_found(ClientId{peer.id});
    }
  }
  void on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept override {
    FakePeer::on_lost(connection, reason);
    const net::PeerIdentity& peer = connection->peer();
    if (peer.role == net::PeerIdentity::Role::kServer) {
      names->on_server_lost(ServerId{static_cast<std::uint16_t>(peer.id)});
    } else if (std::erase(client_connections[peer.id], connection) > 0 &&
               client_connections[peer.id].empty()) {
      names->on_client_lost(ClientId{peer.id});
    }
  }

  const ServerId self;
  const std::uint64_t run_number;
  const std::shared_ptr<FakeDrive> drive;
  rpc::Dispatcher dispatcher;
  std::unique_ptr<io::BufferPool>& pool;
  store::ChunkStore& store;
  MemoryLedger ledger;
  std::unique_ptr<server::Exchange> exchange;
  std::unique_ptr<server::NamespaceService> names;
  std::unordered_map<std::uint64_t, std::vector<std::shared_ptr<net::Connection>>>
      client_connections;

 protected:
  void on_request(const std::shared_ptr<net::Connection>& connection,
                  const wire::FixedHeader& fixed, net::Message message) noexcept override {
    dispatcher.on_request(connection, fixed, std::move(message));
  }
};

class FakeCluster {
 public:
  FakeCluster(std::uint16_t server_count, std::size_t client_count, std::uint64_t seed)
      : sleeper(clock), loop(clock, sleeper, {.spin_ns = 0}), network(loop, {.seed = seed}) {
    for (std::uint16_t i = 0; i < server_count; ++i) {
      servers.push_back(
          std::make_unique<FakeServer>(network, ServerId{i}, std::make_shared<FakeDrive>(loop)));
    }
    for (const auto& server : servers) {
      server->meet(addresses());
      server->serve();
      start(*server);
    }
    for (std::size_t i = 0; i < client_count; ++i) {
      add_client();
    }
  }
  ~FakeCluster() {
    settle();
    for (const auto& server : servers) {
      auto stopping = server->stop();
      stopping.start();
      run_until_done(stopping);
    }
    for (const auto& server : crashed) {
      auto stopping = server->stop();
      stopping.start();
      run_until_done(stopping);
    }
    for (const auto& client : clients) {
      client->transport.kill();
    }
    for (const auto& server : servers) {
      server->transport.kill();
    }
    settle();
  }

  FakeClient& add_client() {
    clients.push_back(std::make_unique<FakeClient>(network, ClientId{1000 + clients.size()}));
    clients.back()->meet(addresses());
    return *clients.back();
  }

  std::uint16_t server_count() const { return static_cast<std::uint16_t>(servers.size()); }
  ServerId server_of(const wire::EntryKey& key) const {
    return placement::entry_server(key.parent, key.name, server_count());
  }
  FakeServer& server(ServerId id) { return *servers[to_integer(id)]; }

  void crash(ServerId id) { server(id).crash(); }
  enum class Hears { kEverybody, kServers };
  /// Starts a server that crashed on its drive; `who` hears of it.
  void restart(ServerId id, Hears who = Hears::kEverybody) {
    std::unique_ptr<FakeServer>& place = servers[to_integer(id)];
    BENCHFS_ASSERT(place->transport.dead());
    const std::uint64_t run_number = place->run_number + 1;
    std::shared_ptr<FakeDrive> drive = place->drive;
    crashed.push_back(std::move(place));
    place = std::make_unique<FakeServer>(network, id, std::move(drive), run_number);
    FakeServer& begun = *place;
    begun.meet(addresses());
    for (const auto& other : servers) {
      other->peers->update(id, kFakeEpoch + run_number, begun.transport.address());
      begun.peers->update(other->self, kFakeEpoch + other->run_number, other->transport.address());
    }
    for (const auto& client : clients) {
      if (who == Hears::kServers) {
        break;
      }
      client->peers->update(id, kFakeEpoch + run_number, begun.transport.address());
    }
    begun.serve();
    start(begun);
  }
  /// Runs until servers owe each other nothing, or for a minute.
  void settle_debts() {
    const std::uint64_t until_ns = clock.now_ns() + 60 * kNsPerSec;
    const auto owing = [this] {
      return std::any_of(servers.begin(), servers.end(), [](const auto& server) {
        return server->names->owed_count() > 0 || server->names->prepared_count() > 0;
      });
    };
    settle();
    while (owing() && clock.now_ns() < until_ns) {
      loop.run_once(until_ns);
    }
    settle();
  }
  /// Messages sent by anybody.
  std::uint64_t message_count() const {
    std::uint64_t count = 0;
    for (const auto& peers : {std::cref(servers), std::cref(crashed)}) {
      for (const auto& server : peers.get()) {
        count += server->transport.counters().messages_sent;
      }
    }
    for (const auto& client : clients) {
      count += client->transport.counters().messages_sent;
    }
    return count;
  }

  /// Runs `task` to its end, and returns its value.
  template <typename T>
  T run(coro::Task<T> task) {
    task.start();
    run_until_done(task);
    return task.take();
  }

  /// Runs until nothing is under way: no message, no request, no timer but of those who will ask
  /// again somebody who did not answer.
  void settle() {
    for (;;) {
      if (loop.turn()) {
        continue;
      }
      if (loop.timers().size() == idle_timer_count()) {
        return;
      }
      loop.run_once(UINT64_MAX);
    }
  }

  ManualClock clock;
  JumpSleeper sleeper;
  loop::EventLoop loop;
  FakeNetwork network;
  std::vector<std::unique_ptr<FakeServer>> servers;
  std::vector<std::unique_ptr<FakeServer>> crashed;
  std::vector<std::unique_ptr<FakeClient>> clients;

 private:
  void start(FakeServer& server) {
    const Status started = run(server.names->start(1 + server.run_number));
    BENCHFS_ASSERT(started.has_value());
  }
  std::size_t idle_timer_count() const {
    std::size_t count = 0;
    for (const auto& peers : {std::cref(servers), std::cref(crashed)}) {
      for (const auto& server : peers.get()) {
        count += server->names->waits_to_ask_again() ? 1 : 0;
      }
    }
    return count;
  }
  template <typename T>
  void run_until_done(coro::Task<T>& task) {
    while (!task.done()) {
      if (!loop.turn() && !task.done()) {
        BENCHFS_ASSERT(loop.timers().size() > 0);  // Else it hangs for ever.
        loop.run_once(UINT64_MAX);
      }
    }
  }
  std::vector<std::vector<std::byte>> addresses() const {
    std::vector<std::vector<std::byte>> all;
    for (const auto& server : servers) {
      all.push_back(server->transport.address());
    }
    return all;
  }
};

}  // namespace benchfs::test
