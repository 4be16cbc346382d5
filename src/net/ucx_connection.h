#pragma once

// One connection of UcxTransport: an endpoint, the handshake over it, and the order of its
// messages. Private to net.
//
// Threading: loop thread. Ownership: its transport and its users share it; the endpoint goes when
// the connection is lost, the rest with the last user.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "net/handshake.h"
#include "net/transport.h"
#include "net/ucx_endpoint.h"
#include "net/ucx_message.h"

namespace benchfs::net {

class UcxConnection;

/// What a connection needs of its transport.
class ConnectionHost {
 public:
  virtual UcxWorker& worker() noexcept = 0;
  virtual loop::EventLoop& loop() noexcept = 0;
  virtual RecordPool& records() noexcept = 0;
  virtual TransportCounters& tally() noexcept = 0;
  /// A peer that connected to us has proved who it is.
  virtual void accepted(std::shared_ptr<UcxConnection> connection) = 0;
  virtual void arrived(std::shared_ptr<UcxConnection> connection, Message message) = 0;
  /// `connection` wants its go_on() called, outside of UCX's callbacks.
  virtual void goes_on(std::shared_ptr<UcxConnection> connection) = 0;
  /// Whether `endpoint` is a connection's of ours.
  virtual bool uses(const ucp_ep* endpoint) const noexcept = 0;
  /// `connection` is lost: to be released outside of UCX's callbacks. `was_open`: users know of it.
  virtual void lost(std::shared_ptr<UcxConnection> connection, Error reason, bool was_open) = 0;

 protected:
  ~ConnectionHost() = default;
};

class UcxConnection final : public Connection,
                            private EndpointObserver,
                            public std::enable_shared_from_this<UcxConnection> {
 public:
  /// `id` is what the peer's messages carry. Borrows `host` until detach().
  UcxConnection(ConnectionHost& host, std::uint64_t id) noexcept;
  ~UcxConnection() override;

  void send(ConstBytes header, ConstBytes payload, TransferOp& op) noexcept override;
  void abort(Error reason) noexcept override;
  bool lost() const noexcept override { return state_ == State::kLost; }
  const PeerIdentity& peer() const noexcept override { return peer_; }

  std::uint64_t id() const noexcept { return id_; }
  bool is_open() const noexcept { return state_ == State::kOpen; }
  /// Whether we connected, not the peer.
  bool initiated() const noexcept { return initiated_; }
  /// Whether it is there to tell the peer that it gets none.
  bool refuses() const noexcept { return refuses_; }

  /// Connects to the worker at `address`; `op` ends when the connection is open, or has failed by
  /// `deadline_ns`. `hello` comes from `initiator`.
  Status initiate(ConstBytes address, PeerIdentity expected, handshake::Initiator initiator,
                  const handshake::Buffer& hello, TransferOp& op, std::uint64_t deadline_ns);

  /// Answers a HELLO that `responder` has accepted, over an endpoint to `address`.
  Status respond(ConstBytes address, handshake::Responder responder,
                 const handshake::Buffer& challenge, std::uint64_t deadline_ns);
  /// Answers a HELLO that was not accepted, with `refusal`; lost when that has left, or at the
  /// deadline.
  Status refuse(ConstBytes address, handshake::Buffer refusal, std::uint64_t deadline_ns);
  /// Does what UCX's callbacks may not: see ConnectionHost::goes_on().
  void go_on() noexcept;

  bool uses(const ucp_ep* endpoint) const noexcept {
    return endpoint_ != nullptr && endpoint_->is(endpoint);
  }

  /// From UCX's callbacks. `asker`: UCX's own endpoint to the sender, if it wanted a reply.
  void on_handshake(handshake::Kind kind, ConstBytes message, const ucp_ep* asker) noexcept;
  /// What say_first() began has come a step further. `status` is a ucs_status_t.
  void on_notice_left(int status) noexcept;
  ArrivalHandler::Disposal on_data(const Arrival& arrival) noexcept;

  /// Marks it lost and tells the host; what is in flight ends in release_endpoint(). Idempotent.
  void lose(Error reason) noexcept;

  /// Tells the peer (if it may still listen) and ends the endpoint with all that is in flight on
  /// it. Not from UCX's callbacks.
  void release_endpoint() noexcept;

  /// Tells the peer that this connection ends; `completion` is done when that has left the process.
  void say_goodbye(Completion& completion) noexcept;

  /// The host ends before this connection.
  void detach() noexcept { host_ = nullptr; }

 private:
  enum class State : std::uint8_t { kNew, kInitiating, kResponding, kPairing, kOpen, kLost };
  struct Deadline final : loop::Timer {
    explicit Deadline(UcxConnection& connection) noexcept
        : loop::Timer(&Deadline::expired), owner(connection) {}
    static void expired(loop::Timer& timer) noexcept;
    UcxConnection& owner;
  };

  void on_endpoint_failed(int status) noexcept override;
  void on_challenge(ConstBytes message) noexcept;
  void on_welcome(ConstBytes message) noexcept;
  void on_proof(ConstBytes message, const ucp_ep* asker) noexcept;
  void welcome() noexcept;
  /// Replaces the endpoint by the one that UCX has paired with the peer's, and welcomes it.
  void pair() noexcept;
  void say_when_up(handshake::Buffer message) noexcept;
  void say_first() noexcept;
  void say(handshake::Buffer message, UcxEndpoint::Reply reply) noexcept;
  void refuse_message(Error reason) noexcept;

  ConnectionHost* host_;
  loop::EventLoop& loop_;
  const std::uint64_t id_;
  std::uint64_t peer_id_ = 0;
  State state_ = State::kNew;
  bool initiated_ = false;
  bool refuses_ = false;
  bool endpoint_failed_ = false;
  bool said_goodbye_ = false;
  bool was_open_ = false;
  PeerIdentity peer_;
  std::unique_ptr<UcxEndpoint> endpoint_;
  std::optional<handshake::Initiator> initiator_;
  std::optional<handshake::Responder> responder_;
  handshake::Buffer first_;        ///< To be said when the endpoint is up.
  handshake::Buffer welcome_;      ///< To be said when the endpoints are paired.
  const ucp_ep* asker_ = nullptr;  ///< To be compared only.
  TransferOp* opening_ = nullptr;  ///< Of initiate(), until it has ended.
  Deadline deadline_;

  std::uint64_t next_sent_ = 0;
  std::uint64_t next_received_ = 0;
  std::map<std::uint64_t, Message> early_;  ///< Arrived before their turn (several rails).
};

}  // namespace benchfs::net
