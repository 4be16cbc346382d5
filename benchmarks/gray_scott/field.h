#pragma once

// The cells of one block: two planes, u and v, each with a frame of one cell that holds copies of
// the neighbours' cells.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gray_scott {

enum class Plane { kU = 0, kV = 1 };
inline constexpr int kPlaneCount = 2;

class Field {
 public:
  Field(std::int64_t rows, std::int64_t columns)
      : rows_(rows),
        columns_(columns),
        cells_(static_cast<std::size_t>(kPlaneCount * plane_cells()), 0.0) {}

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }

  /// Cells from one row to the next, and from u to v.
  std::int64_t stride() const { return columns_ + 2; }
  std::int64_t plane_cells() const { return (rows_ + 2) * stride(); }

  /// The cell at column 0 of `row`; row and column -1 and the ones behind the last are the frame.
  double* row(Plane plane, std::int64_t row) { return cells_.data() + index(plane, row); }
  const double* row(Plane plane, std::int64_t row) const {
    return cells_.data() + index(plane, row);
  }

  /// The whole plane, frame included, from its upper left corner.
  double* plane(Plane plane) { return cells_.data() + static_cast<int>(plane) * plane_cells(); }
  const double* plane(Plane plane) const {
    return cells_.data() + static_cast<int>(plane) * plane_cells();
  }

 private:
  std::int64_t index(Plane plane, std::int64_t row) const {
    return static_cast<int>(plane) * plane_cells() + (row + 1) * stride() + 1;
  }

  std::int64_t rows_;
  std::int64_t columns_;
  std::vector<double> cells_;
};

}  // namespace gray_scott
