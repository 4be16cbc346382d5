#include "server/handlers/namespace_debts.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/log.h"
#include "placement/placement.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

constexpr unsigned kRunNumberBits = 40;
constexpr std::size_t kRecordBytesMax = 64 + kNameBytesMax;
constexpr std::uint64_t kRecordHeaderBytes = 8;

Status corrupt(const char* what) {
  log_error("the journal's obligations: {}", what);
  return fail(Errc::kCorrupt, "debts.replay");
}

/// Calls `use` with the bytes of `record`.
template <typename Record, typename Use>
auto with_bytes(const Record& record, Use use) {
  std::array<std::byte, kRecordBytesMax> body;
  wire::Encoder encoder{Bytes(body)};
  encoder& record;
  BENCHFS_ASSERT(encoder.ok());
  return use(ConstBytes(body).first(encoder.size()));
}

template <typename Record>
void append(Ledger& ledger, journal::RecordKind kind, const Record& record) {
  with_bytes(record, [&](ConstBytes body) { ledger.append(kind, body); });
}

template <typename Record>
bool decode(ConstBytes body, Record& record) {
  wire::Decoder decoder(body);
  decoder& record;
  return decoder.finished();
}

}  // namespace

void Debts::begin_run(std::uint64_t incarnation) {
  next_number_ = (incarnation << kRunNumberBits) + 1;
}

std::uint64_t Debts::add(Obligation obligation) {
  obligation.number = new_number();
  owed_.emplace(obligation.number, obligation);
  append(ledger_, kObligationKind, obligation);
  return obligation.number;
}

void Debts::settle(std::uint64_t number) {
  const bool was_owed = owed_.erase(number) == 1;
  BENCHFS_ASSERT(was_owed);
  append(ledger_, kObligationDoneKind, ObligationDone{.number = number});
}

const Obligation* Debts::find(std::uint64_t number) const {
  const auto found = owed_.find(number);
  return found == owed_.end() ? nullptr : &found->second;
}

const Obligation* Debts::find_rename(std::uint64_t rename_id, ServerId target) const {
  for (const auto& [number, owed] : owed_) {
    if (owed.kind == ObligationKind::kCommitRename && owed.rename_id == rename_id &&
        owed.target == target) {
      return &owed;
    }
  }
  return nullptr;
}

InodeId Debts::find_parent(InodeId directory) const {
  const auto found = find_set_parent(directory);
  return found == owed_.end() ? kNoInode : found->second.parent;
}

void Debts::forget_parent(InodeId directory) {
  if (const auto found = find_set_parent(directory); found != owed_.end()) {
    settle(found->first);
  }
  BENCHFS_ASSERT(find_set_parent(directory) == owed_.end());
}

std::map<std::uint64_t, Obligation>::const_iterator Debts::find_set_parent(
    InodeId directory) const {
  return std::find_if(owed_.begin(), owed_.end(), [directory](const auto& item) {
    return item.second.kind == ObligationKind::kSetParent && item.second.inode == directory;
  });
}

void Debts::add_prepared(const PreparedRow& row) {
  const bool is_new = prepared_.emplace(row.rename, row).second;
  BENCHFS_ASSERT(is_new);
  append(ledger_, kPreparedKind, row);
}

void Debts::remove_prepared(RenameKey rename) {
  const bool was_there = prepared_.erase(rename) == 1;
  BENCHFS_ASSERT(was_there);
  append(ledger_, kPreparedDoneKind, PreparedDoneRow{.rename = rename});
}

Status Debts::check(const Obligation& obligation) const {
  const wire::Layout& layout = obligation.layout;
  const bool has_layout = layout.chunk_bytes > 0 && layout.chunk_bytes <= wire::kChunkBytesMax &&
                          layout.stripe_count > 0 && layout.stripe_count <= server_count_;
  const bool is_known =
      obligation.kind == ObligationKind::kUnlinkInode ||
      (obligation.kind == ObligationKind::kRemoveData && has_layout) ||
      obligation.kind == ObligationKind::kCommitRename ||
      (obligation.kind == ObligationKind::kSetParent && obligation.parent != kNoInode &&
       to_integer(home_of(obligation.parent)) < server_count_);
  if (!is_known || obligation.number == 0 || obligation.inode == kNoInode ||
      to_integer(home_of(obligation.inode)) >= server_count_ ||
      to_integer(obligation.target) >= server_count_ || !wire::is_file_type(obligation.type)) {
    return corrupt("one that cannot be");
  }
  return {};
}

Status Debts::check(const PreparedRow& row) const {
  if (row.role == wire::RenameRole::kRemoval) {
    return row.directory != kNoInode && row.directory != kRootInode &&
                   home_of(row.directory) == self_
               ? Status()
               : corrupt("the removal of a directory that has no place here");
  }
  if ((row.role != wire::RenameRole::kTarget && row.role != wire::RenameRole::kSource) ||
      row.key.parent == kNoInode || !wire::is_valid_name(row.key.name) ||
      placement::entry_server(row.key.parent, row.key.name, server_count_) != self_) {
    return corrupt("a rename of an entry that has no place here");
  }
  return {};
}

Status Debts::replay(journal::RecordKind kind, ConstBytes body) {
  if (kind == kObligationKind) {
    Obligation obligation;
    if (!decode(body, obligation)) {
      return corrupt("cut off");
    }
    BENCHFS_CHECK(check(obligation));
    owed_[obligation.number] = obligation;
    return {};
  }
  if (kind == kObligationDoneKind) {
    ObligationDone done;
    if (!decode(body, done)) {
      return corrupt("cut off");
    }
    owed_.erase(done.number);  // A snapshot made since may not have it any more.
    return {};
  }
  if (kind == kPreparedKind) {
    PreparedRow row;
    if (!decode(body, row)) {
      return corrupt("cut off");
    }
    BENCHFS_CHECK(check(row));
    prepared_[row.rename] = std::move(row);
    return {};
  }
  PreparedDoneRow row;
  if (kind != kPreparedDoneKind || !decode(body, row)) {
    return corrupt("cut off, or of unknown kind");
  }
  prepared_.erase(row.rename);
  return {};
}

void Debts::hand_over(Cursor& cursor, journal::SnapshotSink& sink, std::size_t records_max) const {
  std::size_t left = records_max;
  for (auto next = owed_.lower_bound(cursor.number); next != owed_.end(); ++next) {
    cursor.number = next->first;
    const auto put = [&](ConstBytes body) { return sink.put(kObligationKind, body); };
    if (left-- == 0 || !with_bytes(next->second, put)) {
      return;
    }
    cursor.number = next->first + 1;
  }
  for (auto next = prepared_.lower_bound(cursor.rename); next != prepared_.end(); ++next) {
    cursor.rename = next->first;
    const auto put = [&](ConstBytes body) { return sink.put(kPreparedKind, body); };
    if (left-- == 0 || !with_bytes(next->second, put)) {
      return;
    }
    ++cursor.rename.rename_id;
  }
  cursor.at_end = true;
}

std::uint64_t Debts::record_bytes() const noexcept {
  return (owed_.size() + prepared_.size()) * (kRecordHeaderBytes + kRecordBytesMax);
}

}  // namespace benchfs::server
