#include "rpc/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "base/units.h"
#include "rpc/transfer_guard.h"

namespace benchfs::rpc {
namespace {

/// Requests that run at once; more are refused with kAgain. A client alone does not come near it:
/// it bounds what it has in flight far below.
constexpr std::size_t kRunningMax = 65536;

/// What an asker that keeps its deadline needs to drop a reply that came at the last moment.
constexpr std::uint64_t kReplyGraceNs = kNsPerSec;

/// No deadline is farther away, whatever a peer says: sums with it must not overflow.
constexpr std::uint64_t kPatienceNsMax = 30 * 24 * 3600 * kNsPerSec;

}  // namespace

std::uint64_t Request::deadline_of(const wire::FixedHeader& fixed, std::uint64_t now_ns) noexcept {
  return fixed.time_ns == wire::kAnyTime ? now_ns + kTimeoutNsDefault
                                         : std::min(fixed.time_ns, now_ns + kPatienceNsMax);
}

Status Request::still_wanted() noexcept {
  if (too_late()) {
    return fail(Errc::kTimedOut, "rpc.request.late");
  }
  if (connection_->lost()) {
    return fail(Errc::kPeerLost, "rpc.request.lost");
  }
  return Status();
}

coro::Task<Status> Request::receive_payload(Bytes buffer) {
  BENCHFS_ASSERT(buffer.size() == message_.payload_bytes());
  net::TransferOp op;
  message_.receive(buffer, op);
  if (!op.done()) {
    const TransferGuard guard(loop_, *connection_, deadline_ns_);
    co_await op;
  }
  const Status received = op.await_resume();
  if (!received.has_value()) {
    co_return received;
  }
  co_return still_wanted();
}

Dispatcher::Dispatcher(loop::EventLoop& loop, std::uint64_t epoch) : loop_(loop), epoch_(epoch) {}

Dispatcher::~Dispatcher() {
  BENCHFS_ASSERT(scope_.child_count() == 0);
}

void Dispatcher::on_request(const std::shared_ptr<net::Connection>& connection,
                            const wire::FixedHeader& fixed, net::Message message) {
  scope_.spawn(run(connection, fixed, std::move(message)));
}

bool Dispatcher::admits(std::size_t held_bytes) const noexcept {
  return scope_.child_count() <= kRunningMax && held_bytes <= kHeldBytesMax - held_bytes_;
}

coro::Task<void> Dispatcher::run(std::shared_ptr<net::Connection> connection,
                                 wire::FixedHeader fixed, net::Message message) {
  const std::size_t held_bytes = message.eager_payload().size();
  running_max_ = std::max(running_max_, scope_.child_count());
  Request request(loop_, std::move(connection), fixed, std::move(message));
  const auto number = static_cast<std::uint16_t>(fixed.op);
  const bool known = wire::is_op(number) && handlers_[number] != nullptr;
  Status outcome;
  if (closing_ || !admits(held_bytes)) {
    const Error error{.code = closing_ ? Errc::kPeerLost : Errc::kAgain, .where = "rpc.admit"};
    outcome = co_await refuse(request, error);
  } else if (!known) {
    const Error error{.code = Errc::kUnsupported, .where = "rpc.op"};
    outcome = co_await refuse(request, error);
  } else if ((fixed.flags & wire::kBodyInPayload) != 0 ||
             (request.payload_bytes() > 0 && !wire::takes_payload(fixed.op))) {
    const Error error{.code = Errc::kProtocol, .where = "rpc.payload"};
    outcome = co_await refuse(request, error);
  } else if (fixed.epoch != epoch_) {
    // Meant for a process that was here before, or for one that is not here any more.
    const Error error{.code = Errc::kPeerLost, .where = "rpc.epoch"};
    outcome = co_await refuse(request, error);
  } else if (request.arrived_ns() >= request.deadline_ns()) {
    const Error error{.code = Errc::kTimedOut, .where = "rpc.late"};
    outcome = co_await refuse(request, error);
  } else {
    ++counters_[number].count;
    held_bytes_ += held_bytes;
    auto handling = handlers_[number](request);
    outcome = co_await handling;
    held_bytes_ -= held_bytes;
    if (!outcome.has_value()) {
      ++counters_[number].error_count;
    }
  }
  // A reply that could not be sent has no reader any more; the asker hears of the loss by itself.
}

void Dispatcher::count_reply(const Request& request, std::size_t bulk_bytes) noexcept {
  OpCounters& counters = counters_[static_cast<std::size_t>(request.fixed().op)];
  counters.bytes += bulk_bytes;
  counters.latency.record(loop_.clock().now_ns() - request.arrived_ns());
}

coro::Task<Status> Dispatcher::reply_error(Request& request, Error error) {
  count_reply(request, 0);
  return reply_status(request, error, wire::kIsReply);
}

coro::Task<Status> Dispatcher::refuse(Request& request, Error error) {
  return reply_status(request, error, wire::kIsReply | wire::kNotBegun);
}

coro::Task<Status> Dispatcher::reply_status(Request& request, Error error, std::uint16_t flags) {
  ++error_counts_[static_cast<std::size_t>(error.code)];
  std::array<std::byte, wire::kFixedHeaderBytes> header;
  const wire::FixedHeader fixed = {
      .op = request.fixed().op,
      .flags = flags,
      .status = static_cast<std::uint16_t>(error.code),
      .request = request.fixed().request,
      .epoch = epoch_,
      .time_ns = loop_.now_ns(),
  };
  wire::Encoder encoder{Bytes(header)};
  encoder& fixed;
  auto sending = send(request, header, {});
  co_return co_await sending;
}

coro::Task<Status> Dispatcher::reply_short(Request& request, Bytes header, std::size_t body_bytes,
                                           const ReplyPayload& payload) {
  count_reply(request, request.payload_bytes() + payload.bytes.size());
  const wire::FixedHeader fixed = {
      .op = request.fixed().op,
      .flags = wire::kIsReply,
      .body_bytes = static_cast<std::uint32_t>(body_bytes),
      .request = request.fixed().request,
      .epoch = epoch_,
      .time_ns = loop_.now_ns(),
  };
  wire::Encoder encoder(header.first(wire::kFixedHeaderBytes));
  encoder& fixed;
  auto sending = send(request, header.first(wire::kFixedHeaderBytes + body_bytes), payload.bytes);
  co_return co_await sending;
}

coro::Task<Status> Dispatcher::reply_long(Request& request, ConstBytes body) {
  count_reply(request, request.payload_bytes());
  std::array<std::byte, wire::kFixedHeaderBytes> header;
  const wire::FixedHeader fixed = {
      .op = request.fixed().op,
      .flags = wire::kIsReply | wire::kBodyInPayload,
      .body_bytes = static_cast<std::uint32_t>(body.size()),
      .request = request.fixed().request,
      .epoch = epoch_,
      .time_ns = loop_.now_ns(),
  };
  wire::Encoder encoder{Bytes(header)};
  encoder& fixed;
  auto sending = send(request, header, body);
  co_return co_await sending;
}

coro::Task<Status> Dispatcher::send(Request& request, ConstBytes header, ConstBytes payload) {
  net::TransferOp sending;
  request.connection()->send(header, payload, sending);
  if (!sending.done()) {
    const std::uint64_t patient_until_ns = std::max(request.deadline_ns(), loop_.now_ns());
    const TransferGuard guard(loop_, *request.connection(), patient_until_ns + kReplyGraceNs);
    co_await sending;
  }
  co_return sending.await_resume();
}

}  // namespace benchfs::rpc
