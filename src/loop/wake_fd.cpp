#include "loop/wake_fd.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

namespace benchfs::loop {

Result<std::unique_ptr<WakeFd>> WakeFd::create(EventLoop& loop, std::function<void()> on_wake) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) {
    const int code = errno;
    log_error("cannot create an event descriptor: {}", std::strerror(code));
    return fail(from_errno(code), "loop.wake.eventfd", code);
  }
  return std::unique_ptr<WakeFd>(new WakeFd(loop, fd, std::move(on_wake)));
}

WakeFd::WakeFd(EventLoop& loop, int fd, std::function<void()> on_wake)
    : loop_(loop), fd_(fd), on_wake_(std::move(on_wake)) {
  loop_.add_source(*this);
}

WakeFd::~WakeFd() {
  loop_.remove_source(*this);
  ::close(fd_);
}

void WakeFd::notify() noexcept {
  if (notified_.exchange(true, std::memory_order_acq_rel)) {
    return;  // The loop has not looked since the last time; it will.
  }
  const int saved = errno;
  const std::uint64_t one = 1;
  // Fails only if the counter is full (EAGAIN), and then the descriptor is readable anyway.
  [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof(one));
  errno = saved;
}

bool WakeFd::progress() noexcept {
  // A look at a flag, not a system call: this runs in every turn. arm() empties the descriptor.
  if (!notified_.load(std::memory_order_relaxed)) {
    return false;
  }
  notified_.exchange(false, std::memory_order_acq_rel);
  on_wake_();
  return true;
}

bool WakeFd::arm() noexcept {
  // First the descriptor, then the flag: who sets the flag after this look writes after this read.
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(fd_, &count, sizeof(count));
  return !notified_.load(std::memory_order_seq_cst);
}

}  // namespace benchfs::loop
