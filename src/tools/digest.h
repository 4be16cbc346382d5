#pragma once

// A checksum of bytes as they pass: 128 bits of XXH3.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace benchfs::tools {

class Digest {
 public:
  using Value = std::array<std::uint64_t, 2>;

  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(std::span<const std::byte> bytes);
  /// Of everything that was added.
  Value value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace benchfs::tools
