// A message to a peer and one back, between two transports of one thread: what both ends cost
// together, without the wake-up of anybody. UCX_TLS chooses the wire.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/random.h"
#include "base/units.h"
#include "coro/scope.h"
#include "harness.h"
#include "net/ucx_transport.h"

namespace benchfs::micro {
namespace {

constexpr std::size_t kHeaderBytes = 64;

net::PeerIdentity identity(std::uint64_t id) {
  return {.role = net::PeerIdentity::Role::kServer, .id = id};
}

/// One transport; what arrives is handed to `arrived`.
class End final : public net::Listener {
 public:
  End(World& world, Random& random, std::uint64_t id) : world_(world) {
    net::Credentials credentials;
    credentials.session_id = 1;
    auto made = net::UcxTransport::create({.credentials = credentials, .self = identity(id)},
                                          world.loop, random);
    must(made, "transport");
    transport_ = std::move(*made);
    transport_->listen(*this);
    world.loop.add_source(*transport_);
  }
  ~End() override { world_.loop.remove_source(*transport_); }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  net::UcxTransport& transport() { return *transport_; }

  void on_accept(const std::shared_ptr<net::Connection>& connection) noexcept override {
    accepted = connection;
  }
  void on_message(const std::shared_ptr<net::Connection>&, net::Message message) noexcept override {
    messages.push_back(std::move(message));
  }
  void on_lost(const std::shared_ptr<net::Connection>&, Error) noexcept override {}

  std::shared_ptr<net::Connection> accepted;
  std::vector<net::Message> messages;

 private:
  World& world_;
  std::unique_ptr<net::UcxTransport> transport_;
};

/// Two ends and the connection between them.
struct Pair {
  Pair() {
    auto connecting = asker.transport().connect(server.transport().address(), identity(2),
                                                world.loop.now_ns() + 20 * kNsPerSec);
    auto connected = world.finish(std::move(connecting));
    must(connected, "connect");
    connection = *connected;
    while (!server.accepted) {
      world.loop.turn();
    }
  }
  ~Pair() {
    world.finish(close(asker));
    world.finish(close(server));
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  coro::Task<bool> close(End& end) {
    auto closing = end.transport().close(world.loop.now_ns() + 5 * kNsPerSec);
    co_await closing;
    co_return true;
  }
  /// Sends from `link` to `to`, and receives there; the message is gone afterwards.
  void pass(net::Connection& link, End& to, ConstBytes payload, Bytes into) {
    net::TransferOp sending;
    link.send(header, payload, sending);
    while (to.messages.empty()) {
      world.loop.turn();
    }
    net::TransferOp receiving;
    if (!payload.empty()) {
      to.messages.front().receive(into, receiving);
    }
    while (!sending.done() || (!payload.empty() && !receiving.done())) {
      world.loop.turn();
    }
    must(sending.await_resume(), "send");
    to.messages.clear();
  }

  World world;
  SystemRandom random;
  End asker{world, random, 1};
  End server{world, random, 2};
  std::shared_ptr<net::Connection> connection;
  std::vector<std::byte> header = std::vector<std::byte>(kHeaderBytes, std::byte{1});
};

/// There with a payload of so many bytes, as a write; back without one.
void message_round_trip(benchmark::State& state) {
  Pair pair;
  const std::vector<std::byte> payload(static_cast<std::size_t>(state.range(0)), std::byte{2});
  std::vector<std::byte> into(payload.size());
  for (auto _ : state) {
    pair.pass(*pair.connection, pair.server, payload, into);
    pair.pass(*pair.server.accepted, pair.asker, {}, {});
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(message_round_trip)->Arg(0)->Arg(4096)->Arg(1 << 20);

}  // namespace
}  // namespace benchfs::micro
