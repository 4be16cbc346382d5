// Goal: only who knows the secret gets through the handshake, whatever is said, repeated, cut,
// damaged or sent back to its author. Method: initiator and responder talk through byte buffers;
// one case per wrong thing, then sweeps over every byte and every length.

#include "net/handshake.h"

#include <gtest/gtest.h>

namespace benchfs::net::handshake {
namespace {

Credentials credentials(std::uint64_t session = 7, std::uint8_t secret = 1) {
  Credentials out;
  out.session_id = session;
  out.secret.fill(static_cast<std::byte>(secret));
  return out;
}

constexpr PeerIdentity kClient{.role = PeerIdentity::Role::kClient, .id = 99};
constexpr PeerIdentity kServer{.role = PeerIdentity::Role::kServer, .id = 3};

class Handshake : public testing::Test {
 protected:
  Initiator initiator(Credentials known = credentials(), PeerIdentity expected = kServer) {
    return Initiator(known, kClient, expected, 111, random);
  }
  Responder responder(Credentials known = credentials()) {
    return Responder(known, kServer, 222, random);
  }
  SeededRandom random{1};
  Buffer address = Buffer(300, std::byte{0x5A});
};

TEST_F(Handshake, OpensBetweenTwoThatKnowTheSecret) {
  Initiator one = initiator();
  Responder other = responder();
  const auto challenge = other.on_hello(one.hello(address));
  ASSERT_TRUE(challenge.has_value());
  const auto proof = one.on_challenge(*challenge);
  ASSERT_TRUE(proof.has_value());
  const auto welcome = other.on_proof(*proof, 0x123456789ABCDEF0);
  ASSERT_TRUE(welcome.has_value());
  EXPECT_EQ(one.on_welcome(*welcome).value_or(0), 0x123456789ABCDEF0U);
  EXPECT_EQ(one.peer_id(), 222U);
  EXPECT_EQ(other.peer_id(), 111U);
  EXPECT_EQ(other.peer().role, PeerIdentity::Role::kClient);
  EXPECT_EQ(other.peer().id, 99U);
  EXPECT_TRUE(std::equal(address.begin(), address.end(), other.peer_address().begin(),
                         other.peer_address().end()));
}

TEST_F(Handshake, EveryReasonToRefuseHasItsError) {
  Initiator one = initiator();
  const Buffer hello = one.hello(address);
  EXPECT_EQ(responder(credentials(8)).on_hello(hello).error(), Refusal::kOtherSession);
  EXPECT_EQ(responder(credentials(7, 2)).on_hello(hello).error(), Refusal::kBadProof);
  const PeerIdentity somebody{.role = PeerIdentity::Role::kServer, .id = 4};
  Initiator lost = initiator(credentials(), somebody);
  EXPECT_EQ(responder().on_hello(lost.hello(address)).error(), Refusal::kOtherIdentity);
  Buffer newer = hello;
  newer[4] = std::byte{kVersion + 1};
  EXPECT_EQ(responder().on_hello(newer).error(), Refusal::kOtherVersion);

  EXPECT_EQ(error_of_refused(refused(1, Refusal::kOtherSession)).code, Errc::kStale);
  EXPECT_EQ(error_of_refused(refused(1, Refusal::kBadProof)).code, Errc::kAccess);
  EXPECT_EQ(error_of_refused(refused(1, Refusal::kOtherIdentity)).code, Errc::kAccess);
  EXPECT_EQ(error_of_refused(refused(1, Refusal::kOtherVersion)).code, Errc::kProtocol);
  EXPECT_EQ(error_of_refused(refused(1, Refusal::kMalformed)).code, Errc::kProtocol);
  EXPECT_EQ(error_of_refused(refused(1, Refusal::kBusy)).code, Errc::kBusy);
  Buffer unknown = refused(1, Refusal::kBusy);
  unknown[16] = std::byte{200};
  EXPECT_EQ(error_of_refused(unknown).code, Errc::kProtocol);
  unknown.pop_back();
  EXPECT_EQ(error_of_refused(unknown).code, Errc::kProtocol);
  EXPECT_EQ(error_of_refused({}).code, Errc::kProtocol);
}

TEST_F(Handshake, AResponderWithoutTheSecretIsFoundOut) {
  Initiator one = initiator();
  const Buffer hello = one.hello(address);
  // It cannot check the HELLO, but it can copy what a right one once answered to another.
  Initiator earlier = initiator();
  Responder right = responder();
  const auto recorded = right.on_hello(earlier.hello(address));
  ASSERT_TRUE(recorded.has_value());
  const auto proof = one.on_challenge(*recorded);
  ASSERT_FALSE(proof.has_value());
  EXPECT_EQ(proof.error().code, Errc::kAccess);
}

TEST_F(Handshake, AResponderThatIsSomebodyElseIsFoundOut) {
  Initiator one = initiator();
  const PeerIdentity somebody{.role = PeerIdentity::Role::kServer, .id = 4};
  // A server of the session that answers for another: it must lie in its CHALLENGE or say who it
  // is.
  Initiator for_somebody(credentials(), kClient, somebody, 111, random);
  Responder other(credentials(), somebody, 222, random);
  const auto challenge = other.on_hello(for_somebody.hello(address));
  ASSERT_TRUE(challenge.has_value());
  (void)one.hello(address);
  EXPECT_EQ(one.on_challenge(*challenge).error().code, Errc::kAccess);
}

TEST_F(Handshake, ARecordedHelloAndProofOpenNothing) {
  Initiator one = initiator();
  const Buffer hello = one.hello(address);
  Responder first = responder();
  const auto challenge = first.on_hello(hello);
  const auto proof = one.on_challenge(*challenge);
  ASSERT_TRUE(proof.has_value());
  Responder second = responder();  // Another nonce.
  ASSERT_TRUE(second.on_hello(hello).has_value());
  EXPECT_EQ(second.on_proof(*proof, 5).error(), Refusal::kBadProof);
}

TEST_F(Handshake, NothingCanBeSentBackToItsAuthor) {
  // Two servers; the attacker has no secret and plays each message back to who made it.
  const Credentials known = credentials();
  Initiator one(known, kServer, kServer, 111, random);
  const Buffer hello = one.hello(address);
  EXPECT_FALSE(one.on_challenge(hello).has_value());
  Responder same(known, kServer, 222, random);
  const auto challenge = same.on_hello(hello);
  ASSERT_TRUE(challenge.has_value());
  EXPECT_FALSE(same.on_proof(*challenge, 5).has_value());
  const auto proof = one.on_challenge(*challenge);
  ASSERT_TRUE(proof.has_value());
  EXPECT_FALSE(one.on_welcome(*proof).has_value());
  // Under another envelope, and with a clock, the MAC does not fit either.
  Buffer disguised = *proof;
  disguised.insert(disguised.begin() + 16, 8, std::byte{0});
  disguised[6] = static_cast<std::byte>(Kind::kWelcome);
  for (std::size_t i = 0; i < 8; ++i) {
    disguised[8 + i] = static_cast<std::byte>(i == 0 ? 111 : 0);
  }
  EXPECT_EQ(one.on_welcome(disguised).error().code, Errc::kAccess);
}

TEST_F(Handshake, MessagesOutOfTurnAreRefused) {
  Initiator one = initiator();
  Responder other = responder();
  const Buffer hello = one.hello(address);
  const auto challenge = other.on_hello(hello);
  EXPECT_FALSE(one.on_welcome(*challenge).has_value());
  const auto proof = one.on_challenge(*challenge);
  EXPECT_FALSE(one.on_challenge(*challenge).has_value());
  const auto welcome = other.on_proof(*proof, 5);
  ASSERT_TRUE(welcome.has_value());
  EXPECT_FALSE(other.on_proof(*proof, 5).has_value());
  EXPECT_TRUE(one.on_welcome(*welcome).has_value());
  EXPECT_FALSE(one.on_welcome(*welcome).has_value());
  Responder early = responder();
  EXPECT_FALSE(early.on_proof(*proof, 5).has_value());
}

TEST_F(Handshake, EveryChangedByteAndEveryOtherLengthIsRefused) {
  Initiator one = initiator();
  const Buffer hello = one.hello(address);
  Responder other = responder();
  const Buffer challenge = *other.on_hello(hello);
  Initiator proving = one;
  const Buffer proof = *proving.on_challenge(challenge);
  Responder welcoming = other;
  const Buffer welcome = *welcoming.on_proof(proof, 5);

  const auto sweep = [](const Buffer& good, auto&& accepted) {
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const int bit : {0, 3, 7}) {
        Buffer bad = good;
        bad[i] ^= static_cast<std::byte>(1 << bit);
        EXPECT_FALSE(accepted(bad)) << "byte " << i << " bit " << bit;
      }
      EXPECT_FALSE(accepted(Buffer(good.begin(), good.begin() + static_cast<long>(i)))) << i;
    }
    Buffer longer = good;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(accepted(longer));
  };
  sweep(hello, [&](const Buffer& bad) { return responder().on_hello(bad).has_value(); });
  sweep(challenge, [&](const Buffer& bad) {
    Initiator copy = one;
    return copy.on_challenge(bad).has_value();
  });
  sweep(proof, [&](const Buffer& bad) {
    Responder copy = other;
    return copy.on_proof(bad, 5).has_value();
  });
  sweep(welcome, [&](const Buffer& bad) {
    Initiator copy = proving;
    return copy.on_welcome(bad).has_value();
  });
}

TEST_F(Handshake, RandomBytesNeverPass) {
  for (int round = 0; round < 5000; ++round) {
    Buffer noise(static_cast<std::size_t>(random.next_u64() % 700));
    random.fill(noise);
    // Half of them look like messages, so that the noise gets beyond the envelope.
    if (round % 2 == 0 && noise.size() >= 16) {
      const Buffer head = bye(111);
      std::copy(head.begin(), head.end(), noise.begin());
      noise[6] = static_cast<std::byte>(1 + round % 6);
    }
    Responder other = responder();
    EXPECT_FALSE(other.on_hello(noise).has_value());
    Initiator one = initiator();
    (void)one.hello(address);
    EXPECT_FALSE(one.on_challenge(noise).has_value());
    EXPECT_NE(static_cast<int>(error_of_refused(noise).code), 0);
  }
}

TEST_F(Handshake, AMessageBeyondTheLimitIsRefusedUnread) {
  EXPECT_FALSE(open_envelope(Buffer(kMessageBytesMax + 1)).has_value());
  Buffer long_bye = bye(1);
  EXPECT_TRUE(open_envelope(long_bye).has_value());
  long_bye.resize(kMessageBytesMax + 1);
  EXPECT_FALSE(open_envelope(long_bye).has_value());
}

}  // namespace
}  // namespace benchfs::net::handshake
