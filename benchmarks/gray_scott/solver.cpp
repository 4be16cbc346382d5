#include "solver.h"

#include <algorithm>
#include <bit>

namespace gray_scott {
namespace {

constexpr std::int64_t kSpotSpacing = 128;  // Cells: one spot somewhere in each tile of this side.
constexpr std::int64_t kSpotSide = 12;

// The finaliser of splitmix64: each bit of the input changes about half of the bits of the result.
constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// Whether the cell lies in the spot of its tile, at a place that is drawn from the tile's number.
bool in_spot(std::int64_t row, std::int64_t column) {
  const std::int64_t tile_row = row / kSpotSpacing;
  const std::int64_t tile_column = column / kSpotSpacing;
  const std::uint64_t draw =
      mix((static_cast<std::uint64_t>(tile_row) << 32) + static_cast<std::uint64_t>(tile_column));
  constexpr std::uint64_t kRoom = kSpotSpacing - kSpotSide;
  const std::int64_t top = tile_row * kSpotSpacing + static_cast<std::int64_t>(draw % kRoom);
  const std::int64_t left =
      tile_column * kSpotSpacing + static_cast<std::int64_t>((draw >> 32) % kRoom);
  return row >= top && row < top + kSpotSide && column >= left && column < left + kSpotSide;
}

// One row of the new state. Pointers are to column 0; neighbours left and right of the row are
// readable.
struct Stencil {
  const double* above;
  const double* here;
  const double* below;

  double laplacian(std::int64_t i) const {
    return ((above[i] + below[i]) + (here[i - 1] + here[i + 1])) - 4.0 * here[i];
  }
};

// Where the row goes; overlaps nothing that a stencil reads.
struct NewRow {
  double* u;
  double* v;
  std::int64_t columns;
};

void update_row(const Stencil& u, const Stencil& v, const NewRow& row,
                const Parameters& parameters) {
  double* __restrict new_u = row.u;
  double* __restrict new_v = row.v;
  const std::int64_t columns = row.columns;
  const Parameters p = parameters;
  for (std::int64_t i = 0; i < columns; ++i) {
    const double reaction = u.here[i] * v.here[i] * v.here[i];
    const double du = p.diffusion_u * u.laplacian(i) - reaction + p.feed * (1.0 - u.here[i]);
    const double dv = p.diffusion_v * v.laplacian(i) + reaction - (p.feed + p.kill) * v.here[i];
    new_u[i] = u.here[i] + p.time_step * du;
    new_v[i] = v.here[i] + p.time_step * dv;
  }
}

Stencil stencil_of(const Field& field, Plane plane, std::int64_t row) {
  return {field.row(plane, row - 1), field.row(plane, row), field.row(plane, row + 1)};
}

}  // namespace

Solver::Solver(const Decomposition& decomposition, const Parameters& parameters)
    : decomposition_(decomposition),
      parameters_(parameters),
      first_(decomposition.block().rows, decomposition.block().columns),
      second_(decomposition.block().rows, decomposition.block().columns),
      first_halo_(decomposition, first_),
      second_halo_(decomposition, second_) {
  reset();
}

void Solver::reset() {
  Field& field = state();
  const Block& block = decomposition_.block();
  for (std::int64_t r = 0; r < block.rows; ++r) {
    double* u = field.row(Plane::kU, r);
    double* v = field.row(Plane::kV, r);
    for (std::int64_t c = 0; c < block.columns; ++c) {
      const bool spot = in_spot(block.row + r, block.column + c);
      u[c] = spot ? 0.5 : 1.0;
      v[c] = spot ? 0.25 : 0.0;
    }
  }
}

void Solver::step() {
  Field& from = current_is_first_ ? first_ : second_;
  Field& to = current_is_first_ ? second_ : first_;
  (current_is_first_ ? first_halo_ : second_halo_).exchange();
  for (std::int64_t r = 0; r < from.rows(); ++r) {
    update_row(stencil_of(from, Plane::kU, r), stencil_of(from, Plane::kV, r),
               {to.row(Plane::kU, r), to.row(Plane::kV, r), from.columns()}, parameters_);
  }
  current_is_first_ = !current_is_first_;
}

std::uint64_t checksum_of(const Field& field, const Block& block, const Grid& grid) {
  std::uint64_t sum = 0;
  for (std::int64_t r = 0; r < field.rows(); ++r) {
    const double* u = field.row(Plane::kU, r);
    const double* v = field.row(Plane::kV, r);
    const std::int64_t first = (block.row + r) * grid.columns + block.column;
    for (std::int64_t c = 0; c < field.columns(); ++c) {
      const std::uint64_t place = mix(static_cast<std::uint64_t>(first + c));
      sum += mix(std::bit_cast<std::uint64_t>(u[c]) ^ place);
      sum += mix(std::bit_cast<std::uint64_t>(v[c]) + place);
    }
  }
  return sum;
}

}  // namespace gray_scott
