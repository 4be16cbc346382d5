#pragma once

// Where the metrics endpoint listens. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace benchfs::server {

/// An address in numbers, and a port.
struct HttpAddress {
  std::string host;  ///< "127.0.0.1", "::1".
  std::uint16_t port = 0;

  /// "9400" is the loopback's; "10.0.0.7:9400", "[::1]:9400", "0.0.0.0:9400". kInvalid.
  static Result<HttpAddress> parse(std::string_view text);
  /// What parse() takes for the same.
  std::string text() const;

  bool operator==(const HttpAddress&) const = default;
};

}  // namespace benchfs::server
