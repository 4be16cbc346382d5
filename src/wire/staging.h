#pragma once

// Requests of staging: what a client that stages files in or out asks of the servers, which then
// copy between their stores and a directory outside of the session that all of them see.
//
// Paths outside are absolute and do not fit a header, so they travel in the payload. A server opens
// them with its own rights, which are those of the job's user, as is whoever knows the secret.

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/units.h"
#include "wire/attributes.h"
#include "wire/header.h"

namespace benchfs::wire {

/// The longest path outside, in bytes without NUL.
inline constexpr std::size_t kOutsidePathBytesMax = kPathBytesMax - 1;

/// Files of one StageIn or StageOut.
inline constexpr std::size_t kStageFilesMax = 128;

/// Files up to this size, in one chunk, are staged whole by one server, many with one request.
inline constexpr std::uint64_t kStageWholeBytesMax = kMiB;
static_assert(kStageWholeBytesMax <= kTransferBytesMax);
static_assert(kStageWholeBytesMax <= kChunkBytesDefault, "such a file is one chunk");

/// A cell is what is read, summed and written in one piece: a chunk, cut every MiB from its start.
inline constexpr std::uint64_t kStageCellBytes = kMiB;

/// Chunks that one StageRange may have to look at.
inline constexpr std::uint64_t kStageRangeChunksMax = 65536;

enum class StageAct : std::uint8_t {
  kCopyIn = 1,       ///< From outside into the store.
  kCopyOut = 2,      ///< From the store to outside, which is there and has its size.
  kSumInside = 3,    ///< Sum of what the store has.
  kSumOutside = 4,   ///< Sum of what is outside, past this node's cache where that can be dropped.
  kSyncOutside = 5,  ///< fsync of what this node has written to the file outside.
  kStamp = 6,        ///< Only the stamp of what the store has.
};

constexpr bool is_stage_act(StageAct act) noexcept {
  return act >= StageAct::kCopyIn && act <= StageAct::kStamp;
}

/// The sum of some cells is that of their XXH3 (64 bits, seeded with the cell's offset in the
/// file), modulo 2^64, where cells that hold only zeros count nothing: the same however the cells
/// are spread over servers and requests, and whether zeros are holes.
struct StageRangeReply {
  std::uint64_t sum = 0;
  std::uint64_t moved_bytes = 0;  ///< Without zeros that were left out.
  /// What the copied source was: equal stamps of one server, of one incarnation, say that nothing
  /// has written to the source between the two answers. Of the file outside: its size, times and
  /// inode; else the store's count of changes.
  std::uint64_t stamp = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& sum& moved_bytes& stamp;
  }
};

/// The cells of the file that begin in [offset_bytes, offset_bytes + length_bytes) and that the
/// server asked holds by placement. The payload is the path outside; with kSumInside and kStamp it
/// is not looked at. kStale if the source changes or is shorter than size_bytes;
/// kNotFound, kAccess, kOutOfSpace, kReadOnly, kIo of the file outside; what the store may answer.
struct StageRangeRequest {
  static constexpr Op kOp = Op::kStageRange;
  using Reply = StageRangeReply;
  StageAct act = StageAct::kStamp;
  InodeId inode = kNoInode;
  Layout layout;  ///< As the inode has it.
  std::uint64_t size_bytes = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& act& inode& layout& size_bytes& offset_bytes& length_bytes;
  }
};

/// What has become of one file. Sizes and times are of the source as it was copied.
struct StageResult {
  std::uint16_t error = 0;    ///< An Errc; 0: it is done.
  std::int32_t os_error = 0;  ///< errno of the call outside that failed; 0: none did.
  std::uint64_t size_bytes = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint64_t sum = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& error& os_error& size_bytes& mtime_ns& ctime_ns& sum;
  }
};

/// In the order of the request's files.
struct StageFilesReply {
  std::vector<StageResult> results;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& results;
  }
};

/// A file outside that is to be at `key`.
struct StageInFile {
  EntryKey key;
  std::uint64_t size_bytes = 0;  ///< As far as is known; a larger one is answered kTooLarge.
  std::string outside;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& size_bytes& outside;
  }
};

struct StageInFiles {
  std::vector<StageInFile> files;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& files;
  }
};

/// Stages whole files in; asked of the server that holds all their entries. The payload is an
/// encoded StageInFiles. Each file is made under a temporary name of its directory and gets its own
/// by a rename. Results: kStale (it changes while it is read, or its directory is gone), kTooLarge,
/// kInvalid (no regular file), kCorrupt (with `verify`: the store has other bytes), and what making
/// and writing a file may answer. What is done survives the server's process; fsync is for later.
struct StageInRequest {
  static constexpr Op kOp = Op::kStageIn;
  using Reply = StageFilesReply;
  std::uint64_t run = 0;  ///< Of the client: two that stage at once use other temporary names.
  bool verify = false;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& run& verify;
  }
};

/// A file of the session that is to be at the path outside.
struct StageOutFile {
  InodeId inode = kNoInode;
  std::string outside;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& outside;
  }
};

struct StageOutFiles {
  std::vector<StageOutFile> files;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& files;
  }
};

/// Stages whole files out; asked of the server that holds their first chunks. The payload is an
/// encoded StageOutFiles. Each is written under a temporary name beside the path, synced, renamed,
/// and the directory synced: a result without an error is durable. Results: kStale (it changes
/// while it is read, or is no more), kTooLarge, kCorrupt (with `verify`: outside are other bytes),
/// and what the file system outside says.
struct StageOutRequest {
  static constexpr Op kOp = Op::kStageOut;
  using Reply = StageFilesReply;
  std::uint64_t run = 0;
  bool verify = false;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& run& verify;
  }
};

}  // namespace benchfs::wire
