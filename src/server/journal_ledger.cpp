#include "server/journal_ledger.h"

namespace benchfs::server {
namespace {

class AdmittedRoom final : public Ledger::Room {
 public:
  AdmittedRoom(journal::Journal& journal, std::uint64_t bytes)
      : admission(journal, bytes, kUnitRecordsMax) {}
  journal::Admission admission;
};

}  // namespace

coro::Task<Result<std::unique_ptr<Ledger::Room>>> JournalLedger::admit_bytes(std::uint64_t bytes) {
  auto room = std::make_unique<AdmittedRoom>(journal_, bytes);
  journal::Admission& admission = room->admission;
  BENCHFS_CO_CHECK(admission);
  co_return std::unique_ptr<Room>(std::move(room));
}

void JournalLedger::append(journal::RecordKind kind, ConstBytes body) noexcept {
  journal_.append(kind, body);
}

bool JournalLedger::committed() const noexcept {
  return journal_.committed_lsn() >= journal_.end();
}

coro::Task<Status> JournalLedger::commit() {
  journal::Journal::CommitOp committing(journal_, journal_.end());
  BENCHFS_CO_CHECK(committing);
  co_return Status();
}

bool JournalLedger::has_failed() const noexcept {
  return !journal_.health().has_value();
}

}  // namespace benchfs::server
