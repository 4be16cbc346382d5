#pragma once

// What the namespace of a server writes down: rows of its tables (meta/records.h), and what this
// server owes others or has promised them, and what it has answered to clients. Kinds and fields
// are on drives: a kind's fields never change, and no number is used again. README of meta says how
// the changes use them.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "journal/participant.h"
#include "meta/records.h"
#include "wire/attributes.h"
#include "wire/header.h"
#include "wire/messages.h"

namespace benchfs::server {

constexpr journal::RecordKind record_kind(unsigned offset) noexcept {
  return static_cast<journal::RecordKind>(
      static_cast<unsigned>(journal::RecordKind::kNamespaceFirst) + offset);
}

constexpr journal::RecordKind record_kind(meta::RowKind kind) noexcept {
  return record_kind(static_cast<unsigned>(kind));
}

inline constexpr unsigned kDebtKindsFirst = 32;
inline constexpr journal::RecordKind kObligationKind = record_kind(kDebtKindsFirst);
inline constexpr journal::RecordKind kObligationDoneKind = record_kind(kDebtKindsFirst + 1);
inline constexpr journal::RecordKind kPreparedKind = record_kind(kDebtKindsFirst + 2);
inline constexpr journal::RecordKind kPreparedDoneKind = record_kind(kDebtKindsFirst + 3);

inline constexpr unsigned kOutcomeKindsFirst = 48;
inline constexpr journal::RecordKind kOutcomeKind = record_kind(kOutcomeKindsFirst);
inline constexpr journal::RecordKind kAppendEndKind = record_kind(kOutcomeKindsFirst + 1);
inline constexpr journal::RecordKind kRangeLockKind = record_kind(kOutcomeKindsFirst + 2);
inline constexpr journal::RecordKind kCounterKind = record_kind(kOutcomeKindsFirst + 3);

static_assert(meta::kRowKindLast < kDebtKindsFirst);
static_assert(kPreparedDoneKind < kOutcomeKind);
static_assert(kCounterKind <= journal::RecordKind::kNamespaceLast);

enum class ObligationKind : std::uint8_t {
  kUnlinkInode = 1,   ///< Its home is to take a name from `inode`.
  kRemoveData = 2,    ///< Its data servers are to remove the data of `inode`.
  kCommitRename = 3,  ///< `target` is to do its part with `inode` of what it has prepared.
  kSetParent = 4,     ///< Its home is to know that the directory `inode` is in `parent`.
};

/// What this server owes others since a change that is done.
struct Obligation {
  std::uint64_t number = 0;
  ObligationKind kind{};
  InodeId inode = kNoInode;
  wire::FileType type = wire::FileType::kFile;
  wire::Layout layout;          ///< kRemoveData.
  ServerId target{};            ///< kCommitRename.
  std::uint64_t rename_id = 0;  ///< kCommitRename.
  InodeId parent = kNoInode;    ///< kSetParent.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& number& kind& inode& type& layout& target& rename_id& parent;
  }
};

struct ObligationDone {
  std::uint64_t number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& number;
  }
};

/// A rename or removal that this server takes part in, as its coordinator knows it.
struct RenameKey {
  ServerId coordinator{};
  std::uint64_t rename_id = 0;  ///< The coordinator never gives it to another.
  friend auto operator<=>(const RenameKey&, const RenameKey&) = default;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& coordinator& rename_id;
  }
};

/// The entry, or the directory, is locked until the coordinator has told the outcome.
struct PreparedRow {
  RenameKey rename;
  wire::RenameRole role = wire::RenameRole::kTarget;
  wire::EntryKey key;            ///< Of kTarget and kSource.
  InodeId directory = kNoInode;  ///< Of kRemoval.
  ClientId client{};             ///< Of kSource: whose rename it is.
  std::uint64_t operation = 0;   ///< Its number; 0: none.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& rename& role& key& directory& client& operation;
  }
};

struct PreparedDoneRow {
  RenameKey rename;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& rename;
  }
};

/// What a client's operation was answered.
struct OutcomeRow {
  ClientId client{};
  std::uint64_t number = 0;
  std::uint64_t answered_below = 0;  ///< As far as the client had said then.
  wire::Op op{};
  std::vector<std::byte> reply;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& client& number& answered_below& op& reply;
  }
};

/// Ranges of the file up to here have been given to appenders; 0: none, or none any more.
struct AppendEndRow {
  InodeId inode = kNoInode;
  std::uint64_t end_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& end_bytes;
  }
};

/// A lock that its client holds, or that has ended.
struct RangeLockRow {
  ClientId client{};
  std::uint64_t number = 0;
  bool held = false;
  InodeId inode = kNoInode;
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
  bool shared = false;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& client& number& held& inode& begin_bytes& end_bytes& shared;
  }
};

/// A counter, or that there is none any more.
struct CounterRow {
  wire::CounterKey key;
  bool there = false;
  InodeId inode = kNoInode;
  std::uint64_t value = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& there& inode& value;
  }
};

}  // namespace benchfs::server
