#include "io/uring.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/parse.h"
#include "io/transfer.h"

namespace benchfs::io {
namespace {

// Best first. DEFER_TASKRUN (6.1) finishes operations when the loop looks for them instead of
// interrupting it; TASKRUN_FLAG tells without a system call that there is something to look for. No
// SQPOLL: it takes a core, and has frozen hosts.
constexpr std::array<unsigned, 4> kSetupFlags = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

int set_up(io_uring& ring) noexcept {
  int result = -ENOSYS;
  for (const unsigned flags : kSetupFlags) {
    io_uring_params params{};
    params.flags = flags;
    result = ::io_uring_queue_init_params(kRingInFlightMax, &ring, &params);
    if (result != -EINVAL) {
      break;
    }
  }
  return result;
}

}  // namespace

Result<std::unique_ptr<Uring>> Uring::create(loop::EventLoop& loop) {
  auto ring = std::make_unique<io_uring>();
  if (const int result = set_up(*ring); result < 0) {
    return fail(Errc::kUnsupported, "uring.setup", -result);
  }
  // An event descriptor, not the ring's own: with DEFER_TASKRUN, kernels lose wake-ups of poll(2)
  // on the ring, but never signals to a registered event descriptor.
  const int event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  const int result = event_fd < 0 ? -errno : ::io_uring_register_eventfd(ring.get(), event_fd);
  if (result < 0) {
    if (event_fd >= 0) {
      ::close(event_fd);
    }
    ::io_uring_queue_exit(ring.get());
    return fail(Errc::kUnsupported, "uring.eventfd", -result);
  }
  return std::unique_ptr<Uring>(new Uring(loop, std::move(ring), event_fd));
}

Uring::Uring(loop::EventLoop& loop, std::unique_ptr<io_uring> ring, int event_fd)
    : loop_(loop),
      ring_(std::move(ring)),
      event_fd_(event_fd),
      files_(kRingFilesMax),
      tagged_(kRingInFlightMax, nullptr),
      free_tags_(kRingInFlightMax) {
  for (std::uint32_t i = 0; i < kRingInFlightMax; ++i) {
    free_tags_[i] = kRingInFlightMax - 1 - i;
  }
  std::array<int, kRingFilesMax> none{};
  none.fill(-1);
  fixed_files_ = ::io_uring_register_files(ring_.get(), none.data(), none.size()) == 0;
  loop_.add_source(*this);
}

Uring::~Uring() {
  BENCHFS_ASSERT(in_flight() == 0 && first_queued_ == nullptr);
  loop_.remove_source(*this);
  ::io_uring_queue_exit(ring_.get());
  ::close(event_fd_);
}

bool Uring::register_buffers(Bytes region) {
  BENCHFS_ASSERT(fixed_region_.empty());
  std::vector<iovec> pieces;
  for (std::size_t at = 0; at < region.size(); at += kFixedBufferBytesMax) {
    const std::size_t size = std::min<std::size_t>(region.size() - at, kFixedBufferBytesMax);
    pieces.push_back({.iov_base = region.data() + at, .iov_len = size});
  }
  const int result = pieces.size() > kFixedBuffersMax
                         ? -E2BIG
                         : ::io_uring_register_buffers(ring_.get(), pieces.data(),
                                                       static_cast<unsigned>(pieces.size()));
  if (result < 0) {
    log_warning("cannot register {} of buffers with io_uring: {}{}; going on without",
                format_size(region.size()), std::strerror(-result),
                result == -ENOMEM ? " (see ulimit -l)" : "");
    return false;
  }
  fixed_region_ = region;
  return true;
}

Result<std::uint32_t> Uring::add_file(int fd, std::string path, std::size_t alignment_bytes) {
  BENCHFS_ASSERT(fd >= 0);
  const auto free =
      std::find_if(files_.begin(), files_.end(), [](const FileSlot& file) { return file.fd < 0; });
  if (free == files_.end()) {
    return fail(Errc::kTooManyFiles, "uring.add_file");
  }
  const auto slot = static_cast<std::uint32_t>(free - files_.begin());
  if (fixed_files_) {
    const int result = ::io_uring_register_files_update(ring_.get(), slot, &fd, 1);
    if (result != 1) {
      log_error("{}: cannot register the file with io_uring: {}", path, std::strerror(-result));
      return fail(Errc::kIo, "uring.add_file", -result);
    }
  }
  *free = FileSlot{.fd = fd, .path = std::move(path), .alignment_bytes = alignment_bytes};
  return slot;
}

void Uring::remove_file(std::uint32_t slot) noexcept {
  BENCHFS_ASSERT(files_[slot].fd >= 0);
  files_[slot].fd = -1;
  if (fixed_files_) {
    int none = -1;
    // Cannot fail for a slot that is in use, and leaves nothing but an unused reference if it does.
    ::io_uring_register_files_update(ring_.get(), slot, &none, 1);
  }
}

void Uring::submit(DiskOp& op) noexcept {
  BENCHFS_ASSERT(op.file_slot < files_.size() && files_[op.file_slot].fd >= 0);
  op.next = nullptr;
  if (last_queued_ == nullptr) {
    first_queued_ = &op;
  } else {
    last_queued_->next = &op;
  }
  last_queued_ = &op;
}

bool Uring::progress() noexcept {
  prepare_queued();
  enter();
  return reap();
}

void Uring::prepare_queued() noexcept {
  // The ring has as many entries as there are tags, so a free tag is a free entry once all that was
  // prepared has been submitted; if not, the rest follows in the next turn.
  while (first_queued_ != nullptr && !free_tags_.empty() &&
         ::io_uring_sq_space_left(ring_.get()) > 0) {
    DiskOp& op = *first_queued_;
    first_queued_ = op.next;
    if (first_queued_ == nullptr) {
      last_queued_ = nullptr;
    }
    prepare(op);
  }
}

int Uring::fixed_buffer_of(const std::byte* data, std::size_t size) const noexcept {
  if (fixed_region_.empty() || data < fixed_region_.data() ||
      data + size > fixed_region_.data() + fixed_region_.size()) {
    return -1;
  }
  const auto first = static_cast<std::size_t>(data - fixed_region_.data());
  if (first / kFixedBufferBytesMax != (first + size - 1) / kFixedBufferBytesMax) {
    return -1;
  }
  return static_cast<int>(first / kFixedBufferBytesMax);
}

void Uring::prepare(DiskOp& op) noexcept {
  io_uring_sqe* const sqe = ::io_uring_get_sqe(ring_.get());
  BENCHFS_ASSERT(sqe != nullptr);
  const FileSlot& file = files_[op.file_slot];
  const int fd = fixed_files_ ? static_cast<int>(op.file_slot) : file.fd;
  if (op.kind() == DiskOpKind::kFsync) {
    ::io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
  } else {
    std::byte* const data = rest_data(op);
    const std::size_t size = rest_size_bytes(op);
    const int buffer = fixed_buffer_of(data, size);
    const bool read = op.kind() == DiskOpKind::kRead;
    ::io_uring_prep_rw(buffer >= 0 ? (read ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED)
                                   : (read ? IORING_OP_READ : IORING_OP_WRITE),
                       sqe, fd, data, static_cast<unsigned>(size), rest_offset_bytes(op));
    if (buffer >= 0) {
      sqe->buf_index = static_cast<std::uint16_t>(buffer);
      ++counters_.fixed;
    }
  }
  if (fixed_files_) {
    sqe->flags |= IOSQE_FIXED_FILE;
  }
  const std::uint32_t tag = free_tags_.back();
  free_tags_.pop_back();
  tagged_[tag] = &op;
  ::io_uring_sqe_set_data64(sqe, tag);
  ++counters_.submitted;
}

bool Uring::kernel_has_work() const noexcept {
  return (__atomic_load_n(ring_->sq.kflags, __ATOMIC_RELAXED) &
          (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void Uring::enter() noexcept {
  int result = 0;
  if (::io_uring_sq_ready(ring_.get()) > 0) {
    ++counters_.enters;
    result = ::io_uring_submit_and_get_events(ring_.get());
  } else if (kernel_has_work()) {
    result = ::io_uring_get_events(ring_.get());
  }
  // Short of memory or of room for completions: what was not taken stays in the ring, and the next
  // turn tries again after this one has reaped. Anything else is a misuse of the ring.
  if (result < 0 && result != -EAGAIN && result != -EBUSY && result != -EINTR &&
      result != -ENOMEM) {
    log_error("io_uring_enter failed: {}", std::strerror(-result));
    BENCHFS_ASSERT(false && "the ring is in order");
  }
}

bool Uring::reap() noexcept {
  // Bounded by what is in flight: complete() queues continuations, it submits none.
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, cqe) {
    ++count;
    complete(cqe->user_data, cqe->res);
  }
  ::io_uring_cq_advance(ring_.get(), count);
  return count > 0;
}

void Uring::complete(std::uint64_t tag, std::int32_t result) noexcept {
  BENCHFS_ASSERT(tag < tagged_.size() && tagged_[tag] != nullptr);
  DiskOp& op = *std::exchange(tagged_[tag], nullptr);
  free_tags_.push_back(static_cast<std::uint32_t>(tag));
  const FileSlot& file = files_[op.file_slot];
  if (advance(op, result, file.alignment_bytes) == TransferStep::kDone) {
    log_failure(op, file.path);
    op.complete(loop_);
    return;
  }
  // The rest goes before what has not begun.
  op.next = first_queued_;
  first_queued_ = &op;
  if (last_queued_ == nullptr) {
    last_queued_ = &op;
  }
}

bool Uring::arm() noexcept {
  // First empty the descriptor, then look: what completes after the look signals it again.
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(event_fd_, &count, sizeof(count));
  const bool queued = first_queued_ != nullptr && !free_tags_.empty();
  return !queued && ::io_uring_sq_ready(ring_.get()) == 0 &&
         ::io_uring_cq_ready(ring_.get()) == 0 && !kernel_has_work();
}

}  // namespace benchfs::io
