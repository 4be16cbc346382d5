#pragma once

// The Gray-Scott equations on one rank's block.
//
//   du/dt = Du lap(u) - u v^2 + feed (1 - u)
//   dv/dt = Dv lap(v) + u v^2 - (feed + kill) v
//
// with the five-point Laplacian and an explicit Euler step. Every bit of the fields depends on the
// grid, the parameters and the step alone, not on the ranks.

#include <cstdint>

#include "decomposition.h"
#include "field.h"
#include "halo.h"

namespace gray_scott {

struct Parameters {
  double feed = 0.0545;
  double kill = 0.062;
  double diffusion_u = 0.16;
  double diffusion_v = 0.08;
  double time_step = 1.0;

  bool operator==(const Parameters&) const = default;
};

/// The state of one rank. Ownership: borrows `decomposition`. Threads: one.
class Solver {
 public:
  /// Starts from the initial state.
  Solver(const Decomposition& decomposition, const Parameters& parameters);

  /// Back to the initial state: u = 1 and v = 0, with squares of a mixture scattered over the grid.
  void reset();

  /// Collective: one time step.
  void step();

  /// The state now, for checkpoints; read_checkpoint() fills it. The frame need not be valid.
  Field& state() { return current_is_first_ ? first_ : second_; }
  const Field& state() const { return current_is_first_ ? first_ : second_; }

 private:
  const Decomposition& decomposition_;
  Parameters parameters_;
  Field first_;
  Field second_;
  Halo first_halo_;
  Halo second_halo_;
  bool current_is_first_ = true;
};

/// Of the cells of `field`, which is `block` of the grid. The checksum of the whole state is the
/// sum over all blocks modulo 2^64, however the grid is cut.
std::uint64_t checksum_of(const Field& field, const Block& block, const Grid& grid);

}  // namespace gray_scott
