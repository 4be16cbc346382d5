#include "rpc/caller.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "rpc/transfer_guard.h"

namespace benchfs::rpc {

/// One call in flight; lives in the frame of exchange().
struct Caller::Call : loop::Timer {
  Call(loop::EventLoop& event_loop, const net::Connection& over)
      : Timer(&Call::deadline_passed), loop(event_loop), connection(&over) {}

  /// Awaitable: until a reply has come, the deadline has passed or the connection is lost.
  bool await_ready() const noexcept { return ended; }
  void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
  void await_resume() const noexcept {}

  void end(Status how) noexcept {
    if (ended) {
      return;
    }
    ended = true;
    status = how;
    cancel();
    if (waiter) {
      loop.post(waiter);
    }
  }

  /// Whether the peer did nothing, since by its clock the deadline that it was told had passed.
  bool refused_as_late() const noexcept {
    return (fixed.flags & wire::kNotBegun) != 0 &&
           fixed.status == static_cast<std::uint16_t>(Errc::kTimedOut);
  }

  static void deadline_passed(Timer& timer) noexcept {
    static_cast<Call&>(timer).end(fail(Errc::kTimedOut, "rpc.deadline"));
  }

  loop::EventLoop& loop;
  const net::Connection* connection;
  wire::FixedHeader fixed;
  std::unique_ptr<net::Message> message;
  bool ended = false;
  Status status;
  std::coroutine_handle<> waiter;
};

Caller::Caller(loop::EventLoop& loop, std::uint64_t epoch) : loop_(loop), epoch_(epoch) {}

Caller::~Caller() {
  BENCHFS_ASSERT(calls_.empty());
}

RequestId Caller::stamp(net::Connection& connection, Outgoing& outgoing,
                        const CallOptions& options) {
  const RequestId id{next_request_++};
  std::uint64_t until_ns = wire::kAnyTime;
  if (options.when_late == WhenLate::kRefuse) {
    // As long as nothing is known of the peer's clock, this is long past: the refusal tells it.
    until_ns = std::max(wire::kAnyTime + 1, connection.peer_clock().at_least(options.deadline_ns));
  }
  const wire::FixedHeader fixed = {
      .op = outgoing.op_,
      .body_bytes = static_cast<std::uint32_t>(outgoing.body_bytes_),
      .request = id,
      .epoch = options.epoch != 0 ? options.epoch : epoch_,
      .time_ns = until_ns,
      .operation = options.operation,
  };
  wire::Encoder encoder(Bytes(outgoing.bytes_).first(wire::kFixedHeaderBytes));
  encoder& fixed;
  return id;
}

coro::Task<Status> Caller::exchange(net::Connection& connection, Outgoing& outgoing,
                                    Incoming& incoming, CallOptions options) {
  const ConstBytes header =
      ConstBytes(outgoing.bytes_).first(wire::kFixedHeaderBytes + outgoing.body_bytes_);
  for (;;) {
    const RequestId id = stamp(connection, outgoing, options);
    Call call(loop_, connection);
    loop_.timers().arm(call, options.deadline_ns);
    calls_.emplace(to_integer(id), &call);
    if (connection.lost()) {
      call.end(fail(Errc::kPeerLost, "rpc.send"));
    } else {
      net::TransferOp sending;
      connection.send(header, options.payload, sending);
      co_await call;
      if (!sending.done()) {
        // No reply, or one that came before all was fetched (a refusal). Either way nothing more is
        // owed to the peer after the deadline; until then it may still drop the payload by itself.
        const bool is_reply = call.status.has_value();
        TransferGuard guard(loop_, connection, is_reply ? options.deadline_ns : loop_.now_ns());
        co_await sending;
      }
    }
    calls_.erase(to_integer(id));
    if (!call.status.has_value()) {
      co_return call.status;
    }
    if (call.refused_as_late() && loop_.clock().now_ns() < options.deadline_ns) {
      continue;  // What we knew of its clock was old. The refusal has brought news.
    }
    BENCHFS_CO_CHECK_NOW(accept(call, outgoing, incoming));
    break;
  }
  const std::size_t payload_bytes = incoming.message->payload_bytes();
  if (payload_bytes == 0) {
    co_return incoming.body_in_payload ? Status(fail(Errc::kProtocol, "rpc.reply.body")) : Status();
  }
  auto receiving = receive(connection, incoming, options, payload_bytes);
  co_return co_await receiving;
}

Status Caller::accept(Call& call, const Outgoing& outgoing, Incoming& incoming) {
  incoming.message = std::move(call.message);
  incoming.body_in_payload = (call.fixed.flags & wire::kBodyInPayload) != 0;
  if (call.fixed.status != 0) {
    return fail(static_cast<Errc>(call.fixed.status), kWhereAnswered);
  }
  if (call.fixed.op != outgoing.op_) {
    return fail(Errc::kProtocol, "rpc.reply.op");
  }
  return Status();
}

coro::Task<Status> Caller::receive(net::Connection& connection, Incoming& incoming,
                                   CallOptions options, std::size_t payload_bytes) {
  Bytes target;
  if (incoming.body_in_payload) {
    if (payload_bytes > kBodyBytesMax) {
      co_return fail(Errc::kProtocol, "rpc.reply.body");
    }
    incoming.long_body.resize(payload_bytes);
    target = incoming.long_body;
  } else {
    if (payload_bytes > options.reply_buffer.size()) {
      co_return fail(Errc::kProtocol, "rpc.reply.payload");
    }
    incoming.payload_bytes = payload_bytes;
    target = options.reply_buffer.first(payload_bytes);
  }
  net::TransferOp receiving;
  incoming.message->receive(target, receiving);
  if (receiving.done()) {
    co_return receiving.await_resume();
  }
  TransferGuard guard(loop_, connection, options.deadline_ns);
  const Status received = co_await receiving;
  if (!received.has_value() && guard.fired()) {
    co_return fail(Errc::kTimedOut, "rpc.receive");
  }
  co_return received;
}

void Caller::on_reply(const std::shared_ptr<net::Connection>& connection,
                      const wire::FixedHeader& fixed, net::Message message) {
  // Not the loop's time, which stands still in a turn: it may be from before the reply was sent.
  connection->peer_clock().learn(fixed.time_ns, loop_.clock().now_ns());
  const auto found = calls_.find(to_integer(fixed.request));
  if (found == calls_.end() || found->second->connection != connection.get() ||
      found->second->ended) {
    ++late_reply_count_;
    return;  // Destroying the message drops its payload.
  }
  Call& call = *found->second;
  call.fixed = fixed;
  call.message = std::make_unique<net::Message>(std::move(message));
  call.end(Status());
}

void Caller::on_lost(const net::Connection& connection, Error reason) {
  for (auto& [id, call] : calls_) {
    if (call->connection == &connection) {
      const bool was_late = reason.code == Errc::kTimedOut;
      call->end(fail(was_late ? Errc::kTimedOut : Errc::kPeerLost, reason.where, reason.os_code));
    }
  }
}

}  // namespace benchfs::rpc
