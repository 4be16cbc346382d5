#pragma once

// Files to which all clients append records: none is lost, none is there twice, none lies in
// another, and one that was begun after another had ended stands behind it.
//
// Threading: the world's thread.

#include <cstdint>
#include <map>
#include <string>

#include "sim/user.h"

namespace benchfs::sim {

class Logs {
 public:
  coro::Task<void> set_up(User& user);
  coro::Task<void> work(User& user, Chance chance, const std::uint64_t& until_ns);
  coro::Task<void> verify(User& user);
  /// Ranges that the home had given out and not synced, and that are being written, may be given
  /// out again by its next run, so that one append takes another's place (README.md): what may have
  /// met that is not judged.
  void power_cut(std::uint64_t now_ns);

 private:
  struct Record {
    std::uint64_t size = 0;
    std::uint64_t began_ns = 0;
    std::uint64_t ended_ns = kNever;  ///< kNever: it failed, and may be there or not.
    std::uint64_t lost_ns = 0;        ///< The power failure that may have taken it; 0: none.
    std::uint64_t acknowledged_ns = kNever;
    bool synced = false;
    bool under_way = true;
    std::uint64_t late_until_ns = kNever;  ///< Of one that failed.
    bool spans_cut = false;                ///< It was under way at a power failure.
    bool doubtful = false;
  };

  bool one_spans_cut(std::uint64_t now_ns) const;

  coro::Task<void> append(User& user, User::FilePointer handle, std::uint64_t size);
  /// `told_ns`: since when the handle has not heard of a power failure.
  coro::Task<void> sync(User& user, User::FilePointer handle, std::uint64_t& told_ns);
  /// Reads all of it, and checks what was there when it began.
  coro::Task<void> check(User& user, User::FilePointer handle);
  void check_records(World& world, ConstBytes bytes, std::uint64_t began_ns);

  std::map<std::uint64_t, Record> records_;  ///< By id, from 1.
  std::uint64_t last_id_ = 0;
  std::uint64_t last_cut_ns_ = 0;
};

}  // namespace benchfs::sim
