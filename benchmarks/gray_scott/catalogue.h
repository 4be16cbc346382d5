#pragma once

// Which checkpoints are complete: a file of fixed records, written through MPI-IO after the
// checkpoint that each names.
//
// On disk, little-endian: record i at byte 64 i holds magic, step, checksum, and a check over these
// three; the rest is zero. A record that is torn, or zero, does not pass its check and counts as
// free.

#include <cstdint>
#include <string>
#include <vector>

#include "failure.h"

namespace gray_scott {

/// What identifies a state.
struct StateId {
  std::uint64_t step = 0;
  std::uint64_t checksum = 0;

  bool operator==(const StateId&) const = default;
};

/// Used by one rank. Not thread-safe.
class Catalogue {
 public:
  /// Reads the catalogue in `directory`; none there is an empty one. `keep` is how many checkpoints
  /// stay; if the file names more than that already, that many stay.
  static Result<Catalogue> open(const std::string& directory, std::uint64_t keep);

  /// Complete checkpoints, newest first.
  std::vector<StateId> newest_first() const;

  /// Frees the records with a step above `step`: the run continues from there. On disk they stay
  /// until others take their place.
  void forget_above(std::uint64_t step);

  /// Makes `id` complete: returns when its record is synced. Then deletes the checkpoint whose
  /// record it replaced.
  Status add(const StateId& id);

  /// Creates the file if there is none, empties it, and deletes every checkpoint it named.
  Status clear();

 private:
  explicit Catalogue(std::string directory) : directory_(std::move(directory)) {}

  std::string path() const { return directory_ + "/catalogue"; }
  Status read();

  struct Slot {
    bool used = false;
    StateId id;
  };
  std::string directory_;
  std::vector<Slot> slots_;
};

/// The path of the checkpoint of `step` in `directory`.
std::string checkpoint_path(const std::string& directory, std::uint64_t step);

}  // namespace gray_scott
