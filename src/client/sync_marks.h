#pragma once

// What an open file remembers so that an fsync tells of a power failure: as which incarnation each
// of its servers was known when the file was opened, or synced last. What a server acknowledges
// survives its process, and only what was synced survives its power. So if its power era
// (wire::FsyncReply) began later than that, something that was acknowledged, by it to whomever, may
// be gone, and an fsync must not say that it is there. It is said once: then the file is clear.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "client/servers.h"
#include "placement/placement.h"

namespace benchfs::client {

class SyncMarks {
 public:
  /// Of a file that is opened now: its data servers, its home, and those that keep its name.
  SyncMarks(const Servers& servers, const placement::Striping& striping,
            const std::vector<ServerId>& of_name);

  /// The servers that an fsync asks.
  std::size_t count() const noexcept { return slots_.size(); }
  ServerId server(std::size_t slot) const noexcept { return slots_[slot].server; }

  /// A write was answered by the server's `incarnation`. `server` is one of the file's.
  void wrote(ServerId server, std::uint64_t incarnation) noexcept;
  /// Something is going to be changed on any of them.
  void may_change_all(const Servers& servers) noexcept;

  /// What was so when an fsync began: it speaks of what was acknowledged before it.
  struct Begun {
    std::uint64_t since = 0;
    std::uint64_t write_count = 0;
  };
  Begun begin(std::size_t slot) const noexcept {
    return {.since = slots_[slot].since, .write_count = write_count_};
  }
  /// Whether what was acknowledged before it began may be gone: `power_era` is what the server
  /// answers.
  static bool lost(const Begun& begun, std::uint64_t power_era) noexcept {
    return begun.since != 0 && power_era > begun.since;
  }
  /// The fsync has ended at the server's `incarnation`, and was told what was lost, if anything.
  void end(std::size_t slot, const Begun& begun, std::uint64_t incarnation) noexcept;

  /// The incarnation that answered the first write through this file which was not synced; 0: all
  /// were.
  std::uint64_t unsynced(std::size_t slot) const noexcept { return slots_[slot].unsynced; }

 private:
  struct Slot {
    ServerId server{};
    std::uint64_t since = 0;     ///< Incarnation; 0: none is known.
    std::uint64_t unsynced = 0;  ///< Incarnation.
    std::uint64_t last_write = 0;
  };

  void add(const Servers& servers, ServerId server);
  void note(Slot& slot, std::uint64_t incarnation) noexcept;

  const placement::Striping striping_;
  std::vector<Slot> slots_;  ///< The data servers in the order of the stripe, then others.
  std::uint64_t write_count_ = 0;
};

}  // namespace benchfs::client
