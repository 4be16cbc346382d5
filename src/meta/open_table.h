#pragma once

// Who has which file open. Not durable: a server that starts again knows no opens, and clients
// learn it from the loss of the connection.
//
// Pure state. Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/ids.h"
#include "wire/messages.h"

namespace benchfs::meta {

/// One open file of one client.
struct Open {
  InodeId inode = kNoInode;
  ClientId client{};
  std::uint32_t flags = 0;  ///< wire::OpenFlag.
  bool closing = false;     ///< Its close is under way: it counts, but cannot be used any more.

  bool writes() const noexcept { return (flags & wire::kOpenWrite) != 0; }
  bool appends() const noexcept { return writes() && (flags & wire::kOpenAppend) != 0; }
};

class OpenTable {
 public:
  /// Returns the new open's id: never 0, never used twice, and larger than
  /// all before.
  std::uint64_t add(const Open& open);
  /// Requires that the open exists.
  void remove(std::uint64_t open_id);
  void set_closing(std::uint64_t open_id);

  /// nullptr if there is none. Valid until the table changes.
  const Open* find(std::uint64_t open_id) const;
  /// The opens of `client` that are not being closed.
  std::vector<std::uint64_t> of_client(ClientId client) const;

  std::size_t size() const noexcept { return opens_.size(); }
  std::uint64_t next_id() const noexcept { return next_id_; }
  /// Ids to come are this or more. Before the first add().
  void begin_at(std::uint64_t id) noexcept { next_id_ = id; }

 private:
  absl::flat_hash_map<std::uint64_t, Open> opens_;
  absl::flat_hash_map<ClientId, absl::flat_hash_set<std::uint64_t>> by_client_;
  std::uint64_t next_id_ = 1;
};

}  // namespace benchfs::meta
