#include "net/ucx_address.h"

#include <array>
#include <cstdint>
#include <cstring>

#include <openssl/sha.h>

#include "net/process.h"

namespace benchfs::net {
namespace {

constexpr std::array<std::byte, 4> kMagic{std::byte{'b'}, std::byte{'U'}, std::byte{'C'},
                                          std::byte{1}};
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kWrapBytes = kMagic.size() + 4 + kChecksumBytes;

std::array<std::byte, kChecksumBytes> checksum(ConstBytes address) noexcept {
  keep_libcrypto();
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(address.data()), address.size(), digest.data());
  std::array<std::byte, kChecksumBytes> sum;
  std::memcpy(sum.data(), digest.data(), sum.size());
  return sum;
}

}  // namespace

std::vector<std::byte> wrap_address(ConstBytes address) {
  std::vector<std::byte> wrapped;
  wrapped.reserve(kWrapBytes + address.size());
  wrapped.insert(wrapped.end(), kMagic.begin(), kMagic.end());
  for (int i = 0; i < 4; ++i) {
    wrapped.push_back(static_cast<std::byte>(address.size() >> (8 * i)));
  }
  const auto sum = checksum(address);
  wrapped.insert(wrapped.end(), sum.begin(), sum.end());
  wrapped.insert(wrapped.end(), address.begin(), address.end());
  return wrapped;
}

Result<ConstBytes> unwrap_address(ConstBytes wrapped) noexcept {
  if (wrapped.size() <= kWrapBytes ||
      std::memcmp(wrapped.data(), kMagic.data(), kMagic.size()) != 0) {
    return fail(Errc::kInvalid, "net.address.magic");
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    bytes |= std::to_integer<std::uint64_t>(wrapped[kMagic.size() + i]) << (8 * i);
  }
  const ConstBytes address = wrapped.subspan(kWrapBytes);
  if (bytes != address.size()) {
    return fail(Errc::kInvalid, "net.address.length");
  }
  const auto sum = checksum(address);
  if (std::memcmp(sum.data(), wrapped.data() + kMagic.size() + 4, sum.size()) != 0) {
    return fail(Errc::kInvalid, "net.address.checksum");
  }
  return address;
}

}  // namespace benchfs::net
