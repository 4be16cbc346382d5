#include "io/uring_disk.h"

#include <utility>

namespace benchfs::io {

Result<std::unique_ptr<UringDisk>> UringDisk::create(std::shared_ptr<Uring> ring, File file) {
  BENCHFS_TRY(const std::uint32_t slot, ring->add_file(file.fd(), file.path(), kBlockBytes));
  return std::unique_ptr<UringDisk>(new UringDisk(std::move(ring), std::move(file), slot));
}

UringDisk::~UringDisk() {
  ring_->remove_file(slot_);
}

void UringDisk::submit(DiskOp& op) noexcept {
  const Status checked = check_range(*this, op);
  if (!checked || (op.size_bytes() == 0 && op.kind() != DiskOpKind::kFsync)) {
    ring_->complete_unstarted(op, checked);
    return;
  }
  op.file_slot = slot_;
  ring_->submit(op);
}

}  // namespace benchfs::io
