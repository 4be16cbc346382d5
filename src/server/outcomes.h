#pragma once

// What this server has answered to operations of clients (wire::Operation), for as long as a client
// may ask again: a repeat is answered as the first request was, or would have been, and nothing is
// done twice. rpc/README.md has the whole of it.
//
//   handler:  auto admitting = ledger.admit();
//             BENCHFS_CO_TRY(const auto room, admitting);
//             ... change the tables ...
//             outcomes.keep(context.operation, kOp, reply);    // in the same unit
//
// What a handler keeps itself survives the process together with the change, or is lost with it.
// Exchange keeps every other success, in memory only: what changed nothing durable may be done
// again by the next run. A failure is not kept (the repeat may try, and fail or succeed), unless
// the handler says so.
//
// Threading: loop thread only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "journal/participant.h"
#include "loop/event_loop.h"
#include "net/transport.h"
#include "server/keyed_mutex.h"
#include "server/ledger.h"
#include "wire/codec.h"
#include "wire/header.h"

namespace benchfs::server {

/// An operation of a client. Number 0: none; then nothing is kept.
struct OperationKey {
  ClientId client{};
  std::uint64_t number = 0;

  explicit operator bool() const noexcept { return number != 0; }
  friend auto operator<=>(const OperationKey&, const OperationKey&) = default;
};

/// Outcomes of one client; with more it is told kAgain until it has said which it needs no more.
inline constexpr std::uint32_t kOutcomesPerClientMax = 65536;
/// Of all clients together, counted with what it takes to keep them.
inline constexpr std::uint64_t kOutcomeBytesMax = 256 * kMiB;

class Outcomes {
 private:
  struct KeyHash {
    std::size_t operator()(const OperationKey& key) const noexcept {
      return to_integer(key.client) ^ (key.number * 0x9E3779B97F4A7C15U);
    }
  };

 public:
  /// Held by who works on an operation: its repeat waits.
  using Turns = KeyedMutex<OperationKey, KeyHash>;

  /// Borrows both.
  Outcomes(loop::EventLoop& loop, Ledger& ledger) : ledger_(ledger), turns_(loop) {}
  Outcomes(const Outcomes&) = delete;
  Outcomes& operator=(const Outcomes&) = delete;

  /// What the request is to the client that sends it; nothing if it has no number, or if its sender
  /// is a server.
  static std::optional<OperationKey> key_of(const net::PeerIdentity& peer,
                                            const wire::FixedHeader& fixed) {
    if (peer.role != net::PeerIdentity::Role::kClient || fixed.operation.number == 0) {
      return std::nullopt;
    }
    return OperationKey{.client = ClientId{peer.id}, .number = fixed.operation.number};
  }

  /// Takes note of what a request of the client says about its operations. kAgain if there is no
  /// room for its outcome.
  Status arrive(ClientId client, wire::Operation operation);
  /// Whether the client has said that it needs no answer any more: it has one, or has given up.
  bool is_given_up(OperationKey operation) const;

  /// Whether it has been answered.
  bool contains(OperationKey operation) const { return outcomes_.contains(operation); }

  Turns& turns() noexcept { return turns_; }

  /// The answer to the operation, whoever asks for it; nothing if there is none yet, or if it was
  /// given before this run and `Reply` speaks of what only that run knew.
  template <typename Reply>
  std::optional<Result<Reply>> find(OperationKey operation, wire::Op op,
                                    bool also_of_earlier = true) {
    const auto found = outcomes_.find(operation);
    if (found == outcomes_.end() || (found->second.of_earlier_run && !also_of_earlier)) {
      return std::nullopt;
    }
    return answer<Reply>(found->second, op);
  }
  /// That of an earlier run.
  template <typename Reply>
  std::optional<Result<Reply>> find_earlier(OperationKey operation, wire::Op op) {
    const auto found = outcomes_.find(operation);
    if (found == outcomes_.end() || !found->second.of_earlier_run) {
      return std::nullopt;
    }
    return answer<Reply>(found->second, op);
  }

  /// In the unit of the change: the caller has room. Once for an operation.
  template <typename Reply>
  void keep(OperationKey operation, wire::Op op, const Reply& reply) {
    if (operation && !is_given_up(operation)) {
      Body body;
      keep_encoded(operation, op, encode(reply, body), Kept::kDurably);
    }
  }
  /// In memory; what was kept durably stays durable.
  template <typename Reply>
  void keep_for_now(OperationKey operation, wire::Op op, const Reply& reply) {
    if (operation && !is_given_up(operation)) {
      Body body;
      keep_encoded(operation, op, encode(reply, body), Kept::kInMemory);
    }
  }
  /// In memory, that it has failed and must not be tried again.
  void keep_failure(OperationKey operation, wire::Op op, Error error);

  /// The client will not come back.
  void forget(ClientId client);
  std::vector<ClientId> clients() const;

  std::size_t count() const noexcept { return outcomes_.size(); }
  /// Operations that are being worked on.
  std::size_t running_count() const noexcept { return turns_.held_count(); }

  // ---- What outlives the process: for NamespaceKeeper.

  /// kCorrupt.
  Status replay(ConstBytes body);
  /// Whether the record tells of a write, whose data a power failure may have taken.
  static bool is_of_write(ConstBytes body);
  /// Where handing over has come to.
  struct Cursor {
    OperationKey next{};
    bool at_end = false;
  };
  void hand_over(Cursor& cursor, journal::SnapshotSink& sink, std::size_t records_max) const;
  std::uint64_t record_bytes() const noexcept;

 private:
  using Body = std::array<std::byte, kOutcomeReplyBytesMax>;
  enum class Kept : std::uint8_t { kInMemory, kDurably };

  struct Outcome {
    wire::Op op{};
    bool durable = false;
    bool of_earlier_run = false;
    std::uint16_t error = 0;  ///< An Errc, or 0.
    std::vector<std::byte> reply;
  };
  struct Client {
    std::uint64_t answered_below = 0;
    std::uint32_t count = 0;
  };

  template <typename Reply>
  static ConstBytes encode(const Reply& reply, Body& body) {
    wire::Encoder encoder{Bytes(body)};
    encoder& reply;
    BENCHFS_ASSERT(encoder.ok());
    return ConstBytes(body).first(encoder.size());
  }
  template <typename Reply>
  static Result<Reply> answer(const Outcome& outcome, wire::Op op) {
    if (outcome.op != op) {
      return fail(Errc::kProtocol, "outcome.op");
    }
    if (outcome.error != 0) {
      return fail(static_cast<Errc>(outcome.error), "outcome.failed");
    }
    Reply reply;
    wire::Decoder decoder(outcome.reply);
    decoder& reply;
    if (!decoder.finished()) {
      return fail(Errc::kCorrupt, "outcome.reply");
    }
    return reply;
  }

  void keep_encoded(OperationKey operation, wire::Op op, ConstBytes reply, Kept kept);
  Outcome& put(OperationKey operation, wire::Op op, ConstBytes reply);
  void forget_below(ClientId client, Client& known, std::uint64_t number);
  void erase(Client& known, absl::btree_map<OperationKey, Outcome>::iterator from,
             absl::btree_map<OperationKey, Outcome>::iterator to);
  std::uint64_t bytes() const noexcept;

  Ledger& ledger_;
  Turns turns_;
  absl::btree_map<OperationKey, Outcome> outcomes_;
  absl::flat_hash_map<ClientId, Client> clients_;
  std::uint64_t reply_bytes_ = 0;
  std::uint64_t durable_count_ = 0;
};

}  // namespace benchfs::server
