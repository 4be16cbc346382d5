#include "sim/sim_network.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "base/limits.h"

namespace benchfs::sim {
namespace {

constexpr Error kLost{.code = Errc::kPeerLost, .where = "sim.lost"};

/// Bytes per second of a link: 10 GB/s.
constexpr std::uint64_t kBytesPerUs = 10'000;

/// How long one waits before a fetch is tried again from a peer that cannot be reached now.
constexpr std::uint64_t kFetchPauseNs = 5 * kNsPerMs;

}  // namespace

// ---- The network
// ---------------------------------------------------------------------------------

std::uint64_t SimNetwork::delay_ns() {
  const std::uint64_t factor = chance_.percent(options_.late_percent) ? options_.late_factor : 1;
  return factor * chance_.between(options_.delay_ns_min, options_.delay_ns_max);
}

void SimNetwork::partition(std::uint64_t machine, std::uint64_t other) {
  cuts_.insert(link(machine, other));
  for (const auto& [number, weak] : live_) {
    const auto side = weak.lock();
    if (side != nullptr && link(side->machine_, side->other_machine_) == link(machine, other) &&
        chance_.percent(70)) {
      // Keep-alive: gives up if the cut is still there by then.
      world_.after(chance_.between(kNsPerMs, options_.notice_ns_max), "keepalive", number, 0,
                   [kept = weak] {
                     const auto kept_side = kept.lock();
                     if (kept_side != nullptr && !kept_side->lost_ && kept_side->blocked()) {
                       kept_side->abort(kLost);
                     }
                   });
    }
  }
}

void SimNetwork::heal(std::uint64_t machine, std::uint64_t other) {
  cuts_.erase(link(machine, other));
  std::vector<std::shared_ptr<SimConnection>> sides;
  for (const auto& [number, weak] : live_) {
    if (const auto side = weak.lock()) {
      sides.push_back(side);
    }
  }
  for (const auto& side : sides) {
    side->arrive();
  }
}

void SimNetwork::heal_all() {
  while (!cuts_.empty()) {
    const auto pair = *cuts_.begin();
    heal(pair.first, pair.second);
  }
}

bool SimNetwork::lose_one() {
  std::vector<std::shared_ptr<SimConnection>> sides;
  for (const auto& [number, weak] : live_) {
    const auto side = weak.lock();
    if (side != nullptr && !side->lost_ && !side->broken_) {
      sides.push_back(side);
    }
  }
  if (sides.empty()) {
    return false;
  }
  const auto side = sides[chance_.below(sides.size())];
  const auto other = side->other_.lock();
  for (const auto& half : {side, other}) {
    if (half == nullptr || half->lost_) {
      continue;
    }
    half->broken_ = true;
    // Of what is under way a beginning still arrives.
    const std::size_t keep = half->wire_.empty() ? 0 : chance_.below(half->wire_.size() + 1);
    half->wire_.resize(keep);
    notice_later(half);
  }
  return true;
}

bool SimNetwork::betrays(std::uint64_t every) {
  if (every == 0 || ++temptations_ % every != 0) {
    return false;
  }
  world_.count("treason.network");
  return true;
}

void SimNetwork::notice_later(const std::shared_ptr<SimConnection>& side) {
  const std::uint64_t limit_ns = chance_.percent(50) ? kNsPerMs : options_.notice_ns_max;
  world_.after(chance_.between(1, limit_ns), "notice", side->number_, 0, [side] {
    if (!side->lost_) {
      side->lose(kLost);
    }
  });
}

void Rendezvous::end_sending(Status status) {
  if (net::TransferOp* op = std::exchange(sending, nullptr)) {
    source = {};
    op->complete(sender->loop(), status);
    sender->poke();
  }
}

void Rendezvous::end_receiving(Status status) {
  if (net::TransferOp* op = std::exchange(receiving, nullptr)) {
    target = {};
    op->complete(receiver->loop(), status);
    receiver->poke();
  }
}

/// What a message leaves with its receiver.
class SimPayload final : public net::Message::Payload {
 public:
  SimPayload(SimNetwork& network, std::weak_ptr<SimConnection> connection, Process& process,
             std::vector<std::byte> eager, std::shared_ptr<Rendezvous> rendezvous)
      : network_(network),
        connection_(std::move(connection)),
        process_(process),
        eager_(std::move(eager)),
        rendezvous_(std::move(rendezvous)) {}
  ~SimPayload() override {
    if (rendezvous_ != nullptr && !started_) {
      // Dropped: the sender hears of it some time later.
      network_.world_.after(network_.delay_ns(), "dropped", process_.number(), 0,
                            [kept = rendezvous_] { kept->end_sending({}); });
    }
  }
  ConstBytes eager() const noexcept { return eager_; }

  void receive(Bytes buffer, net::TransferOp& op) noexcept override {
    BENCHFS_ASSERT(!started_);
    started_ = true;
    if (rendezvous_ == nullptr) {
      std::copy(eager_.begin(), eager_.end(), buffer.begin());
      op.complete(process_.loop(), {});
      process_.poke();
      return;
    }
    rendezvous_->target = buffer;
    rendezvous_->receiving = &op;
    rendezvous_->receiver = &process_;
    const auto connection = connection_.lock();
    if (connection == nullptr || connection->lost_) {
      rendezvous_->end_receiving(fail(kLost));
      return;
    }
    connection->end_with_connection(rendezvous_);
    fetch_later(network_, connection, rendezvous_, network_.delay_ns());
  }

 private:
  static void fetch_later(SimNetwork& network, const std::shared_ptr<SimConnection>& connection,
                          const std::shared_ptr<Rendezvous>& rendezvous, std::uint64_t delay_ns) {
    network.world_.after(delay_ns, "fetch", connection->number_, rendezvous->target.size(),
                         [&network, connection, rendezvous] {
                           if (rendezvous->receiving == nullptr) {
                             return;  // The connection was lost meanwhile.
                           }
                           if (rendezvous->sending == nullptr || connection->broken_ ||
                               connection->blocked() || rendezvous->sender->paused()) {
                             // Stands still until the connection goes on or is lost.
                             fetch_later(network, connection, rendezvous, kFetchPauseNs);
                             return;
                           }
                           std::copy(rendezvous->source.begin(), rendezvous->source.end(),
                                     rendezvous->target.begin());
                           rendezvous->end_sending({});
                           rendezvous->end_receiving({});
                         });
  }

  SimNetwork& network_;
  const std::weak_ptr<SimConnection> connection_;
  Process& process_;
  const std::vector<std::byte> eager_;
  const std::shared_ptr<Rendezvous> rendezvous_;
  bool started_ = false;
};

// ---- A connection
// --------------------------------------------------------------------------------

SimConnection::SimConnection(SimNetwork& network, SimTransport& transport, net::PeerIdentity peer)
    : network_(network),
      transport_(&transport),
      peer_(peer),
      number_(network.next_number_++),
      machine_(transport.machine_) {}

SimConnection::~SimConnection() {
  network_.live_.erase(number_);
}

bool SimConnection::blocked() const {
  return network_.cut(machine_, other_machine_);
}

void SimConnection::send(ConstBytes header, ConstBytes payload, net::TransferOp& op) noexcept {
  BENCHFS_ASSERT(transport_ != nullptr);
  Process& process = transport_->process_;
  if (header.empty() || header.size() > kHeaderBytesMax || payload.size() > net::kPayloadBytesMax) {
    op.complete(process.loop(), fail(Errc::kInvalid, "sim.send"));
    return;
  }
  if (lost_) {
    op.complete(process.loop(), fail(kLost));
    return;
  }
  const std::size_t size = payload.size();
  ++transport_->counters_.messages_sent;
  transport_->counters_.bytes_sent += header.size() + size;
  network_.world_.note("send", number_, header.size() + (size << 12U));
  std::shared_ptr<Rendezvous> rendezvous;
  std::vector<std::byte> eager;
  if (size > network_.options_.eager_bytes_max) {
    rendezvous = std::make_shared<Rendezvous>();
    rendezvous->source = payload;
    rendezvous->sending = &op;
    rendezvous->sender = &process;
    end_with_connection(rendezvous);
  } else {
    eager.assign(payload.begin(), payload.end());
    op.complete(process.loop(), {});
  }
  const MessageView view{.from = machine_, .to = other_machine_, .header = header};
  if (network_.treason.swallow && network_.treason.swallow(view)) {
    network_.world_.count("treason.network");
    if (rendezvous != nullptr) {
      network_.world_.after(1, "dropped", number_, 0,
                            [rendezvous] { rendezvous->end_sending({}); });
    }
    return;
  }
  // std::function copies: what it carries is shared.
  auto bytes = std::make_shared<std::vector<std::byte>>(header.begin(), header.end());
  auto inline_payload = std::make_shared<std::vector<std::byte>>(std::move(eager));
  if (size > 0 && rendezvous == nullptr && network_.betrays(network_.treason.corrupt_every)) {
    inline_payload->back() ^= std::byte{0x10};
  }
  const bool comes_again = rendezvous == nullptr && network_.betrays(network_.treason.repeat_every);
  // A message that never arrives keeps its rendezvous until the sender's side is lost.
  const Arrival arrival = [bytes, inline_payload, rendezvous,
                           size](const std::shared_ptr<SimConnection>& at) {
    SimTransport& transport = *at->transport_;
    ++transport.counters_.messages_received;
    transport.counters_.bytes_received += bytes->size() + size;
    auto kept = std::make_unique<SimPayload>(at->network_, at, transport.process_, *inline_payload,
                                             rendezvous);
    const ConstBytes eager_view = kept->eager();
    std::unique_ptr<net::Message::Payload> left;
    if (size > 0) {
      left = std::move(kept);
    }
    transport.listener_->on_message(at, net::Message(*bytes, size, eager_view, std::move(left)));
  };
  put_on_wire(header.size() + inline_payload->size(), arrival);
  if (comes_again) {
    network_.world_.after(kNsPerSec, "repeated", number_, 0, [self = shared_from_this(), arrival] {
      if (!self->lost_) {
        self->put_on_wire(0, arrival);
      }
    });
  }
}

void SimConnection::end_with_connection(std::shared_ptr<Rendezvous> rendezvous) {
  std::erase_if(fetched_, [](const auto& item) {
    return item->sending == nullptr && item->receiving == nullptr;
  });
  fetched_.push_back(std::move(rendezvous));
}

void SimConnection::put_on_wire(std::size_t bytes, Arrival arrival) {
  if (broken_) {
    return;  // Into the void; the loss will be noticed.
  }
  due_ns_ = std::max(due_ns_, network_.world_.now_ns() + network_.delay_ns()) +
            bytes / kBytesPerUs * kNsPerUs;
  wire_.emplace_back(due_ns_, std::move(arrival));
  arrive();
}

/// Hands over what is due and sets an event for the rest.
void SimConnection::arrive() {
  while (!wire_.empty() && !blocked() && wire_.front().first <= network_.world_.now_ns()) {
    const Arrival arrival = std::move(wire_.front().second);
    wire_.pop_front();
    const auto other = other_.lock();
    if (other == nullptr || other->transport_ == nullptr || other->lost_) {
      continue;  // Who is gone has told us, or will be noticed.
    }
    other->transport_->process_.deliver([other, arrival] {
      if (other->transport_ != nullptr && !other->lost_) {
        arrival(other);
      }
    });
  }
  if (!wire_.empty() && !blocked() && !arriving_) {
    arriving_ = true;
    network_.world_.at(wire_.front().first, "arrive", number_, 0, [self = shared_from_this()] {
      self->arriving_ = false;
      self->arrive();
    });
  }
}

void SimConnection::lose(Error reason) {
  if (std::exchange(lost_, true)) {
    return;
  }
  network_.world_.note("lost", number_, 0);
  for (const auto& rendezvous : std::exchange(fetched_, {})) {
    if (transport_ == nullptr) {
      continue;
    }
    if (rendezvous->sending != nullptr && rendezvous->sender == &transport_->process_) {
      rendezvous->end_sending(fail(reason));
    }
    if (rendezvous->receiving != nullptr && rendezvous->receiver == &transport_->process_) {
      rendezvous->end_receiving(fail(reason));
    }
  }
  if (transport_ == nullptr) {
    return;
  }
  const auto self = shared_from_this();
  transport_->forget(*this);
  const auto tell = [self, reason] {
    if (self->transport_ != nullptr && self->transport_->listener_ != nullptr) {
      self->transport_->listener_->on_lost(self, reason);
    }
  };
  if (network_.treason.never_tells_of_loss) {
    network_.world_.count("treason.network");
    return;
  }
  // Not from inside of abort(): as a real transport does, from its progress.
  transport_->process_.deliver(tell);
}

void SimConnection::abort(Error reason) noexcept {
  if (lost_) {
    return;
  }
  put_on_wire(0, [](const std::shared_ptr<SimConnection>& at) { at->lose(kLost); });
  if (const auto other = other_.lock(); other != nullptr && (broken_ || blocked())) {
    network_.notice_later(other);  // It may never be told.
  }
  lose(reason);
}

// ---- A transport
// ---------------------------------------------------------------------------------

SimTransport::SimTransport(SimNetwork& network, Process& process, std::uint64_t machine,
                           net::PeerIdentity identity)
    : network_(network),
      process_(process),
      machine_(machine),
      identity_(identity),
      number_(network.next_number_++) {
  network_.transports_.emplace(number_, this);
}

SimTransport::~SimTransport() {
  network_.transports_.erase(number_);
  for (const auto& connection : std::exchange(connections_, {})) {
    connection->abort(kLost);
    connection->transport_ = nullptr;
  }
}

void SimTransport::forget(const SimConnection& connection) {
  std::erase_if(connections_, [&](const auto& item) { return item.get() == &connection; });
}

std::vector<std::byte> SimTransport::address() const {
  std::vector<std::byte> bytes(sizeof(number_));
  std::memcpy(bytes.data(), &number_, sizeof(number_));
  return bytes;
}

/// One attempt to connect; ends once.
struct SimTransport::Connecting {
  explicit Connecting(Process& owner) : process(owner) {}
  Process& process;
  std::optional<Result<std::shared_ptr<net::Connection>>> outcome;
  std::coroutine_handle<> waiter;

  void end(Result<std::shared_ptr<net::Connection>> result) {
    if (outcome.has_value()) {
      if (result.has_value()) {
        (*result)->abort(kLost);  // Too late: nobody waits for it.
      }
      return;
    }
    outcome.emplace(std::move(result));
    if (waiter) {
      process.loop().post(waiter);
    }
  }

  bool await_ready() const noexcept { return outcome.has_value(); }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}
};

void SimTransport::cut_off(bool machine_lives) {
  closed_ = true;
  network_.transports_.erase(number_);
  end_connecting();
  const auto connections = connections_;
  for (const auto& connection : connections) {
    const auto other = connection->other_.lock();
    if (other != nullptr && !other->lost_) {
      if (machine_lives && !connection->broken_ && !connection->blocked()) {
        // Its kernel says so, behind what was sent.
        connection->put_on_wire(0,
                                [](const std::shared_ptr<SimConnection>& at) { at->lose(kLost); });
      } else {
        connection->wire_.clear();
        other->broken_ = true;
        network_.notice_later(other);
      }
    }
    connection->lose(kLost);
    // A dead process gets nothing delivered; it still has to hear of its own end.
    if (listener_ != nullptr) {
      listener_->on_lost(connection, kLost);
    }
  }
}

coro::Task<Result<std::shared_ptr<net::Connection>>> SimTransport::connect(
    std::vector<std::byte> address, net::PeerIdentity expected, std::uint64_t deadline_ns) {
  std::uint64_t number = 0;
  if (address.size() != sizeof(number)) {
    co_return fail(Errc::kInvalid, "sim.address");
  }
  std::memcpy(&number, address.data(), sizeof(number));
  if (closed_) {
    co_return fail(kLost);
  }
  const auto connecting = std::make_shared<Connecting>(process_);
  std::erase_if(connecting_, [](const auto& item) { return item.expired(); });
  connecting_.push_back(connecting);
  network_.world_.at(
      process_.world_ns(deadline_ns), "connect.deadline", process_.number(), 0,
      [weak = std::weak_ptr(connecting)] {
        const auto kept = weak.lock();
        if (kept != nullptr && !kept->outcome.has_value()) {
          kept->process.deliver([kept] { kept->end(fail(Errc::kTimedOut, "sim.connect")); });
        }
      });
  request_connection(connecting, number, expected);
  Connecting& waiting = *connecting;
  co_await waiting;
  co_return std::move(*connecting->outcome);
}

void SimTransport::end_connecting() {
  for (const auto& weak : std::exchange(connecting_, {})) {
    if (const auto kept = weak.lock()) {
      kept->end(fail(kLost));
    }
  }
}

void SimTransport::request_connection(const std::shared_ptr<Connecting>& connecting,
                                      std::uint64_t number, net::PeerIdentity expected) {
  network_.world_.after(
      network_.delay_ns(), "connect", process_.number(), number,
      [&network = network_, weak = std::weak_ptr(connecting), number, expected, from = machine_,
       asker = number_] {
        const auto kept = weak.lock();
        if (kept == nullptr || kept->outcome.has_value() || kept->process.dead()) {
          return;
        }
        const auto refuse = [kept](Error error) {
          kept->process.deliver([kept, error] { kept->end(fail(error)); });
        };
        const auto found = network.transports_.find(number);
        if (found == network.transports_.end() || found->second->listener_ == nullptr) {
          refuse(Error{.code = Errc::kPeerLost, .where = "sim.connect"});
          return;
        }
        SimTransport& target = *found->second;
        if (network.cut(from, target.machine_)) {
          return;  // Nobody answers; the deadline ends it.
        }
        if (target.identity_.role != expected.role || target.identity_.id != expected.id) {
          refuse(Error{.code = Errc::kAccess, .where = "sim.connect"});
          return;
        }
        target.process_.deliver([&target, weak, asker] { target.accept(weak, asker); });
      });
}

void SimTransport::accept(std::weak_ptr<Connecting> connecting, std::uint64_t asker_number) {
  const auto found = network_.transports_.find(asker_number);
  if (closed_ || found == network_.transports_.end()) {
    return;  // The asker is gone.
  }
  SimTransport& asker = *found->second;
  const auto theirs = std::make_shared<SimConnection>(network_, asker, identity_);
  const auto ours = std::make_shared<SimConnection>(network_, *this, asker.identity_);
  ours->other_ = theirs;
  theirs->other_ = ours;
  ours->other_machine_ = asker.machine_;
  theirs->other_machine_ = machine_;
  network_.live_.emplace(ours->number_, ours);
  network_.live_.emplace(theirs->number_, theirs);
  connections_.push_back(ours);
  asker.connections_.push_back(theirs);
  network_.world_.note("accept", process_.number(), theirs->number_);
  const std::uint64_t clock_ns = process_.loop().now_ns();
  // The answer travels as the first message; then the asker has its connection.
  ours->put_on_wire(0, [connecting, clock_ns](const std::shared_ptr<SimConnection>& at) {
    const auto kept = connecting.lock();
    if (kept == nullptr) {
      at->abort(kLost);  // Nobody waits for it any more.
      return;
    }
    at->peer_clock().learn(clock_ns, kept->process.loop().now_ns());
    kept->end(std::shared_ptr<net::Connection>(at));
  });
  listener_->on_accept(ours);
}

coro::Task<void> SimTransport::close(std::uint64_t /*deadline_ns*/) {
  closed_ = true;
  network_.transports_.erase(number_);
  end_connecting();
  const auto connections = connections_;
  for (const auto& connection : connections) {
    connection->abort(kLost);
  }
  co_return;
}

}  // namespace benchfs::sim
