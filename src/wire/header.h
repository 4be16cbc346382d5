#pragma once

// The fixed part at the start of every message, and the table of operations.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/units.h"

namespace benchfs::wire {

/// What is asked. Append only: the numbers travel. One row each in header.cpp.
enum class Op : std::uint16_t {
  kPing = 1,
  kStatus,
  kStatFs,
  kShutdown,
  // Names; asked of the server that the entry is placed on.
  kLookup,
  kOpen,
  kMkdir,
  kUnlink,
  kRmdir,
  kRename,
  kReadDir,
  // Inodes; asked of the inode's home.
  kOpenInode,
  kClose,
  kGetAttr,
  kSetAttr,
  kTruncate,
  kAppend,
  // Data; asked of the servers that the chunks are placed on.
  kRead,
  kWrite,
  kFsync,
  // Between servers.
  kAttachDirectory,
  kDetachDirectory,
  kRemoveDirectory,
  kDirectoryUsage,
  kUnlinkInode,
  kRenamePrepare,
  kRenameCommit,
  kDataEnd,
  kTruncateData,
  kRemoveData,
  // The servers of the session.
  kGetServer,
  kJoin,
  // Between servers.
  kRenameOutcome,
  // Symbolic links: names, and inodes.
  kSymlink,
  kReadLink,
  // How often directories have moved: any server.
  kMoves,
  // Between servers: moves of directories.
  kTellMoves,
  kMoveDirectory,
  kDirectoryParent,
  kSetParent,
  // Locks of byte ranges and shared counters; asked of the inode's home.
  kLockRange,
  kUnlockRange,
  kCounter,
  // What a server has done and how long it took.
  kMetrics,
  // Staging: ranges of one file, and whole files.
  kStageRange,
  kStageIn,
  kStageOut,
};

inline constexpr std::uint16_t kOpLast = static_cast<std::uint16_t>(Op::kStageOut);

constexpr bool is_op(std::uint16_t number) noexcept {
  return number >= 1 && number <= kOpLast;
}

/// "open", "write": for logs and status.
std::string_view name_of(Op op) noexcept;

/// Whether a client numbers its requests of this kind, since done twice they are not the same as
/// done once: see Operation.
constexpr bool is_done_once(Op op) noexcept {
  switch (op) {
    case Op::kOpen:
    case Op::kMkdir:
    case Op::kUnlink:
    case Op::kRmdir:
    case Op::kRename:
    case Op::kOpenInode:
    case Op::kClose:
    case Op::kSetAttr:
    case Op::kTruncate:
    case Op::kAppend:
    case Op::kWrite:
    case Op::kSymlink:
    case Op::kUnlockRange:
    case Op::kCounter:
      return true;
    default:
      return false;
  }
}

/// Whether a request of this kind may have a payload. One that has none to take is refused, since
/// its sender may wait with the reply until the payload has been fetched.
constexpr bool takes_payload(Op op) noexcept {
  return op == Op::kWrite || op == Op::kSymlink || op == Op::kJoin || op == Op::kStageRange ||
         op == Op::kStageIn || op == Op::kStageOut;
}

/// What a request is to the client that sends it, and sends it again when its server or connection
/// is lost: the server does it once, and answers every repeat as it answered, or would have
/// answered, the first. rpc/README.md says how long.
struct Operation {
  std::uint64_t number = 0;  ///< Never used again for another operation; 0: it is none.
  /// All operations of the client at this server with a lower number have been answered or given
  /// up. At most `number`; 0 without one.
  std::uint64_t answered_below = 0;

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& number& answered_below;
  }
};

/// For so long after a client was heard of last its server knows what it answered.
inline constexpr std::uint64_t kOutcomeKeptNs = 60 * kNsPerSec;

inline constexpr std::uint32_t kMagic = 0x53464842;  // "BHFS"
inline constexpr std::uint16_t kVersion = 8;

enum HeaderFlag : std::uint16_t {
  kIsReply = 1,
  kBodyInPayload = 2,  ///< The body did not fit behind the header: the payload is the body.
  kNotBegun = 4,       ///< Of a reply: refused before anything was done for the request.
};

/// The layout on the wire is the order of the fields, little-endian, kFixedHeaderBytes in all.
struct FixedHeader {
  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  Op op{};
  std::uint16_t flags = 0;
  std::uint16_t status = 0;  ///< Of a reply: 0 or an Errc.
  std::uint32_t body_bytes = 0;
  RequestId request{};
  std::uint64_t epoch = 0;
  /// Of a request: when its sender gives up, by the receiver's clock, which does not begin it from
  /// then on; kAnyTime if it may be carried out whenever it comes. Of a reply: its sender's clock.
  std::uint64_t time_ns = 0;
  Operation operation{};  ///< Of a client's request.

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& magic& version& op& flags& status& body_bytes& request& epoch& time_ns& operation;
  }
};

inline constexpr std::size_t kFixedHeaderBytes = 56;

/// Instead of a deadline: the request is right whenever it is carried out.
inline constexpr std::uint64_t kAnyTime = 0;

/// kProtocol in every way that the bytes can be wrong, but for an operation that is not known: then
/// `op` is what it is, and the dispatcher answers kUnsupported.
std::optional<FixedHeader> decode_fixed_header(ConstBytes header) noexcept;

}  // namespace benchfs::wire
