#pragma once

// How handlers of one server ask servers: another one over the network, or this one by a plain
// call. The handlers of control operations (no bulk data) register here once and serve both.
//
// Nothing leaves the server, neither an answer nor a question, before all that it has changed is
// committed: what is told cannot be lost any more, whoever changed it.
//
// What a client wants done once (wire::Operation) is done once: a repeat waits for the request that
// is being worked on, and gets the answer that is known (outcomes.h).
//
// Threading: loop thread only.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/assert.h"
#include "base/ids.h"
#include "base/result.h"
#include "coro/task.h"
#include "net/transport.h"
#include "rpc/dispatcher.h"
#include "rpc/peer_table.h"
#include "server/ledger.h"
#include "server/outcomes.h"

namespace benchfs::server {

/// Who asks, and until when an answer is of use.
struct Context {
  net::PeerIdentity peer;
  std::uint64_t deadline_ns = 0;
  OperationKey operation{};  ///< For Outcomes::keep(), by who changes what outlives the process.
  wire::Op op{};             ///< Of that operation.

  bool from_server() const noexcept { return peer.role == net::PeerIdentity::Role::kServer; }
};

class Exchange {
 public:
  /// Borrows all. `ledger` nullptr: nothing is kept over the end of the process.
  Exchange(ServerId self, rpc::Dispatcher& dispatcher, rpc::PeerTable& peers,
           Ledger* ledger = nullptr)
      : self_(self),
        dispatcher_(dispatcher),
        peers_(peers),
        ledger_(ledger == nullptr ? volatile_ledger_ : *ledger),
        outcomes_(dispatcher.loop(), ledger_) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  ServerId self() const noexcept { return self_; }
  Ledger& ledger() noexcept { return ledger_; }
  Outcomes& outcomes() noexcept { return outcomes_; }
  std::uint16_t server_count() const noexcept { return peers_.server_count(); }

  enum class Askers { kAnyone, kServersOnly };

  /// `method` is a coroutine `Task<Result<Body::Reply>> (Service::*)(Context, Body)` of `service`,
  /// which outlives this.
  template <typename Body, typename Service>
  void on(Service& service,
          coro::Task<Result<typename Body::Reply>> (Service::*method)(Context, Body),
          Askers askers = Askers::kAnyone) {
    auto local = std::make_shared<LocalHandler<Body>>();
    local->call = [&service, method](Context context, Body body) {
      return (service.*method)(context, std::move(body));
    };
    locals_[static_cast<std::size_t>(Body::kOp)] = local;
    dispatcher_.on<Body>([this, &service, method, askers](rpc::Request& request, Body body,
                                                          rpc::ReplyPayload& /*payload*/) {
      const Context context{.peer = request.peer(), .deadline_ns = request.deadline_ns()};
      if (askers == Askers::kServersOnly && !context.from_server()) {
        return refuse<Body>();
      }
      auto begin = [&service, method, body = std::move(body)](Context asker) mutable {
        return (service.*method)(asker, std::move(body));
      };
      return serve<Body>(context, request.fixed(), std::move(begin));
    });
  }

  /// As above, of clients only: `method` fetches the payload of the request too, which lives until
  /// its task has ended.
  template <typename Body, typename Service>
  void on_with_payload(Service& service,
                       coro::Task<Result<typename Body::Reply>> (Service::*method)(Context, Body,
                                                                                   rpc::Request&)) {
    dispatcher_.on<Body>(
        [this, &service, method](rpc::Request& request, Body body, rpc::ReplyPayload& /*payload*/) {
          const Context context{.peer = request.peer(), .deadline_ns = request.deadline_ns()};
          if (context.from_server()) {
            return refuse<Body>();
          }
          auto begin = [&service, method, &request, body = std::move(body)](Context asker) mutable {
            return (service.*method)(asker, std::move(body), request);
          };
          return serve<Body>(context, request.fixed(), std::move(begin));
        });
  }

  /// Asks `server`, which may be this one. `server` must be below server_count(), else kStale: ids
  /// come from clients. What is not begun by the deadline is not begun later, here or there, but
  /// for kCarryOut.
  template <typename Body>
  coro::Task<Result<typename Body::Reply>> ask(ServerId server, Body body,
                                               std::uint64_t deadline_ns,
                                               rpc::WhenLate when_late = rpc::WhenLate::kRefuse) {
    if (to_integer(server) >= server_count()) {
      co_return fail(Errc::kStale, "exchange.server");
    }
    if (server == self_) {
      if (when_late == rpc::WhenLate::kRefuse &&
          dispatcher_.loop().clock().now_ns() >= deadline_ns) {
        co_return fail(Errc::kTimedOut, "exchange.late");
      }
      const Context context{
          .peer = {.role = net::PeerIdentity::Role::kServer, .id = to_integer(self_)},
          .deadline_ns = deadline_ns};
      const auto& local =
          static_cast<LocalHandler<Body>&>(*locals_[static_cast<std::size_t>(Body::kOp)]);
      auto task = local.call(context, std::move(body));
      co_return co_await task;
    }
    if (!ledger_.committed()) {
      BENCHFS_CO_CHECK(ledger_.commit());
    }
    const rpc::CallOptions options{
        .deadline_ns = deadline_ns, .when_late = when_late, .payload = {}, .reply_buffer = {}};
    auto task = peers_.call(server, std::move(body), options);
    BENCHFS_CO_TRY(auto answer, task);
    co_return std::move(answer.reply);
  }

 private:
  struct LocalHandlerBase {
    virtual ~LocalHandlerBase() = default;
  };
  template <typename Body>
  struct LocalHandler final : LocalHandlerBase {
    std::function<coro::Task<Result<typename Body::Reply>>(Context, Body)> call;
  };

  /// Whether the answer is about the server, not about what it keeps: it comes also when the drive
  /// has failed.
  static constexpr bool is_of_server(wire::Op op) noexcept {
    return op == wire::Op::kPing || op == wire::Op::kStatus || op == wire::Op::kShutdown;
  }

  /// `begin(context)` is the handling of the request, which has not begun yet.
  template <typename Body, typename Begin>
  coro::Task<Result<typename Body::Reply>> serve(Context context, wire::FixedHeader fixed,
                                                 Begin begin) {
    const bool once =
        wire::is_done_once(Body::kOp) && Outcomes::key_of(context.peer, fixed).has_value();
    auto task = once ? serve_once<Body>(context, fixed, std::move(begin)) : begin(context);
    auto result = co_await task;
    // Also when it has only looked: it may have seen what others have changed just now.
    if (!is_of_server(Body::kOp) && !ledger_.committed()) {
      BENCHFS_CO_CHECK(ledger_.commit());
    }
    co_return result;
  }

  template <typename Body, typename Begin>
  coro::Task<Result<typename Body::Reply>> serve_once(Context context, wire::FixedHeader fixed,
                                                      Begin begin) {
    using Reply = typename Body::Reply;
    const OperationKey operation = *Outcomes::key_of(context.peer, fixed);
    BENCHFS_CO_CHECK_NOW(outcomes_.arrive(operation.client, fixed.operation));
    Outcomes::Turns::LockOp entering(outcomes_.turns(), operation, context.deadline_ns);
    BENCHFS_CO_TRY(const auto turn, entering);
    if (outcomes_.is_given_up(operation)) {
      // The client has gone on: only what is right at any time is still to be done.
      if (fixed.time_ns != wire::kAnyTime) {
        co_return fail(Errc::kTimedOut, "exchange.given_up");
      }
    } else {
      context.operation = operation;
      context.op = Body::kOp;
    }
    // An open does not outlive the process: the handler opens again what an earlier run had opened.
    constexpr bool kOutlivesRun = !std::is_same_v<Reply, wire::OpenReply>;
    if (auto known = outcomes_.find<Reply>(operation, Body::kOp, kOutlivesRun); known.has_value()) {
      co_return std::move(*known);
    }
    auto task = begin(context);
    auto result = co_await task;
    if (result.has_value()) {
      outcomes_.keep_for_now(context.operation, Body::kOp, *result);
    }
    co_return result;
  }

  template <typename Body>
  static coro::Task<Result<typename Body::Reply>> refuse() {
    co_return fail(Errc::kPermission, "exchange.askers");
  }

  ServerId self_;
  rpc::Dispatcher& dispatcher_;
  rpc::PeerTable& peers_;
  VolatileLedger volatile_ledger_;
  Ledger& ledger_;
  Outcomes outcomes_;
  std::array<std::shared_ptr<LocalHandlerBase>, wire::kOpLast + 1> locals_;
};

}  // namespace benchfs::server
