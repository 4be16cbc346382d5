#include "server/counters.h"

#include <array>

#include "base/assert.h"
#include "base/log.h"
#include "server/handlers/namespace_records.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

constexpr std::size_t kRowBytes = 33;
constexpr std::uint64_t kRecordHeaderBytes = 8;

/// Of a row: all counters of the file.
constexpr wire::CounterKey kAll{};

std::array<std::byte, kRowBytes> encode(const CounterRow& row) {
  std::array<std::byte, kRowBytes> body{};
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  BENCHFS_ASSERT(encoder.ok() && encoder.size() == kRowBytes);
  return body;
}

}  // namespace

std::uint64_t Counters::find(InodeId file, wire::CounterKey key) const {
  const auto found = values_.find({file, key});
  return found == values_.end() ? 0 : found->second;
}

void Counters::set(InodeId file, wire::CounterKey key, std::uint64_t value) {
  BENCHFS_ASSERT(value <= wire::kCounterMax && key.number != 0);
  values_[{file, key}] = value;
  ledger_.append(kCounterKind, encode({.key = key, .there = true, .inode = file, .value = value}));
}

void Counters::drop(InodeId file, wire::CounterKey key) {
  if (values_.erase({file, key}) > 0) {
    ledger_.append(kCounterKind, encode({.key = key, .there = false, .inode = file, .value = 0}));
  }
}

void Counters::drop_all(InodeId file) {
  if (erase_all(file)) {
    ledger_.append(kCounterKind, encode({.key = kAll, .there = false, .inode = file, .value = 0}));
  }
}

bool Counters::erase_all(InodeId file) {
  const auto begin = values_.lower_bound({file, kAll});
  auto end = begin;
  while (end != values_.end() && end->first.first == file) {
    ++end;
  }
  const bool any = begin != end;
  values_.erase(begin, end);
  return any;
}

Status Counters::replay(ConstBytes body) {
  CounterRow row;
  wire::Decoder decoder(body);
  decoder& row;
  if (!decoder.finished() || row.inode == kNoInode || home_of(row.inode) != self_ ||
      row.value > wire::kCounterMax || (row.there ? row.key.number == 0 : row.value != 0)) {
    log_error("the journal has a counter that cannot be");
    return fail(Errc::kCorrupt, "counters.replay");
  }
  if (row.there) {
    values_[{row.inode, row.key}] = row.value;
  } else if (row.key == kAll) {
    erase_all(row.inode);
  } else {
    values_.erase({row.inode, row.key});
  }
  return {};
}

void Counters::hand_over(Cursor& cursor, journal::SnapshotSink& sink,
                         std::size_t records_max) const {
  std::size_t left = records_max;
  for (auto next = values_.lower_bound(cursor.next); next != values_.end(); ++next) {
    const auto& [name, value] = *next;
    cursor.next = name;
    if (left-- == 0 ||
        !sink.put(
            kCounterKind,
            encode({.key = name.second, .there = true, .inode = name.first, .value = value}))) {
      return;
    }
  }
  cursor.at_end = true;
}

std::uint64_t Counters::record_bytes() const noexcept {
  return values_.size() * (kRecordHeaderBytes + kRowBytes);
}

}  // namespace benchfs::server
