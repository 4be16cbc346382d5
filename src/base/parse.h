#pragma once

// Numbers as people write them in options, configuration files and hints.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace benchfs {

/// Bytes from "4096", "64K", "1MiB", "1.5G" or "2T": the suffix counts in powers of 1024, in either
/// case, with or without "B" or "iB". kInvalid for anything else (an unknown suffix such as "12Q",
/// a sign, an empty text, a fraction of a byte), kOutOfRange beyond 2^63 - 1.
Result<std::uint64_t> parse_size(std::string_view text);

/// Nanoseconds from "10s", "250ms", "20us", "5m"; a plain number is seconds. Errors as above.
Result<std::uint64_t> parse_duration_ns(std::string_view text);

/// A plain decimal number without sign. Errors as above.
Result<std::uint64_t> parse_count(std::string_view text);

/// "1.5 GiB", for people.
std::string format_size(std::uint64_t bytes);

}  // namespace benchfs
