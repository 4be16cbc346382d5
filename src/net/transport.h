#pragma once

// The seam to the network: authenticated connections that carry messages of a small header and bulk
// data. Production: net::UcxTransport. Simulation: sim::SimTransport.
//
// A message is `header` (1 to kHeaderBytesMax bytes) and `payload` (0 to kPayloadBytesMax bytes).
// Small payloads travel with the header; large ones by rendezvous, straight between the sender's
// and the receiver's buffer where the fabric can. Messages of one connection arrive in the order in
// which they were sent, whole, at most once; or the connection is lost.
//
// Authentication: both sides prove that they know the session's secret before any message of the
// other is handed up. What comes from others is dropped inside the transport and counted.
//
// Threading: loop thread only. A Transport is a loop::Source.

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "net/peer_clock.h"

namespace benchfs::net {

/// Payload of one message at the most: bulk data and a body that did not fit the header never both.
inline constexpr std::size_t kPayloadBytesMax = 2 * 1024 * 1024;

inline constexpr std::size_t kSecretBytes = 32;

/// What both sides of a connection must agree on. Read from the session file.
struct Credentials {
  std::uint64_t session_id = 0;
  std::array<std::byte, kSecretBytes> secret{};
};

/// Who the other side of a connection is; proved, together with the secret, by the handshake.
struct PeerIdentity {
  enum class Role : std::uint8_t { kClient = 1, kServer = 2 };
  Role role = Role::kClient;
  /// Client: its ClientId. Server: its ServerId.
  std::uint64_t id = 0;
};

class Connection;
class Message;

/// An operation on a connection: lives in its awaiter's frame, which must not be destroyed before
/// it ends. It ends within bounded time once the connection is lost.
class TransferOp {
 public:
  bool await_ready() const noexcept { return done_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  Status await_resume() const noexcept { return status_; }

  /// For the transport: sets the outcome; posts the waiter, if there is one, to the loop. Once
  /// only.
  void complete(loop::EventLoop& loop, Status status) noexcept {
    status_ = status;
    done_ = true;
    if (waiter_) {
      loop.post(waiter_);
    }
  }
  bool done() const noexcept { return done_; }

  TransferOp() = default;
  TransferOp(const TransferOp&) = delete;
  TransferOp& operator=(const TransferOp&) = delete;

 private:
  bool done_ = false;
  Status status_;
  std::coroutine_handle<> waiter_;
};

/// One arrived message. Move-only. Dropping it without receiving discards the payload, and tells a
/// rendezvous sender so.
///
/// All Messages must be gone before their Transport.
class Message {
 public:
  /// What a transport keeps of an arrived message. `receive` is called at most once, with room for
  /// exactly payload_bytes; it completes `op` then or later.
  class Payload {
   public:
    virtual ~Payload() = default;
    virtual void receive(Bytes buffer, TransferOp& op) noexcept = 0;
  };

  Message(std::vector<std::byte> header, std::size_t payload_bytes, ConstBytes eager_payload,
          std::unique_ptr<Payload> payload) noexcept
      : header_(std::move(header)),
        payload_bytes_(payload_bytes),
        eager_payload_(eager_payload),
        payload_(std::move(payload)) {}

  ConstBytes header() const noexcept { return header_; }
  std::size_t payload_bytes() const noexcept { return payload_bytes_; }

  /// The payload itself if it has arrived with the header; empty if it must be received (or is
  /// empty). Valid as long as this Message.
  ConstBytes eager_payload() const noexcept { return eager_payload_; }

  /// Puts the payload into `buffer`, which has exactly payload_bytes() bytes. Start it once; both
  /// `buffer` and `op` stay until it has ended, this Message need not. Also works for what arrived
  /// eagerly. Requires payload_bytes() > 0. kPeerLost.
  void receive(Bytes buffer, TransferOp& op) noexcept {
    BENCHFS_ASSERT(payload_ != nullptr && buffer.size() == payload_bytes_);
    payload_->receive(buffer, op);
  }

 private:
  std::vector<std::byte> header_;
  std::size_t payload_bytes_;
  ConstBytes eager_payload_;
  std::unique_ptr<Payload> payload_;
};

/// One authenticated link. Shared: whoever still holds it after the loss gets kPeerLost.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Starts to send; `op` ends when both buffers may be reused, which for rendezvous is when the
  /// peer has fetched or dropped the payload. kPeerLost; kInvalid for sizes beyond the limits
  /// above.
  virtual void send(ConstBytes header, ConstBytes payload, TransferOp& op) noexcept = 0;

  /// Gives the connection up: every operation on it ends soon with kPeerLost (buffers are free
  /// then), and the listener hears on_lost. Idempotent.
  virtual void abort(Error reason) noexcept = 0;

  virtual bool lost() const noexcept = 0;
  virtual const PeerIdentity& peer() const noexcept = 0;

  /// The peer's clock. A transport tells what the peer's clock showed when a connection that we
  /// made was accepted; whoever speaks over it goes on from there.
  PeerClock& peer_clock() noexcept { return peer_clock_; }

 private:
  PeerClock peer_clock_;
};

/// Who uses a transport. Called from progress(); must not block.
class Listener {
 public:
  virtual ~Listener() = default;
  /// A peer connected to us and has proved who it is. (Not called for connections that we made.)
  virtual void on_accept(const std::shared_ptr<Connection>& connection) noexcept = 0;
  virtual void on_message(const std::shared_ptr<Connection>& connection,
                          Message message) noexcept = 0;
  /// Once per connection, ours or accepted; no message of it follows.
  virtual void on_lost(const std::shared_ptr<Connection>& connection, Error reason) noexcept = 0;
  /// Of a server: nothing arrives any more, from anybody, nor ever will, since a process was killed
  /// while it wrote into our memory. Others know this transport by its address, so it cannot mend
  /// itself: whoever uses it has to begin again with a new one. Once.
  virtual void on_deaf() noexcept {}
};

struct TransportCounters {
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t refused_handshakes = 0;  ///< Wrong session, secret, version or identity.
  std::uint64_t refused_messages = 0;    ///< From nobody that we know, or too large.
};

class Transport : public loop::Source {
 public:
  /// Says who hears of connections and messages. Once, before the first progress(); borrows
  /// `listener` until the transport ends.
  virtual void listen(Listener& listener) noexcept = 0;

  /// Where others reach this process: opaque bytes for the session file.
  virtual std::vector<std::byte> address() const = 0;

  /// Connects to the peer at `address`, which must prove to be `expected`. Ends by `deadline_ns` of
  /// the loop's clock: kPeerLost (nobody there), kAccess (it does not know the secret, or refused
  /// ours, or is somebody else), kStale (another session's), kProtocol (another version of the
  /// handshake), kBusy (too many are connecting to it), kInvalid (not an address), kTimedOut.
  /// `address` is taken by value: it lives in the coroutine.
  virtual coro::Task<Result<std::shared_ptr<Connection>>> connect(std::vector<std::byte> address,
                                                                  PeerIdentity expected,
                                                                  std::uint64_t deadline_ns) = 0;

  /// Tells the network about memory that many messages will use (the buffer pool), so that it is
  /// registered once. Stays registered until the transport ends. Works without; then each transfer
  /// pays.
  virtual Status register_memory(Bytes region) = 0;

  virtual const TransportCounters& counters() const noexcept = 0;

  /// Loses all connections in an orderly way: peers notice at once. Ends by `deadline_ns`.
  virtual coro::Task<void> close(std::uint64_t deadline_ns) = 0;
};

}  // namespace benchfs::net
