#include "server/handlers/membership.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "coro/scope.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

/// Servers that are told at the same time.
constexpr std::uint64_t kToldAtOnceMax = 64;

std::vector<std::byte> to_bytes(const std::string& text) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) {
    std::memcpy(bytes.data(), text.data(), text.size());
  }
  return bytes;
}

std::string to_text(const std::vector<std::byte>& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

/// What the tasks of one announce() share.
struct MembershipService::Round {
  std::uint64_t deadline_ns = 0;
  std::vector<std::byte> mine;  ///< This server's entry, encoded.
  /// The incarnation as which each server has been told, or was last tried.
  std::vector<std::uint64_t> told;
  coro::Semaphore window{kToldAtOnceMax};
  bool all_answered = true;
};

MembershipService::MembershipService(Membership membership, Parts parts)
    : membership_(std::move(membership)), parts_(parts) {
  BENCHFS_ASSERT(membership_.session.servers.size() == parts_.peers.server_count());
  for (std::uint16_t i = 0; i < parts_.peers.server_count(); ++i) {
    const session::Server& server = membership_.session.servers[i];
    parts_.peers.update(ServerId{i}, server.incarnation, server.address);
  }
  parts_.dispatcher.on<wire::JoinRequest>(
      [this](rpc::Request& request, wire::JoinRequest /*body*/, rpc::ReplyPayload& /*payload*/) {
        return join(request);
      });
  parts_.exchange.on<wire::GetServerRequest>(*this, &MembershipService::get_server);
}

wire::ServerEntry MembershipService::entry_of(ServerId server) const {
  const session::Server& known = membership_.session.servers[to_integer(server)];
  return {.server = server,
          .incarnation = known.incarnation,
          .address = to_text(known.address),
          .host = known.host,
          .pid = known.pid,
          .capacity_bytes = known.capacity_bytes,
          .store_directory = known.store_directory,
          .started_ns = known.started_ns};
}

Status MembershipService::adopt(wire::ServerEntry entry) {
  std::vector<session::Server>& servers = membership_.session.servers;
  const std::size_t index = to_integer(entry.server);
  if (index >= servers.size() || entry.incarnation == 0 || entry.address.empty()) {
    return fail(Errc::kProtocol, "membership.entry");
  }
  take_over(entry.server, session::Server{.host = std::move(entry.host),
                                          .pid = entry.pid,
                                          .address = to_bytes(entry.address),
                                          .capacity_bytes = entry.capacity_bytes,
                                          .store_directory = std::move(entry.store_directory),
                                          .incarnation = entry.incarnation,
                                          .started_ns = entry.started_ns});
  return Status();
}

void MembershipService::take_over(ServerId server, session::Server news) {
  session::Server& known = membership_.session.servers[to_integer(server)];
  if (news.incarnation <= known.incarnation || server == membership_.self) {
    return;  // Nobody knows better than we who we are.
  }
  log_info("server {} ({}) has started again: incarnation {}, pid {}", to_integer(server),
           news.host, news.incarnation, news.pid);
  known = std::move(news);
  parts_.peers.update(server, known.incarnation, known.address);
  if (!membership_.session_directory.empty()) {
    const auto amended = session::amend_session(membership_.session_directory, membership_.session);
    // A node whose session was taken away meanwhile needs no news.
    if (!amended.has_value() && amended.error().error.code != Errc::kNotFound) {
      log_warning("the session file does not tell of the restart: {}", amended.error().text);
    }
  }
}

void MembershipService::look_at_published() {
  if (membership_.session_directory.empty()) {
    return;
  }
  auto published = session::read_session(membership_.session_directory);
  if (!published.has_value() || published->session_id != membership_.session.session_id ||
      published->servers.size() != membership_.session.servers.size()) {
    return;
  }
  for (std::uint16_t i = 0; i < published->servers.size(); ++i) {
    take_over(ServerId{i}, std::move(published->servers[i]));
  }
}

coro::Task<Result<wire::JoinReply>> MembershipService::join(rpc::Request& request) {
  const net::PeerIdentity peer = request.peer();
  if (peer.role != net::PeerIdentity::Role::kServer) {
    co_return fail(Errc::kPermission, "membership.asker");
  }
  if (request.payload_bytes() == 0 || request.payload_bytes() > wire::kServerEntryBytesMax) {
    co_return fail(Errc::kProtocol, "membership.payload");
  }
  std::vector<std::byte> bytes(request.payload_bytes());
  BENCHFS_CO_CHECK(request.receive_payload(bytes));
  wire::ServerEntry entry;
  wire::Decoder decoder{ConstBytes(bytes)};
  decoder& entry;
  if (!decoder.finished()) {
    co_return fail(Errc::kProtocol, "membership.entry");
  }
  if (to_integer(entry.server) != peer.id) {
    co_return fail(Errc::kPermission, "membership.server");
  }
  BENCHFS_CO_CHECK_NOW(adopt(std::move(entry)));
  wire::JoinReply reply;
  for (const session::Server& server : membership_.session.servers) {
    reply.incarnations.push_back(server.incarnation);
  }
  co_return reply;
}

coro::Task<Result<wire::ServerEntry>> MembershipService::get_server(
    Context /*context*/, wire::GetServerRequest request) {
  if (to_integer(request.server) >= membership_.session.servers.size()) {
    co_return fail(Errc::kStale, "membership.server");
  }
  co_return entry_of(request.server);
}

// ---- Telling others
// ------------------------------------------------------------------------------------

coro::Task<bool> MembershipService::announce(std::uint64_t deadline_ns) {
  const std::size_t count = membership_.session.servers.size();
  Round round;
  round.deadline_ns = deadline_ns;
  round.told.assign(count, 0);
  round.mine.resize(wire::kServerEntryBytesMax);
  wire::Encoder encoder{Bytes(round.mine)};
  encoder& entry_of(membership_.self);
  BENCHFS_ASSERT(encoder.ok());  // It is what we said of ourselves.
  round.mine.resize(encoder.size());
  look_at_published();
  for (bool news = true; news;) {
    news = false;
    coro::Scope scope;
    for (std::uint16_t i = 0; i < count; ++i) {
      const std::uint64_t incarnation = membership_.session.servers[i].incarnation;
      if (ServerId{i} == membership_.self || round.told[i] == incarnation) {
        continue;
      }
      news = true;
      round.told[i] = incarnation;
      auto window = round.window.acquire(1);
      co_await window;
      scope.spawn(tell(ServerId{i}, round));
    }
    co_await scope.join();
  }
  silence_logged_ = true;
  co_return round.all_answered;
}

coro::Task<void> MembershipService::tell(ServerId server, Round& round) {
  const rpc::CallOptions options{
      .deadline_ns = round.deadline_ns, .payload = round.mine, .reply_buffer = {}};
  auto telling = parts_.peers.call(server, wire::JoinRequest(), options);
  const auto answer = co_await telling;
  Status outcome;
  if (answer.has_value()) {
    outcome = co_await hear_more(server, answer->reply, round);
  } else {
    outcome = fail(answer.error());
  }
  if (!outcome.has_value()) {
    round.all_answered = false;
    if (!silence_logged_) {
      log_warning("server {} could not be told that this one has started again: {}",
                  to_integer(server), to_string(outcome.error()));
    }
  }
  round.window.release(1);
}

coro::Task<Status> MembershipService::hear_more(ServerId from, const wire::JoinReply& reply,
                                                Round& round) {
  if (reply.incarnations.size() != membership_.session.servers.size()) {
    co_return fail(Errc::kProtocol, "membership.reply");
  }
  for (std::uint16_t i = 0; i < reply.incarnations.size(); ++i) {
    if (ServerId{i} == membership_.self ||
        reply.incarnations[i] <= membership_.session.servers[i].incarnation) {
      continue;
    }
    const wire::GetServerRequest request{.server = ServerId{i}};
    auto asking = parts_.exchange.ask(from, request, round.deadline_ns);
    BENCHFS_CO_TRY(auto entry, asking);
    BENCHFS_CO_CHECK_NOW(adopt(std::move(entry)));
  }
  co_return Status();
}

}  // namespace benchfs::server
