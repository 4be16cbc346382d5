#pragma once

// What becomes of a request whose server is lost: which ones are sent again to the server once it
// has started again, or to the same one over a new connection.
//
// Pure.

#include "base/units.h"
#include "wire/membership.h"
#include "wire/messages.h"
#include "wire/metrics.h"

namespace benchfs::client {

enum class IfLost {
  kFail,  ///< It is meant for this run of the server.
  /// It asks about the server as it is now: that of a later run, if there is one already.
  kAskLater,
  /// Sent again: it changes nothing; or it is numbered (wire::is_done_once), and the server does it
  /// once; or done twice it is the same as done once, whatever others do.
  kRepeat,
};

/// Copies once more what it may have copied already. Who stages ranges sees by the incarnation that
/// it was another run of the server, and does not trust the ones before.
constexpr bool is_staging(wire::Op op) noexcept {
  return op == wire::Op::kStageRange || op == wire::Op::kStageIn || op == wire::Op::kStageOut;
}

template <typename Request>
constexpr IfLost if_lost(const Request& /*request*/) noexcept {
  // An fsync: what the next incarnation has recovered is all that this one had acknowledged, if its
  // process was killed. If its machine was without power the answer says so (SyncMarks).
  static_assert(wire::is_done_once(Request::kOp) || Request::kOp == wire::Op::kLookup ||
                    Request::kOp == wire::Op::kMoves || Request::kOp == wire::Op::kReadLink ||
                    Request::kOp == wire::Op::kGetAttr || Request::kOp == wire::Op::kReadDir ||
                    Request::kOp == wire::Op::kRead || Request::kOp == wire::Op::kStatFs ||
                    Request::kOp == wire::Op::kFsync || Request::kOp == wire::Op::kLockRange ||
                    is_staging(Request::kOp),
                "say whether it may be sent again");
  return IfLost::kRepeat;
}

constexpr IfLost if_lost(const wire::PingRequest&) noexcept {
  return IfLost::kAskLater;
}
constexpr IfLost if_lost(const wire::StatusRequest&) noexcept {
  return IfLost::kAskLater;
}
constexpr IfLost if_lost(const wire::MetricsRequest&) noexcept {
  return IfLost::kAskLater;
}
constexpr IfLost if_lost(const wire::ShutdownRequest&) noexcept {
  return IfLost::kFail;
}
/// A numbered request is sent again only for so long after its first loss: well before the server
/// may have forgotten what it answered.
inline constexpr std::uint64_t kRepeatNsMax = wire::kOutcomeKeptNs - 15 * kNsPerSec;

}  // namespace benchfs::client
