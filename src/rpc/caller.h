#pragma once

// Requests to a peer and their replies, matched by id.
//
// Threading: loop thread only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "net/transport.h"
#include "wire/codec.h"
#include "wire/header.h"

namespace benchfs::rpc {

/// Error::where of what the peer has answered, and nobody on this side has found out.
inline constexpr const char* kWhereAnswered = "rpc.reply";

/// What the peer does with a request that it comes to only after the caller's deadline.
enum class WhenLate : std::uint8_t {
  kRefuse,    ///< Nothing: the caller has given it up, and perhaps done something newer.
  kCarryOut,  ///< All the same: it only clears away what nobody will miss.
};

/// What a call moves besides its body.
struct CallOptions {
  std::uint64_t deadline_ns = 0;  ///< Of the loop's clock; required.
  std::uint64_t epoch = 0;        ///< Whom it is for; 0: as the caller was told.
  WhenLate when_late = WhenLate::kRefuse;
  wire::Operation operation{};  ///< Of a client: see rpc/operations.h.
  ConstBytes payload;           ///< Sent with the request. Borrowed until the call ends.
  Bytes reply_buffer;           ///< Takes the reply's payload. Borrowed until the call ends.
};

/// A reply whose status is success.
template <typename Reply>
struct Answer {
  Reply reply;
  std::size_t payload_bytes = 0;  ///< What came into reply_buffer, from its start.
};

class Caller {
 public:
  /// Borrows `loop`. `epoch` of calls that name none: the incarnation of the peer.
  Caller(loop::EventLoop& loop, std::uint64_t epoch);
  /// Requires that no call is in flight.
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// Sends `request` and waits for its reply. Ends soon after the deadline at the latest, and never
  /// leaves a buffer to a transfer in flight: if one is still running at the deadline the
  /// connection is aborted first. Errors: what the peer answered; kPeerLost; kTimedOut; kProtocol
  /// (a reply that makes no sense, or a payload larger than reply_buffer).
  ///
  /// After kTimedOut at the deadline the peer does not begin the request any more (but for
  /// kCarryOut); what it has begun by the deadline it may end later. After a loss of the connection
  /// it may begin what has reached it until the deadline, or until it hears of the loss. See
  /// README.md.
  template <typename Request>
  coro::Task<Result<Answer<typename Request::Reply>>> call(
      std::shared_ptr<net::Connection> connection, Request request, CallOptions options) {
    Outgoing outgoing(Request::kOp, request);
    if (!outgoing.ok()) {
      co_return fail(Errc::kInvalid, "rpc.encode");
    }
    Incoming incoming;
    BENCHFS_CO_CHECK(exchange(*connection, outgoing, incoming, options));
    Answer<typename Request::Reply> answer{.reply = {}, .payload_bytes = incoming.payload_bytes};
    wire::Decoder decoder(incoming.body());
    decoder& answer.reply;
    if (!decoder.finished()) {
      co_return fail(Errc::kProtocol, "rpc.reply");
    }
    co_return answer;
  }

  /// Takes a message that is a reply; one that nobody waits for is dropped.
  void on_reply(const std::shared_ptr<net::Connection>& connection, const wire::FixedHeader& fixed,
                net::Message message);
  /// Wakes the calls on a lost connection.
  void on_lost(const net::Connection& connection, Error reason);

  std::size_t in_flight_count() const noexcept { return calls_.size(); }
  std::uint64_t late_reply_count() const noexcept { return late_reply_count_; }

 private:
  /// Header and body of a request, encoded.
  class Outgoing {
   public:
    template <typename Request>
    Outgoing(wire::Op op, const Request& request) : op_(op) {
      wire::Encoder encoder(Bytes(bytes_).subspan(wire::kFixedHeaderBytes));
      encoder& request;
      ok_ = encoder.ok();
      body_bytes_ = encoder.size();
    }
    bool ok() const noexcept { return ok_; }

   private:
    friend class Caller;
    wire::Op op_;
    bool ok_ = false;
    std::size_t body_bytes_ = 0;
    std::array<std::byte, kHeaderBytesMax> bytes_;
  };

  /// What came back: the message keeps a body in the header alive, `long_body` one that was a
  /// payload.
  struct Incoming {
    std::unique_ptr<net::Message> message;
    bool body_in_payload = false;
    std::vector<std::byte> long_body;
    std::size_t payload_bytes = 0;
    ConstBytes body() const noexcept {
      return body_in_payload ? ConstBytes(long_body)
                             : message->header().subspan(wire::kFixedHeaderBytes);
    }
  };

  struct Call;
  /// Completes the header of `outgoing` for one attempt; returns its id.
  RequestId stamp(net::Connection& connection, Outgoing& outgoing, const CallOptions& options);
  static Status accept(Call& call, const Outgoing& outgoing, Incoming& incoming);
  coro::Task<Status> exchange(net::Connection& connection, Outgoing& outgoing, Incoming& incoming,
                              CallOptions options);
  coro::Task<Status> receive(net::Connection& connection, Incoming& incoming, CallOptions options,
                             std::size_t payload_bytes);

  loop::EventLoop& loop_;
  const std::uint64_t epoch_;
  std::uint64_t next_request_ = 1;
  std::unordered_map<std::uint64_t, Call*> calls_;
  std::uint64_t late_reply_count_ = 0;
};

}  // namespace benchfs::rpc
