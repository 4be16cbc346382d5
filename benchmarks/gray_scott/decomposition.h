#pragma once

// Which rank computes which part of the grid.
//
// The grid is periodic and cut into one block per rank, in both directions, with sides that differ
// by at most one cell.

#include <cstdint>

#include <mpi.h>

#include "failure.h"

namespace gray_scott {

/// Cells of the whole problem.
struct Grid {
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  bool operator==(const Grid&) const = default;
};

/// A rectangle of the grid, in cells.
struct Block {
  std::int64_t row = 0;  ///< First row.
  std::int64_t column = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  bool operator==(const Block&) const = default;
};

/// The part of `length` cells that is part `index` of `parts`.
struct Share {
  std::int64_t begin = 0;
  std::int64_t length = 0;
};
Share share_of(std::int64_t length, int parts, int index);

/// Ranks next to this one. A neighbour may be the rank itself.
struct Neighbours {
  int up = 0;
  int down = 0;
  int left = 0;
  int right = 0;
};

/// This rank's place. Owns a communicator of its own; must die before MPI_Finalize.
class Decomposition {
 public:
  /// Collective over `parent`. Fails, on all ranks, if the grid has fewer rows or columns than
  /// there are ranks in that direction.
  static Result<Decomposition> create(MPI_Comm parent, const Grid& grid);

  Decomposition(Decomposition&& other) noexcept;
  Decomposition& operator=(Decomposition&&) = delete;
  ~Decomposition();

  MPI_Comm comm() const { return comm_; }
  int rank() const { return rank_; }
  int rank_count() const { return rank_rows_ * rank_columns_; }
  int rank_rows() const { return rank_rows_; }
  int rank_columns() const { return rank_columns_; }
  const Grid& grid() const { return grid_; }
  const Block& block() const { return block_; }
  const Neighbours& neighbours() const { return neighbours_; }

 private:
  Decomposition() = default;

  MPI_Comm comm_ = MPI_COMM_NULL;
  Grid grid_;
  int rank_ = 0;
  int rank_rows_ = 0;
  int rank_columns_ = 0;
  Block block_;
  Neighbours neighbours_;
};

}  // namespace gray_scott
