#pragma once

// Counters that the handles of one open share, at the home of its file: wire/messages.h says what
// they are (CounterRequest). They outlive the process.
//
// A counter whose opener is lost stays, as others may still count with it and must not find it at 0
// again: it goes with the file.
//
// Changes are appended to the ledger: the caller has room there. Threading: loop thread only.

#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "journal/participant.h"
#include "server/ledger.h"
#include "wire/messages.h"

namespace benchfs::server {

class Counters {
 public:
  /// Borrows `ledger`.
  Counters(Ledger& ledger, ServerId self) : ledger_(ledger), self_(self) {}
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  /// 0 if it has never been set.
  std::uint64_t find(InodeId file, wire::CounterKey key) const;
  /// At most wire::kCounterMax.
  void set(InodeId file, wire::CounterKey key, std::uint64_t value);
  /// One of an open that has ended; there may be none.
  void drop(InodeId file, wire::CounterKey key);
  /// All of a file that is gone.
  void drop_all(InodeId file);
  std::size_t count() const noexcept { return values_.size(); }

  /// kCorrupt.
  Status replay(ConstBytes body);
  struct Cursor {
    std::pair<InodeId, wire::CounterKey> next{};
    bool at_end = false;
  };
  void hand_over(Cursor& cursor, journal::SnapshotSink& sink, std::size_t records_max) const;
  std::uint64_t record_bytes() const noexcept;

 private:
  using Name = std::pair<InodeId, wire::CounterKey>;

  bool erase_all(InodeId file);

  Ledger& ledger_;
  const ServerId self_;
  absl::btree_map<Name, std::uint64_t> values_;
};

}  // namespace benchfs::server
