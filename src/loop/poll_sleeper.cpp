#include <cerrno>
#include <ctime>

#include <poll.h>

#include "base/assert.h"
#include "base/units.h"
#include "loop/event_loop.h"

namespace benchfs::loop {

PollSleeper::PollSleeper() = default;
PollSleeper::~PollSleeper() = default;

void PollSleeper::sleep(std::span<const int> fds, std::uint64_t timeout_ns) noexcept {
  polled_.clear();
  for (const int fd : fds) {
    polled_.push_back(pollfd{.fd = fd, .events = POLLIN, .revents = 0});
  }
  timespec limit{};
  limit.tv_sec = static_cast<std::time_t>(timeout_ns / kNsPerSec);
  limit.tv_nsec = static_cast<long>(timeout_ns % kNsPerSec);
  const int count = ::ppoll(polled_.data(), static_cast<nfds_t>(polled_.size()),
                            timeout_ns == UINT64_MAX ? nullptr : &limit, nullptr);
  // EINTR and ENOMEM are early returns: the loop turns once and sleeps again. A descriptor that is
  // no descriptor would turn the loop into one that never sleeps, so it is found out here.
  BENCHFS_ASSERT(count >= 0 || errno == EINTR || errno == ENOMEM);
  for (const pollfd& polled : polled_) {
    BENCHFS_ASSERT((polled.revents & POLLNVAL) == 0);
  }
}

}  // namespace benchfs::loop
