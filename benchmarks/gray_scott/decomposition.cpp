#include "decomposition.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace gray_scott {

Share share_of(std::int64_t length, int parts, int index) {
  const std::int64_t each = length / parts;
  const std::int64_t longer = length % parts;
  return {index * each + std::min<std::int64_t>(index, longer), each + (index < longer ? 1 : 0)};
}

Result<Decomposition> Decomposition::create(MPI_Comm parent, const Grid& grid) {
  int rank_count = 0;
  MPI_Comm_size(parent, &rank_count);
  int sides[2] = {0, 0};
  MPI_Dims_create(rank_count, 2, sides);
  if (grid.rows < sides[0] || grid.columns < sides[1]) {
    return fail(fmt::format("a grid of {} x {} cells is too small for {} x {} ranks", grid.rows,
                            grid.columns, sides[0], sides[1]));
  }

  Decomposition made;
  const int periodic[2] = {1, 1};
  MPI_Cart_create(parent, 2, sides, periodic, 0, &made.comm_);
  MPI_Comm_rank(made.comm_, &made.rank_);
  int at[2] = {0, 0};
  MPI_Cart_coords(made.comm_, made.rank_, 2, at);
  MPI_Cart_shift(made.comm_, 0, 1, &made.neighbours_.up, &made.neighbours_.down);
  MPI_Cart_shift(made.comm_, 1, 1, &made.neighbours_.left, &made.neighbours_.right);
  made.grid_ = grid;
  made.rank_rows_ = sides[0];
  made.rank_columns_ = sides[1];
  const Share rows = share_of(grid.rows, sides[0], at[0]);
  const Share columns = share_of(grid.columns, sides[1], at[1]);
  made.block_ = {rows.begin, columns.begin, rows.length, columns.length};
  return made;
}

Decomposition::Decomposition(Decomposition&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)),
      grid_(other.grid_),
      rank_(other.rank_),
      rank_rows_(other.rank_rows_),
      rank_columns_(other.rank_columns_),
      block_(other.block_),
      neighbours_(other.neighbours_) {}

Decomposition::~Decomposition() {
  if (comm_ != MPI_COMM_NULL) {
    MPI_Comm_free(&comm_);
  }
}

}  // namespace gray_scott
