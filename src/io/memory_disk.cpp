#include "io/memory_disk.h"

#include <bit>
#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/parse.h"
#include "loop/event_loop.h"

namespace benchfs::io {

Result<std::unique_ptr<MemoryDisk>> MemoryDisk::create(loop::EventLoop& loop,
                                                       std::uint64_t size_bytes,
                                                       std::size_t alignment_bytes) {
  BENCHFS_ASSERT(std::has_single_bit(alignment_bytes));
  if (size_bytes == 0 || size_bytes % alignment_bytes != 0) {
    log_error("a memory disk of {} bytes is not possible: not a positive multiple of {}",
              size_bytes, alignment_bytes);
    return fail(Errc::kInvalid, "memory_disk.size");
  }
  void* const data = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    const int code = errno;
    log_error("cannot map {} for a memory disk: {}", format_size(size_bytes), std::strerror(code));
    return fail(Errc::kOutOfMemory, "memory_disk.map", code);
  }
  const Bytes bytes(static_cast<std::byte*>(data), size_bytes);
  return std::unique_ptr<MemoryDisk>(new MemoryDisk(loop, bytes, alignment_bytes));
}

MemoryDisk::~MemoryDisk() {
  ::munmap(bytes_.data(), bytes_.size());
}

void MemoryDisk::submit(DiskOp& op) noexcept {
  const Status checked = check_range(*this, op);
  if (checked && op.size_bytes() > 0) {
    std::byte* const stored = bytes_.data() + op.offset_bytes();
    if (op.kind() == DiskOpKind::kRead) {
      std::memcpy(op.data(), stored, op.size_bytes());
    } else {
      std::memcpy(stored, op.data(), op.size_bytes());
    }
  }
  op.set_status(checked);
  op.complete(loop_);
}

}  // namespace benchfs::io
