#pragma once

// Ends of the ranges that this server has given to appenders of open files, as far as they must
// outlive the process: a range that is not written yet must not be given to another by the next
// run. An entry goes with a truncate, the last close or the file.
//
// Changes are appended to the ledger: the caller has room there. Threading: loop thread only.

#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "journal/participant.h"
#include "server/ledger.h"

namespace benchfs::server {

class AppendEnds {
 public:
  /// Borrows `ledger`.
  AppendEnds(Ledger& ledger, ServerId self) : ledger_(ledger), self_(self) {}
  AppendEnds(const AppendEnds&) = delete;
  AppendEnds& operator=(const AppendEnds&) = delete;

  /// 0 if no range has been given.
  std::uint64_t find(InodeId file) const;
  void set(InodeId file, std::uint64_t end_bytes);
  void drop(InodeId file);
  std::vector<InodeId> files() const;

  /// kCorrupt.
  Status replay(ConstBytes body);
  struct Cursor {
    InodeId next = kNoInode;
    bool at_end = false;
  };
  void hand_over(Cursor& cursor, journal::SnapshotSink& sink, std::size_t records_max) const;
  std::uint64_t record_bytes() const noexcept;

 private:
  Ledger& ledger_;
  const ServerId self_;
  absl::btree_map<InodeId, std::uint64_t> ends_;
};

}  // namespace benchfs::server
