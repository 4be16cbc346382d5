#pragma once

// A network in memory, for many peers in one thread on one loop. Messages of one connection arrive
// in order; between connections the order is random, from a seed. Peers can die, hang and be cut
// off from each other.
//
// Goes through the loop's timers alone, so on a ManualClock time passes only from event to event,
// and a run is repeated exactly by its seed.
//
// Fault model: what was sent before a connection is lost still arrives, then the other side hears
// of the loss, some time later. A hung peer neither sends nor receives until it goes on; nobody is
// told.

#include <algorithm>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "net/transport.h"

namespace benchfs::test {

class FakeTransport;

struct FakeNetworkOptions {
  std::uint64_t seed = 1;
  std::uint64_t delay_ns_min = 1'000;
  std::uint64_t delay_ns_max = 200'000;
  std::uint64_t late_factor = 20;  ///< One message in four is so much later: others overtake it.
  std::size_t eager_bytes_max =
      8192;  ///< Larger payloads wait in the sender's buffer to be fetched.
};

/// The peers and what is under way between them. Outlives its transports.
class FakeNetwork {
 public:
  FakeNetwork(loop::EventLoop& loop, FakeNetworkOptions options)
      : loop_(loop), options_(options), random_(options.seed), timer_(*this) {}
  FakeNetwork(const FakeNetwork&) = delete;
  FakeNetwork& operator=(const FakeNetwork&) = delete;

  loop::EventLoop& loop() noexcept { return loop_; }
  const FakeNetworkOptions& options() const noexcept { return options_; }

  /// Runs `action` at `due_ns`; actions of one time in the order in which they came.
  void at(std::uint64_t due_ns, std::function<void()> action) {
    events_.emplace(due_ns, std::move(action));
    loop_.timers().arm(timer_, events_.begin()->first);
  }
  std::uint64_t random_due_ns() {
    std::uniform_int_distribution<std::uint64_t> delay_ns(options_.delay_ns_min,
                                                          options_.delay_ns_max);
    const std::uint64_t factor = random_() % 4 == 0 ? options_.late_factor : 1;
    return loop_.now_ns() + factor * delay_ns(random_);
  }
  FakeTransport* find(std::uint64_t number) const {
    const auto found = transports_.find(number);
    return found == transports_.end() ? nullptr : found->second;
  }

  /// What has not arrived yet.
  std::size_t event_count() const noexcept { return events_.size(); }

 private:
  friend class FakeTransport;
  struct Pulse final : loop::Timer {
    explicit Pulse(FakeNetwork& owner) : Timer(&Pulse::expired), network(owner) {}
    static void expired(Timer& timer) noexcept { static_cast<Pulse&>(timer).network.deliver(); }
    FakeNetwork& network;
  };

  void deliver() noexcept {
    const std::uint64_t now_ns = loop_.now_ns();
    while (!events_.empty() && events_.begin()->first <= now_ns) {
      const auto action = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      action();
    }
    if (!events_.empty()) {
      loop_.timers().arm(timer_, events_.begin()->first);
    }
  }

  loop::EventLoop& loop_;
  const FakeNetworkOptions options_;
  std::mt19937_64 random_;
  Pulse timer_;
  std::multimap<std::uint64_t, std::function<void()>> events_;
  std::map<std::uint64_t, FakeTransport*> transports_;
  std::uint64_t next_number_ = 1;
};

/// A payload that waits in its sender's buffer. Shared by both sides; ends once.
struct FakeRendezvous {
  loop::EventLoop& loop;
  ConstBytes source;
  net::TransferOp* sending = nullptr;
  Bytes target;
  net::TransferOp* receiving = nullptr;
  bool lost = false;

  void end(Status status) {
    if (net::TransferOp* op = std::exchange(sending, nullptr)) {
      op->complete(loop, status);
    }
    if (net::TransferOp* op = std::exchange(receiving, nullptr)) {
      op->complete(loop, status);
    }
  }
};

/// One side of a link.
class FakeConnection final : public net::Connection,
                             public std::enable_shared_from_this<FakeConnection> {
 public:
  FakeConnection(FakeNetwork& network, FakeTransport& transport, net::PeerIdentity peer)
      : network_(network), transport_(&transport), peer_(peer) {}

  void send(ConstBytes header, ConstBytes payload, net::TransferOp& op) noexcept override;
  void abort(Error reason) noexcept override;
  bool lost() const noexcept override { return lost_; }
  const net::PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  friend class FakeTransport;

  /// When what this side sends now arrives: after all that it sent before.
  std::uint64_t next_due_ns() {
    due_ns_ = std::max(due_ns_, network_.random_due_ns());
    return due_ns_;
  }
  /// Ends this side: its operations, and after them its listener hears.
  void lose(Error reason);

  FakeNetwork& network_;
  FakeTransport* transport_;  ///< nullptr after the transport's end.
  const net::PeerIdentity peer_;
  std::weak_ptr<FakeConnection> other_;
  bool lost_ = false;
  std::uint64_t due_ns_ = 0;
  std::list<std::weak_ptr<FakeRendezvous>> rendezvous_;  ///< Of both directions.
};

class FakeTransport final : public net::Transport {
 public:
  FakeTransport(FakeNetwork& network, net::PeerIdentity identity)
      : network_(network), identity_(identity), number_(network.next_number_++) {
    network_.transports_.emplace(number_, this);
  }
  ~FakeTransport() override {
    network_.transports_.erase(number_);
    for (const auto& connection : std::exchange(connections_, {})) {
      connection->transport_ = nullptr;
      tell_other(*connection);
      connection->lost_ = true;
    }
  }

  /// The process dies: nobody reaches it any more, and its connections are lost. Its own listener
  /// hears of that too, so that what runs in it can end.
  void kill() {
    dead_ = true;
    held_.clear();
    const auto connections = connections_;
    for (const auto& connection : connections) {
      connection->abort(Error{.code = Errc::kPeerLost, .where = "fake.kill"});
    }
  }
  bool dead() const noexcept { return dead_; }

  /// So many attempts to connect to it fail at once.
  void refuse(std::uint64_t count) noexcept { refused_ = count; }
  /// Neither sends nor receives until resume().
  void hang() noexcept { hung_ = true; }
  void resume() {
    hung_ = false;
    for (auto& action : std::exchange(held_, {})) {
      network_.at(network_.loop().now_ns(), std::move(action));
    }
  }

  /// Loses the connections to `other`; new ones can be made.
  void cut(const FakeTransport& other) {
    const auto connections = connections_;
    for (const auto& connection : connections) {
      const auto other_side = connection->other_.lock();
      if (other_side != nullptr && other_side->transport_ == &other) {
        connection->abort(Error{.code = Errc::kPeerLost, .where = "fake.cut"});
      }
    }
  }

  bool progress() noexcept override { return false; }
  bool arm() noexcept override { return true; }
  int event_fd() const noexcept override { return -1; }
  void listen(net::Listener& listener) noexcept override { listener_ = &listener; }
  std::vector<std::byte> address() const override {
    std::vector<std::byte> bytes(sizeof(number_));
    std::memcpy(bytes.data(), &number_, sizeof(number_));
    return bytes;
  }
  Status register_memory(Bytes /*region*/) override { return {}; }
  const net::TransportCounters& counters() const noexcept override { return counters_; }
  coro::Task<Result<std::shared_ptr<net::Connection>>> connect(std::vector<std::byte> address,
                                                               net::PeerIdentity expected,
                                                               std::uint64_t deadline_ns) override;
  coro::Task<void> close(std::uint64_t /*deadline_ns*/) override {
    kill();
    co_return;
  }

 private:
  friend class FakeConnection;

  /// Runs `action`, something that reaches this peer, at `due_ns` or when it goes on.
  void reach(std::uint64_t due_ns, std::function<void()> action) {
    network_.at(due_ns, [&network = network_, number = number_, action = std::move(action)] {
      FakeTransport* self = network.find(number);
      if (self == nullptr || self->dead_) {
        return;
      }
      if (self->hung_) {
        self->held_.push_back(action);
      } else {
        action();
      }
    });
  }
  static void tell_other(FakeConnection& connection);
  void forget(const FakeConnection& connection) {
    std::erase_if(connections_, [&](const auto& item) { return item.get() == &connection; });
  }

  FakeNetwork& network_;
  const net::PeerIdentity identity_;
  const std::uint64_t number_;
  net::Listener* listener_ = nullptr;
  bool dead_ = false;
  std::uint64_t refused_ = 0;  ///< Attempts that are to fail.
  bool hung_ = false;
  std::vector<std::function<void()>> held_;
  std::vector<std::shared_ptr<FakeConnection>> connections_;
  net::TransportCounters counters_;
};

/// What a message leaves with its receiver.
class FakePayload final : public net::Message::Payload {
 public:
  FakePayload(FakeNetwork& network, std::vector<std::byte> eager,
              std::shared_ptr<FakeRendezvous> rendezvous)
      : network_(network), eager_(std::move(eager)), rendezvous_(std::move(rendezvous)) {}
  ~FakePayload() override {
    if (rendezvous_ != nullptr && rendezvous_->receiving == nullptr) {
      rendezvous_->end({});  // Dropped.
    }
  }
  ConstBytes eager() const noexcept { return eager_; }

  void receive(Bytes buffer, net::TransferOp& op) noexcept override {
    if (rendezvous_ == nullptr) {
      std::copy(eager_.begin(), eager_.end(), buffer.begin());
      op.complete(network_.loop(), {});
      return;
    }
    if (rendezvous_->lost) {
      op.complete(network_.loop(), fail(Errc::kPeerLost, "fake.receive"));
      return;
    }
    rendezvous_->target = buffer;
    rendezvous_->receiving = &op;
    network_.at(network_.random_due_ns(), [rendezvous = rendezvous_] {
      if (!rendezvous->lost) {
        std::copy(rendezvous->source.begin(), rendezvous->source.end(), rendezvous->target.begin());
        rendezvous->end({});
      }
    });
  }

 private:
  FakeNetwork& network_;
  const std::vector<std::byte> eager_;
  const std::shared_ptr<FakeRendezvous> rendezvous_;
};

inline void FakeConnection::send(ConstBytes header, ConstBytes payload,
                                 net::TransferOp& op) noexcept {
  if (header.empty() || header.size() > kHeaderBytesMax || payload.size() > net::kPayloadBytesMax) {
    op.complete(network_.loop(), fail(Errc::kInvalid, "fake.send"));
    return;
  }
  const auto other = other_.lock();
  if (lost_ || transport_ == nullptr || other == nullptr || other->transport_ == nullptr) {
    op.complete(network_.loop(), fail(Errc::kPeerLost, "fake.send"));
    return;
  }
  std::shared_ptr<FakeRendezvous> rendezvous;
  std::vector<std::byte> eager;
  if (payload.size() > network_.options().eager_bytes_max) {
    rendezvous = std::make_shared<FakeRendezvous>(
        FakeRendezvous{.loop = network_.loop(), .source = payload, .sending = &op, .target = {}});
    rendezvous_.push_back(rendezvous);
    other->rendezvous_.push_back(rendezvous);
  } else {
    eager.assign(payload.begin(), payload.end());
    op.complete(network_.loop(), {});
  }
  ++transport_->counters_.messages_sent;
  transport_->counters_.bytes_sent += header.size() + payload.size();
  // std::function copies: what it carries is shared.
  auto bytes = std::make_shared<std::vector<std::byte>>(header.begin(), header.end());
  auto inline_payload = std::make_shared<std::vector<std::byte>>(std::move(eager));
  std::function<void()> arrival = [other, bytes, inline_payload, rendezvous,
                                   size = payload.size()] {
    if (other->lost_ || other->transport_ == nullptr) {
      return;
    }
    FakeTransport& transport = *other->transport_;
    ++transport.counters_.messages_received;
    transport.counters_.bytes_received += bytes->size() + size;
    auto kept =
        std::make_unique<FakePayload>(other->network_, std::move(*inline_payload), rendezvous);
    const ConstBytes eager_view = kept->eager();
    transport.listener_->on_message(
        other, net::Message(std::move(*bytes), size, eager_view, std::move(kept)));
  };
  FakeTransport* target = other->transport_;
  const std::uint64_t due_ns = next_due_ns();
  if (transport_->hung_) {
    transport_->held_.push_back([target, due_ns, arrival] { target->reach(due_ns, arrival); });
  } else {
    target->reach(due_ns, std::move(arrival));
  }
}

inline void FakeConnection::lose(Error reason) {
  if (std::exchange(lost_, true)) {
    return;
  }
  for (const auto& item : std::exchange(rendezvous_, {})) {
    if (const auto rendezvous = item.lock()) {
      rendezvous->lost = true;
      rendezvous->end(fail(Errc::kPeerLost, "fake.lost"));
    }
  }
  if (transport_ == nullptr) {
    return;
  }
  const auto self = shared_from_this();
  transport_->forget(*this);
  // Not from inside of abort(): as a real transport does, from its progress.
  network_.at(network_.loop().now_ns(), [self, reason] {
    if (self->transport_ != nullptr && self->transport_->listener_ != nullptr) {
      self->transport_->listener_->on_lost(self, reason);
    }
  });
}

inline void FakeConnection::abort(Error reason) noexcept {
  if (!lost_) {
    FakeTransport::tell_other(*this);
    lose(reason);
  }
}

inline void FakeTransport::tell_other(FakeConnection& connection) {
  const auto other = connection.other_.lock();
  if (other != nullptr && other->transport_ != nullptr) {
    other->transport_->reach(connection.next_due_ns(), [other] {
      other->lose(Error{.code = Errc::kPeerLost, .where = "fake.peer"});
    });
  }
}

inline coro::Task<Result<std::shared_ptr<net::Connection>>> FakeTransport::connect(
    std::vector<std::byte> address, net::PeerIdentity expected, std::uint64_t deadline_ns) {
  std::uint64_t number = 0;
  if (address.size() != sizeof(number)) {
    co_return fail(Errc::kInvalid, "fake.address");
  }
  std::memcpy(&number, address.data(), sizeof(number));
  const std::uint64_t arrives_ns = network_.random_due_ns();
  loop::SleepOp delay(network_.loop(), std::min(arrives_ns, deadline_ns));
  co_await delay;
  const FakeTransport* asked = network_.find(number);
  if (asked != nullptr && !asked->dead_ && !dead_ && (asked->hung_ || hung_)) {
    loop::SleepOp waiting(network_.loop(), deadline_ns);
    co_await waiting;
    co_return fail(Errc::kTimedOut, "fake.connect");
  }
  if (asked == nullptr || asked->dead_ || dead_ || asked->listener_ == nullptr) {
    co_return fail(Errc::kPeerLost, "fake.connect");
  }
  FakeTransport& target = *network_.find(number);
  if (target.refused_ > 0) {
    --target.refused_;
    co_return fail(Errc::kPeerLost, "fake.refused");
  }
  if (target.identity_.role != expected.role || target.identity_.id != expected.id) {
    co_return fail(Errc::kAccess, "fake.connect");
  }
  const auto ours = std::make_shared<FakeConnection>(network_, *this, target.identity_);
  const auto theirs = std::make_shared<FakeConnection>(network_, target, identity_);
  ours->peer_clock().learn(network_.loop().now_ns(), network_.loop().now_ns());
  ours->other_ = theirs;
  theirs->other_ = ours;
  connections_.push_back(ours);
  target.connections_.push_back(theirs);
  target.listener_->on_accept(theirs);
  co_return std::shared_ptr<net::Connection>(ours);
}

}  // namespace benchfs::test
