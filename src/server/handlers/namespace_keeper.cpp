#include "server/handlers/namespace_keeper.h"

#include "base/log.h"
#include "server/handlers/namespace_records.h"

namespace benchfs::server {
namespace {

/// Handed over in one turn: some 100 us.
constexpr std::size_t kRecordsPerTurn = 1024;
constexpr std::uint64_t kRecordHeaderBytes = 8;

class RowsToRecords final : public meta::RowSink {
 public:
  explicit RowsToRecords(journal::SnapshotSink& sink) : sink_(sink) {}
  bool put(meta::RowKind kind, ConstBytes body) override {
    return sink_.put(record_kind(kind), body);
  }

 private:
  journal::SnapshotSink& sink_;
};

static_assert(meta::kHoldersRowBytesMax <= journal::kSnapshotRecordBytesMax);

}  // namespace

std::uint64_t NamespaceKeeper::snapshot_bytes() const noexcept {
  return names_.row_bytes() + names_.row_count() * kRecordHeaderBytes + debts_.record_bytes() +
         appends_.record_bytes() + range_locks_.record_bytes() + counters_.record_bytes() +
         outcomes_.record_bytes();
}

void NamespaceKeeper::changed(meta::RowKind kind, ConstBytes body) noexcept {
  ledger_.append(record_kind(kind), body);
}

coro::Task<Result<bool>> NamespaceKeeper::holds(journal::RecordKind kind, ConstBytes body,
                                                journal::RecordPlace place) {
  // They speak of nothing but themselves; only a write may have lost its data, which the store's
  // record before it speaks of, and is then done again.
  co_return kind != kOutcomeKind || !place.follows_dropped || !Outcomes::is_of_write(body);
}

Status NamespaceKeeper::replay(journal::RecordKind kind, ConstBytes body,
                               journal::RecordPlace /*place*/) {
  if (kind < journal::RecordKind::kNamespaceFirst) {
    return fail(Errc::kCorrupt, "namespace.record");
  }
  const unsigned offset =
      static_cast<unsigned>(kind) - static_cast<unsigned>(journal::RecordKind::kNamespaceFirst);
  if (kind == kOutcomeKind) {
    return outcomes_.replay(body);
  }
  if (kind == kAppendEndKind) {
    return appends_.replay(body);
  }
  if (kind == kRangeLockKind) {
    return range_locks_.replay(body);
  }
  if (kind == kCounterKind) {
    return counters_.replay(body);
  }
  if (offset >= kDebtKindsFirst) {
    return debts_.replay(kind, body);
  }
  if (offset > meta::kRowKindLast) {
    log_error("the journal has a record of the namespace of unknown kind {}", offset);
    return fail(Errc::kUnsupported, "namespace.record");
  }
  return names_.replay(static_cast<meta::RowKind>(offset), body);
}

Status NamespaceKeeper::finish_replay() {
  return names_.finish_replay();
}

coro::Task<Status> NamespaceKeeper::leave_log(journal::LogPart /*part*/) {
  co_return Status();  // No record carries data.
}

void NamespaceKeeper::begin_snapshot() {
  names_cursor_ = {};
  debts_cursor_ = {};
  appends_cursor_ = {};
  range_locks_cursor_ = {};
  counters_cursor_ = {};
  outcomes_cursor_ = {};
}

bool NamespaceKeeper::next_records(journal::SnapshotSink& sink) {
  if (names_cursor_.table != meta::Namespace::Cursor::Table::kEnd) {
    RowsToRecords rows(sink);
    names_.hand_over(names_cursor_, rows, kRecordsPerTurn);
    return false;
  }
  if (!debts_cursor_.at_end) {
    debts_.hand_over(debts_cursor_, sink, kRecordsPerTurn);
    return false;
  }
  if (!appends_cursor_.at_end) {
    appends_.hand_over(appends_cursor_, sink, kRecordsPerTurn);
    return false;
  }
  if (!range_locks_cursor_.at_end) {
    range_locks_.hand_over(range_locks_cursor_, sink, kRecordsPerTurn);
    return false;
  }
  if (!counters_cursor_.at_end) {
    counters_.hand_over(counters_cursor_, sink, kRecordsPerTurn);
    return false;
  }
  outcomes_.hand_over(outcomes_cursor_, sink, kRecordsPerTurn);
  return outcomes_cursor_.at_end;
}

}  // namespace benchfs::server
