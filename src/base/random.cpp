#include "base/random.h"

#include <cerrno>

#include <sys/random.h>

#include "base/assert.h"

namespace benchfs {

void SystemRandom::fill(std::span<std::byte> out) noexcept {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      BENCHFS_ASSERT(errno == EINTR);
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void SeededRandom::fill(std::span<std::byte> out) noexcept {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % sizeof(bits) == 0) {
      bits = engine_();
    }
    out[i] = static_cast<std::byte>(bits & 0xff);
    bits >>= 8;
  }
}

}  // namespace benchfs
