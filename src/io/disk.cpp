#include "io/disk.h"

#include <cstdint>

#include "io/disk_meter.h"
#include "loop/event_loop.h"

namespace benchfs::io {

void DiskOp::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  meter_ = disk_.meter();
  if (meter_ != nullptr) {
    begun_ns_ = meter_->begin();
  }
  disk_.submit(*this);
}

void DiskOp::complete(loop::EventLoop& loop) noexcept {
  if (meter_ != nullptr) {
    meter_->end(*this, begun_ns_);
  }
  loop.post(waiter_);
}

void DiskMeter::end(const DiskOp& op, std::uint64_t begun_ns) noexcept {
  --in_flight_;
  DiskCounters& counters = counters_[static_cast<std::size_t>(op.kind())];
  ++counters.count;
  if (op.await_resume().has_value()) {
    counters.bytes += op.size_bytes();
  } else {
    ++counters.error_count;
  }
  const std::uint64_t now_ns = clock_.now_ns();
  counters.latency.record(now_ns - begun_ns);
}

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
