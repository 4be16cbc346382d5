#pragma once

// Moves the bytes of one file, with several transfers in flight on both sides.
//
// Threading: one thread at a time; each of several has its own.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tools/digest.h"
#include "tools/file_tree.h"
#include "tools/progress.h"

namespace benchfs::tools {

class Pipeline {
 public:
  static constexpr std::size_t kPieceBytes = 4 * 1024 * 1024;
  static constexpr std::size_t kPieces = 8;

  enum class Outcome { kDone, kReadFailed, kWriteFailed, kInterrupted };

  /// What a run does beside copying from the start.
  struct Extras {
    std::uint64_t begin = 0;   ///< Where it begins instead.
    Digest* digest = nullptr;  ///< Gets what was read, in order; borrowed.
  };

  /// Copies from the start to `size_max` or the end of `from`, whichever comes first, and adds what
  /// was moved to `moved`. The first short read is the end, whatever a file that grows has behind.
  /// On a failure errno says why; nothing is in flight any more when this returns.
  Outcome run(ReadEnd& from, WriteEnd& to, std::uint64_t size_max, std::uint64_t& moved,
              Progress& progress, const Extras& extras);
  Outcome run(ReadEnd& from, WriteEnd& to, std::uint64_t size_max, std::uint64_t& moved,
              Progress& progress) {
    return run(from, to, size_max, moved, progress, Extras{});
  }

 private:
  struct Slot {
    std::unique_ptr<std::byte[]> memory;
    Piece piece;
    enum class State { kFree, kReading, kWriting } state = State::kFree;
  };

  bool finish_write(Slot& slot, WriteEnd& to, std::uint64_t& moved, Progress& progress);
  /// Waits for everything in flight, whatever it comes to; errno is kept.
  void abandon(ReadEnd& from, WriteEnd& to);

  std::vector<Slot> slots_{kPieces};
};

}  // namespace benchfs::tools
