#pragma once

// What this server owes others since a change that is done (obligations), and which entries and
// directories it has locked for renames and removals that others coordinate. Both outlive the
// process.
//
// Changes are appended to the ledger: the caller has room there. Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/bytes.h"
#include "base/result.h"
#include "journal/participant.h"
#include "server/handlers/namespace_records.h"
#include "server/ledger.h"
#include "wire/attributes.h"

namespace benchfs::server {

class Debts {
 public:
  /// Borrows `ledger`.
  Debts(Ledger& ledger, ServerId self, std::uint16_t server_count)
      : ledger_(ledger), self_(self), server_count_(server_count) {}
  Debts(const Debts&) = delete;
  Debts& operator=(const Debts&) = delete;

  /// Numbers of this run are above those of all runs before.
  void begin_run(std::uint64_t incarnation);
  /// For a rename or an obligation: never given twice.
  std::uint64_t new_number() noexcept { return next_number_++; }

  /// Returns the obligation's number, which it is given here.
  std::uint64_t add(Obligation obligation);
  /// It has been met, or is of no importance any more. It exists.
  void settle(std::uint64_t number);
  const Obligation* find(std::uint64_t number) const;
  /// That of a decided rename, until the target has done it.
  const Obligation* find_rename(std::uint64_t rename_id, ServerId target) const;
  /// Where the directory is, if its home is still to be told.
  InodeId find_parent(InodeId directory) const;
  /// That is of no importance any more.
  void forget_parent(InodeId directory);
  const std::map<std::uint64_t, Obligation>& owed() const noexcept { return owed_; }

  void add_prepared(const PreparedRow& row);
  /// It exists.
  void remove_prepared(RenameKey rename);
  const std::map<RenameKey, PreparedRow>& prepared() const noexcept { return prepared_; }

  /// For kinds from kObligationKind to kPreparedDoneKind. kCorrupt.
  Status replay(journal::RecordKind kind, ConstBytes body);

  /// Where handing over has come to.
  struct Cursor {
    std::uint64_t number = 0;
    RenameKey rename{};
    bool at_end = false;
  };
  void hand_over(Cursor& cursor, journal::SnapshotSink& sink, std::size_t records_max) const;
  std::uint64_t record_bytes() const noexcept;

 private:
  Status check(const Obligation& obligation) const;
  Status check(const PreparedRow& row) const;
  /// There is one at the most.
  std::map<std::uint64_t, Obligation>::const_iterator find_set_parent(InodeId directory) const;

  Ledger& ledger_;
  const ServerId self_;
  const std::uint16_t server_count_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, Obligation> owed_;
  std::map<RenameKey, PreparedRow> prepared_;
};

}  // namespace benchfs::server
