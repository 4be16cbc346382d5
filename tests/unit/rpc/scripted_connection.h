#pragma once

// A connection that does what the test says: keeps what was sent, ends sends when told, and lets
// the test play the peer.

#include <memory>
#include <utility>
#include <vector>

#include "loop/event_loop.h"
#include "net/transport.h"
#include "wire/codec.h"
#include "wire/header.h"

namespace benchfs::rpc {

class ScriptedConnection final : public net::Connection {
 public:
  struct Sent {
    std::vector<std::byte> header;
    std::vector<std::byte> payload;
    wire::FixedHeader fixed() const { return *wire::decode_fixed_header(header); }
  };

  ScriptedConnection(loop::EventLoop& loop, net::PeerIdentity peer) : loop_(loop), peer_(peer) {}

  void send(ConstBytes header, ConstBytes payload, net::TransferOp& op) noexcept override {
    sent.push_back({{header.begin(), header.end()}, {payload.begin(), payload.end()}});
    if (hold_sends) {
      held.push_back(&op);
    } else {
      op.complete(loop_, Status());
    }
  }
  void abort(Error reason) noexcept override {
    ++abort_count;
    abort_reason = reason;
    lost_ = true;
    for (net::TransferOp* op : std::exchange(held, {})) {
      op->complete(loop_, fail(Errc::kPeerLost, "scripted"));
    }
  }
  bool lost() const noexcept override { return lost_; }
  const net::PeerIdentity& peer() const noexcept override { return peer_; }

  void set_lost() noexcept { lost_ = true; }

  bool hold_sends = false;
  std::vector<Sent> sent;
  std::vector<net::TransferOp*> held;
  int abort_count = 0;
  Error abort_reason{Errc::kIo};

 private:
  loop::EventLoop& loop_;
  net::PeerIdentity peer_;
  bool lost_ = false;
};

/// A payload that arrives when the test says so (`held`), or at once.
class ScriptedPayload final : public net::Message::Payload {
 public:
  ScriptedPayload(ScriptedConnection& connection, loop::EventLoop& loop,
                  std::vector<std::byte> bytes, bool hold)
      : connection_(connection), loop_(loop), bytes_(std::move(bytes)), hold_(hold) {}
  void receive(Bytes buffer, net::TransferOp& op) noexcept override {
    if (hold_) {
      connection_.held.push_back(&op);  // Ends by abort() only.
      return;
    }
    std::copy(bytes_.begin(), bytes_.end(), buffer.begin());
    op.complete(loop_, Status());
  }

 private:
  ScriptedConnection& connection_;
  loop::EventLoop& loop_;
  std::vector<std::byte> bytes_;
  bool hold_;
};

template <typename Body>
std::vector<std::byte> encode_message(wire::FixedHeader fixed, const Body& body) {
  std::vector<std::byte> bytes(kHeaderBytesMax);
  wire::Encoder encoder(Bytes(bytes).subspan(wire::kFixedHeaderBytes));
  encoder& body;
  fixed.body_bytes = static_cast<std::uint32_t>(encoder.size());
  wire::Encoder head{Bytes(bytes)};
  head& fixed;
  bytes.resize(wire::kFixedHeaderBytes + fixed.body_bytes);
  return bytes;
}

}  // namespace benchfs::rpc
