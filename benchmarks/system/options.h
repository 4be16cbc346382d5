#pragma once

// What a run is to do, from the command line; read once.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pattern.h"

namespace benchfs::bench {

/// All phases, in the order in which a run takes them: what is created before what is searched,
/// read, removed.
extern const std::vector<std::string> kPhases;

inline constexpr std::uint64_t kHardTransferBytes = 47008;
inline constexpr std::uint64_t kRandomTransferBytes = 4096;
inline constexpr std::uint64_t kHardFileBytes = 3901;

struct Options {
  std::string backend = "benchfs";
  std::string path = "/";
  std::vector<std::string> phases;                      ///< In the order of kPhases.
  std::uint64_t size_bytes = std::uint64_t{256} << 20;  ///< easy: of each rank's file.
  std::uint64_t transfer_bytes = std::uint64_t{1} << 20;
  std::uint64_t hard_size_bytes = 0;    ///< Of each rank's pieces; 0: as size_bytes.
  std::uint64_t random_size_bytes = 0;  ///< Of each rank's file; 0: as size_bytes.
  std::uint64_t operations = 16384;     ///< random, ping: of each rank.
  std::uint64_t files = 2000;           ///< md-easy and md-hard: of each rank.
  unsigned depth = 16;
  unsigned clients = 16;  ///< Of phase clients.
  double seconds = 0;     ///< Stonewall of phases that write, and end of random-read; 0: none.
  int shift = 1;          ///< A rank reads what rank + shift wrote.
  Check check = Check::kEvery;
  bool direct = false;
  bool keep = false;
  std::optional<std::uint64_t> expected_files;  ///< find: when this run has created nothing.
  std::string json;                             ///< "-": standard output, nothing else there.
  std::string progress = "auto";
  std::vector<int>
      watch;  ///< Processes of this node whose CPU time and memory count as the servers'.
};

/// Returns an exit status if the program is to end now: of an error, which has been printed, or of
/// --help.
std::optional<int> parse_options(int argc, char** argv, bool speaks, Options& out);

}  // namespace benchfs::bench
