// The wrapper around UCX's addresses: what unwraps wraps to the same bytes; nothing that was
// changed gets as far as UCX, which trusts what it is given.
//
// Input: choice 1 (odd: the checksum becomes the right one), bytes.

#include "net/ucx_address.h"

#include <openssl/sha.h>

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

constexpr std::size_t kChecksumAt = 8;
constexpr std::size_t kWrapBytes = 16;

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const bool seal = (input.take_byte() & 1U) != 0;
  Buffer wrapped(input.rest().begin(), input.rest().end());
  if (seal && wrapped.size() >= kWrapBytes) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    ::SHA256(reinterpret_cast<const unsigned char*>(wrapped.data()) + kWrapBytes,
             wrapped.size() - kWrapBytes, digest);
    for (std::size_t i = 0; i < 8; ++i) {
      wrapped[kChecksumAt + i] = static_cast<std::byte>(digest[i]);
    }
  }
  const AllocationMeter meter;
  const auto address = net::unwrap_address(wrapped);
  FUZZ_CHECK(meter.bytes() == 0);
  if (!address.has_value()) {
    FUZZ_CHECK(address.error().code == Errc::kInvalid);
    return Verdict::kRefused;
  }
  FUZZ_CHECK(!address->empty() && address->size() == wrapped.size() - kWrapBytes);
  FUZZ_CHECK(equal(net::wrap_address(*address), wrapped));
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  const Buffer wrapped = net::wrap_address(to_buffer("an address of a worker"));
  return {{"plain", with_choice(0, wrapped)}, {"sealed", with_choice(1, wrapped)}};
}

}  // namespace benchfs::fuzz
