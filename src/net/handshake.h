#pragma once

// The handshake: how two processes prove to each other that they know the session's secret, before
// either looks at anything else that the other sent. A pure state machine over bytes: no network,
// no clock (what the responder's shows is told to it). README.md has the layout of every message.
//
// Threading: none; each object belongs to one connection.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "net/transport.h"

namespace benchfs::net::handshake {

inline constexpr std::uint16_t kVersion = 3;
inline constexpr std::size_t kNonceBytes = 16;
inline constexpr std::size_t kMacBytes = 32;
inline constexpr std::size_t kAddressBytesMax = 8 * 1024;

/// No handshake message is longer; what is, is refused unread.
inline constexpr std::size_t kMessageBytesMax = kAddressBytesMax + 256;

using Buffer = std::vector<std::byte>;
using Nonce = std::array<std::byte, kNonceBytes>;

enum class Kind : std::uint8_t {
  kHello = 1,      ///< Initiator: who I am, whom I want, my nonce and address.
  kChallenge = 2,  ///< Responder: who I am, my nonce; proves that I know the secret.
  kProof = 3,      ///< Initiator: proves it over both nonces.
  kWelcome = 4,    ///< Responder: the connection is open, and my clock shows this.
  kRefused = 5,    ///< Responder: no, because.
  kBye = 6,        ///< Either, on an open connection: it ends now.
};

/// Why a HELLO or PROOF was refused. Append only: the numbers travel on the wire.
enum class Refusal : std::uint16_t {
  kOtherSession = 1,
  kBadProof = 2,
  kOtherVersion = 3,
  kOtherIdentity = 4,
  kBusy = 5,
  kMalformed = 6,
};

/// What every message begins with, in every version.
struct Envelope {
  std::uint16_t version = 0;
  Kind kind = Kind::kHello;
  /// HELLO: the initiator's connection id, where the answer goes. All others: the receiver's id.
  std::uint64_t connection_id = 0;
};

/// The envelope of `message`, whatever its version; kProtocol if it is none.
Result<Envelope> open_envelope(ConstBytes message);

/// The side that connects.
class Initiator {
 public:
  /// `own_id` is what the peer's messages will carry; draw it at random. Copies everything.
  Initiator(const Credentials& credentials, PeerIdentity self, PeerIdentity expected,
            std::uint64_t own_id, Random& random) noexcept;

  /// The HELLO to send. `address` (at most kAddressBytesMax) is where the responder reaches us.
  Buffer hello(ConstBytes address);

  /// Checks a CHALLENGE; returns the PROOF to send. kAccess if its sender does not know the secret
  /// or is not the expected one, kProtocol for anything malformed or out of turn.
  Result<Buffer> on_challenge(ConstBytes message);

  /// Checks a WELCOME: after success both sides may send. Returns what the responder's clock showed
  /// when it wrote that. Errors as above.
  Result<std::uint64_t> on_welcome(ConstBytes message);

  /// What messages to the peer carry. Requires that on_challenge() succeeded.
  std::uint64_t peer_id() const noexcept { return peer_id_; }

 private:
  enum class State : std::uint8_t { kNew, kHelloSent, kProofSent, kOpen };
  State state_ = State::kNew;
  Credentials credentials_;
  PeerIdentity self_;
  PeerIdentity expected_;
  std::uint64_t own_id_;
  std::uint64_t peer_id_ = 0;
  Nonce nonce_{};
  Buffer transcript_;  ///< All messages so far: every proof covers them.
};

/// The side that is connected to.
class Responder {
 public:
  Responder(const Credentials& credentials, PeerIdentity self, std::uint64_t own_id,
            Random& random) noexcept;

  /// Checks a HELLO; returns the CHALLENGE to send, or why it must be refused. A HELLO is keyed
  /// with the secret too, so that a stranger costs one hash and no state.
  tl::expected<Buffer, Refusal> on_hello(ConstBytes message);

  /// Checks a PROOF; returns the WELCOME to send, or why it must be refused. `clock_ns`: what our
  /// monotonic clock shows.
  tl::expected<Buffer, Refusal> on_proof(ConstBytes message, std::uint64_t clock_ns);

  /// From the HELLO; proved only after on_proof() succeeded. Requires that on_hello() succeeded.
  const PeerIdentity& peer() const noexcept { return peer_; }
  /// Where the answer goes, a refusal too: as anybody may have written it. Empty if the HELLO was
  /// too malformed to tell.
  ConstBytes peer_address() const noexcept { return address_; }
  std::uint64_t peer_id() const noexcept { return peer_id_; }
  std::uint64_t own_id() const noexcept { return own_id_; }

 private:
  enum class State : std::uint8_t { kNew, kChallengeSent, kOpen, kRefused };
  State state_ = State::kNew;
  Credentials credentials_;
  PeerIdentity self_;
  PeerIdentity peer_;
  std::uint64_t own_id_;
  std::uint64_t peer_id_ = 0;
  Nonce nonce_{};
  Buffer address_;
  Buffer transcript_;
};

/// A REFUSED for the initiator `to`, and what it means to its receiver: kStale, kAccess, kProtocol
/// or kBusy; kProtocol if it is malformed.
Buffer refused(std::uint64_t to, Refusal reason);
Error error_of_refused(ConstBytes message) noexcept;

Buffer bye(std::uint64_t to);

}  // namespace benchfs::net::handshake
