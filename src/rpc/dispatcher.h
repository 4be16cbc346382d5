#pragma once

// Requests from peers to their handlers, and the replies back.
//
// Threading: loop thread only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/latency_histogram.h"
#include "base/result.h"
#include "base/units.h"
#include "coro/scope.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "net/transport.h"
#include "wire/codec.h"
#include "wire/header.h"
#include "wire/messages.h"

namespace benchfs::rpc {

/// One request being handled: who sent it, and its payload if it has one. Lives in the dispatcher's
/// coroutine until the handler has ended.
class Request {
 public:
  Request(loop::EventLoop& loop, std::shared_ptr<net::Connection> connection,
          const wire::FixedHeader& fixed, net::Message message) noexcept
      : loop_(loop),
        connection_(std::move(connection)),
        fixed_(fixed),
        message_(std::move(message)),
        deadline_ns_(deadline_of(fixed, loop.now_ns())),
        arrived_ns_(loop.clock().now_ns()) {}

  const std::shared_ptr<net::Connection>& connection() const noexcept { return connection_; }
  const net::PeerIdentity& peer() const noexcept { return connection_->peer(); }
  const wire::FixedHeader& fixed() const noexcept { return fixed_; }
  std::size_t payload_bytes() const noexcept { return message_.payload_bytes(); }

  /// When the asker stops waiting, by this process's clock, or a little earlier (net/peer_clock.h).
  /// For a request that is right at any time: when it has waited here long enough.
  std::uint64_t deadline_ns() const noexcept { return deadline_ns_; }
  /// Asks the clock, not the loop, whose time stands still in a turn: a process that was stopped in
  /// one must notice.
  bool too_late() noexcept { return loop_.clock().now_ns() >= deadline_ns_; }

  /// kTimedOut or kPeerLost if the asker has given up by now. It may have done something newer
  /// since: what changes anything asks this last before it begins, after every wait.
  Status still_wanted() noexcept;

  /// Fetches the payload into `buffer`, which has exactly payload_bytes() bytes. Once. Ends by the
  /// deadline: a connection over which it does not come until then is aborted, for nothing else
  /// would give the buffer back. An error too if the asker gave up meanwhile: still_wanted().
  coro::Task<Status> receive_payload(Bytes buffer);

  /// By the clock, as too_late().
  std::uint64_t arrived_ns() const noexcept { return arrived_ns_; }

  ConstBytes body() const noexcept { return message_.header().subspan(wire::kFixedHeaderBytes); }

 private:
  static std::uint64_t deadline_of(const wire::FixedHeader& fixed, std::uint64_t now_ns) noexcept;

  loop::EventLoop& loop_;
  std::shared_ptr<net::Connection> connection_;
  wire::FixedHeader fixed_;
  net::Message message_;
  std::uint64_t deadline_ns_;
  std::uint64_t arrived_ns_;
};

/// Payloads that have come with their requests and wait, with them, for their turn: beyond this
/// many bytes a request is answered kAgain. They are memory of the network's, not of any pool, and
/// no client knows what the others have sent; those that must be fetched stay where they are.
inline constexpr std::size_t kHeldBytesMax = 256 * kMiB;

/// What a handler answers besides the reply's body: bulk data, with whatever keeps it alive until
/// it has been sent.
struct ReplyPayload {
  ConstBytes bytes;
  std::shared_ptr<void> owner;
};

/// Of one kind of request. Those that were refused before any handler saw them are in none.
struct OpCounters {
  std::uint64_t count = 0;        ///< Begun.
  std::uint64_t error_count = 0;  ///< Answered with an error, or not to be answered any more.
  std::uint64_t bytes = 0;        ///< Bulk data of those that succeeded, there and back.
  LatencyHistogram latency;       ///< From arrival until the reply goes out.
};

class Dispatcher {
 public:
  Dispatcher(loop::EventLoop& loop, std::uint64_t epoch);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// `handler(Request&, Message body, ReplyPayload&)` is a coroutine that returns
  /// Result<Body::Reply>; the first two outlive it. It is called for requests whose body decodes.
  /// `handler` is a plain function object that is kept; it must return a named coroutine's task,
  /// not be a coroutine itself.
  template <typename Body, typename Handler>
  void on(Handler handler) {
    handlers_[static_cast<std::size_t>(Body::kOp)] = [this, handler](Request& request) {
      return handle<Body>(request, handler);
    };
  }

  /// Takes a message that is a request, and answers it in its time. What its asker has given up by
  /// now is not begun: it is answered kTimedOut with wire::kNotBegun.
  void on_request(const std::shared_ptr<net::Connection>& connection,
                  const wire::FixedHeader& fixed, net::Message message);

  /// No further request is begun (they are answered kPeerLost); join() waits for those that run.
  void close() noexcept { closing_ = true; }
  coro::Scope::JoinOp join() noexcept { return scope_.join(); }

  loop::EventLoop& loop() const noexcept { return loop_; }
  std::size_t running_count() const noexcept { return scope_.child_count(); }
  std::size_t running_max() const noexcept { return running_max_; }
  const OpCounters& counters(wire::Op op) const noexcept {
    return counters_[static_cast<std::size_t>(op)];
  }
  /// How many requests were answered with `code`, refused ones too.
  std::uint64_t error_count(Errc code) const noexcept {
    return error_counts_[static_cast<std::size_t>(code)];
  }

 private:
  template <typename Body, typename Handler>
  coro::Task<Status> handle(Request& request, const Handler& handler) {
    Body body;
    wire::Decoder decoder(request.body());
    decoder& body;
    if (!decoder.finished()) {
      const Error error{.code = Errc::kProtocol, .where = "rpc.body"};
      BENCHFS_CO_CHECK(reply_error(request, error));
      co_return fail(error);
    }
    ReplyPayload payload;
    auto task = handler(request, std::move(body), payload);
    const auto result = co_await task;
    if (!result.has_value()) {
      const Error error = result.error();
      BENCHFS_CO_CHECK(reply_error(request, error));
      co_return fail(error);
    }
    std::array<std::byte, kHeaderBytesMax> header;
    wire::Encoder encoder(Bytes(header).subspan(wire::kFixedHeaderBytes));
    encoder&* result;
    if (encoder.ok()) {
      const std::size_t body_bytes = encoder.size();
      BENCHFS_CO_CHECK(reply_short(request, header, body_bytes, payload));
      co_return Status();
    }
    BENCHFS_ASSERT(payload.bytes.empty());  // A long body takes the payload's place.
    std::vector<std::byte> long_body(kBodyBytesMax);
    wire::Encoder long_encoder{Bytes(long_body)};
    long_encoder&* result;
    BENCHFS_ASSERT(long_encoder.ok());
    const ConstBytes encoded = ConstBytes(long_body).first(long_encoder.size());
    BENCHFS_CO_CHECK(reply_long(request, encoded));
    co_return Status();
  }

  coro::Task<void> run(std::shared_ptr<net::Connection> connection, wire::FixedHeader fixed,
                       net::Message message);
  bool admits(std::size_t held_bytes) const noexcept;
  /// Before the reply goes out, so that whoever has it and asks for the counters finds it there.
  void count_reply(const Request& request, std::size_t bulk_bytes) noexcept;
  coro::Task<Status> reply_error(Request& request, Error error);
  /// Before any handler has seen the request.
  coro::Task<Status> refuse(Request& request, Error error);
  coro::Task<Status> reply_status(Request& request, Error error, std::uint16_t flags);
  coro::Task<Status> reply_short(Request& request, Bytes header, std::size_t body_bytes,
                                 const ReplyPayload& payload);
  coro::Task<Status> reply_long(Request& request, ConstBytes body);
  /// Ends soon after the asker's deadline at the latest: what the reply holds is bounded in time.
  coro::Task<Status> send(Request& request, ConstBytes header, ConstBytes payload);

  loop::EventLoop& loop_;
  const std::uint64_t epoch_;
  coro::Scope scope_;
  bool closing_ = false;
  std::size_t held_bytes_ = 0;  ///< Of payloads that came with requests that run.
  std::array<std::function<coro::Task<Status>(Request&)>, wire::kOpLast + 1> handlers_;
  std::size_t running_max_ = 0;
  std::vector<OpCounters> counters_{wire::kOpLast + 1};
  std::array<std::uint64_t, kErrcLast + 1> error_counts_{};
};

}  // namespace benchfs::rpc
