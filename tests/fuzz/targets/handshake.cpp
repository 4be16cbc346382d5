// The messages of the handshake, at each place where one is expected. Without the secret nothing
// gets through, whatever the bytes; what a peer that knows the secret says is accepted exactly if
// it is what the protocol would have said.
//
// Input: step 1 (modulo 5), sealing 1 (odd: the last 32 bytes become the right MAC), message.

#include "net/handshake.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

namespace hs = net::handshake;

enum class Step : std::uint8_t { kHello, kChallenge, kProof, kWelcome, kRefused };

constexpr std::uint64_t kClientConnection = 111;
constexpr std::uint64_t kServerConnection = 222;
constexpr std::uint64_t kClockNs = 333;
constexpr net::PeerIdentity kClient{.role = net::PeerIdentity::Role::kClient, .id = 99};
constexpr net::PeerIdentity kServer{.role = net::PeerIdentity::Role::kServer, .id = 3};
constexpr std::size_t kNonceInHelloAt = 16 + 8 + 16 + 16;
constexpr std::size_t kNonceInChallengeAt = 16 + 8 + 16;
constexpr std::size_t kClockInWelcomeAt = 16;

net::Credentials credentials() {
  net::Credentials out;
  out.session_id = 7;
  out.secret.fill(std::byte{1});
  return out;
}

/// Draws the nonce that it is given: so that a message can be made again.
class ToldRandom final : public Random {
 public:
  explicit ToldRandom(ConstBytes told) : told_(told.begin(), told.end()) {}
  void fill(std::span<std::byte> out) noexcept override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = i < told_.size() ? told_[i] : std::byte{0};
    }
  }

 private:
  Buffer told_;
};

std::uint64_t get_u64(ConstBytes bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}

/// An exchange as it should be, step by step.
struct Exchange {
  Exchange()
      : random({}),
        initiator(credentials(), kClient, kServer, kClientConnection, random),
        responder(credentials(), kServer, kServerConnection, random) {}

  void reach(Step step) {
    if (step > Step::kHello) {
      hello = initiator.hello(Buffer(20, std::byte{0x5A}));
    }
    if (step > Step::kChallenge) {
      challenge = responder.on_hello(hello).value();
      proof = initiator.on_challenge(challenge).value();
    } else if (step == Step::kChallenge) {
      hs::Responder other(credentials(), kServer, kServerConnection, random);
      challenge = other.on_hello(hello).value();
    }
    if (step == Step::kWelcome) {
      welcome = responder.on_proof(proof, kClockNs).value();
    }
  }

  /// All messages before `step`, as its MAC covers them.
  Buffer before(Step step) const {
    Buffer all;
    if (step >= Step::kChallenge) {
      all.insert(all.end(), hello.begin(), hello.end());
    }
    if (step >= Step::kProof) {
      all.insert(all.end(), challenge.begin(), challenge.end());
    }
    if (step >= Step::kWelcome) {
      all.insert(all.end(), proof.begin(), proof.end());
    }
    return all;
  }

  ToldRandom random;
  hs::Initiator initiator;
  hs::Responder responder;
  Buffer hello, challenge, proof, welcome;
};

constexpr std::string_view kLabels[] = {"benchfs initiator hello", "benchfs responder challenge",
                                        "benchfs initiator proof", "benchfs responder welcome"};

/// The MAC of a message by the description in src/net/README.md.
Buffer mac_of(Step step, ConstBytes before, ConstBytes message) {
  Buffer text = to_buffer(kLabels[static_cast<std::size_t>(step)]);
  const std::size_t length_at = text.size();
  text.resize(length_at + 8);
  put(text, length_at, before.size(), 8);
  text.insert(text.end(), before.begin(), before.end());
  text.insert(text.end(), message.begin(), message.end());
  Buffer mac(hs::kMacBytes);
  const net::Credentials known = credentials();
  unsigned length = 0;
  ::HMAC(EVP_sha256(), known.secret.data(), static_cast<int>(known.secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(mac.data()), &length);
  FUZZ_CHECK(length == mac.size());
  return mac;
}

/// What a HELLO of the same contents looks like.
void check_hello(const hs::Responder& responder, ConstBytes message) {
  FUZZ_CHECK(responder.peer_address().size() <= hs::kAddressBytesMax);
  ToldRandom random(message.subspan(kNonceInHelloAt, hs::kNonceBytes));
  hs::Initiator same(credentials(), responder.peer(), kServer, responder.peer_id(), random);
  FUZZ_CHECK(equal(same.hello(responder.peer_address()), message));
}

void check_challenge(const Exchange& exchange, ConstBytes message) {
  ToldRandom random(message.subspan(kNonceInChallengeAt, hs::kNonceBytes));
  hs::Responder same(credentials(), kServer, exchange.initiator.peer_id(), random);
  FUZZ_CHECK(equal(same.on_hello(exchange.hello).value(), message));
}

void check_welcome(Exchange& exchange, ConstBytes message, std::uint64_t clock_ns) {
  FUZZ_CHECK(clock_ns == get_u64(message, kClockInWelcomeAt));
  ToldRandom random({});
  hs::Responder same(credentials(), kServer, kServerConnection, random);
  FUZZ_CHECK(same.on_hello(exchange.hello).has_value());
  FUZZ_CHECK(equal(same.on_proof(exchange.proof, clock_ns).value(), message));
}

bool accept(Exchange& exchange, Step step, ConstBytes message) {
  switch (step) {
    case Step::kHello: {
      const auto answer = exchange.responder.on_hello(message);
      if (answer.has_value()) {
        check_hello(exchange.responder, message);
      }
      return answer.has_value();
    }
    case Step::kChallenge: {
      const auto answer = exchange.initiator.on_challenge(message);
      if (answer.has_value()) {
        check_challenge(exchange, message);
        FUZZ_CHECK(!exchange.initiator.on_challenge(message).has_value());  // Out of turn.
      }
      return answer.has_value();
    }
    case Step::kProof: {
      const auto answer = exchange.responder.on_proof(message, kClockNs);
      FUZZ_CHECK(answer.has_value() == equal(message, exchange.proof));
      FUZZ_CHECK(!exchange.responder.on_proof(exchange.proof, kClockNs).has_value());  // Once.
      return answer.has_value();
    }
    case Step::kWelcome: {
      const auto clock_ns = exchange.initiator.on_welcome(message);
      if (clock_ns.has_value()) {
        check_welcome(exchange, message, *clock_ns);
      }
      return clock_ns.has_value();
    }
    case Step::kRefused:
      break;
  }
  return false;
}

Verdict check_refused(ConstBytes message) {
  const auto envelope = hs::open_envelope(message);
  FUZZ_CHECK(!envelope.has_value() || message.size() <= hs::kMessageBytesMax);
  const Error error = hs::error_of_refused(message);
  const bool known = std::string_view(error.where) != "handshake.refused";
  return envelope.has_value() && known ? Verdict::kAccepted : Verdict::kRefused;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const auto step = static_cast<Step>(input.take_byte() % 5);
  const bool seal = (input.take_byte() & 1U) != 0;
  Buffer message(input.rest().begin(), input.rest().end());
  if (step == Step::kRefused) {
    return check_refused(message);
  }
  Exchange exchange;
  exchange.reach(step);
  bool sealed = false;
  if (message.size() >= hs::kMacBytes) {
    const std::size_t text_bytes = message.size() - hs::kMacBytes;
    const Buffer mac = mac_of(step, exchange.before(step), ConstBytes(message).first(text_bytes));
    if (seal) {
      std::copy(mac.begin(), mac.end(), message.end() - hs::kMacBytes);
    }
    sealed = equal(mac, ConstBytes(message).last(hs::kMacBytes));
  }
  const AllocationMeter meter;
  const bool accepted = accept(exchange, step, message);
  FUZZ_CHECK(meter.bytes() <= 16 * message.size() + 16 * 1024);
  FUZZ_CHECK(!accepted || sealed);
  FUZZ_CHECK(!accepted || message.size() <= hs::kMessageBytesMax);
  return accepted ? Verdict::kAccepted : Verdict::kRefused;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  Exchange exchange;
  exchange.reach(Step::kWelcome);
  const auto add = [&out](const std::string& name, Step step, ConstBytes message) {
    const auto step_byte = static_cast<std::uint8_t>(step);
    out.push_back({name, with_choice(step_byte, with_choice(0, message))});
    out.push_back({name + "_sealed", with_choice(step_byte, with_choice(1, message))});
  };
  add("hello", Step::kHello, exchange.hello);
  add("challenge", Step::kChallenge, exchange.challenge);
  add("proof", Step::kProof, exchange.proof);
  add("welcome", Step::kWelcome, exchange.welcome);
  for (std::uint16_t reason = 1; reason <= 5; ++reason) {
    const auto message = hs::refused(kClientConnection, static_cast<hs::Refusal>(reason));
    add("refused_" + std::to_string(reason), Step::kRefused, message);
  }
  return out;
}

}  // namespace benchfs::fuzz
