#pragma once

// What this server coordinates (renames, removals) and has not decided yet. Who takes part may ask
// for the outcome before that: it is told that nothing comes of it, and then nothing may.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "base/assert.h"

namespace benchfs::server {

class Undecided {
 public:
  /// In the frame of the coordinator, until it has decided.
  class Entry {
   public:
    /// Borrows `all`. The number is not in there.
    Entry(Undecided& all, std::uint64_t rename_id) : all_(all), rename_id_(rename_id) {
      const bool is_new = all.given_up_.emplace(rename_id, false).second;
      BENCHFS_ASSERT(is_new);
    }
    ~Entry() { all_.given_up_.erase(rename_id_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    Undecided& all_;
    const std::uint64_t rename_id_;
  };

  /// Somebody is told that nothing comes of it, if it is still undecided.
  void give_up(std::uint64_t rename_id) {
    if (const auto found = given_up_.find(rename_id); found != given_up_.end()) {
      found->second = true;
    }
  }
  /// Of one that is in there.
  bool is_given_up(std::uint64_t rename_id) const { return given_up_.at(rename_id); }

 private:
  std::unordered_map<std::uint64_t, bool> given_up_;
};

}  // namespace benchfs::server
