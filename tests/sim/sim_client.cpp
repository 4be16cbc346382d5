#include "sim/sim_client.h"

#include <utility>

#include <fmt/format.h>

#include "wire/header.h"

namespace benchfs::sim {

ClientRun::ClientRun(const Setting& setting, const session::Session& session,
                     client::NewsSource news)
    : setting_(setting),
      process_(setting.world, setting.clock, setting.number,
               fmt::format("client {}", setting.number)),
      transport_(setting.network, process_, setting.machine,
                 {.role = net::PeerIdentity::Role::kClient, .id = mix(setting.number)}) {
  transport_.listen(*this);
  std::vector<std::vector<std::byte>> addresses;
  std::vector<std::string> hosts;
  for (const session::Server& server : session.servers) {
    addresses.push_back(server.address);
    hosts.push_back(server.host);
  }
  caller_ = std::make_unique<rpc::Caller>(process_.loop(), session.epoch);
  peers_ =
      std::make_unique<rpc::PeerTable>(process_.loop(), transport_, *caller_, std::move(addresses));
  for (std::size_t i = 0; i < session.servers.size(); ++i) {
    const session::Server& server = session.servers[i];
    peers_->update(ServerId{static_cast<std::uint16_t>(i)}, server.incarnation, server.address);
  }
  servers_ =
      std::make_unique<client::Servers>(process_.loop(), *peers_, ClientId{mix(setting.number)},
                                        std::move(hosts), setting.timeout_ns);
  names_ = std::make_unique<client::Names>(*servers_, client::Owner{});
  servers_->follow(std::move(news));
}

ClientRun::~ClientRun() = default;

bool ClientRun::kill(bool machine_lives) {
  process_.kill();
  transport_.cut_off(machine_lives);
  return process_.drain([this] { return scope_.child_count() == 0; });
}

void ClientRun::leave() {
  BENCHFS_ASSERT(scope_.child_count() == 0);
  process_.kill();
  transport_.cut_off(true);
}

void ClientRun::on_accept(const std::shared_ptr<net::Connection>& connection) noexcept {
  connection->abort(Error{.code = Errc::kProtocol, .where = "client.accept"});
}

void ClientRun::on_message(const std::shared_ptr<net::Connection>& connection,
                           net::Message message) noexcept {
  const auto fixed = wire::decode_fixed_header(message.header());
  BENCHFS_ASSERT(fixed.has_value() && (fixed->flags & wire::kIsReply) != 0);
  caller_->on_reply(connection, *fixed, std::move(message));
}

void ClientRun::on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept {
  peers_->on_lost(*connection);
  caller_->on_lost(*connection, reason);
}

}  // namespace benchfs::sim
