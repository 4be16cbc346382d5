#pragma once

// Cuts one read or write, of any memory and any ranges of a file, into requests to servers. Pure.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <sys/uio.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "placement/placement.h"
#include "wire/messages.h"

namespace benchfs::client {

/// A contiguous range of a file.
struct Extent {
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;
};

/// Fragments of memory that one request may gather from or scatter to.
inline constexpr std::size_t kFragmentsMax = 1024;

/// One read or write request: the bytes of `memory`, in order, are those of `pieces`, in order.
struct StripeRequest {
  std::uint64_t index = 0;  ///< Counted from 0 in the order of next(); the same in every run.
  ServerId server{};
  std::uint64_t size_bytes = 0;  ///< 1 to kTransferBytesMax.
  std::vector<wire::DataPiece>
      pieces;                 ///< 1 to kPiecesMax. None crosses a chunk of another server.
  std::vector<Bytes> memory;  ///< 1 to kFragmentsMax; what is adjacent is one.

  std::uint64_t lowest_offset() const noexcept;
};

/// Hands out the requests one by one, so that a plan takes little memory however small the chunks
/// are: it holds one unfinished request per server.
///
/// Consecutive ranges on the same server go into one request as long as it has room, so small
/// chunks cost few messages. Ranges are cut where the server's chunk ends and at multiples of
/// kTransferBytesMax within it, so that an unaligned start does not make every request unaligned.
class Striper {
 public:
  /// Borrows both lists. They must have the same total; every extent ends at or below
  /// kFileBytesMax.
  Striper(const placement::Striping& striping, std::span<const iovec> memory,
          std::span<const Extent> extents) noexcept;

  /// The next request, in `out`; false at the end.
  bool next(StripeRequest& out);

 private:
  struct Cut {
    std::uint32_t stripe_index;
    std::uint64_t size_bytes;
  };
  Cut cut_at(std::uint64_t offset_bytes, std::uint64_t left_bytes) const noexcept;
  std::uint64_t take_memory(std::uint64_t size_bytes, std::vector<Bytes>& out);
  bool emit(StripeRequest& request, StripeRequest& out);

  const placement::Striping striping_;
  std::span<const iovec> memory_;
  std::span<const Extent> extents_;
  std::size_t memory_done_bytes_ = 0;                  ///< Of memory_.front().
  std::uint64_t extent_done_bytes_ = 0;                ///< Of extents_.front().
  std::map<std::uint32_t, StripeRequest> unfinished_;  ///< By stripe index.
  std::uint64_t next_index_ = 0;
};

}  // namespace benchfs::client
