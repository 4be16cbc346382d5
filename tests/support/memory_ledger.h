#pragma once

// A ledger in memory that outlives the server that writes it. What is not committed when the server
// crashes is lost, and nothing is committed before somebody waits for it: the worst that a journal
// may do.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "loop/event_loop.h"
#include "server/ledger.h"

namespace benchfs::test {

struct LedgerRecord {
  journal::RecordKind kind{};
  std::vector<std::byte> body;
};

class MemoryLedger final : public server::Ledger {
 public:
  explicit MemoryLedger(loop::EventLoop& loop) : loop_(loop) {}

  coro::Task<Result<std::unique_ptr<Room>>> admit_bytes(std::uint64_t /*bytes*/) override {
    if (crashed_) {
      co_return fail(Errc::kIo, "memory_ledger.crashed");
    }
    co_return std::make_unique<Room>();
  }
  void append(journal::RecordKind kind, ConstBytes body) noexcept override {
    if (!crashed_) {
      appended_.push_back({.kind = kind, .body = {body.begin(), body.end()}});
    }
  }
  bool keeps() const noexcept override { return true; }
  bool committed() const noexcept override {
    return !crashed_ && committed_count_ == appended_.size();
  }
  coro::Task<Status> commit() override {
    const std::size_t count = appended_.size();
    loop::SleepOp writing(loop_, loop_.now_ns() + 20'000);
    co_await writing;
    if (crashed_) {
      co_return fail(Errc::kIo, "memory_ledger.crashed");
    }
    committed_count_ = std::max(committed_count_, count);
    co_return Status();
  }
  bool has_failed() const noexcept override { return crashed_; }

  /// The server is dead: nothing is taken or committed any more. Returns what was committed.
  std::vector<LedgerRecord> crash() {
    crashed_ = true;
    appended_.resize(committed_count_);
    return appended_;
  }
  /// Of an earlier run.
  void begin_with(std::vector<LedgerRecord> records) {
    appended_ = std::move(records);
    committed_count_ = appended_.size();
  }
  const std::vector<LedgerRecord>& records() const noexcept { return appended_; }

 private:
  loop::EventLoop& loop_;
  std::vector<LedgerRecord> appended_;
  std::size_t committed_count_ = 0;
  bool crashed_ = false;
};

}  // namespace benchfs::test
