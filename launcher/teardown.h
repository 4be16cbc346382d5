#pragma once

// Ends a session for good: its processes, then all that they leave behind. Shared by `down`, by an
// `up` that failed, and by `up --replace`.
//
// Threading: the main thread, which holds the PlaceLock.

#include <chrono>
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

/// `patience` bounds the orderly part; the rest takes at most 10 s more.
TeardownResult tear_down(const SessionPlace& place, Manner manner,
                         std::chrono::milliseconds patience, Remains remains = Remains::kNothing);

}  // namespace benchfs::launcher
