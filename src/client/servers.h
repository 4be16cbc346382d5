#pragma once

// The servers of the session, as the client's operations see them: send a request, get the reply or
// an Error in bounded time.
//
// Threading: loop thread only, but for the names, self() and next_number().

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/units.h"
#include "client/errno_map.h"
#include "client/repeat.h"
#include "coro/event.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"
#include "rpc/caller.h"
#include "rpc/operations.h"
#include "rpc/peer_table.h"
#include "session/session_file.h"

namespace benchfs::client {

/// What one mount has in flight to one server at the most. Enough to keep a drive and a wire busy;
/// little enough that a request is not timed out by our own requests before it.
inline constexpr std::uint64_t kRequestsPerServerMax = 64;
inline constexpr std::uint64_t kBytesPerServerMax = 16 * kMiB;
static_assert(kBytesPerServerMax >= kTransferBytesMax);

/// Pauses before a request is sent again whose server said kAgain or kBusy.
inline constexpr std::uint64_t kRetryPauseNsMin = 100 * kNsPerUs;
inline constexpr std::uint64_t kRetryPauseNsMax = 20 * kNsPerMs;

/// How the published session stands: asked when a server is lost.
struct News {
  enum class Kind {
    kNone,     ///< As it was when it was asked for last.
    kChanged,  ///< `session` is what is published now.
    kGone,     ///< The session is over: nobody is going to start again.
  };
  Kind kind = Kind::kNone;
  session::Session session;
};
using NewsSource = std::function<News()>;

class Servers final : public ServerNames {
 public:
  /// Borrows `loop` and `peers`. `self` is who the servers take this client for; `hosts` by
  /// ServerId, as many as the table has.
  Servers(loop::EventLoop& loop, rpc::PeerTable& peers, ClientId self,
          std::vector<std::string> hosts, std::uint64_t timeout_ns);
  Servers(const Servers&) = delete;
  Servers& operator=(const Servers&) = delete;

  /// Where to hear of servers that have started again. Without it a lost server stays lost.
  void follow(NewsSource source) { news_ = std::move(source); }

  std::uint16_t count() const noexcept { return static_cast<std::uint16_t>(hosts_.size()); }
  std::string_view host_of(ServerId server) const noexcept override {
    return hosts_[to_integer(server)];
  }
  std::uint64_t timeout_ns() const noexcept override { return timeout_ns_; }
  std::uint64_t now_ns() const noexcept { return loop_.now_ns(); }
  std::uint64_t now_ns() noexcept { return loop_.now_ns(); }
  ClientId self() const noexcept { return self_; }
  /// For what the client names itself (locks, counters): from 1, never the same twice.
  std::uint64_t next_number() noexcept { return last_number_.fetch_add(1) + 1; }

  /// What may be in flight to one server: take before a bulk request, give back after it.
  struct Slots {
    coro::Semaphore requests{kRequestsPerServerMax};
    coro::Semaphore bytes{kBytesPerServerMax};
    std::uint64_t heard_ns = 0;         ///< When the server last answered anything.
    std::uint64_t lost_ns = 0;          ///< Since when it is known to be lost; 0: it is not.
    std::uint64_t next_attempt_ns = 0;  ///< While it is lost: when to try to connect again.
    rpc::Operations operations;         ///< What it is to do once.
    std::vector<wire::UnlockRangeRequest> unwanted;  ///< See disown().
  };
  Slots& slots(ServerId server) noexcept { return slots_[to_integer(server)]; }

  /// kTimedOut, with the server noted in `context`, if it has answered nobody since `since_ns` and
  /// that is longer ago than the time-out. Who has waited for a slot asks before the request: else
  /// many who wait for one silent server would each wait out a time-out, one after the other.
  Status check_not_silent(Context& context, ServerId server, std::uint64_t since_ns);

  /// As rpc::PeerTable says.
  std::uint64_t incarnation(ServerId server) const noexcept { return peers_.incarnation(server); }
  std::uint64_t loss_count(ServerId server) const noexcept { return peers_.loss_count(server); }
  /// How often a server was heard to have started again.
  std::uint64_t restart_count() const noexcept { return restart_count_; }

  /// A lock that may or may not be this client's is not wanted any more. Its server sees the client
  /// go, and ends the lock if that stays away; comes it back, the first thing that it asks is that.
  void disown(ServerId server, const wire::UnlockRangeRequest& lock);

  /// Learns from the published session whether the server has started again; waits for nothing.
  void look();

  /// Sends `request` and waits for the reply, for the time-out at most and to context.until_ns;
  /// sends it again while the server is busy, which is kTimedOut in the end. If the server is lost,
  /// looks for the one that started again in its place, for the time-out since the loss was noticed
  /// at most, and goes on with it as repeat.h says: whoever calls later, while it stays lost, hears
  /// of it at once. `payload` and `reply_buffer` are borrowed until the end. An inode's home comes
  /// from a server's message: one that is none of ours is answered with kProtocol. On an error
  /// notes the server in `context`.
  template <typename Request>
  coro::Task<Result<rpc::Answer<typename Request::Reply>>> call(
      Context& context, ServerId server, Request request, ConstBytes payload = {},
      Bytes reply_buffer = {}, rpc::WhenLate when_late = rpc::WhenLate::kRefuse) {
    if (to_integer(server) >= count()) {
      co_return fail(Errc::kProtocol, "client.server");
    }
    rpc::CallOptions options;
    options.deadline_ns = deadline_of(context);
    options.when_late = when_late;
    options.payload = payload;
    options.reply_buffer = reply_buffer;
    Pursuit pursuit{.incarnation = incarnation(server), .until_ns = options.deadline_ns};
    std::optional<rpc::Operations::Running> operation;
    if (wire::is_done_once(Request::kOp)) {
      operation.emplace(slots(server).operations);
    }
    for (std::uint64_t pause_ns = kRetryPauseNsMin;;) {
      // Who may take long to answer does not take longer to be reached.
      const std::uint64_t reach_ns = std::min(options.deadline_ns, loop_.now_ns() + timeout_ns_);
      auto connecting = peers_.connect(server, reach_ns);
      auto connection = co_await connecting;
      Error error{.code = Errc::kPeerLost, .where = "client.lost"};
      if (connection.has_value() && !slots(server).unwanted.empty()) {
        auto ending = end_unwanted(server, *connection, options.deadline_ns);
        const Status ended = co_await ending;
        if (!ended.has_value()) {
          connection = fail(ended.error());
        }
      }
      if (connection.has_value() && loop_.now_ns() < pursuit.until_ns) {
        if (operation.has_value()) {
          options.operation = operation->stamp();
        }
        const std::uint64_t named = incarnation(server);
        auto calling = peers_.call_over(*connection, server, request, options);
        auto answer = co_await calling;
        if (answer.has_value()) {
          slots(server).heard_ns = loop_.now_ns();
          slots(server).lost_ns = 0;
          context.answer_is_old = (*connection)->lost();
          context.incarnation = named;
          co_return std::move(answer);
        }
        error = answer.error();
      } else if (!connection.has_value()) {
        error = connection.error();
      }
      bool again = false;
      if (is_passing(error.code)) {
        const std::uint64_t resume_ns = loop_.now_ns() + pause_ns;
        pause_ns = std::min(2 * pause_ns, kRetryPauseNsMax);
        again = resume_ns < options.deadline_ns;
        if (again) {
          loop::SleepOp pause(loop_, resume_ns);
          co_await pause;
        }
      } else if (error.code == Errc::kPeerLost && if_lost(request) == IfLost::kRepeat) {
        pursuit.was_connected = connection.has_value();
        if (operation.has_value() && pursuit.was_connected) {
          pursuit.until_ns = std::min(pursuit.until_ns, loop_.now_ns() + kRepeatNsMax);
        }
        auto pursuing = pursue(server, pursuit);
        again = co_await pursuing;
      } else if (error.code == Errc::kPeerLost && if_lost(request) == IfLost::kAskLater &&
                 !std::exchange(pursuit.reconnected, true)) {
        auto asking = has_started_again(server, pursuit);
        again = co_await asking;
      }
      if (!again) {
        context.server = server;
        context.is_answer = error.where == rpc::kWhereAnswered;
        if (is_passing(error.code)) {
          co_return fail(Errc::kTimedOut, "client.busy");
        }
        co_return fail(error);
      }
    }
  }

 private:
  /// What a server says that will do it later: of two operations that exclude each other, one
  /// waits.
  static constexpr bool is_passing(Errc code) noexcept {
    return code == Errc::kAgain || code == Errc::kBusy;
  }

  /// When a call that begins now has to end.
  std::uint64_t deadline_of(const Context& context) const noexcept {
    const std::uint64_t own_ns =
        loop_.now_ns() + (context.timeout_ns != 0 ? context.timeout_ns : timeout_ns_);
    return context.until_ns == 0 ? own_ns : std::min(own_ns, context.until_ns);
  }

  /// The way of one call to a server that was lost.
  struct Pursuit {
    std::uint64_t incarnation = 0;  ///< Tried last.
    std::uint64_t until_ns = 0;     ///< When it is of no use any more.
    bool was_connected = false;     ///< The last attempt reached somebody.
    bool reconnected = false;       ///< The same incarnation has been tried twice.
    std::uint64_t pause_ns = 0;     ///< Before the next attempt.
  };

  /// Whether others know now of a later run of it than the one that was tried last, and it is not
  /// too late for it. Asks once and waits for no start.
  coro::Task<bool> has_started_again(ServerId server, Pursuit& pursuit);
  /// Waits until there is reason to try again; false if there is none in time.
  coro::Task<bool> pursue(ServerId server, Pursuit& pursuit);
  /// Ends what is not wanted at the server, before anything else is asked of it.
  coro::Task<Status> end_unwanted(ServerId server, std::shared_ptr<net::Connection> connection,
                                  std::uint64_t deadline_ns);
  /// Asks one of the other servers about it, unless one was asked a moment ago.
  coro::Task<void> ask_others(ServerId server);

  loop::EventLoop& loop_;
  rpc::PeerTable& peers_;
  const ClientId self_;
  std::atomic<std::uint64_t> last_number_ = 0;
  const std::vector<std::string> hosts_;
  const std::uint64_t timeout_ns_;
  std::deque<Slots> slots_;
  NewsSource news_;
  bool session_is_over_ = false;
  std::uint64_t restart_count_ = 0;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t next_ask_ns_ = 0;
  std::uint16_t next_asked_ = 0;
};

}  // namespace benchfs::client
