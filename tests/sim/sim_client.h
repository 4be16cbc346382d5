#pragma once

// A client process: the product's client library below its threads (client::Mount owns the
// machine's clock and network, so what it is made of stands here on simulated ones).
//
// Threading: the world's thread.

#include <memory>
#include <string>
#include <vector>

#include "client/file.h"
#include "client/listing.h"
#include "client/names.h"
#include "client/servers.h"
#include "coro/scope.h"
#include "rpc/caller.h"
#include "rpc/peer_table.h"
#include "session/session_file.h"
#include "sim/sim_network.h"

namespace benchfs::sim {

class ClientRun final : private net::Listener {
 public:
  struct Setting {
    World& world;
    SimNetwork& network;
    MachineClock& clock;
    std::uint64_t machine = 0;
    std::uint64_t number = 0;  ///< Of the process; also makes its ClientId.
    std::uint64_t timeout_ns = 0;
  };

  ClientRun(const Setting& setting, const session::Session& session, client::NewsSource news);
  ~ClientRun() override;
  ClientRun(const ClientRun&) = delete;
  ClientRun& operator=(const ClientRun&) = delete;

  /// Starts `task` as something that the client's program does.
  void spawn(coro::Task<void> task) {
    scope_.spawn(std::move(task));
    process_.poke();
  }
  std::size_t running() const noexcept { return scope_.child_count(); }

  /// Dies now. False if something never ended.
  bool kill(bool machine_lives);
  /// Leaves in order; nothing may be running. It is of no use afterwards.
  void leave();

  bool dead() const noexcept { return process_.dead(); }
  Process& process() noexcept { return process_; }
  World& world() noexcept { return setting_.world; }
  loop::EventLoop& loop() noexcept { return process_.loop(); }
  client::Servers& servers() noexcept { return *servers_; }
  client::Names& names() noexcept { return *names_; }
  std::uint64_t timeout_ns() const noexcept { return setting_.timeout_ns; }
  std::uint64_t number() const noexcept { return setting_.number; }

 private:
  void on_accept(const std::shared_ptr<net::Connection>& connection) noexcept override;
  void on_message(const std::shared_ptr<net::Connection>& connection,
                  net::Message message) noexcept override;
  void on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept override;

  const Setting setting_;
  Process process_;
  SimTransport transport_;
  std::unique_ptr<rpc::Caller> caller_;
  std::unique_ptr<rpc::PeerTable> peers_;
  std::unique_ptr<client::Servers> servers_;
  std::unique_ptr<client::Names> names_;
  coro::Scope scope_;
};

}  // namespace benchfs::sim
