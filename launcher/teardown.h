#pragma once

// Ends a session for good: its processes, then all that they leave behind. Shared by `down`, by an
// `up` that failed, and by `up --replace`.
//
// Threading: the main thread, which holds the PlaceLock.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "launcher/session_place.h"

namespace benchfs::launcher {

enum class Manner {
  kOrderly,  ///< Asks the servers first; what does not stop is terminated, then killed.
  kForced,   ///< Terminates at once, then kills.
};

enum class Remains {
  kNothing,
  kStores,            ///< So that an `up` can go on with them.
  kStoresAndSession,  ///< And the session file and the record, so that clients can wait for that.
};

struct TeardownResult {
  std::vector<std::string> done;      ///< What happened, a line each.
  std::vector<std::string> failures;  ///< What could not be ended or removed.
  bool threads_left = false;          ///< As in Survey.
};

/// Other nodes than this one.
struct OtherNodes {
  /// Ends and removes what is left of the session there. Called once; at once if a server did not
  /// agree to stop, else when those of this node have. Empty: nobody can but mpirun.
  std::function<void(TeardownResult&)> clear;
  bool concern_us = true;  ///< False: somebody else looks after them.
};

/// `patience` bounds the orderly part; the rest takes at most 10 s more, and what `others` takes.
TeardownResult tear_down(const SessionPlace& place, Manner manner,
                         std::chrono::milliseconds patience, Remains remains = Remains::kNothing,
                         OtherNodes others = {});

/// Removes the stores of dead servers in the directory `store`, whosever session they are of, and
/// the directory itself if that leaves it empty.
void remove_stores_in(const std::string& store, TeardownResult& result);

}  // namespace benchfs::launcher
