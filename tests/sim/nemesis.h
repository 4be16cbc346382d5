#pragma once

// What goes wrong, and when: each kind of fault of the plan comes at random times until the faults
// end, and what it broke is mended some time after.
//
// Threading: the world's thread.

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/cluster.h"

namespace benchfs::sim {

class Nemesis {
 public:
  struct Victims {
    /// The clients that run now; a killed one is replaced.
    std::function<std::size_t()> client_count;
    std::function<ClientRun&(std::size_t index)> client;
    std::function<void(std::size_t index)> kill_client;
    /// Power failed at the server: what was not synced there may be gone.
    std::function<void(ServerId server)> power_was_cut;
  };

  Nemesis(Cluster& cluster, Victims victims);
  Nemesis(const Nemesis&) = delete;
  Nemesis& operator=(const Nemesis&) = delete;

  void begin();
  /// No fault from now on; everything is mended and every server runs, or starts.
  void end();

 private:
  void repeat(std::uint64_t mean_ns, const char* what, void (Nemesis::*strike)());
  void strike_server(bool power);
  void kill_server() { strike_server(false); }
  void cut_power() { strike_server(true); }
  void kill_client();
  void lose_connection();
  void partition();
  void pause();
  void slow_drive();
  void rot();
  void checkpoint();
  void restart_failed();

  std::uint64_t random_machine();

  Cluster& cluster_;
  World& world_;
  const Victims victims_;
  Chance chance_;
  bool over_ = false;
};

}  // namespace benchfs::sim
