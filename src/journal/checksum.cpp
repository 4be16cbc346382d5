#include "journal/checksum.h"

#include <algorithm>

#include <isa-l.h>

namespace benchfs::journal {

std::uint32_t crc32c(ConstBytes bytes, std::uint32_t before) noexcept {
  // The library wants an int, takes and gives the register as it is (the standard inverts it before
  // and after), and reads only, whatever its signature says.
  constexpr std::size_t kPartBytesMax = std::size_t{1} << 30U;
  std::uint32_t state = ~before;
  while (!bytes.empty()) {
    const ConstBytes part = bytes.first(std::min(bytes.size(), kPartBytesMax));
    auto* const data = const_cast<std::byte*>(part.data());
    state =
        crc32_iscsi(reinterpret_cast<unsigned char*>(data), static_cast<int>(part.size()), state);
    bytes = bytes.subspan(part.size());
  }
  return ~state;
}

}  // namespace benchfs::journal
