#pragma once

// What staging does with the bytes of a cell (wire/staging.h): its sum, and where it is not zeros.
//
// Pure functions.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "placement/placement.h"
#include "store/chunk_store.h"
#include "wire/staging.h"

namespace benchfs::server {

bool is_all_zeros(ConstBytes bytes) noexcept;

/// What the cell that begins at `offset_bytes` of its file counts in the file's sum; 0 if and
/// only if it is all zeros.
std::uint64_t sum_of_cell(ConstBytes bytes, std::uint64_t offset_bytes) noexcept;

/// The runs of whole blocks of the file that are not all zeros, cut to the cell: at most
/// kPiecesMax, the last of which may have zeros inside. None if all is zeros.
std::vector<store::Piece> data_runs(ConstBytes bytes, std::uint64_t offset_bytes);

/// The cells of `request` that `self` holds, in order. kProtocol, kInvalid: numbers that no correct
/// client sends.
Result<std::vector<store::Piece>> cells_of(const wire::StageRangeRequest& request, ServerId self,
                                           std::uint16_t server_count);

}  // namespace benchfs::server
