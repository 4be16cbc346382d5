#pragma once

// CRC-32C (Castagnoli), as iSCSI and the drives' own protection use it; ISA-L computes it.

#include <cstdint>

#include "base/bytes.h"

namespace benchfs::journal {

/// Of `bytes`; with `before`, the checksum of what lies before them, of both together.
std::uint32_t crc32c(ConstBytes bytes, std::uint32_t before = 0) noexcept;

}  // namespace benchfs::journal
