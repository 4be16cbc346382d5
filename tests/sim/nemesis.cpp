#include "sim/nemesis.h"

#include <fmt/format.h>

namespace benchfs::sim {
namespace {

constexpr std::uint64_t kPauseNsMax = 7 * kNsPerSec;
constexpr std::uint64_t kPartitionNsMax = 12 * kNsPerSec;
constexpr std::uint64_t kSlowNsMax = 3 * kNsPerSec;
constexpr std::uint64_t kFailedPollNs = 300 * kNsPerMs;

}  // namespace

Nemesis::Nemesis(Cluster& cluster, Victims victims)
    : cluster_(cluster),
      world_(cluster.world()),
      victims_(std::move(victims)),
      chance_(cluster.world().seed(), "nemesis") {}

void Nemesis::begin() {
  const Plan& plan = cluster_.plan();
  repeat(plan.server_kill_ns, "kill", &Nemesis::kill_server);
  repeat(plan.power_cut_ns, "power", &Nemesis::cut_power);
  repeat(plan.client_kill_ns, "kill.client", &Nemesis::kill_client);
  repeat(plan.lose_connection_ns, "lose", &Nemesis::lose_connection);
  repeat(plan.partition_ns, "partition", &Nemesis::partition);
  repeat(plan.pause_ns, "pause", &Nemesis::pause);
  repeat(plan.slow_drive_ns, "slow", &Nemesis::slow_drive);
  repeat(plan.rot_ns, "rot", &Nemesis::rot);
  repeat(plan.checkpoint_ns, "checkpoint", &Nemesis::checkpoint);
  for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
    SimDrive& drive = cluster_.machine(ServerId{i}).drive();
    drive.error_per_million = plan.error_per_million;
    drive.journal_error_per_million = plan.journal_error_per_million;
  }
  if (plan.journal_error_per_million > 0) {
    repeat(kFailedPollNs, "failed", &Nemesis::restart_failed);
  }
}

void Nemesis::repeat(std::uint64_t mean_ns, const char* what, void (Nemesis::*strike)()) {
  if (mean_ns == 0) {
    return;
  }
  world_.after(chance_.between(1, 2 * mean_ns), what, 0, 0, [this, mean_ns, what, strike] {
    if (!over_) {
      (this->*strike)();
      repeat(mean_ns, what, strike);
    }
  });
}

void Nemesis::strike_server(bool power) {
  const ServerId server{static_cast<std::uint16_t>(chance_.below(cluster_.server_count()))};
  ServerMachine& machine = cluster_.machine(server);
  if (machine.run() == nullptr) {
    return;
  }
  world_.count(power ? "fault.power_cut" : "fault.server_kill");
  if (!machine.up()) {
    world_.count("fault.crash_in_recovery");
  }
  cluster_.crash_server(server, power);
  if (power) {
    victims_.power_was_cut(server);
  }
  const std::uint64_t down_ns = chance_.between(kNsPerMs, cluster_.plan().down_ns_max + kNsPerMs);
  const std::uint64_t starts = machine.starts();
  world_.after(down_ns, "restart", to_integer(server), 0, [this, server, starts] {
    ServerMachine& at = cluster_.machine(server);
    if (at.run() == nullptr && at.starts() == starts && !world_.failed()) {
      cluster_.start_server(server);
    }
  });
}

/// A server whose journal has failed answers kIo until it is started again.
void Nemesis::restart_failed() {
  for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
    ServerMachine& machine = cluster_.machine(ServerId{i});
    if (machine.up() && !machine.run()->journal().health().has_value()) {
      world_.count("fault.journal_failed");
      cluster_.crash_server(ServerId{i}, false);
      cluster_.start_server(ServerId{i});
    }
  }
}

void Nemesis::kill_client() {
  if (victims_.client_count() > 0) {
    world_.count("fault.client_kill");
    victims_.kill_client(chance_.below(victims_.client_count()));
  }
}

void Nemesis::lose_connection() {
  if (cluster_.network().lose_one()) {
    world_.count("fault.connection_lost");
  }
}

std::uint64_t Nemesis::random_machine() {
  const std::uint64_t servers = cluster_.server_count();
  const std::uint64_t index = chance_.below(servers + victims_.client_count());
  return index < servers ? index : cluster_.machine_of_client(victims_.client(index - servers));
}

void Nemesis::partition() {
  const std::uint64_t one = random_machine();
  const std::uint64_t other = random_machine();
  if (one == other) {
    return;
  }
  world_.count("fault.partition");
  world_.say(fmt::format("machines {} and {} are cut off from each other", one, other));
  cluster_.network().partition(one, other);
  world_.after(chance_.magnitude(kPartitionNsMax), "heal", one, other,
               [this, one, other] { cluster_.network().heal(one, other); });
}

void Nemesis::pause() {
  const std::uint64_t servers = cluster_.server_count();
  const std::uint64_t index = chance_.below(servers + victims_.client_count());
  Process* process = nullptr;
  if (index >= servers) {
    process = &victims_.client(index - servers).process();
  } else if (ServerRun* run = cluster_.machine(ServerId{static_cast<std::uint16_t>(index)}).run()) {
    process = &run->process();
  }
  if (process == nullptr) {
    return;
  }
  world_.count("fault.pause");
  world_.say(fmt::format("{} stands still", process->name()));
  process->pause_until(world_.now_ns() + chance_.magnitude(kPauseNsMax));
}

void Nemesis::slow_drive() {
  const ServerId server{static_cast<std::uint16_t>(chance_.below(cluster_.server_count()))};
  SimDrive& drive = cluster_.machine(server).drive();
  world_.count("fault.slow_drive");
  drive.slow_factor = chance_.magnitude(200);
  world_.after(chance_.magnitude(kSlowNsMax), "fast", to_integer(server), 0,
               [&drive] { drive.slow_factor = 1; });
}

void Nemesis::rot() {
  const ServerId server{static_cast<std::uint16_t>(chance_.below(cluster_.server_count()))};
  if (cluster_.machine(server).drive().rot()) {
    world_.count("fault.rot");
  }
}

void Nemesis::checkpoint() {
  const ServerId server{static_cast<std::uint16_t>(chance_.below(cluster_.server_count()))};
  ServerMachine& machine = cluster_.machine(server);
  if (machine.up()) {
    world_.count("event.checkpoint");
    machine.run()->checkpoint();
  }
}

void Nemesis::end() {
  over_ = true;
  cluster_.network().heal_all();
  for (std::uint16_t i = 0; i < cluster_.server_count(); ++i) {
    ServerMachine& machine = cluster_.machine(ServerId{i});
    machine.drive().error_per_million = 0;
    machine.drive().journal_error_per_million = 0;
    machine.drive().slow_factor = 1;
    if (machine.run() != nullptr && !machine.run()->journal().health().has_value()) {
      cluster_.crash_server(ServerId{i}, false);
    }
    if (machine.run() == nullptr && !world_.failed()) {
      cluster_.start_server(ServerId{i});
    }
  }
}

}  // namespace benchfs::sim
