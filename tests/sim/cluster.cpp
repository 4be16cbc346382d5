#include "sim/cluster.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace benchfs::sim {
namespace {

constexpr std::uint64_t kPollNs = 200 * kNsPerUs;
constexpr std::uint64_t kFirstClientNumber = 1'000'000;
constexpr std::uint64_t kFirstClientMachine = 1'000;

}  // namespace

Cluster::Cluster(World& world, const Plan& plan, Hooks hooks)
    : world_(world),
      plan_(plan),
      hooks_(std::move(hooks)),
      network_(world, plan.network),
      chance_(world.seed(), "cluster") {
  if (hooks_.prepare_network) {
    hooks_.prepare_network(network_);
  }
  session::Session session;
  session.session_id = chance_.next();
  session.epoch = 1;
  session.created_ns = 1;
  for (std::uint16_t i = 0; i < plan_.server_count; ++i) {
    machines_.push_back(
        std::make_unique<ServerMachine>(world_, network_, ServerId{i}, plan_.server));
    if (hooks_.prepare_machine) {
      hooks_.prepare_machine(*machines_.back());
    }
    session.servers.push_back({.host = fmt::format("n{}", i),
                               .address = {},
                               .capacity_bytes = plan_.server.drive_bytes,
                               .store_directory = "/",
                               .incarnation = 1,
                               .started_ns = 1});
  }
  published_ = session;
  for (std::uint64_t i = 0; i < plan_.client_count + 1; ++i) {
    client_clocks_.push_back(std::make_unique<MachineClock>(world_, chance_));
  }
}

Cluster::~Cluster() {
  for (const auto& machine : machines_) {
    if (machine->run() != nullptr) {
      machine->crash(false);
    }
  }
  world_.drop_events();
}

bool Cluster::run_until(const std::function<bool()>& done, std::uint64_t limit_ns) {
  const std::uint64_t until_ns = world_.now_ns() + limit_ns;
  while (!done()) {
    if (world_.failed() || world_.now_ns() > until_ns || !world_.step()) {
      return false;
    }
  }
  return !world_.failed();
}

bool Cluster::begin() {
  const auto all_in = [this](ServerRun::Phase phase) {
    return std::all_of(machines_.begin(), machines_.end(),
                       [phase](const auto& machine) { return machine->run()->phase() == phase; });
  };
  for (const auto& machine : machines_) {
    machine->start(hooks_.make_ledger);
  }
  session::Session session = published_;
  for (const auto& machine : machines_) {
    session.servers[to_integer(machine->self())].address = machine->run()->address();
  }
  published_ = session;
  for (const auto& machine : machines_) {
    machine->run()->begin(session, false);
  }
  if (!run_until([&all_in] { return all_in(ServerRun::Phase::kServing); }, 10 * kNsPerSec)) {
    world_.violate("the servers do not start");
    return false;
  }
  return true;
}

bool Cluster::all_up() const {
  return std::all_of(machines_.begin(), machines_.end(),
                     [](const auto& machine) { return machine->up(); });
}

void Cluster::start_server(ServerId server) {
  ServerMachine& at = machine(server);
  at.start(hooks_.make_ledger);
  world_.say(fmt::format("server {} starts", to_integer(server)));
  poll_start(server, at.starts());
}

/// Lets a server that knows its incarnation join, and starts one again whose drive has failed.
void Cluster::poll_start(ServerId server, std::uint64_t starts) {
  world_.after(kPollNs, "poll", to_integer(server), starts, [this, server, starts] {
    ServerMachine& at = machine(server);
    if (at.run() == nullptr || at.starts() != starts) {
      return;
    }
    switch (at.run()->phase()) {
      case ServerRun::Phase::kOpened: {
        session::Session& session = published_;
        session::Server& self = session.servers[to_integer(server)];
        self.incarnation = at.run()->incarnation();
        self.address = at.run()->address();
        at.run()->begin(session, true);
        poll_start(server, starts);
        break;
      }
      case ServerRun::Phase::kOpening:
      case ServerRun::Phase::kBeginning:
        poll_start(server, starts);
        break;
      case ServerRun::Phase::kServing:
        world_.say(fmt::format("server {} serves", to_integer(server)));
        break;
      case ServerRun::Phase::kFailed:
        start_failed(server);
        break;
    }
  });
}

void Cluster::start_failed(ServerId server) {
  const Error error = machine(server).run()->status().error();
  if (plan_.error_per_million + plan_.journal_error_per_million == 0 || error.code != Errc::kIo) {
    world_.violate(
        fmt::format("server {} does not recover: {}", to_integer(server), to_string(error)));
    return;
  }
  world_.count("fault.recovery_failed");
  crash_server(server, false);
  world_.after(50 * kNsPerMs, "again", to_integer(server), 0, [this, server] {
    if (machine(server).run() == nullptr && !world_.failed()) {
      start_server(server);
    }
  });
}

void Cluster::crash_server(ServerId server, bool power) {
  world_.say(fmt::format("server {} {}", to_integer(server), power ? "loses power" : "is killed"));
  machine(server).crash(power);
}

client::News Cluster::news_for(std::vector<std::uint64_t>& seen) const {
  const session::Session& session = published_;
  std::vector<std::uint64_t> now;
  for (const session::Server& item : session.servers) {
    now.push_back(item.incarnation);
  }
  if (now == seen) {
    return {};
  }
  seen = now;
  return {.kind = client::News::Kind::kChanged, .session = session};
}

std::unique_ptr<ClientRun> Cluster::make_client() {
  const std::uint64_t number = kFirstClientNumber + clients_made_++;
  const std::uint64_t node = (number - kFirstClientNumber) % client_clocks_.size();
  auto seen = std::make_shared<std::vector<std::uint64_t>>();
  return std::make_unique<ClientRun>(ClientRun::Setting{.world = world_,
                                                        .network = network_,
                                                        .clock = *client_clocks_[node],
                                                        .machine = kFirstClientMachine + node,
                                                        .number = number,
                                                        .timeout_ns = plan_.timeout_ns},
                                     published_, [this, seen] { return news_for(*seen); });
}

std::uint64_t Cluster::machine_of_client(const ClientRun& client) const {
  return kFirstClientMachine + (client.number() - kFirstClientNumber) % client_clocks_.size();
}

}  // namespace benchfs::sim
