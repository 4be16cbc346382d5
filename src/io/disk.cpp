#include "io/disk.h"

#include <cstdint>

namespace benchfs::io {

Status check_range(const Disk& disk, const DiskOp& op) noexcept {
  if (op.offset_bytes() > disk.size_bytes() ||
      op.size_bytes() > disk.size_bytes() - op.offset_bytes()) {
    return fail(Errc::kOutOfRange, "disk.range");
  }
  const std::uint64_t mixed =
      op.offset_bytes() | op.size_bytes() | reinterpret_cast<std::uintptr_t>(op.data());
  if ((mixed & (disk.alignment_bytes() - 1)) != 0) {
    return fail(Errc::kInvalid, "disk.alignment");
  }
  return {};
}

}  // namespace benchfs::io
