#include "compat/share.h"

#include <cstdint>

namespace benchfs::compat {
namespace {

/// FNV-1a: every walker has to come to the same number, whatever its machine.
std::uint64_t hash(std::string_view text) noexcept {
  constexpr std::uint64_t kOffset = 0xcbf29ce484222325U;
  constexpr std::uint64_t kPrime = 0x100000001b3U;
  std::uint64_t value = kOffset;
  for (const char each : text) {
    value = (value ^ static_cast<unsigned char>(each)) * kPrime;
  }
  // Its low bits know little of what a text begins with.
  return value ^ (value >> 32U);
}

}  // namespace

std::string plain_path(std::string_view path) {
  std::string plain;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size() == path.size() ? name.size() : name.size() + 1);
    if (name.empty() || name == ".") {
      continue;
    }
    plain += plain.empty() ? "" : "/";
    plain += name;
  }
  return plain;
}

int share_of(std::string_view directory, std::string_view name, int count) noexcept {
  const std::string_view first =
      directory.empty() ? name : directory.substr(0, directory.find('/'));
  return static_cast<int>(hash(first) % static_cast<std::uint64_t>(count));
}

}  // namespace benchfs::compat
