#include "store/read_plan.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/units.h"

namespace benchfs::store {

ReadPlan::ReadPlan(const ExtentIndex& index, InodeId file, std::span<const Piece> pieces) {
  Segments segments;
  look_up(index, file, pieces, segments);
  BENCHFS_ASSERT(size_bytes_ > 0 && size_bytes_ <= kTransferBytesMax);
  choose_skew(segments);
  sort_out(segments);
}

void ReadPlan::look_up(const ExtentIndex& index, InodeId file, std::span<const Piece> pieces,
                       Segments& segments) {
  ExtentList found;
  for (const Piece& piece : pieces) {
    found.clear();
    index.find(file, piece.offset_bytes, piece.size_bytes, found);
    std::uint64_t reached = piece.offset_bytes;
    const std::size_t base = size_bytes_;
    const auto add_hole_until = [&](std::uint64_t offset) {
      if (offset > reached) {
        holes_.push_back({.position = base + (reached - piece.offset_bytes),
                          .size_bytes = static_cast<std::size_t>(offset - reached)});
      }
    };
    for (const Extent& extent : found) {
      add_hole_until(extent.offset_bytes);
      reached = extent.offset_bytes + extent.size_bytes;
      const std::size_t position = base + (extent.offset_bytes - piece.offset_bytes);
      if (!segments.empty() && segments.back().position + segments.back().size_bytes == position &&
          segments.back().device_bytes + segments.back().size_bytes == extent.device_bytes) {
        segments.back().size_bytes += extent.size_bytes;
      } else {
        segments.push_back({.device_bytes = extent.device_bytes,
                            .position = position,
                            .size_bytes = extent.size_bytes,
                            .offset_bytes = extent.offset_bytes});
      }
    }
    add_hole_until(piece.offset_bytes + piece.size_bytes);
    size_bytes_ += piece.size_bytes;
  }
}

/// The view begins where the longest segment needs no copy.
void ReadPlan::choose_skew(const Segments& segments) noexcept {
  const auto bytes_on_drive = [](const Segment& segment) {
    return is_inline(segment.device_bytes) ? 0 : segment.size_bytes;
  };
  const auto longest = std::max_element(
      segments.begin(), segments.end(),
      [&](const Segment& a, const Segment& b) { return bytes_on_drive(a) < bytes_on_drive(b); });
  if (longest != segments.end()) {
    skew_bytes_ = (longest->device_bytes - longest->position) % kBlockBytes;
  }
}

void ReadPlan::sort_out(const Segments& segments) {
  std::size_t next_block = 0;  // The first of the view that no direct segment uses.
  for (const Segment& segment : segments) {
    if (is_inline(segment.device_bytes)) {
      inline_.push_back(segment);
      continue;
    }
    const std::size_t begin = skew_bytes_ + segment.position;
    const bool same_place = begin % kBlockBytes == segment.device_bytes % kBlockBytes;
    if (same_place && begin / kBlockBytes >= next_block) {
      direct_.push_back(segment);
      next_block = (begin + segment.size_bytes - 1) / kBlockBytes + 1;
    } else {
      scattered_.push_back(segment);
    }
  }
  std::sort(scattered_.begin(), scattered_.end(),
            [](const Segment& a, const Segment& b) { return a.device_bytes < b.device_bytes; });
  std::uint64_t covered_until = 0;
  for (const Segment& segment : scattered_) {
    const std::uint64_t begin =
        std::max(round_down(segment.device_bytes, kBlockBytes), covered_until);
    const std::uint64_t end = round_up(segment.device_bytes + segment.size_bytes, kBlockBytes);
    if (end > begin) {
      scratch_bytes_ += end - begin;
      covered_until = end;
    }
  }
}

std::size_t ReadPlan::view_blocks_bytes() const noexcept {
  return round_up(skew_bytes_ + size_bytes_, kBlockBytes);
}

std::size_t ReadPlan::buffer_bytes() const noexcept {
  return std::min(view_blocks_bytes() + scratch_bytes_, io::kBufferBytesMax);
}

std::size_t ReadPlan::buffer_bytes_min() const noexcept {
  static_assert(round_up(kBlockBytes - 1 + kTransferBytesMax, kBlockBytes) + kBlockBytes <=
                io::kBufferBytesMax);
  return view_blocks_bytes() + (scratch_bytes_ > 0 ? kBlockBytes : 0);
}

bool ReadPlan::begin_step(Bytes buffer, Transfers& transfers) {
  BENCHFS_ASSERT(buffer.size() >= buffer_bytes_min());
  transfers.clear();
  copies_.clear();
  const bool is_first = !begun_;
  if (is_first) {
    begun_ = true;
    for (const Segment& segment : direct_) {
      const std::size_t begin = round_down(skew_bytes_ + segment.position, kBlockBytes);
      const std::size_t end =
          round_up(skew_bytes_ + segment.position + segment.size_bytes, kBlockBytes);
      transfers.push_back({.device_bytes = round_down(segment.device_bytes, kBlockBytes),
                           .memory = buffer.subspan(begin, end - begin)});
    }
  }
  fill_scratch(buffer.subspan(view_blocks_bytes()), transfers);
  return is_first || !transfers.empty();
}

/// Reads as many of the scattered segments into `scratch` as fit, in the order of the drive, every
/// block of it once.
void ReadPlan::fill_scratch(Bytes scratch, Transfers& transfers) {
  const std::size_t capacity = round_down(scratch.size(), kBlockBytes);
  std::size_t used = 0;
  // What is in scratch up to `used` ends at `device_end` of the drive.
  std::uint64_t device_end = 0;
  bool open = false;
  while (next_scattered_ < scattered_.size()) {
    const Segment& segment = scattered_[next_scattered_];
    const std::uint64_t device = segment.device_bytes + next_done_bytes_;
    const std::uint64_t end = segment.device_bytes + segment.size_bytes;
    const std::uint64_t first_block = round_down(device, kBlockBytes);
    const bool extends = open && first_block <= device_end;
    const std::uint64_t from = extends ? device_end : first_block;
    const std::uint64_t until = round_up(end, kBlockBytes);
    const std::size_t missing = until > from ? until - from : 0;
    const std::size_t brought = std::min(missing, capacity - used);
    if (missing > 0 && brought == 0 && (!extends || device >= device_end)) {
      return;
    }
    if (brought > 0 && extends) {
      Bytes& memory = transfers.back().memory;
      memory = Bytes(memory.data(), memory.size() + brought);
    } else if (brought > 0) {
      transfers.push_back({.device_bytes = from, .memory = scratch.subspan(used, brought)});
      open = true;
    }
    used += brought;
    device_end = from + brought;
    const std::uint64_t copy_end = std::min(end, device_end);
    copies_.push_back({.from = used - (device_end - device),
                       .position = segment.position + next_done_bytes_,
                       .size_bytes = static_cast<std::size_t>(copy_end - device)});
    if (copy_end < end) {
      next_done_bytes_ += copy_end - device;
      return;
    }
    ++next_scattered_;
    next_done_bytes_ = 0;
  }
}

void ReadPlan::end_step(Bytes buffer, const InlineData& inline_data) {
  const Bytes view = view_in(buffer);
  if (!first_step_ended_) {
    // A direct segment brings all of its first and last block, also what belongs to its neighbours.
    // So they come after it.
    first_step_ended_ = true;
    for (const Hole& hole : holes_) {
      std::memset(view.data() + hole.position, 0, hole.size_bytes);
    }
    for (const Segment& segment : inline_) {
      inline_data.copy(segment.device_bytes, view.subspan(segment.position, segment.size_bytes));
    }
  }
  const std::byte* const scratch = buffer.data() + view_blocks_bytes();
  for (const Copy& copy : copies_) {
    std::memcpy(view.data() + copy.position, scratch + copy.from, copy.size_bytes);
  }
}

std::uint64_t ReadPlan::file_offset_of(std::uint64_t block) const noexcept {
  const std::uint64_t begin = block * kBlockBytes;
  for (const Segments* const segments : {&direct_, &scattered_}) {
    for (const Segment& segment : *segments) {
      if (segment.device_bytes < begin + kBlockBytes &&
          segment.device_bytes + segment.size_bytes > begin) {
        return segment.offset_bytes +
               (std::max(segment.device_bytes, begin) - segment.device_bytes);
      }
    }
  }
  return 0;
}

}  // namespace benchfs::store
