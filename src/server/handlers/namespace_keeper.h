#pragma once

// Between the namespace of a server and its journal: changes of the tables become records, records
// become tables again.
//
// Threading: loop thread only.

#include <cstdint>

#include "journal/participant.h"
#include "meta/namespace.h"
#include "server/append_ends.h"
#include "server/handlers/namespace_debts.h"
#include "server/ledger.h"
#include "server/outcomes.h"

namespace benchfs::server {

class NamespaceKeeper final : public journal::Participant, public meta::ChangeLog {
 public:
  /// Borrows all, which need not live yet.
  NamespaceKeeper(Ledger& ledger, meta::Namespace& names, Debts& debts, AppendEnds& appends,
                  Outcomes& outcomes)
      : ledger_(ledger), names_(names), debts_(debts), appends_(appends), outcomes_(outcomes) {}

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
  Outcomes& outcomes_;
  meta::Namespace::Cursor names_cursor_;
  Debts::Cursor debts_cursor_;
  AppendEnds::Cursor appends_cursor_;
  Outcomes::Cursor outcomes_cursor_;
};

}  // namespace benchfs::server
