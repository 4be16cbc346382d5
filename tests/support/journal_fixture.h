#pragma once

// Somebody who keeps state in a journal, and blocks for its snapshots: the least that a journal
// needs around it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"
#include "journal/journal.h"

namespace benchfs::test {

inline constexpr journal::RecordKind kSetKind = journal::RecordKind::kStoreFirst;

/// A table of numbers and texts. One record says what one number's text is from now on.
class TableParticipant : public journal::Participant {
 public:
  /// Changes the table and appends its record, in one step.
  journal::Lsn set(journal::Journal& journal, std::uint64_t key, const std::string& text,
                   journal::RecordPlace* place = nullptr) {
    table[key] = text;
    const std::span<const std::uint64_t> key_span(&key, 1);
    const std::span<const char> text_span(text);
    const ConstBytes body[] = {std::as_bytes(key_span), std::as_bytes(text_span)};
    return journal.append(kSetKind, body, place);
  }
  static std::uint64_t body_bytes(const std::string& text) {
    return sizeof(std::uint64_t) + text.size();
  }

  coro::Task<Result<bool>> holds(journal::RecordKind /*kind*/, ConstBytes body,
                                 journal::RecordPlace place) override {
    ++asked;
    if (!holds_record) {
      co_return true;
    }
    std::uint64_t key = 0;
    std::memcpy(&key, body.data(), sizeof(key));
    co_return holds_record(key, place);
  }
  Status replay(journal::RecordKind kind, ConstBytes body, journal::RecordPlace place) override {
    if (kind != kSetKind || body.size() < sizeof(std::uint64_t)) {
      return fail(Errc::kCorrupt, "table_participant");
    }
    std::uint64_t key = 0;
    std::memcpy(&key, body.data(), sizeof(key));
    const ConstBytes text = body.subspan(sizeof(key));
    table[key].assign(reinterpret_cast<const char*>(text.data()), text.size());
    replayed.push_back(key);
    places.push_back(place);
    return replay_status;
  }
  Status finish_replay() override {
    ++finished;
    return {};
  }
  coro::Task<Status> leave_log(journal::LogPart part) override {
    parts.push_back(part);
    if (leaving_log) {
      coro::Task<Status> leaving = leaving_log(part);
      co_return co_await leaving;
    }
    co_return Status();
  }
  void begin_snapshot() override {
    BENCHFS_ASSERT(!in_snapshot);
    in_snapshot = true;
    next_key_ = 0;
  }
  bool next_records(journal::SnapshotSink& sink) override {
    std::size_t left = records_per_step;
    for (auto at = table.lower_bound(next_key_); at != table.end(); ++at, --left) {
      next_key_ = at->first;
      if (left == 0) {
        return false;
      }
      std::string body(sizeof(std::uint64_t), '\0');
      std::memcpy(body.data(), &at->first, sizeof(std::uint64_t));
      body += at->second;
      if (!sink.put(kSetKind, std::as_bytes(std::span<const char>(body)))) {
        return false;
      }
    }
    return true;
  }
  void end_snapshot() override {
    BENCHFS_ASSERT(in_snapshot);
    in_snapshot = false;
  }

  std::map<std::uint64_t, std::string> table;
  std::vector<std::uint64_t> replayed;  ///< Keys, in order.
  std::vector<journal::RecordPlace> places;
  std::vector<journal::LogPart> parts;
  std::size_t asked = 0;
  std::size_t finished = 0;
  bool in_snapshot = false;
  std::size_t records_per_step = 1000;
  Status replay_status;
  std::function<bool(std::uint64_t key, journal::RecordPlace)> holds_record;
  std::function<coro::Task<Status>(journal::LogPart)> leaving_log;

 private:
  std::uint64_t next_key_ = 0;
};

/// Blocks [first, first + count) of a drive, first fit. Notices every double use.
class BlockSpace final : public journal::SnapshotSpace {
 public:
  BlockSpace(std::uint64_t first, std::uint64_t count) : first_(first), used_(count, false) {}

  Result<std::uint64_t> allocate_contiguous(std::uint64_t count) override {
    ++allocations;
    if (allocations_left == 0) {
      return fail(Errc::kOutOfSpace, "block_space");
    }
    std::uint64_t run = 0;
    for (std::uint64_t i = 0; i < used_.size(); ++i) {
      run = used_[i] ? 0 : run + 1;
      if (run == count) {
        const std::uint64_t at = i + 1 - count;
        mark(at, count, true);
        allocations_left -= allocations_left == UINT64_MAX ? 0 : 1;
        return first_ + at;
      }
    }
    return fail(Errc::kOutOfSpace, "block_space");
  }
  void free(std::uint64_t first_block, std::uint64_t count) override {
    BENCHFS_ASSERT(first_block >= first_);
    mark(first_block - first_, count, false);
  }
  void mark_used(std::uint64_t first_block, std::uint64_t count) override {
    BENCHFS_ASSERT(first_block >= first_);
    mark(first_block - first_, count, true);
  }

  std::uint64_t used_blocks() const {
    return static_cast<std::uint64_t>(std::count(used_.begin(), used_.end(), true));
  }

  std::uint64_t allocations_left = UINT64_MAX;  ///< 0: out of space.
  std::size_t allocations = 0;

 private:
  void mark(std::uint64_t at, std::uint64_t count, bool used) {
    for (std::uint64_t i = at; i < at + count; ++i) {
      BENCHFS_ASSERT(used_.at(i) != used);
      used_[i] = used;
    }
  }

  const std::uint64_t first_;
  std::vector<bool> used_;
};

/// A journal with one table and its space, over a drive that is borrowed.
struct JournalOnDisk {
  JournalOnDisk(loop::EventLoop& loop, io::Disk& disk, journal::JournalOptions options)
      : journal(loop, disk, options),
        space(journal::kAnchorBlocks + options.ring_blocks,
              disk.size_bytes() / kBlockBytes - journal::kAnchorBlocks - options.ring_blocks) {
    journal.set_space(space);
    journal.add_participant(journal::RecordKind::kStoreFirst, journal::RecordKind::kStoreLast,
                            table);
  }

  /// One change as a server makes it. Takes its text by value: it may run beside the caller.
  coro::Task<Status> set(std::uint64_t key, std::string text) {
    journal::Admission admission(journal, TableParticipant::body_bytes(text));
    BENCHFS_CO_CHECK(admission);
    const journal::Lsn lsn = table.set(journal, key, text);
    journal::Journal::CommitOp committing(journal, lsn);
    co_return co_await committing;
  }

  journal::Journal journal;
  TableParticipant table;
  BlockSpace space;
};

}  // namespace benchfs::test
