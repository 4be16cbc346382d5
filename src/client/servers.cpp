#include "client/servers.h"

#include "base/assert.h"

namespace benchfs::client {
namespace {

/// Between two looks at the published session, by however many calls.
constexpr std::uint64_t kLookPauseNs = 10 * kNsPerMs;
/// Between two questions to other servers.
constexpr std::uint64_t kAskPauseNs = 200 * kNsPerMs;
/// How long another server may take to tell what it knows.
constexpr std::uint64_t kAskNsMax = kNsPerSec;
/// Between two looks of one call.
constexpr std::uint64_t kPursuitPauseNsMin = 10 * kNsPerMs;
constexpr std::uint64_t kPursuitPauseNsMax = 100 * kNsPerMs;
/// Between two attempts to connect to a lost server, by however many calls.
constexpr std::uint64_t kAttemptPauseNs = 250 * kNsPerMs;

std::vector<std::byte> to_bytes(const std::string& text) {
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  return std::vector<std::byte>(begin, begin + text.size());
}

}  // namespace

Servers::Servers(loop::EventLoop& loop, rpc::PeerTable& peers, ClientId self,
                 std::vector<std::string> hosts, std::uint64_t timeout_ns)
    : loop_(loop),
      peers_(peers),
      self_(self),
      hosts_(std::move(hosts)),
      timeout_ns_(timeout_ns),
      slots_(hosts_.size()) {
  BENCHFS_ASSERT(!hosts_.empty() && hosts_.size() == peers_.server_count());
}

Status Servers::check_not_silent(Context& context, ServerId server, std::uint64_t since_ns) {
  if (slots(server).heard_ns > since_ns || loop_.now_ns() - since_ns < timeout_ns_) {
    return Status();
  }
  context.server = server;
  return fail(Errc::kTimedOut, "client.slot");
}

void Servers::disown(ServerId server, const wire::UnlockRangeRequest& lock) {
  slots(server).unwanted.push_back(lock);
  peers_.drop(server);
}

coro::Task<Status> Servers::end_unwanted(ServerId server,
                                         std::shared_ptr<net::Connection> connection,
                                         std::uint64_t deadline_ns) {
  const std::vector<wire::UnlockRangeRequest> unwanted = std::exchange(slots(server).unwanted, {});
  Status outcome;
  for (const wire::UnlockRangeRequest& lock : unwanted) {
    if (outcome.has_value()) {
      const rpc::CallOptions options{.deadline_ns = deadline_ns, .payload = {}, .reply_buffer = {}};
      auto calling = peers_.call_over(connection, server, lock, options);
      const auto answer = co_await calling;
      if (!answer.has_value() && answer.error().code != Errc::kNoLock) {
        outcome = fail(answer.error());
      }
    }
    if (!outcome.has_value()) {
      slots(server).unwanted.push_back(lock);
    }
  }
  if (!outcome.has_value()) {
    peers_.drop(server);
  }
  co_return outcome;
}

void Servers::look() {
  const std::uint64_t now_ns = loop_.now_ns();
  if (!news_ || now_ns < next_look_ns_) {
    return;
  }
  next_look_ns_ = now_ns + kLookPauseNs;
  const News news = news_();
  session_is_over_ = news.kind == News::Kind::kGone;
  if (news.kind != News::Kind::kChanged || news.session.servers.size() != count()) {
    return;
  }
  for (std::uint16_t i = 0; i < count(); ++i) {
    const session::Server& server = news.session.servers[i];
    if (peers_.update(ServerId{i}, server.incarnation, server.address)) {
      ++restart_count_;
      slots_[i].lost_ns = 0;
    }
  }
}

coro::Task<void> Servers::ask_others(ServerId server) {
  const std::uint64_t now_ns = loop_.now_ns();
  if (now_ns < next_ask_ns_) {
    co_return;
  }
  for (std::uint16_t tried = 0; tried < count(); ++tried) {
    const ServerId other{next_asked_};
    next_asked_ = static_cast<std::uint16_t>((next_asked_ + 1) % count());
    if (other == server || slots(other).lost_ns != 0) {
      continue;
    }
    next_ask_ns_ = now_ns + kAskNsMax + kAskPauseNs;  // One at a time.
    const rpc::CallOptions options{
        .deadline_ns = now_ns + kAskNsMax, .payload = {}, .reply_buffer = {}};
    const wire::GetServerRequest request{.server = server};
    auto asking = peers_.call(other, request, options);
    const auto answer = co_await asking;
    next_ask_ns_ = loop_.now_ns() + kAskPauseNs;
    if (answer.has_value() && answer->reply.server == server && !answer->reply.address.empty() &&
        peers_.update(server, answer->reply.incarnation, to_bytes(answer->reply.address))) {
      ++restart_count_;
      slots(server).lost_ns = 0;
    }
    co_return;
  }
}

coro::Task<bool> Servers::has_started_again(ServerId server, Pursuit& pursuit) {
  look();
  if (news_ && incarnation(server) == pursuit.incarnation) {
    auto asking = ask_others(server);
    co_await asking;
  }
  if (incarnation(server) == pursuit.incarnation) {
    co_return false;
  }
  pursuit.incarnation = incarnation(server);
  pursuit.reconnected = false;
  pursuit.pause_ns = 0;
  co_return loop_.now_ns() < pursuit.until_ns;
}

coro::Task<bool> Servers::pursue(ServerId server, Pursuit& pursuit) {
  Slots& slots = this->slots(server);
  if (slots.lost_ns == 0) {
    slots.lost_ns = loop_.now_ns();
    slots.next_attempt_ns = slots.lost_ns + kAttemptPauseNs;
  }
  const std::uint64_t lost_ns = slots.lost_ns;
  const std::uint64_t until_ns = std::min(pursuit.until_ns, lost_ns + timeout_ns_);
  for (;;) {
    auto asking = has_started_again(server, pursuit);
    const bool started_again = co_await asking;
    if (started_again) {
      co_return true;
    }
    if (pursuit.was_connected && !std::exchange(pursuit.reconnected, true)) {
      co_return true;  // Perhaps only the connection is lost.
    }
    if (!news_ && !pursuit.was_connected) {
      co_return false;  // Nobody would tell of another one.
    }
    pursuit.pause_ns = std::clamp(2 * pursuit.pause_ns, kPursuitPauseNsMin, kPursuitPauseNsMax);
    const std::uint64_t resume_ns = loop_.now_ns() + pursuit.pause_ns;
    if (session_is_over_ || resume_ns >= until_ns) {
      co_return false;
    }
    loop::SleepOp pause(loop_, resume_ns);
    co_await pause;
    if (pursuit.was_connected || slots.lost_ns == 0) {
      co_return true;  // Somebody is there: the connection was lost again, or others have one.
    }
    if (loop_.now_ns() >= slots.next_attempt_ns) {
      // It may be there after all: one that starts is known before it serves, and attempts fail for
      // other reasons too.
      slots.next_attempt_ns = loop_.now_ns() + kAttemptPauseNs;
      co_return true;
    }
  }
}

}  // namespace benchfs::client
