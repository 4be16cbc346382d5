#include "server/outcomes.h"

#include "base/log.h"
#include "server/handlers/namespace_records.h"

namespace benchfs::server {
namespace {

constexpr std::uint64_t kRecordHeaderBytes = 8;
/// Of an OutcomeRow without its reply.
constexpr std::uint64_t kRowBytes = 30;
static_assert(kRowBytes + kOutcomeReplyBytesMax <= kOutcomeRecordBytesMax);

/// What keeping one takes besides the bytes of its reply.
constexpr std::uint64_t kEntryBytes = 96;

Status corrupt(const char* what) {
  log_error("the journal's outcomes: {}", what);
  return fail(Errc::kCorrupt, "outcomes.replay");
}

/// Calls `use` with the bytes of `row`.
template <typename Use>
auto with_bytes(const OutcomeRow& row, Use use) {
  std::array<std::byte, kOutcomeRecordBytesMax> body;
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  BENCHFS_ASSERT(encoder.ok());
  return use(ConstBytes(body).first(encoder.size()));
}

}  // namespace

Status Outcomes::arrive(ClientId client, wire::Operation operation) {
  Client& known = clients_[client];
  if (operation.answered_below > known.answered_below) {
    forget_below(client, known, operation.answered_below);
  }
  if (known.count >= kOutcomesPerClientMax || bytes() >= kOutcomeBytesMax) {
    // One that is here already needs no more room.
    return outcomes_.contains({.client = client, .number = operation.number})
               ? Status()
               : fail(Errc::kAgain, "outcomes.full");
  }
  return {};
}

bool Outcomes::is_given_up(OperationKey operation) const {
  const auto found = clients_.find(operation.client);
  return found != clients_.end() && operation.number < found->second.answered_below;
}

void Outcomes::keep_failure(OperationKey operation, wire::Op op, Error error) {
  if (operation && !is_given_up(operation)) {
    put(operation, op, {}).error = static_cast<std::uint16_t>(error.code);
  }
}

Outcomes::Outcome& Outcomes::put(OperationKey operation, wire::Op op, ConstBytes reply) {
  const auto [found, is_new] = outcomes_.try_emplace(operation);
  Outcome& outcome = found->second;
  if (is_new) {
    ++clients_[operation.client].count;
  }
  reply_bytes_ = reply_bytes_ - outcome.reply.size() + reply.size();
  outcome.op = op;
  outcome.of_earlier_run = false;
  outcome.error = 0;
  outcome.reply.assign(reply.begin(), reply.end());
  return outcome;
}

void Outcomes::keep_encoded(OperationKey operation, wire::Op op, ConstBytes reply, Kept kept) {
  Outcome& outcome = put(operation, op, reply);
  if (kept == Kept::kInMemory || !ledger_.keeps()) {
    return;
  }
  durable_count_ += outcome.durable ? 0 : 1;
  outcome.durable = true;
  const OutcomeRow row{.client = operation.client,
                       .number = operation.number,
                       .answered_below = clients_[operation.client].answered_below,
                       .op = op,
                       .reply = outcome.reply};
  with_bytes(row, [this](ConstBytes body) { ledger_.append(kOutcomeKind, body); });
}

void Outcomes::erase(Client& known, absl::btree_map<OperationKey, Outcome>::iterator from,
                     absl::btree_map<OperationKey, Outcome>::iterator to) {
  for (auto outcome = from; outcome != to; ++outcome) {
    reply_bytes_ -= outcome->second.reply.size();
    durable_count_ -= outcome->second.durable ? 1 : 0;
    --known.count;
  }
  outcomes_.erase(from, to);
}

void Outcomes::forget_below(ClientId client, Client& known, std::uint64_t number) {
  known.answered_below = number;
  erase(known, outcomes_.lower_bound({.client = client, .number = 0}),
        outcomes_.lower_bound({.client = client, .number = number}));
}

void Outcomes::forget(ClientId client) {
  const auto found = clients_.find(client);
  if (found != clients_.end()) {
    forget_below(client, found->second, UINT64_MAX);
    clients_.erase(found);
  }
}

std::vector<ClientId> Outcomes::clients() const {
  std::vector<ClientId> all;
  for (const auto& [client, known] : clients_) {
    all.push_back(client);
  }
  return all;
}

Status Outcomes::replay(ConstBytes body) {
  OutcomeRow row;
  wire::Decoder decoder(body);
  decoder& row;
  if (!decoder.finished()) {
    return corrupt("cut off");
  }
  if (row.number == 0 || row.number == UINT64_MAX || row.answered_below > row.number ||
      !wire::is_done_once(row.op) || row.reply.size() > kOutcomeReplyBytesMax) {
    return corrupt("one that cannot be");
  }
  const OperationKey operation{.client = row.client, .number = row.number};
  Client& known = clients_[row.client];
  if (row.answered_below > known.answered_below) {
    forget_below(row.client, known, row.answered_below);
  }
  if (is_given_up(operation)) {
    return {};
  }
  Outcome& outcome = put(operation, row.op, row.reply);
  durable_count_ += outcome.durable ? 0 : 1;
  outcome.durable = true;
  outcome.of_earlier_run = true;
  return {};
}

bool Outcomes::is_of_write(ConstBytes body) {
  OutcomeRow row;
  wire::Decoder decoder(body);
  decoder& row;
  return decoder.finished() && row.op == wire::Op::kWrite;
}

void Outcomes::hand_over(Cursor& cursor, journal::SnapshotSink& sink,
                         std::size_t records_max) const {
  std::size_t left = records_max;
  for (auto next = outcomes_.lower_bound(cursor.next); next != outcomes_.end(); ++next) {
    cursor.next = next->first;
    if (left-- == 0) {
      return;
    }
    if (next->second.durable) {
      const OutcomeRow row{.client = next->first.client,
                           .number = next->first.number,
                           .answered_below = clients_.at(next->first.client).answered_below,
                           .op = next->second.op,
                           .reply = next->second.reply};
      const auto put = [&](ConstBytes body) { return sink.put(kOutcomeKind, body); };
      if (!with_bytes(row, put)) {
        return;
      }
    }
    ++cursor.next.number;
  }
  cursor.at_end = true;
}

std::uint64_t Outcomes::record_bytes() const noexcept {
  return durable_count_ * (kRecordHeaderBytes + kRowBytes) + reply_bytes_;
}

std::uint64_t Outcomes::bytes() const noexcept {
  return outcomes_.size() * kEntryBytes + reply_bytes_;
}

}  // namespace benchfs::server
