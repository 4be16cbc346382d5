#pragma once

// The address of a worker as benchfs hands it around: UCX's opaque bytes, wrapped so that bytes
// which were cut, damaged or never an address are refused before UCX, which trusts them, sees them.

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace benchfs::net {

/// Magic, length, checksum, `address`.
std::vector<std::byte> wrap_address(ConstBytes address);

/// The address inside `wrapped`, which it borrows; kInvalid if that is none.
Result<ConstBytes> unwrap_address(ConstBytes wrapped) noexcept;

}  // namespace benchfs::net
