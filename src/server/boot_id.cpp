#include "server/boot_id.h"

#include <array>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

namespace benchfs::server {
namespace {

constexpr std::size_t kTextBytes = 36;

std::optional<unsigned> digit(char character) noexcept {
  if (character >= '0' && character <= '9') {
    return static_cast<unsigned>(character - '0');
  }
  if (character >= 'a' && character <= 'f') {
    return static_cast<unsigned>(character - 'a') + 10;
  }
  return std::nullopt;
}

}  // namespace

journal::BootId parse_boot_id(std::string_view text) noexcept {
  if (!text.empty() && text.back() == '\n') {
    text.remove_suffix(1);
  }
  if (text.size() != kTextBytes) {
    return {};
  }
  journal::BootId id;
  std::size_t digits = 0;
  for (std::size_t at = 0; at < kTextBytes; ++at) {
    if (at == 8 || at == 13 || at == 18 || at == 23) {
      if (text[at] != '-') {
        return {};
      }
      continue;
    }
    const std::optional<unsigned> value = digit(text[at]);
    if (!value.has_value()) {
      return {};
    }
    std::byte& into = id.bytes[digits / 2];
    into = (into << 4) | static_cast<std::byte>(*value);
    ++digits;
  }
  return id;
}

journal::BootId read_boot_id(const char* path) {
  std::array<char, 64> text{};
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t count = fd < 0 ? -1 : ::read(fd, text.data(), text.size());
  if (fd >= 0) {
    ::close(fd);
  }
  const journal::BootId id =
      parse_boot_id({text.data(), count < 0 ? 0 : static_cast<std::size_t>(count)});
  if (!id.is_known()) {
    log_warning(
        "{} does not tell which start of the kernel this is: the server takes every restart for "
        "one "
        "after a power failure",
        path);
  }
  return id;
}

}  // namespace benchfs::server
