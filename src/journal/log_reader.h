#pragma once

// The log of a dead server, batch by batch, to the first position where there is none that is
// valid.
//
// Threading: loop thread only.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "coro/task.h"
#include "io/disk.h"
#include "journal/aligned_memory.h"
#include "journal/format.h"
#include "journal/log_ring.h"

namespace benchfs::journal {

struct BatchView {
  BatchHeader header;
  ConstBytes bytes;  ///< From the header to the end of the last record.
};

class LogReader {
 public:
  /// Borrows `disk`. Reads from `anchor.log_begin` on.
  LogReader(io::Disk& disk, const Anchor& anchor);

  /// The next batch, valid until the next call; nullopt at the end of the log: what lies there is
  /// older, or torn. kIo. kCorrupt if it is younger than the anchor, so that this is not the newest
  /// one. kCorrupt or kUnsupported if it is whole and says what this version never writes.
  coro::Task<Result<std::optional<BatchView>>> next();

  /// Where the next batch would begin.
  std::uint64_t position() const noexcept { return position_; }

 private:
  Status check(const BatchHeader& header, ConstBytes bytes) const;
  coro::Task<Result<ConstBytes>> bytes_at(std::uint64_t position, std::uint64_t blocks);

  io::Disk& disk_;
  const Anchor anchor_;
  const LogRing ring_;
  std::uint64_t position_;
  std::uint64_t incarnation_;  ///< Of the batch before; the next one has no lower one.

  // What is in memory: [window_begin_, window_end_) of the endless log.
  AlignedMemory memory_;
  std::uint64_t window_begin_ = 0;
  std::uint64_t window_end_ = 0;
};

}  // namespace benchfs::journal
