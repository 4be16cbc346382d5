#include "client/sync_marks.h"

#include <algorithm>

#include "base/assert.h"

namespace benchfs::client {

SyncMarks::SyncMarks(const Servers& servers, const placement::Striping& striping,
                     const std::vector<ServerId>& of_name)
    : striping_(striping) {
  slots_.reserve(striping.stripe_count + 1);
  for (std::uint32_t i = 0; i < striping.stripe_count; ++i) {
    const ServerId server = placement::stripe_server(striping, i);
    slots_.push_back({.server = server, .since = servers.incarnation(server)});
  }
  add(servers, home_of(striping.file));
  for (const ServerId server : of_name) {
    add(servers, server);
  }
}

void SyncMarks::add(const Servers& servers, ServerId server) {
  const bool is_new = std::none_of(slots_.begin(), slots_.end(),
                                   [server](const Slot& slot) { return slot.server == server; });
  if (is_new) {
    slots_.push_back({.server = server, .since = servers.incarnation(server)});
  }
}

void SyncMarks::note(Slot& slot, std::uint64_t incarnation) noexcept {
  slot.last_write = ++write_count_;
  if (slot.unsynced == 0 || incarnation < slot.unsynced) {
    slot.unsynced = incarnation;
  }
}

void SyncMarks::wrote(ServerId server, std::uint64_t incarnation) noexcept {
  const std::uint32_t first = to_integer(slots_[0].server);
  const std::uint32_t index =
      (to_integer(server) + striping_.server_count - first) % striping_.server_count;
  BENCHFS_ASSERT(index < striping_.stripe_count && slots_[index].server == server);
  note(slots_[index], incarnation);
}

void SyncMarks::may_change_all(const Servers& servers) noexcept {
  for (Slot& slot : slots_) {
    note(slot, servers.incarnation(slot.server));
  }
}

void SyncMarks::end(std::size_t slot, const Begun& begun, std::uint64_t incarnation) noexcept {
  Slot& at = slots_[slot];
  at.since = std::max(at.since, incarnation);
  if (at.last_write <= begun.write_count) {
    at.unsynced = 0;
  }
}

}  // namespace benchfs::client
