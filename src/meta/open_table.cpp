#include "meta/open_table.h"

#include <algorithm>

#include "base/assert.h"

namespace benchfs::meta {

std::uint64_t OpenTable::add(const Open& open) {
  BENCHFS_ASSERT(open.inode != kNoInode && !open.closing);
  const std::uint64_t id = next_id_++;
  const bool is_new = opens_.emplace(id, open).second;
  BENCHFS_ASSERT(is_new);
  by_client_[open.client].insert(id);
  return id;
}

void OpenTable::remove(std::uint64_t open_id) {
  const auto found = opens_.find(open_id);
  BENCHFS_ASSERT(found != opens_.end());
  const auto client = by_client_.find(found->second.client);
  BENCHFS_ASSERT(client != by_client_.end() && client->second.contains(open_id));
  client->second.erase(open_id);
  if (client->second.empty()) {
    by_client_.erase(client);
  }
  opens_.erase(found);
}

void OpenTable::set_closing(std::uint64_t open_id) {
  const auto found = opens_.find(open_id);
  BENCHFS_ASSERT(found != opens_.end() && !found->second.closing);
  found->second.closing = true;
}

const Open* OpenTable::find(std::uint64_t open_id) const {
  const auto found = opens_.find(open_id);
  return found == opens_.end() ? nullptr : &found->second;
}

std::vector<std::uint64_t> OpenTable::of_client(ClientId client) const {
  std::vector<std::uint64_t> ids;
  if (const auto found = by_client_.find(client); found != by_client_.end()) {
    for (const std::uint64_t id : found->second) {
      if (!opens_.at(id).closing) {
        ids.push_back(id);
      }
    }
  }
  std::sort(ids.begin(), ids.end());  // The same order for the same history, whatever the hash.
  return ids;
}

}  // namespace benchfs::meta
