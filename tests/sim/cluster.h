#pragma once

// Servers, clients and the network between them: who runs where, and who knows of whom.
//
// Threading: the world's thread.

#include <functional>
#include <memory>
#include <vector>

#include "session/session_file.h"
#include "sim/plan.h"
#include "sim/sim_client.h"
#include "sim/sim_network.h"
#include "sim/sim_server.h"

namespace benchfs::sim {

/// What a mutation puts in place of the product's parts.
struct Hooks {
  LedgerFactory make_ledger;
  std::function<void(ServerMachine& machine)> prepare_machine;
  std::function<void(SimNetwork& network)> prepare_network;
};

class Cluster {
 public:
  Cluster(World& world, const Plan& plan, Hooks hooks);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  World& world() noexcept { return world_; }
  const Plan& plan() const noexcept { return plan_; }
  SimNetwork& network() noexcept { return network_; }

  std::uint16_t server_count() const noexcept { return plan_.server_count; }
  ServerMachine& machine(ServerId server) { return *machines_[to_integer(server)]; }

  /// Makes all stores and starts all servers, without faults. False after a violation.
  bool begin();

  /// Starts the server of a machine on which none runs, and lets it join.
  void start_server(ServerId server);
  void crash_server(ServerId server, bool power);
  bool all_up() const;

  /// A new client process; the caller ends it by kill() or leave().
  std::unique_ptr<ClientRun> make_client();
  /// Machines of clients: behind those of the servers.
  std::uint64_t machine_of_client(const ClientRun& client) const;

  /// Runs the world until `done`, or a violation, or for `limit_ns`; whether `done` was the reason.
  bool run_until(const std::function<bool()>& done, std::uint64_t limit_ns);

 private:
  void poll_start(ServerId server, std::uint64_t starts);
  void start_failed(ServerId server);
  client::News news_for(std::vector<std::uint64_t>& seen) const;

  World& world_;
  const Plan plan_;
  const Hooks hooks_;
  SimNetwork network_;
  Chance chance_;
  std::vector<std::unique_ptr<ServerMachine>> machines_;
  session::Session published_;  ///< The session file, which all nodes see.
  std::vector<std::unique_ptr<MachineClock>> client_clocks_;
  std::uint64_t clients_made_ = 0;
};

}  // namespace benchfs::sim
