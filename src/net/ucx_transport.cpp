#include "net/ucx_transport.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/units.h"
#include "net/process.h"
#include "net/ucx_address.h"

namespace benchfs::net {
namespace {

/// Bounds of one turn, so that a busy network does not keep the loop from the drive.
constexpr int kProgressRoundsMax = 64;
constexpr int kDeliveriesMax = 256;

/// Peers that have said HELLO and not yet proved themselves.
constexpr std::size_t kHalfOpenMax = 256;
/// Peers that are being told that they get no connection; more of them hear nothing.
constexpr std::size_t kRefusedMax = 64;
constexpr std::uint64_t kHandshakeTimeoutNs = 5 * kNsPerSec;

/// With fewer that are free a connection may fail for want of one.
constexpr std::size_t kDescriptorsToConnect = 2;

/// How long close() waits, beyond its deadline, for notices that are still on their way.
constexpr std::uint64_t kNoticeTimeoutNs = kNsPerSec;

/// How long, and how often, a worker that has nothing to do refuses to be armed until it counts as
/// deaf. A living sender needs less than a microsecond; one that the kernel has put aside, a few
/// milliseconds.
constexpr std::uint64_t kDeafNs = kNsPerSec;
/// With messages that wait for their receivers, and nothing that comes or goes.
constexpr std::uint64_t kDeafWhileSendingNs = 3 * kNsPerSec;
constexpr std::uint64_t kDeafRefusals = 200;
/// The most that counts of the time between two refusals.
constexpr std::uint64_t kRefusalStepNsMax = 50 * kNsPerMs;

/// How long a worker that has gone deaf may take to end what it holds.
constexpr std::uint64_t kRetireNsMax = 100 * kNsPerMs;

/// How long the destructor lets UCX end what a missing close() left.
constexpr std::uint64_t kDrainTimeoutNs = 2 * kNsPerSec;

std::uint64_t connection_id_of(ConstBytes header) noexcept {
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    id |= std::to_integer<std::uint64_t>(header[i]) << (8 * i);
  }
  return id;
}

/// The error of a connection that could not be made. For want of a descriptor UCX says of the peer
/// that it is gone.
Error cause_of(Error error) noexcept {
  if (error.code == Errc::kPeerLost && !check_descriptors(kDescriptorsToConnect).has_value()) {
    return Error{.code = Errc::kTooManyFiles, .where = "net.connect.descriptors"};
  }
  return error;
}

}  // namespace

UcxTransport::UcxTransport(const UcxOptions& options, loop::EventLoop& loop, Random& random)
    : options_(options), loop_(loop), random_(random), records_(loop, counters_) {}

Result<std::unique_ptr<UcxTransport>> UcxTransport::create(const UcxOptions& options,
                                                           loop::EventLoop& loop, Random& random) {
  std::unique_ptr<UcxTransport> transport(new UcxTransport(options, loop, random));
  BENCHFS_CHECK(transport->set_up());
  return transport;
}

Status UcxTransport::set_up() {
  BENCHFS_TRY(context_, UcxContext::create());
  BENCHFS_TRY(worker_, UcxWorker::create(*context_, options_.thread_mode, *this));
  BENCHFS_TRY(const std::vector<std::byte> address, worker_->address());
  address_ = wrap_address(address);
  if (address_.size() > handshake::kAddressBytesMax) {
    log_error("the worker's address of {} bytes is too long; name fewer devices in UCX_NET_DEVICES",
              address_.size());
    return fail(Errc::kUnsupported, "net.address");
  }
  UcxContext::quiet();
  return {};
}

UcxTransport::~UcxTransport() {
  if (worker_ == nullptr) {
    return;  // set_up() has failed.
  }
  closing_ = true;
  while (!connections_.empty()) {
    const std::shared_ptr<UcxConnection> connection = connections_.begin()->second;
    connection->lose(Error{.code = Errc::kCancelled, .where = "net.end"});
  }
  hellos_.clear();
  going_on_.clear();
  events_.clear();
  release_lost();
  // Nothing turns here, so the clock itself is asked.
  const std::uint64_t until_ns = loop_.clock().now_ns() + kDrainTimeoutNs;
  while (records_.in_flight() > 0 && loop_.clock().now_ns() < until_ns) {
    worker_->progress();
    events_.clear();
    release_lost();
  }
}

std::uint64_t UcxTransport::new_id() {
  std::uint64_t id = 0;
  while (id == 0 || connections_.contains(id)) {
    id = random_.next_u64();
  }
  return id;
}

bool UcxTransport::progress() noexcept {
  bool happened = false;
  for (int round = 0; round < kProgressRoundsMax && worker_->progress(); ++round) {
    happened = true;
  }
  happened |= answer_hellos();
  happened |= go_on();
  happened |= deliver();
  happened |= release_lost();
  for (const std::unique_ptr<UcxWorker>& worker : retired_) {
    happened |= worker->progress();
  }
  if (deaf_) {
    mend_deafness();
    happened = true;
  }
  return happened;
}

bool UcxTransport::arm() noexcept {
  if (!events_.empty() || !hellos_.empty() || !going_on_.empty() || !lost_.empty()) {
    return false;
  }
  if (!worker_->arm()) {
    note_refusal();
    return false;
  }
  refusals_ = 0;
  return true;
}

/// A worker that refuses for long waits for a message that somebody has begun to write into its
/// memory and never ends; or for a peer that does not take what we send, which is another matter as
/// long as anything else moves.
void UcxTransport::note_refusal() noexcept {
  // A jump of the clock is a machine or a process that stood still: then nobody had time to send.
  const std::uint64_t now_ns = loop_.now_ns();
  const std::uint64_t step_ns = std::min(now_ns - refused_at_ns_, kRefusalStepNsMax);
  refused_at_ns_ = now_ns;
  if (std::exchange(arrivals_seen_, arrivals_) != arrivals_) {
    refusals_ = 0;
  }
  const bool first = refusals_++ == 0;
  const bool something_ended = std::exchange(ended_seen_, records_.ended()) != records_.ended();
  still_ns_ = first || something_ended ? 0 : still_ns_ + step_ns;
  idle_ns_ = first || records_.in_flight() > 0 ? 0 : idle_ns_ + step_ns;
  deaf_ = refusals_ >= kDeafRefusals && (idle_ns_ >= kDeafNs || still_ns_ >= kDeafWhileSendingNs);
}

void UcxTransport::mend_deafness() noexcept {
  deaf_ = false;
  refusals_ = 0;
  log_warning(
      "nothing arrives through shared memory any more: a process was killed, or has stopped, while "
      "it wrote into it");
  if (options_.self.role == PeerIdentity::Role::kClient) {
    start_over();
  } else if (listener_ != nullptr) {
    listener_->on_deaf();
  }
}

/// A client's address is known to nobody but those that it has said it to: with a new worker it
/// connects again, as after any other loss.
void UcxTransport::start_over() noexcept {
  auto worker = UcxWorker::create(*context_, options_.thread_mode, *this);
  if (!worker.has_value()) {
    return;  // It has said why. The next refusals lead here again.
  }
  const auto address = (*worker)->address();
  if (!address.has_value()) {
    return;
  }
  while (!connections_.empty()) {
    const std::shared_ptr<UcxConnection> connection = connections_.begin()->second;
    connection->lose(Error{.code = Errc::kPeerLost, .where = "net.deaf"});
  }
  going_on_.clear();
  release_lost();
  // UCX ends what it holds in some rounds, unless it waits for a peer that takes nothing any more.
  const std::uint64_t until_ns = loop_.clock().now_ns() + kRetireNsMax;
  while (records_.in_flight() > 0 && loop_.clock().now_ns() < until_ns) {
    worker_->progress();
  }
  for (const PendingHello& hello : hellos_) {
    --count_of(hello.accepted);
  }
  hellos_.clear();
  if (records_.in_flight() > 0) {
    worker_->leave();
    records_.give_up();
  }
  retired_.push_back(std::move(worker_));
  worker_ = std::move(*worker);
  address_ = wrap_address(*address);
}

bool UcxTransport::answer_hellos() noexcept {
  if (hellos_.empty()) {
    return false;
  }
  while (!hellos_.empty()) {
    PendingHello hello = std::move(hellos_.front());
    hellos_.pop_front();
    const Result<ConstBytes> address = unwrap_address(hello.responder.peer_address());
    const std::uint64_t id = hello.responder.own_id();
    if (!address.has_value() || connections_.contains(id)) {
      ++counters_.refused_handshakes;
      --count_of(hello.accepted);
      continue;
    }
    ConnectionHost& host = *this;
    auto connection = std::make_shared<UcxConnection>(host, id);
    connections_.emplace(id, connection);
    const std::vector<std::byte> target(address->begin(), address->end());
    const std::uint64_t deadline_ns = loop_.now_ns() + kHandshakeTimeoutNs;
    const Status answered =
        hello.accepted
            ? connection->respond(target, std::move(hello.responder), hello.answer, deadline_ns)
            : connection->refuse(target, std::move(hello.answer), deadline_ns);
    if (!answered.has_value()) {
      connections_.erase(id);
      --count_of(hello.accepted);
    }
  }
  return true;
}

bool UcxTransport::go_on() noexcept {
  if (going_on_.empty()) {
    return false;
  }
  while (!going_on_.empty()) {
    const std::shared_ptr<UcxConnection> connection = std::move(going_on_.front());
    going_on_.pop_front();
    connection->go_on();
  }
  return true;
}

bool UcxTransport::uses(const ucp_ep* endpoint) const noexcept {
  return std::any_of(connections_.begin(), connections_.end(),
                     [endpoint](const auto& item) { return item.second->uses(endpoint); });
}

bool UcxTransport::release_lost() noexcept {
  if (lost_.empty()) {
    return false;
  }
  while (!lost_.empty()) {
    const std::shared_ptr<UcxConnection> connection = std::move(lost_.front());
    lost_.pop_front();
    connection->release_endpoint();
  }
  return true;
}

bool UcxTransport::deliver() noexcept {
  int delivered = 0;
  while (!events_.empty() && delivered < kDeliveriesMax && listener_ != nullptr) {
    Event event = std::move(events_.front());
    events_.pop_front();
    ++delivered;
    switch (event.kind) {
      case EventKind::kAccepted:
        listener_->on_accept(event.connection);
        break;
      case EventKind::kMessage:
        listener_->on_message(event.connection, std::move(event.message));
        break;
      case EventKind::kLost:
        listener_->on_lost(event.connection, event.reason);
        break;
    }
  }
  return delivered > 0;
}

ArrivalHandler::Disposal UcxTransport::on_arrival(MessageClass message_class,
                                                  const Arrival& arrival) noexcept {
  ++arrivals_;
  if (message_class == MessageClass::kData) {
    return on_data(arrival);
  }
  on_handshake(arrival);
  return Disposal::kDone;
}

void UcxTransport::on_handshake(const Arrival& arrival) noexcept {
  if (arrival.rendezvous || arrival.data_bytes > handshake::kMessageBytesMax) {
    ++counters_.refused_handshakes;
    return;
  }
  const ConstBytes message(static_cast<const std::byte*>(arrival.data), arrival.data_bytes);
  const Result<handshake::Envelope> envelope = handshake::open_envelope(message);
  if (!envelope.has_value()) {
    ++counters_.refused_handshakes;
    return;
  }
  if (envelope->kind == handshake::Kind::kHello) {
    on_hello(message);
    return;
  }
  const auto found = connections_.find(envelope->connection_id);
  if (found != connections_.end()) {
    const std::shared_ptr<UcxConnection> connection = found->second;
    connection->on_handshake(envelope->kind, message, arrival.reply_endpoint);
  } else if (envelope->kind != handshake::Kind::kBye) {
    ++counters_.refused_handshakes;  // A BYE may well cross ours.
  }
}

void UcxTransport::on_hello(ConstBytes message) noexcept {
  handshake::Responder responder(options_.credentials, options_.self, new_id(), random_);
  tl::expected<handshake::Buffer, handshake::Refusal> challenge = responder.on_hello(message);
  if (challenge.has_value() && !unwrap_address(responder.peer_address()).has_value()) {
    challenge = tl::unexpected(handshake::Refusal::kMalformed);
  }
  if (challenge.has_value() && (closing_ || half_open_ >= kHalfOpenMax)) {
    challenge = tl::unexpected(handshake::Refusal::kBusy);
  }
  if (challenge.has_value()) {
    ++half_open_;
    hellos_.push_back(PendingHello{std::move(responder), std::move(*challenge), true});
    return;
  }
  ++counters_.refused_handshakes;
  if (refused_ < kRefusedMax && unwrap_address(responder.peer_address()).has_value()) {
    ++refused_;
    auto refusal = handshake::refused(responder.peer_id(), challenge.error());
    hellos_.push_back(PendingHello{std::move(responder), std::move(refusal), false});
  }
}

ArrivalHandler::Disposal UcxTransport::on_data(const Arrival& arrival) noexcept {
  if (arrival.header.size() < kPrefixBytes ||
      arrival.header.size() > kPrefixBytes + kHeaderBytesMax) {
    ++counters_.refused_messages;
    return Disposal::kDone;
  }
  const auto found = connections_.find(connection_id_of(arrival.header));
  if (found == connections_.end() || !found->second->is_open()) {
    ++counters_.refused_messages;
    return Disposal::kDone;
  }
  const std::shared_ptr<UcxConnection> connection = found->second;
  return connection->on_data(arrival);
}

void UcxTransport::accepted(std::shared_ptr<UcxConnection> connection) {
  --half_open_;
  Event& event = events_.emplace_back();
  event.kind = EventKind::kAccepted;
  event.connection = std::move(connection);
}

void UcxTransport::arrived(std::shared_ptr<UcxConnection> connection, Message message) {
  Event& event = events_.emplace_back();
  event.kind = EventKind::kMessage;
  event.connection = std::move(connection);
  event.message = std::move(message);
}

void UcxTransport::goes_on(std::shared_ptr<UcxConnection> connection) {
  going_on_.push_back(std::move(connection));
}

void UcxTransport::lost(std::shared_ptr<UcxConnection> connection, Error reason, bool was_open) {
  connections_.erase(connection->id());
  if (was_open) {
    Event& event = events_.emplace_back();
    event.kind = EventKind::kLost;
    event.connection = connection;
    event.reason = reason;
  } else if (!connection->initiated()) {
    --count_of(!connection->refuses());
  }
  lost_.push_back(std::move(connection));
}

coro::Task<Result<std::shared_ptr<Connection>>> UcxTransport::connect(
    std::vector<std::byte> address, PeerIdentity expected, std::uint64_t deadline_ns) {
  const Result<ConstBytes> target = unwrap_address(address);
  if (!target.has_value()) {
    co_return fail(target.error());
  }
  if (closing_) {
    co_return fail(Errc::kCancelled, "net.connect.closing");
  }
  const std::uint64_t id = new_id();
  handshake::Initiator initiator(options_.credentials, options_.self, expected, id, random_);
  const handshake::Buffer hello = initiator.hello(address_);
  ConnectionHost& host = *this;
  auto connection = std::make_shared<UcxConnection>(host, id);
  connections_.emplace(id, connection);
  TransferOp opened;
  const Status started =
      connection->initiate(*target, expected, std::move(initiator), hello, opened, deadline_ns);
  if (!started.has_value()) {
    connections_.erase(id);
    co_return fail(cause_of(started.error()));
  }
  const Status status = co_await opened;
  if (!status.has_value()) {
    co_return fail(cause_of(status.error()));
  }
  co_return std::shared_ptr<Connection>(std::move(connection));
}

/// Waits until every connection's BYE has left, or until the deadline.
class UcxTransport::Farewell final : public Completion, private loop::Timer {
 public:
  explicit Farewell(loop::EventLoop& loop) noexcept
      : loop::Timer(&Farewell::expired), loop_(loop) {}

  void say(UcxConnection& connection) noexcept {
    ++left_;
    connection.say_goodbye(*this);
  }
  void start(std::uint64_t deadline_ns) {
    loop_.timers().arm(*this, deadline_ns);
    done(0);
  }
  void done(int) noexcept override {
    if (--left_ == 0) {
      cancel();
      finish();
    }
  }
  TransferOp& finished() noexcept { return finished_; }
  bool idle() const noexcept { return left_ == 0; }

 private:
  static void expired(loop::Timer& timer) noexcept { static_cast<Farewell&>(timer).finish(); }
  void finish() noexcept {
    if (!finished_.done()) {
      finished_.complete(loop_, {});
    }
  }
  loop::EventLoop& loop_;
  std::size_t left_ = 1;  ///< One for start().
  TransferOp finished_;
};

coro::Task<void> UcxTransport::close(std::uint64_t deadline_ns) {
  closing_ = true;
  Farewell farewell(loop_);
  std::vector<std::shared_ptr<UcxConnection>> connections;
  for (const auto& [id, connection] : connections_) {
    connections.push_back(connection);
  }
  for (const auto& connection : connections) {
    if (connection->is_open()) {
      farewell.say(*connection);
    }
  }
  farewell.start(deadline_ns);
  TransferOp& said = farewell.finished();
  const Status outcome = co_await said;
  static_cast<void>(outcome);  // Who could not be told notices by itself.
  for (const auto& connection : connections) {
    connection->lose(Error{.code = Errc::kCancelled, .where = "net.close"});
  }
  release_lost();
  // What is in flight, the farewells too, ends in the coming rounds of progress; but nobody waits
  // for ever for a refusal to reach a stranger.
  const std::uint64_t patient_until_ns = std::max(deadline_ns, loop_.now_ns()) + kNoticeTimeoutNs;
  while (records_.transfers_in_flight() > 0 || !farewell.idle() ||
         (records_.in_flight() > 0 && loop_.now_ns() < patient_until_ns)) {
    co_await loop_.yield();
  }
}

}  // namespace benchfs::net
