#pragma once

// Names that all clients make, remove and rename at the same time: files, folders and links. Each
// round has two names of its own, and names in the folders that these may be; what everybody was
// told about them must be what some order of the calls tells (race_order.h).
//
// Threading: the world's thread.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/race_order.h"
#include "sim/user.h"

namespace benchfs::sim {

class Races {
 public:
  coro::Task<void> set_up(User& user);
  coro::Task<void> work(User& user, Chance chance, const std::uint64_t& until_ns);
  coro::Task<void> verify(User& user);
  /// What was not synced may be as it was before: nothing is known of the rounds so far.
  void power_cut() { rounds_.clear(); }

 private:
  struct Round {
    std::vector<RaceCall> calls;
  };
  coro::Task<void> call(User& user, std::uint64_t round, RaceCall call);
  coro::Task<void> look_back(User& user, Chance& chance, std::uint64_t round);
  /// Looks at all that is left of the round.
  coro::Task<void> look(User& user, std::uint64_t round);

  std::map<std::uint64_t, Round> rounds_;
};

}  // namespace benchfs::sim
