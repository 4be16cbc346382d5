#include "net/ucx_connection.h"

#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/ucs_map.h"
#include "net/ucx_address.h"

namespace benchfs::net {
namespace {

/// Messages that may wait for an earlier one that takes another rail.
constexpr std::size_t kEarlyMessagesMax = 1024;

std::uint64_t get_u64(ConstBytes bytes, std::size_t at) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}

}  // namespace

UcxConnection::UcxConnection(ConnectionHost& host, std::uint64_t id) noexcept
    : host_(&host), loop_(host.loop()), id_(id), deadline_(*this) {}

UcxConnection::~UcxConnection() {
  BENCHFS_ASSERT(endpoint_ == nullptr);
}

void UcxConnection::Deadline::expired(loop::Timer& timer) noexcept {
  static_cast<Deadline&>(timer).owner.lose(Error{.code = Errc::kTimedOut, .where = "net.connect"});
}

Status UcxConnection::initiate(ConstBytes address, PeerIdentity expected,
                               handshake::Initiator initiator, const handshake::Buffer& hello,
                               TransferOp& op, std::uint64_t deadline_ns) {
  BENCHFS_ASSERT(state_ == State::kNew);
  BENCHFS_TRY(endpoint_, UcxEndpoint::create(host_->worker(), address, *this));
  state_ = State::kInitiating;
  initiated_ = true;
  peer_ = expected;
  initiator_ = std::move(initiator);
  opening_ = &op;
  loop_.timers().arm(deadline_, deadline_ns);
  say_when_up(hello);
  return {};
}

Status UcxConnection::respond(ConstBytes address, handshake::Responder responder,
                              const handshake::Buffer& challenge, std::uint64_t deadline_ns) {
  BENCHFS_ASSERT(state_ == State::kNew);
  BENCHFS_TRY(endpoint_, UcxEndpoint::create(host_->worker(), address, *this));
  state_ = State::kResponding;
  peer_ = responder.peer();
  peer_id_ = responder.peer_id();
  responder_ = std::move(responder);
  loop_.timers().arm(deadline_, deadline_ns);
  say_when_up(challenge);
  return {};
}

Status UcxConnection::refuse(ConstBytes address, handshake::Buffer refusal,
                             std::uint64_t deadline_ns) {
  BENCHFS_ASSERT(state_ == State::kNew);
  refuses_ = true;
  said_goodbye_ = true;  // The peer has no connection that could end.
  BENCHFS_TRY(endpoint_, UcxEndpoint::create(host_->worker(), address, *this));
  state_ = State::kResponding;
  loop_.timers().arm(deadline_, deadline_ns);
  say_when_up(std::move(refusal));
  return {};
}

/// Says it once the endpoint is up. Over tcp, UCX ends the process of a responder whose asker dies
/// while it waits to answer UCX's own wire-up (README.md), and it begins that for a message that
/// cannot leave at once. So first the connection on both sides, then the wire-up.
void UcxConnection::say_when_up(handshake::Buffer message) noexcept {
  first_ = std::move(message);
  NoticeRecord& record = host_->records().take_notice();
  record.start({}, shared_from_this());
  endpoint_->flush(record);
}

void UcxConnection::on_notice_left(int status) noexcept {
  if (state_ == State::kLost) {
    return;
  }
  if (status != 0) {
    lose(Error{.code = Errc::kPeerLost, .os_code = status, .where = "net.connect"});
  } else if (first_.empty()) {
    lose(Error{.code = Errc::kAccess, .where = "net.refused"});
  } else {
    // UCX ends the process if anything is sent while it tells that a flush is done.
    host_->goes_on(shared_from_this());
  }
}

void UcxConnection::go_on() noexcept {
  if (state_ == State::kPairing) {
    pair();
  } else if (state_ != State::kLost && !first_.empty()) {
    say_first();
  }
}

void UcxConnection::say_first() noexcept {
  if (refuses_) {
    NoticeRecord& record = host_->records().take_notice();
    const ConstBytes refusal = record.start(std::exchange(first_, {}), shared_from_this());
    endpoint_->send_handshake(refusal, UcxEndpoint::Reply::kNone, record);
  } else {
    say(std::exchange(first_, {}), UcxEndpoint::Reply::kNone);
  }
}

void UcxConnection::say(handshake::Buffer message, UcxEndpoint::Reply reply) noexcept {
  NoticeRecord& record = host_->records().take_notice();
  endpoint_->send_handshake(record.start(std::move(message)), reply, record);
}

void UcxConnection::on_handshake(handshake::Kind kind, ConstBytes message,
                                 const ucp_ep* asker) noexcept {
  using handshake::Kind;
  const std::shared_ptr<UcxConnection> self = shared_from_this();
  if (kind == Kind::kChallenge && state_ == State::kInitiating) {
    on_challenge(message);
  } else if (kind == Kind::kWelcome && state_ == State::kInitiating) {
    on_welcome(message);
  } else if (kind == Kind::kProof && state_ == State::kResponding && !refuses_) {
    on_proof(message, asker);
  } else if (kind == Kind::kRefused && state_ == State::kInitiating) {
    lose(handshake::error_of_refused(message));
  } else if (kind == Kind::kBye && state_ != State::kNew && state_ != State::kLost) {
    said_goodbye_ = true;  // Nobody is there to hear ours.
    lose(Error{.code = Errc::kPeerLost, .where = "net.bye"});
  } else {
    ++host_->tally().refused_handshakes;
  }
}

void UcxConnection::on_challenge(ConstBytes message) noexcept {
  Result<handshake::Buffer> proof = initiator_->on_challenge(message);
  if (!proof.has_value()) {
    ++host_->tally().refused_handshakes;
    lose(proof.error());
    return;
  }
  peer_id_ = initiator_->peer_id();
  // The responder's endpoint is up, so that it can answer UCX's wire-up at once.
  say(std::move(*proof), UcxEndpoint::Reply::kWanted);
}

void UcxConnection::on_welcome(ConstBytes message) noexcept {
  const Result<std::uint64_t> clock_ns = initiator_->on_welcome(message);
  if (!clock_ns.has_value()) {
    ++host_->tally().refused_handshakes;
    lose(clock_ns.error());
    return;
  }
  peer_clock().learn(*clock_ns, loop_.clock().now_ns());
  initiator_.reset();
  deadline_.cancel();
  state_ = State::kOpen;
  was_open_ = true;
  std::exchange(opening_, nullptr)->complete(loop_, {});
}

void UcxConnection::on_proof(ConstBytes message, const ucp_ep* asker) noexcept {
  tl::expected<handshake::Buffer, handshake::Refusal> welcomed =
      responder_->on_proof(message, loop_.now_ns());
  if (!welcomed.has_value()) {
    ++host_->tally().refused_handshakes;
    say(handshake::refused(peer_id_, welcomed.error()), UcxEndpoint::Reply::kNone);
    lose(Error{.code = Errc::kAccess, .where = "net.accept.proof"});
    return;
  }
  welcome_ = std::move(*welcomed);
  // Another connection's: both sides connected at once, and UCX has paired those two.
  if (asker == nullptr || endpoint_->is(asker) || host_->uses(asker)) {
    welcome();
    return;
  }
  asker_ = asker;
  state_ = State::kPairing;
  host_->goes_on(shared_from_this());
}

void UcxConnection::pair() noexcept {
  const Result<ConstBytes> address = unwrap_address(responder_->peer_address());
  BENCHFS_ASSERT(address.has_value());  // It was when we made the first endpoint.
  auto paired = UcxEndpoint::create_back(host_->worker(), *address, asker_, *this);
  if (!paired.has_value()) {
    lose(paired.error());
    return;
  }
  endpoint_->close();
  endpoint_ = std::move(*paired);
  welcome();
}

void UcxConnection::welcome() noexcept {
  responder_.reset();
  deadline_.cancel();
  state_ = State::kOpen;
  was_open_ = true;
  say(std::move(welcome_), UcxEndpoint::Reply::kNone);
  host_->accepted(shared_from_this());
}

ArrivalHandler::Disposal UcxConnection::on_data(const Arrival& arrival) noexcept {
  using Disposal = ArrivalHandler::Disposal;
  const std::shared_ptr<UcxConnection> self = shared_from_this();
  const std::uint64_t sequence = get_u64(arrival.header, 8);
  if (arrival.data_bytes > kPayloadBytesMax || arrival.header.size() == kPrefixBytes ||
      sequence < next_received_ || early_.size() >= kEarlyMessagesMax ||
      early_.contains(sequence)) {
    refuse_message(Error{.code = Errc::kProtocol, .where = "net.message"});
    return Disposal::kDone;
  }
  TransportCounters& counters = host_->tally();
  ++counters.messages_received;
  const ConstBytes header = arrival.header.subspan(kPrefixBytes);
  std::unique_ptr<UcxPayload> payload;
  Disposal disposal = Disposal::kDone;
  ConstBytes eager;
  if (arrival.data_bytes > 0) {
    payload = std::make_unique<UcxPayload>(host_->worker(), host_->records(), self, arrival);
    disposal = payload->keeps_data() ? Disposal::kKept : Disposal::kDone;
    eager = payload->eager();
    counters.bytes_received += eager.size();
  }
  Message message(std::vector<std::byte>(header.begin(), header.end()), arrival.data_bytes, eager,
                  std::move(payload));
  if (sequence != next_received_) {
    early_.emplace(sequence, std::move(message));
    return disposal;
  }
  ++next_received_;
  host_->arrived(self, std::move(message));
  while (!early_.empty() && early_.begin()->first == next_received_) {
    ++next_received_;
    host_->arrived(self, std::move(early_.begin()->second));
    early_.erase(early_.begin());
  }
  return disposal;
}

void UcxConnection::refuse_message(Error reason) noexcept {
  ++host_->tally().refused_messages;
  log_warning("a peer sent a message that no correct peer sends; its connection is given up");
  lose(reason);
}

void UcxConnection::send(ConstBytes header, ConstBytes payload, TransferOp& op) noexcept {
  if (state_ != State::kOpen) {
    op.complete(loop_, fail(Errc::kPeerLost, "net.send.lost"));
    return;
  }
  if (header.empty() || header.size() > kHeaderBytesMax || payload.size() > kPayloadBytesMax) {
    op.complete(loop_, fail(Errc::kInvalid, "net.send.size"));
    return;
  }
  TransferRecord& record = host_->records().take_transfer();
  record.start(shared_from_this(), op, true, payload.size());
  endpoint_->send_data(record.set_header(peer_id_, next_sent_++, header), payload, record);
}

void UcxConnection::abort(Error reason) noexcept {
  lose(reason);
}

void UcxConnection::on_endpoint_failed(int status) noexcept {
  endpoint_failed_ = true;
  lose(Error{.code = Errc::kPeerLost, .os_code = status, .where = "net.endpoint"});
}

void UcxConnection::lose(Error reason) noexcept {
  if (state_ == State::kLost) {
    return;
  }
  const std::shared_ptr<UcxConnection> self = shared_from_this();
  state_ = State::kLost;
  deadline_.cancel();
  if (opening_ != nullptr) {
    std::exchange(opening_, nullptr)->complete(loop_, fail(reason));
  }
  host_->lost(self, reason, was_open_);
}

void UcxConnection::say_goodbye(Completion& completion) noexcept {
  BENCHFS_ASSERT(state_ == State::kOpen);
  said_goodbye_ = true;
  say(handshake::bye(peer_id_), UcxEndpoint::Reply::kNone);
  endpoint_->flush(completion);
}

void UcxConnection::release_endpoint() noexcept {
  BENCHFS_ASSERT(state_ == State::kLost);
  early_.clear();
  if (endpoint_ == nullptr) {
    return;
  }
  if (peer_id_ != 0 && !said_goodbye_ && !endpoint_failed_) {
    said_goodbye_ = true;
    say(handshake::bye(peer_id_), UcxEndpoint::Reply::kNone);
  }
  endpoint_->close();
  endpoint_.reset();
}

}  // namespace benchfs::net
