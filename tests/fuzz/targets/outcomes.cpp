// Records of outcomes, appenders' ranges, locks and counters: what is replayed is handed over as a
// record that means the same, within the bytes that were announced.
//
// Input: kind 1 (of which 2 bits count: Kind), body.

#include "server/outcomes.h"

#include <array>
#include <optional>

#include "fuzz/fuzz.h"
#include "server/append_ends.h"
#include "server/counters.h"
#include "server/handlers/namespace_records.h"
#include "server/range_locks.h"

namespace benchfs::fuzz {
namespace {

enum class Kind : std::uint8_t { kAppendEnd = 0, kOutcome = 1, kRangeLock = 2, kCounter = 3 };

class NoSleeper final : public loop::Sleeper {
 public:
  void sleep(std::span<const int> /*fds*/, std::uint64_t /*timeout_ns*/) noexcept override {}
};

class FixedClock final : public Clock {
 public:
  std::uint64_t now_ns() noexcept override { return 1; }
  std::uint64_t wall_ns() noexcept override { return 1; }
};

class Records final : public journal::SnapshotSink {
 public:
  bool put(journal::RecordKind kind, ConstBytes body) override {
    kinds.push_back(kind);
    bodies.emplace_back(body.begin(), body.end());
    bytes += 8 + body.size();
    return true;
  }
  std::vector<journal::RecordKind> kinds;
  std::vector<Buffer> bodies;
  std::uint64_t bytes = 0;
};

template <typename Table>
Records handed_over(const Table& table) {
  Records records;
  typename Table::Cursor cursor;
  while (!cursor.at_end) {
    table.hand_over(cursor, records, 1);
  }
  FUZZ_CHECK(records.bytes <= table.record_bytes());
  return records;
}

/// Replays `body` into `first`, and what that hands over into `second`.
template <typename Table>
Verdict check(Table& first, Table& second, ConstBytes body, journal::RecordKind kind) {
  const Status taken = first.replay(body);
  if (!taken.has_value()) {
    FUZZ_CHECK(taken.error().code == Errc::kCorrupt);
    FUZZ_CHECK(handed_over(first).bodies.empty());
    return Verdict::kRefused;
  }
  const Records records = handed_over(first);
  FUZZ_CHECK(records.bodies.size() <= 1);
  for (std::size_t i = 0; i < records.bodies.size(); ++i) {
    FUZZ_CHECK(records.kinds[i] == kind);
    FUZZ_CHECK(equal(records.bodies[i], body));
    FUZZ_CHECK(second.replay(records.bodies[i]).has_value());
  }
  const Records again = handed_over(second);
  FUZZ_CHECK(again.bodies.size() == records.bodies.size());
  return Verdict::kAccepted;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const auto kind = static_cast<Kind>(input.take_byte() & 3U);
  NoSleeper sleeper;
  FixedClock clock;
  loop::EventLoop loop(clock, sleeper, {.spin_ns = 0});
  server::VolatileLedger ledger;
  if (kind == Kind::kRangeLock) {
    server::RangeLocks first(loop, ledger, ServerId{2});
    server::RangeLocks second(loop, ledger, ServerId{2});
    return check(first, second, input.rest(), server::kRangeLockKind);
  }
  if (kind == Kind::kCounter) {
    server::Counters first(ledger, ServerId{2});
    server::Counters second(ledger, ServerId{2});
    return check(first, second, input.rest(), server::kCounterKind);
  }
  if (kind == Kind::kOutcome) {
    server::Outcomes first(loop, ledger);
    server::Outcomes second(loop, ledger);
    const Verdict verdict = check(first, second, input.rest(), server::kOutcomeKind);
    for (const ClientId client : first.clients()) {
      first.forget(client);
    }
    FUZZ_CHECK(first.count() == 0 && first.record_bytes() == 0);
    return verdict;
  }
  server::AppendEnds first(ledger, ServerId{2});
  server::AppendEnds second(ledger, ServerId{2});
  return check(first, second, input.rest(), server::kAppendEndKind);
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&out](const char* name, std::uint8_t choice, const auto& row) {
    Buffer body(512);
    wire::Encoder encoder{Bytes(body)};
    encoder& row;
    FUZZ_CHECK(encoder.ok());
    body.resize(encoder.size());
    out.push_back({name, with_choice(choice, body)});
  };
  add("outcome", 1,
      server::OutcomeRow{.client = ClientId{0x0123456789abcdef},
                         .number = 7,
                         .answered_below = 5,
                         .op = wire::Op::kAppend,
                         .reply = Buffer(8, std::byte{3})});
  add("outcome_without_reply", 1,
      server::OutcomeRow{.client = ClientId{1},
                         .number = 1,
                         .answered_below = 1,
                         .op = wire::Op::kUnlink,
                         .reply = {}});
  add("append_end", 0,
      server::AppendEndRow{.inode = make_inode_id(ServerId{2}, 5), .end_bytes = 1000});
  add("append_ended", 0,
      server::AppendEndRow{.inode = make_inode_id(ServerId{2}, 5), .end_bytes = 0});
  const InodeId file = make_inode_id(ServerId{2}, 5);
  add("range_lock", 2,
      server::RangeLockRow{.client = ClientId{1},
                           .number = 2,
                           .held = true,
                           .inode = file,
                           .begin_bytes = 3,
                           .end_bytes = 1000,
                           .shared = true});
  add("range_lock_ended", 2,
      server::RangeLockRow{.client = ClientId{1},
                           .number = 2,
                           .held = false,
                           .inode = file,
                           .begin_bytes = 3,
                           .end_bytes = 4});
  add("counter", 3,
      server::CounterRow{
          .key = {.opener = ClientId{1}, .number = 2}, .there = true, .inode = file, .value = 7});
  add("counters_ended", 3, server::CounterRow{.key = {}, .there = false, .inode = file});
  return out;
}

}  // namespace benchfs::fuzz
