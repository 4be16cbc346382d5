#include "server/append_ends.h"

#include <array>

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/handlers/namespace_records.h"
#include "wire/codec.h"

namespace benchfs::server {
namespace {

constexpr std::size_t kRowBytes = 16;
constexpr std::uint64_t kRecordHeaderBytes = 8;

std::array<std::byte, kRowBytes> encode(const AppendEndRow& row) {
  std::array<std::byte, kRowBytes> body{};
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  BENCHFS_ASSERT(encoder.ok() && encoder.size() == kRowBytes);
  return body;
}

}  // namespace

std::uint64_t AppendEnds::find(InodeId file) const {
  const auto found = ends_.find(file);
  return found == ends_.end() ? 0 : found->second;
}

void AppendEnds::set(InodeId file, std::uint64_t end_bytes) {
  ends_[file] = end_bytes;
  ledger_.append(kAppendEndKind, encode({.inode = file, .end_bytes = end_bytes}));
}

void AppendEnds::drop(InodeId file) {
  if (ends_.erase(file) > 0) {
    ledger_.append(kAppendEndKind, encode({.inode = file, .end_bytes = 0}));
  }
}

std::vector<InodeId> AppendEnds::files() const {
  std::vector<InodeId> all;
  for (const auto& [file, end_bytes] : ends_) {
    all.push_back(file);
  }
  return all;
}

Status AppendEnds::replay(ConstBytes body) {
  AppendEndRow row;
  wire::Decoder decoder(body);
  decoder& row;
  if (!decoder.finished() || row.inode == kNoInode || home_of(row.inode) != self_ ||
      row.end_bytes > kFileBytesMax) {
    log_error("the journal has a range of an appender that cannot be");
    return fail(Errc::kCorrupt, "append_ends.replay");
  }
  if (row.end_bytes == 0) {
    ends_.erase(row.inode);
  } else {
    ends_[row.inode] = row.end_bytes;
  }
  return {};
}

void AppendEnds::hand_over(Cursor& cursor, journal::SnapshotSink& sink,
                           std::size_t records_max) const {
  std::size_t left = records_max;
  for (auto next = ends_.lower_bound(cursor.next); next != ends_.end(); ++next) {
    cursor.next = next->first;
    if (left-- == 0 ||
        !sink.put(kAppendEndKind, encode({.inode = next->first, .end_bytes = next->second}))) {
      return;
    }
    cursor.next = InodeId{to_integer(next->first) + 1};
  }
  cursor.at_end = true;
}

std::uint64_t AppendEnds::record_bytes() const noexcept {
  return ends_.size() * (kRecordHeaderBytes + kRowBytes);
}

}  // namespace benchfs::server
