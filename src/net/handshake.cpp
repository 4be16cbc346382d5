#include "net/handshake.h"

#include <cstring>
#include <optional>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"
#include "net/process.h"

namespace benchfs::net::handshake {
namespace {

using Mac = std::array<std::byte, kMacBytes>;

constexpr std::uint32_t kMagic = 0x73664862;  // "bHfs" in little-endian order.

// One label per direction and step: no message can be passed off as another, or sent back to its
// author.
constexpr std::string_view kHelloLabel = "benchfs initiator hello";
constexpr std::string_view kChallengeLabel = "benchfs responder challenge";
constexpr std::string_view kProofLabel = "benchfs initiator proof";
constexpr std::string_view kWelcomeLabel = "benchfs responder welcome";

/// Appends little-endian integers and bytes to a message.
class Writer {
 public:
  Writer(Kind kind, std::uint64_t connection_id) {
    put(kMagic, 4);
    put(kVersion, 2);
    put(static_cast<std::uint64_t>(kind), 1);
    put(0, 1);
    put(connection_id, 8);
  }

  void put(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) {
      out_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
  }
  void put(ConstBytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void put(const PeerIdentity& identity) {
    put(static_cast<std::uint64_t>(identity.role), 8);
    put(identity.id, 8);
  }

  Buffer& buffer() noexcept { return out_; }

 private:
  Buffer out_;
};

/// Takes integers and bytes from a message; once something is missing, all that follows is too.
class Reader {
 public:
  explicit Reader(ConstBytes in) noexcept : in_(in) {}

  std::uint64_t take(std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    const ConstBytes part = take_bytes(bytes);
    for (std::size_t i = 0; i < part.size(); ++i) {
      value |= std::to_integer<std::uint64_t>(part[i]) << (8 * i);
    }
    return value;
  }
  ConstBytes take_bytes(std::size_t bytes) noexcept {
    if (failed_ || bytes > in_.size()) {
      failed_ = true;
      return {};
    }
    const ConstBytes part = in_.first(bytes);
    in_ = in_.subspan(bytes);
    return part;
  }
  Nonce take_nonce() noexcept {
    Nonce nonce{};
    const ConstBytes part = take_bytes(nonce.size());
    std::copy(part.begin(), part.end(), nonce.begin());
    return nonce;
  }
  std::optional<PeerIdentity> take_identity() noexcept {
    const std::uint64_t role = take(8);
    const std::uint64_t id = take(8);
    if (failed_ || (role != static_cast<std::uint64_t>(PeerIdentity::Role::kClient) &&
                    role != static_cast<std::uint64_t>(PeerIdentity::Role::kServer))) {
      failed_ = true;
      return std::nullopt;
    }
    return PeerIdentity{.role = static_cast<PeerIdentity::Role>(role), .id = id};
  }

  /// Whether all was there and nothing is left over.
  bool complete() const noexcept { return !failed_ && in_.empty(); }
  bool failed() const noexcept { return failed_; }

 private:
  ConstBytes in_;
  bool failed_ = false;
};

bool same(const PeerIdentity& a, const PeerIdentity& b) noexcept {
  return a.role == b.role && a.id == b.id;
}

/// HMAC-SHA256 over label, length of `before`, `before` (the messages so far) and `message`.
/// Nothing if libcrypto does not work any more: in a process that ends, after its own exit handler.
std::optional<Mac> authenticate(const Credentials& credentials, std::string_view label,
                                ConstBytes before, ConstBytes message) {
  Buffer text;
  text.reserve(label.size() + 8 + before.size() + message.size());
  const auto label_bytes = std::as_bytes(std::span(label));
  text.insert(text.end(), label_bytes.begin(), label_bytes.end());
  for (std::size_t i = 0; i < 8; ++i) {
    text.push_back(static_cast<std::byte>(before.size() >> (8 * i)));
  }
  text.insert(text.end(), before.begin(), before.end());
  text.insert(text.end(), message.begin(), message.end());

  keep_libcrypto();
  Mac mac{};
  unsigned int length = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), credentials.secret.data(), static_cast<int>(credentials.secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(mac.data()), &length);
  if (done == nullptr || length != mac.size()) {
    return std::nullopt;
  }
  return mac;
}

/// Ends `writer`'s message with its MAC; with zeros, which no peer accepts, if there is none.
void seal(Writer& writer, const Credentials& credentials, std::string_view label,
          ConstBytes before) {
  const Mac mac = authenticate(credentials, label, before, writer.buffer()).value_or(Mac{});
  writer.put(ConstBytes(mac));
}

/// Whether the last kMacBytes of `message` are its MAC. Takes the same time wherever they differ.
/// False if that cannot be known.
bool sealed(ConstBytes message, const Credentials& credentials, std::string_view label,
            ConstBytes before) {
  if (message.size() < kMacBytes) {
    return false;
  }
  const std::optional<Mac> mac =
      authenticate(credentials, label, before, message.first(message.size() - kMacBytes));
  return mac.has_value() &&
         CRYPTO_memcmp(mac->data(), message.last(kMacBytes).data(), kMacBytes) == 0;
}

/// Reads past the envelope of `message`, which must be ours in version, kind and receiver.
Result<Reader> open_as(ConstBytes message, Kind kind, std::uint64_t own_id) {
  BENCHFS_TRY(const Envelope envelope, open_envelope(message));
  if (envelope.version != kVersion || envelope.kind != kind || envelope.connection_id != own_id) {
    return fail(Errc::kProtocol, "handshake.envelope");
  }
  Reader reader(message);
  reader.take_bytes(16);
  return reader;
}

}  // namespace

Result<Envelope> open_envelope(ConstBytes message) {
  Reader reader(message);
  const std::uint64_t magic = reader.take(4);
  const std::uint64_t version = reader.take(2);
  const std::uint64_t kind = reader.take(1);
  const std::uint64_t reserved = reader.take(1);
  const std::uint64_t connection_id = reader.take(8);
  if (reader.failed() || message.size() > kMessageBytesMax || magic != kMagic || reserved != 0 ||
      kind < static_cast<std::uint64_t>(Kind::kHello) ||
      kind > static_cast<std::uint64_t>(Kind::kBye)) {
    return fail(Errc::kProtocol, "handshake.envelope");
  }
  return Envelope{.version = static_cast<std::uint16_t>(version),
                  .kind = static_cast<Kind>(kind),
                  .connection_id = connection_id};
}

Initiator::Initiator(const Credentials& credentials, PeerIdentity self, PeerIdentity expected,
                     std::uint64_t own_id, Random& random) noexcept
    : credentials_(credentials), self_(self), expected_(expected), own_id_(own_id) {
  random.fill(nonce_);
}

Buffer Initiator::hello(ConstBytes address) {
  BENCHFS_ASSERT(state_ == State::kNew && address.size() <= kAddressBytesMax);
  Writer writer(Kind::kHello, own_id_);
  writer.put(credentials_.session_id, 8);
  writer.put(self_);
  writer.put(expected_);
  writer.put(ConstBytes(nonce_));
  writer.put(address.size(), 4);
  writer.put(address);
  seal(writer, credentials_, kHelloLabel, {});
  transcript_ = writer.buffer();
  state_ = State::kHelloSent;
  return std::move(writer.buffer());
}

Result<Buffer> Initiator::on_challenge(ConstBytes message) {
  if (state_ != State::kHelloSent) {
    return fail(Errc::kProtocol, "handshake.challenge.turn");
  }
  BENCHFS_TRY(Reader reader, open_as(message, Kind::kChallenge, own_id_));
  const std::uint64_t peer_id = reader.take(8);
  const std::optional<PeerIdentity> responder = reader.take_identity();
  reader.take_nonce();
  reader.take_bytes(kMacBytes);
  if (!reader.complete() || !responder.has_value()) {
    return fail(Errc::kProtocol, "handshake.challenge.layout");
  }
  if (!sealed(message, credentials_, kChallengeLabel, transcript_)) {
    return fail(Errc::kAccess, "handshake.challenge.proof");
  }
  if (!same(*responder, expected_)) {
    return fail(Errc::kAccess, "handshake.challenge.identity");
  }
  peer_id_ = peer_id;
  transcript_.insert(transcript_.end(), message.begin(), message.end());

  Writer writer(Kind::kProof, peer_id_);
  seal(writer, credentials_, kProofLabel, transcript_);
  transcript_.insert(transcript_.end(), writer.buffer().begin(), writer.buffer().end());
  state_ = State::kProofSent;
  return std::move(writer.buffer());
}

Result<std::uint64_t> Initiator::on_welcome(ConstBytes message) {
  if (state_ != State::kProofSent) {
    return fail(Errc::kProtocol, "handshake.welcome.turn");
  }
  BENCHFS_TRY(Reader reader, open_as(message, Kind::kWelcome, own_id_));
  const std::uint64_t clock_ns = reader.take(8);
  reader.take_bytes(kMacBytes);
  if (!reader.complete()) {
    return fail(Errc::kProtocol, "handshake.welcome.layout");
  }
  if (!sealed(message, credentials_, kWelcomeLabel, transcript_)) {
    return fail(Errc::kAccess, "handshake.welcome.proof");
  }
  transcript_.clear();
  state_ = State::kOpen;
  return clock_ns;
}

Responder::Responder(const Credentials& credentials, PeerIdentity self, std::uint64_t own_id,
                     Random& random) noexcept
    : credentials_(credentials), self_(self), own_id_(own_id) {
  random.fill(nonce_);
}

tl::expected<Buffer, Refusal> Responder::on_hello(ConstBytes message) {
  BENCHFS_ASSERT(state_ == State::kNew);
  state_ = State::kRefused;
  const Result<Envelope> envelope = open_envelope(message);
  if (!envelope.has_value() || envelope->kind != Kind::kHello) {
    return tl::unexpected(Refusal::kMalformed);
  }
  peer_id_ = envelope->connection_id;
  Reader reader(message);
  reader.take_bytes(16);
  const std::uint64_t session_id = reader.take(8);
  const std::optional<PeerIdentity> initiator = reader.take_identity();
  const std::optional<PeerIdentity> wanted = reader.take_identity();
  reader.take_nonce();
  const std::uint64_t address_bytes = reader.take(4);
  const ConstBytes address = reader.take_bytes(address_bytes);
  if (!reader.failed() && address_bytes <= kAddressBytesMax) {
    address_.assign(address.begin(), address.end());
  }
  if (envelope->version != kVersion) {
    return tl::unexpected(Refusal::kOtherVersion);
  }
  reader.take_bytes(kMacBytes);
  if (!reader.complete() || address_bytes > kAddressBytesMax) {
    return tl::unexpected(Refusal::kMalformed);
  }
  if (session_id != credentials_.session_id) {
    return tl::unexpected(Refusal::kOtherSession);
  }
  if (!sealed(message, credentials_, kHelloLabel, {})) {
    return tl::unexpected(Refusal::kBadProof);
  }
  if (!same(*wanted, self_)) {
    return tl::unexpected(Refusal::kOtherIdentity);
  }
  peer_ = *initiator;
  transcript_.assign(message.begin(), message.end());

  Writer writer(Kind::kChallenge, peer_id_);
  writer.put(own_id_, 8);
  writer.put(self_);
  writer.put(ConstBytes(nonce_));
  seal(writer, credentials_, kChallengeLabel, transcript_);
  transcript_.insert(transcript_.end(), writer.buffer().begin(), writer.buffer().end());
  state_ = State::kChallengeSent;
  return std::move(writer.buffer());
}

tl::expected<Buffer, Refusal> Responder::on_proof(ConstBytes message, std::uint64_t clock_ns) {
  if (state_ != State::kChallengeSent) {
    return tl::unexpected(Refusal::kMalformed);
  }
  state_ = State::kRefused;
  const Result<Reader> opened = open_as(message, Kind::kProof, own_id_);
  if (!opened.has_value()) {
    return tl::unexpected(Refusal::kMalformed);
  }
  Reader reader = *opened;
  reader.take_bytes(kMacBytes);
  if (!reader.complete()) {
    return tl::unexpected(Refusal::kMalformed);
  }
  if (!sealed(message, credentials_, kProofLabel, transcript_)) {
    return tl::unexpected(Refusal::kBadProof);
  }
  transcript_.insert(transcript_.end(), message.begin(), message.end());

  Writer writer(Kind::kWelcome, peer_id_);
  writer.put(clock_ns, 8);
  seal(writer, credentials_, kWelcomeLabel, transcript_);
  transcript_.clear();
  state_ = State::kOpen;
  return std::move(writer.buffer());
}

Buffer refused(std::uint64_t to, Refusal reason) {
  Writer writer(Kind::kRefused, to);
  writer.put(static_cast<std::uint64_t>(reason), 2);
  return std::move(writer.buffer());
}

Error error_of_refused(ConstBytes message) noexcept {
  Reader reader(message);
  reader.take_bytes(16);
  const std::uint64_t reason = reader.take(2);
  const Error malformed{.code = Errc::kProtocol, .where = "handshake.refused"};
  if (!reader.complete()) {
    return malformed;
  }
  switch (static_cast<Refusal>(reason)) {
    case Refusal::kOtherSession:
      return Error{.code = Errc::kStale, .where = "handshake.refused.session"};
    case Refusal::kBadProof:
      return Error{.code = Errc::kAccess, .where = "handshake.refused.secret"};
    case Refusal::kOtherVersion:
      return Error{.code = Errc::kProtocol, .where = "handshake.refused.version"};
    case Refusal::kOtherIdentity:
      return Error{.code = Errc::kAccess, .where = "handshake.refused.identity"};
    case Refusal::kBusy:
      return Error{.code = Errc::kBusy, .where = "handshake.refused.busy"};
    case Refusal::kMalformed:
      break;
  }
  return malformed;
}

Buffer bye(std::uint64_t to) {
  return std::move(Writer(Kind::kBye, to).buffer());
}

}  // namespace benchfs::net::handshake
