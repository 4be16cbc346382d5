#pragma once

// Where handlers write down what they change, before anybody hears of it.
//
//   auto admitting = ledger.admit();
//   BENCHFS_CO_TRY(const auto room, admitting);    // may wait for a snapshot
//   ... change the tables and append(), without suspension: one unit ...
//
// Who holds room waits for nothing until its last append. What leaves the server waits for commit()
// (Exchange sees to that).
//
// Threading: loop thread only.

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "coro/task.h"
#include "journal/participant.h"

namespace benchfs::server {

/// An answer to a client's operation, and the record that keeps it.
inline constexpr std::size_t kOutcomeReplyBytesMax = 256;
inline constexpr std::size_t kOutcomeRecordBytesMax = 32 + kOutcomeReplyBytesMax;

/// Bytes and records of the largest unit: a rename that replaces a file takes two rows with names,
/// and some without; the rest is for rows of files and for obligations, below 96 bytes each, and
/// for the outcome.
inline constexpr std::uint64_t kUnitBytesMax =
    2 * (64 + kNameBytesMax) + 8 * 96 + kOutcomeRecordBytesMax;
inline constexpr std::uint32_t kUnitRecordsMax = 12;

class Ledger {
 public:
  virtual ~Ledger() = default;

  /// Room for one unit, as long as it lives.
  class Room {
   public:
    virtual ~Room() = default;
  };
  /// In order of arrival. kIo after a failure of the drive, kOutOfSpace.
  coro::Task<Result<std::unique_ptr<Room>>> admit() { return admit_bytes(kUnitBytesMax); }
  /// Room for `bytes`, in as many records as any unit.
  virtual coro::Task<Result<std::unique_ptr<Room>>> admit_bytes(std::uint64_t bytes) = 0;

  /// Copies the bytes. After a failure nothing is taken, and commit() tells.
  virtual void append(journal::RecordKind kind, ConstBytes body) noexcept = 0;

  /// Whether anything is kept at all.
  virtual bool keeps() const noexcept = 0;
  /// Whether all that was appended survives the end of the process, so that commit() need not be
  /// awaited.
  virtual bool committed() const noexcept = 0;
  /// Waits until what was appended before the call is committed. kIo.
  virtual coro::Task<Status> commit() = 0;
  /// Whether the drive has failed, so that nothing is admitted any more.
  virtual bool has_failed() const noexcept = 0;
};

/// Of a server that keeps nothing over its end.
class VolatileLedger final : public Ledger {
 public:
  coro::Task<Result<std::unique_ptr<Room>>> admit_bytes(std::uint64_t /*bytes*/) override {
    co_return std::make_unique<Room>();
  }
  void append(journal::RecordKind /*kind*/, ConstBytes /*body*/) noexcept override {}
  bool keeps() const noexcept override { return false; }
  bool committed() const noexcept override { return true; }
  coro::Task<Status> commit() override { co_return Status(); }
  bool has_failed() const noexcept override { return false; }
};

}  // namespace benchfs::server
