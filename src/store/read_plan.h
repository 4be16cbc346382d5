#pragma once

// How the pieces of one read are brought from the drive into one buffer, with as few copies as the
// layout allows.
//
// The buffer holds the view (the bytes of the pieces, one behind the other, at a skew from its
// start) and behind it scratch. A segment, a run of bytes that is contiguous in the view and on the
// drive, is read straight into the view if its bytes have the same place in their blocks there and
// there; all others go through scratch and are copied. The usual read, one piece in one extent, is
// one segment and no copy. Bytes of small writes that are in no block yet are copied from memory.
//
// Threading: none; plain data, valid as long as the index does not change.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "io/buffer_pool.h"
#include "store/chunk_store.h"
#include "store/extent_index.h"
#include "store/inline_data.h"
#include "store/transfer.h"

namespace benchfs::store {

class ReadPlan {
 public:
  /// Looks `pieces` up, which together have 1 to kTransferBytesMax bytes.
  ReadPlan(const ExtentIndex& index, InodeId file, std::span<const Piece> pieces);

  bool has_hole() const noexcept { return !holes_.empty(); }
  bool has_inline() const noexcept { return !inline_.empty(); }
  bool is_all_hole() const noexcept {
    return direct_.empty() && scattered_.empty() && inline_.empty();
  }

  /// The buffer with which the plan needs one step, or as few as the pool's largest buffer allows.
  std::size_t buffer_bytes() const noexcept;
  /// Less than this does not do. At most kBufferBytesMax for every plan.
  std::size_t buffer_bytes_min() const noexcept;

  /// Where the bytes of the pieces are in the buffer when all steps are done.
  Bytes view_in(Bytes buffer) const noexcept { return buffer.subspan(skew_bytes_, size_bytes_); }

  /// One after the other: fill `transfers` by begin_step(), carry them out, then end_step(). Until
  /// begin_step() returns false. `buffer` is the same for all, and at least buffer_bytes_min()
  /// long.
  bool begin_step(Bytes buffer, Transfers& transfers);
  void end_step(Bytes buffer, const InlineData& inline_data);

  /// Where in the file the first byte is that the plan wants from `block` of the drive; for the
  /// log.
  std::uint64_t file_offset_of(std::uint64_t block) const noexcept;

 private:
  /// Contiguous in the view and on the drive.
  struct Segment {
    std::uint64_t device_bytes;
    std::size_t position;  ///< In the view.
    std::size_t size_bytes;
    std::uint64_t offset_bytes;  ///< In the file.
  };
  struct Hole {
    std::size_t position;
    std::size_t size_bytes;
  };
  struct Copy {
    std::size_t from;      ///< In scratch.
    std::size_t position;  ///< In the view.
    std::size_t size_bytes;
  };
  using Segments = absl::InlinedVector<Segment, 4>;

  void look_up(const ExtentIndex& index, InodeId file, std::span<const Piece> pieces,
               Segments& segments);
  void choose_skew(const Segments& segments) noexcept;
  void sort_out(const Segments& segments);
  std::size_t view_blocks_bytes() const noexcept;
  void fill_scratch(Bytes scratch, Transfers& transfers);

  std::size_t size_bytes_ = 0;
  std::size_t skew_bytes_ = 0;
  std::size_t scratch_bytes_ = 0;  ///< What all of scattered_ needs at once.
  Segments direct_;                ///< No two use the same block of the view.
  Segments scattered_;             ///< In the order of the drive.
  Segments inline_;                ///< In memory, not on the drive.
  absl::InlinedVector<Hole, 4> holes_;

  bool begun_ = false;
  bool first_step_ended_ = false;
  std::size_t next_scattered_ = 0;
  std::size_t next_done_bytes_ = 0;  ///< Of scattered_[next_scattered_].
  std::vector<Copy> copies_;         ///< Of the step that has begun.
};

}  // namespace benchfs::store
