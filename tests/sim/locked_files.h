#pragma once

// Locks of ranges that all clients take. Of two locks that exclude each other, and that both ended
// as held (unlock succeeded), one ended before the other was told: whatever the servers, clients
// and connections went through. A lock whose end fails counts for nothing, as its client is told.
//
// Threading: the world's thread.

#include <cstdint>
#include <string>
#include <vector>

#include "sim/user.h"

namespace benchfs::sim {

class LockedFiles {
 public:
  coro::Task<void> set_up(User& user);
  coro::Task<void> work(User& user, Chance chance, const std::uint64_t& until_ns);
  /// All of every file can be locked: nobody's lock is left.
  coro::Task<void> verify(User& user);

 private:
  struct Held {
    std::size_t file = 0;
    client::Extent range;
    bool shared = false;
    std::uint64_t client = 0;
    std::uint64_t from_ns = 0;  ///< When the client was told.
    std::uint64_t to_ns = 0;    ///< When it began to unlock.
  };
  coro::Task<void> lock_once(User& user, Chance& chance);
  void ended_well(World& world, const Held& held);

  std::vector<Held> ended_;
};

}  // namespace benchfs::sim
