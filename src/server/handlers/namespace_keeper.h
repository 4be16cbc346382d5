#pragma once

// Between the namespace of a server and its journal: changes of the tables become records, records
// become tables again.
//
// Threading: loop thread only.

#include <cstdint>

#include "journal/participant.h"
#include "meta/namespace.h"
#include "server/append_ends.h"
#include "server/counters.h"
#include "server/handlers/namespace_debts.h"
#include "server/ledger.h"
#include "server/outcomes.h"
#include "server/range_locks.h"

namespace benchfs::server {

class NamespaceKeeper final : public journal::Participant, public meta::ChangeLog {
 public:
  struct Tables {
    meta::Namespace& names;
    Debts& debts;
    AppendEnds& appends;
    RangeLocks& range_locks;
    Counters& counters;
    Outcomes& outcomes;
  };

  /// Borrows all, which need not live yet.
  NamespaceKeeper(Ledger& ledger, const Tables& tables)
      : ledger_(ledger),
        names_(tables.names),
        debts_(tables.debts),
        appends_(tables.appends),
        range_locks_(tables.range_locks),
        counters_(tables.counters),
        outcomes_(tables.outcomes) {}

  /// The records of a snapshot, together: so much of the store must be free for the next one.
  std::uint64_t snapshot_bytes() const noexcept;

  void changed(meta::RowKind kind, ConstBytes body) noexcept override;

  coro::Task<Result<bool>> holds(journal::RecordKind kind, ConstBytes body,
                                 journal::RecordPlace place) override;
  Status replay(journal::RecordKind kind, ConstBytes body, journal::RecordPlace place) override;
  Status finish_replay() override;
  coro::Task<Status> leave_log(journal::LogPart part) override;
  void begin_snapshot() override;
  bool next_records(journal::SnapshotSink& sink) override;
  void end_snapshot() override {}

 private:
  Ledger& ledger_;
  meta::Namespace& names_;
  Debts& debts_;
  AppendEnds& appends_;
  RangeLocks& range_locks_;
  Counters& counters_;
  Outcomes& outcomes_;
  meta::Namespace::Cursor names_cursor_;
  Debts::Cursor debts_cursor_;
  AppendEnds::Cursor appends_cursor_;
  RangeLocks::Cursor range_locks_cursor_;
  Counters::Cursor counters_cursor_;
  Outcomes::Cursor outcomes_cursor_;
};

}  // namespace benchfs::server
