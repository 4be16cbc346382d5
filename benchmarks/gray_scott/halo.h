#pragma once

// Fills the frame of a field from the neighbours' cells.

#include <array>

#include <mpi.h>

#include "decomposition.h"
#include "field.h"

namespace gray_scott {

/// The exchange for one field, set up once and started many times.
///
/// Ownership: borrows the cells of `field`, which must stay where they are, and the communicator of
/// `decomposition`. Corners of the frame are not filled: the five-point stencil never reads them.
class Halo {
 public:
  Halo(const Decomposition& decomposition, Field& field);
  Halo(const Halo&) = delete;
  Halo& operator=(const Halo&) = delete;
  ~Halo();

  /// Collective. Returns when the frame is filled.
  void exchange();

 private:
  MPI_Datatype row_type_ = MPI_DATATYPE_NULL;
  MPI_Datatype column_type_ = MPI_DATATYPE_NULL;
  std::array<MPI_Request, 8> requests_{};
};

}  // namespace gray_scott
