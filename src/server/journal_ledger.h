#pragma once

// The ledger of a server that has a journal.
//
// Threading: loop thread only.

#include "journal/journal.h"
#include "server/ledger.h"

namespace benchfs::server {

class JournalLedger final : public Ledger {
 public:
  /// Borrows `journal`.
  explicit JournalLedger(journal::Journal& journal) : journal_(journal) {}

  coro::Task<Result<std::unique_ptr<Room>>> admit_bytes(std::uint64_t bytes) override;
  void append(journal::RecordKind kind, ConstBytes body) noexcept override;
  bool keeps() const noexcept override { return true; }
  bool committed() const noexcept override;
  coro::Task<Status> commit() override;
  bool has_failed() const noexcept override;

 private:
  journal::Journal& journal_;
};

}  // namespace benchfs::server
