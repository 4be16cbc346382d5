#pragma once

// A bound on how long a peer may keep a buffer of ours.
//
// Threading: loop thread only.

#include <cstdint>

#include "base/error.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"
#include "net/transport.h"

namespace benchfs::rpc {

/// Lives as long as a transfer: aborts the connection if that outlasts the deadline, since only
/// then are the transfer's buffers ours again.
class TransferGuard : private loop::Timer {
 public:
  /// Borrows `connection`.
  TransferGuard(loop::EventLoop& loop, net::Connection& connection, std::uint64_t deadline_ns)
      : Timer(&TransferGuard::deadline_passed), connection_(connection) {
    loop.timers().arm(*this, deadline_ns);
  }
  bool fired() const noexcept { return fired_; }

 private:
  static void deadline_passed(Timer& timer) noexcept {
    auto& guard = static_cast<TransferGuard&>(timer);
    guard.fired_ = true;
    guard.connection_.abort(Error{.code = Errc::kTimedOut, .where = "rpc.transfer"});
  }
  net::Connection& connection_;
  bool fired_ = false;
};

}  // namespace benchfs::rpc
