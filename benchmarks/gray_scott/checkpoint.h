#pragma once

// One checkpoint: an HDF5 file with the state at one step.
//
//   /u, /v         [rows][columns] doubles, little-endian
//   /blocks        [ranks][5] unsigned: row, column, rows, columns and checksum of each rank's
//   block attributes     format, step, checksum (of the whole state), feed, kill, diffusion_u,
//   diffusion_v, time_step

#include <cstdint>
#include <string>

#include "catalogue.h"
#include "decomposition.h"
#include "failure.h"
#include "field.h"
#include "solver.h"

namespace gray_scott {

/// Collective. Returns when the file is synced and closed. If one rank fails the others may still
/// be inside HDF5: the caller must abort the job.
Status write_checkpoint(const std::string& path, const Decomposition& decomposition,
                        const Parameters& parameters, const Field& field, const StateId& id);

/// Collective. Reads `path` into `field` and verifies it: grid, parameters, step and checksum are
/// those asked for, and the cells have that checksum. All ranks get the same verdict; after a
/// failure `field` holds anything.
Status read_checkpoint(const std::string& path, const Decomposition& decomposition,
                       const Parameters& parameters, const StateId& id, Field& field);

/// Collective: the checksum of the whole state.
std::uint64_t total_checksum(const Field& field, const Decomposition& decomposition);

}  // namespace gray_scott
