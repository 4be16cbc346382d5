#pragma once

// The requests and their replies. One struct, one Op, one handler. What a handler must do stands
// here, so that client and server are written against one text.
//
// Every request may be answered with kProtocol (a body that does not decode, a name that
// is_valid_name() refuses, a number out of its range), kPeerLost (another incarnation) and
// kTimedOut (too late to begin).

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "wire/attributes.h"
#include "wire/header.h"

namespace benchfs::wire {

struct EmptyReply {
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

// ---- Anyone, any server
// ------------------------------------------------------------------------------

struct PingRequest {
  static constexpr Op kOp = Op::kPing;
  using Reply = EmptyReply;
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

struct OpCount {
  Op op{};
  std::uint64_t count = 0;
  std::uint64_t error_count = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& op& count& error_count;
  }
};

/// Figures since the server started.
struct StatusReply {
  ServerId server{};
  std::uint32_t pid = 0;
  std::string host;
  std::string version;
  std::string disk_backend;  ///< "io_uring", "posix", "memory".
  std::string store_directory;
  bool direct_io = false;
  bool read_only = false;  ///< Its log could not be written: it refuses all changes.
  std::uint64_t uptime_ns = 0;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t inode_count = 0;
  std::uint64_t open_count = 0;
  std::uint64_t client_count = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t cpu_ns = 0;  ///< User and system time of the process.
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t pool_bytes = 0;
  std::uint64_t pool_used_bytes = 0;
  std::vector<OpCount> ops;

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& server& pid& host& version& disk_backend& store_directory& direct_io& read_only& uptime_ns&
        capacity_bytes& used_bytes& inode_count& open_count& client_count& written_bytes&
            read_bytes& cpu_ns& memory_peak_bytes& memory_bytes& pool_bytes& pool_used_bytes& ops;
  }
};

struct StatusRequest {
  static constexpr Op kOp = Op::kStatus;
  using Reply = StatusReply;
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

struct StatFsReply {
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t inode_count = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& capacity_bytes& used_bytes& inode_count;
  }
};

struct StatFsRequest {
  static constexpr Op kOp = Op::kStatFs;
  using Reply = StatFsReply;
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

/// Answered before the server stops in order.
struct ShutdownRequest {
  static constexpr Op kOp = Op::kShutdown;
  using Reply = EmptyReply;
  bool keep_store = false;  ///< The session is to go on later from what the server has stored.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& keep_store;
  }
};

// ---- Names: the server on which placement puts the entry
// ----------------------------------------------
//
// A server keeps entries of a directory only while it is attached to it (AttachDirectory); it
// attaches when it is first asked about the directory. kStale: the directory is no more (its id was
// cached); the client forgets the cached id and resolves the path again.

// A parent that was found by its name may have moved since, to another name: `moves` is how often
// directories had moved, as far as the client knew, when the way to the parent was begun. If the
// server knows of more moves it answers kStale, and the client asks it how many (MovesRequest).

/// The parent was not found by a name.
inline constexpr std::uint64_t kAnyMoves = UINT64_MAX;

/// What is known of a found entry. If the inode's home is another server than the one asked,
/// `local` is false, and attributes has inode and type only: ask the home.
struct FoundEntry {
  bool local = true;
  Attributes attributes;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& local& attributes;
  }
};

/// kNotFound, kStale.
struct LookupRequest {
  static constexpr Op kOp = Op::kLookup;
  using Reply = FoundEntry;
  EntryKey key;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& moves;
  }
};

enum OpenFlag : std::uint32_t {
  kOpenRead = 1,
  kOpenWrite = 2,
  kOpenCreate = 4,
  kOpenExclusive = 8,
  kOpenTruncate = 16,
  kOpenAppend = 32,
  kOpenDirectory =
      64,  ///< Only a directory: kNotDirectory for a file. (Directories are not opened.)
};

inline constexpr std::uint32_t kOpenFlagsAll = 127;

/// An open file: the home counts it until Close or the client's loss. After an unlink the inode
/// lives on until nothing has it open. A directory or a symbolic link is told, not opened: whoever
/// asked follows it.
struct OpenReply {
  FoundEntry entry;  ///< If not local: nothing was opened; send OpenInode to the home.
  bool created = false;
  std::uint64_t open_id = 0;         ///< For Close and Append; of the home.
  std::uint64_t truncate_epoch = 0;  ///< See CloseRequest.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& entry& created& open_id& truncate_epoch;
  }
};

/// Opens the entry, creating it first if asked. kNotFound, kExists (with kOpenExclusive),
/// kIsDirectory, kNotDirectory, kStale, kInvalid (layout), and what Truncate may answer if
/// kOpenTruncate.
struct OpenRequest {
  static constexpr Op kOp = Op::kOpen;
  using Reply = OpenReply;
  EntryKey key;
  std::uint32_t flags = 0;
  std::uint32_t mode = 0;  ///< For a new file, with uid, gid and layout.
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Layout layout;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& flags& mode& uid& gid& layout& moves;
  }
};

/// kExists, kStale. The new directory's home is the server asked.
struct MkdirRequest {
  static constexpr Op kOp = Op::kMkdir;
  using Reply = FoundEntry;
  EntryKey key;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& mode& uid& gid& moves;
  }
};

/// The payload is what the link says: 1 to kLinkTargetBytesMax bytes without NUL. kExists, kStale.
/// The link's home is the server asked.
struct SymlinkRequest {
  static constexpr Op kOp = Op::kSymlink;
  using Reply = FoundEntry;
  EntryKey key;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& uid& gid& moves;
  }
};

/// Files and links only (kIsDirectory). When it is answered, the name is gone and, if nothing has
/// the file open, so are its data and their space on every server that answers.
struct UnlinkRequest {
  static constexpr Op kOp = Op::kUnlink;
  using Reply = EmptyReply;
  EntryKey key;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& moves;
  }
};

/// kNotDirectory, kNotEmpty, kNotFound, kBusy (a rename into it is under way).
struct RmdirRequest {
  static constexpr Op kOp = Op::kRmdir;
  using Reply = EmptyReply;
  EntryKey key;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& moves;
  }
};

/// Asked of the server that holds `from`. Replaces what is at `to`: by a file or link one of those
/// (else kIsDirectory), by a directory an empty one (else kNotEmpty, kNotDirectory). kNotFound,
/// kInvalid (a directory into itself, or below).
struct RenameRequest {
  static constexpr Op kOp = Op::kRename;
  using Reply = EmptyReply;
  EntryKey from;
  EntryKey to;
  std::uint64_t moves = kAnyMoves;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& from& to& moves;
  }
};

struct DirectoryEntry {
  std::string name;
  FoundEntry entry;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& name& entry;
  }
};

/// A page of the entries that the server asked holds, in the order of their names' hashes.
struct ReadDirReply {
  std::vector<DirectoryEntry> entries;
  std::uint64_t next_cookie = 0;
  bool at_end = false;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& entries& next_cookie& at_end;
  }
};

/// Asked of every server. `cookie` 0 starts; then next_cookie of the page before. The directory's
/// home answers kStale if it is no more; other servers answer an empty page if they are not
/// attached.
struct ReadDirRequest {
  static constexpr Op kOp = Op::kReadDir;
  using Reply = ReadDirReply;
  InodeId directory = kNoInode;
  std::uint64_t cookie = 0;
  std::uint32_t entries_max = 0;  ///< 1 to kReadDirEntriesMax; a page may have a few more.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& cookie& entries_max;
  }
};

inline constexpr std::uint32_t kReadDirEntriesMax = 512;

struct MovesReply {
  std::uint64_t number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& number;
  }
};

/// How often directories have moved, as far as the server asked knows: names that are looked up
/// from now on stand for what they do after all those moves.
struct MovesRequest {
  static constexpr Op kOp = Op::kMoves;
  using Reply = MovesReply;
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

// ---- Inodes: their home
// --------------------------------------------------------------------------------

/// As OpenRequest for an inode that is known. kStale: it is no more.
struct OpenInodeRequest {
  static constexpr Op kOp = Op::kOpenInode;
  using Reply = OpenReply;
  InodeId inode = kNoInode;
  std::uint32_t flags = 0;
  /// The asker had the file open, as this, before it lost the server: then a file without a name is
  /// opened too, and an open of the asker that is still there is answered as it is. 0: it had not.
  std::uint64_t known_open_id = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& flags& known_open_id;
  }
};

/// Ends what Open or OpenInode began. If the opener wrote, it says how far: the home raises the
/// size to `end_bytes` if truncate_epoch is still the inode's (no truncate came between) and
/// `complete` says that nobody else wrote under this open; otherwise it asks the data servers.
struct CloseRequest {
  static constexpr Op kOp = Op::kClose;
  using Reply = EmptyReply;
  std::uint64_t open_id = 0;
  InodeId inode = kNoInode;
  bool wrote = false;
  bool complete = true;
  std::uint64_t end_bytes = 0;
  std::uint64_t truncate_epoch = 0;
  std::uint64_t counter = 0;  ///< The asker's counter of this number goes with it; 0: none.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& open_id& inode& wrote& complete& end_bytes& truncate_epoch& counter;
  }
};

/// The size is right while others write: the home asks the data servers if anybody has the file
/// open for writing. A directory's entry count and mtime are collected from the servers attached.
/// kStale.
struct GetAttrRequest {
  static constexpr Op kOp = Op::kGetAttr;
  using Reply = Attributes;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

enum SetAttrMask : std::uint32_t {
  kSetMode = 1,
  kSetUid = 2,
  kSetGid = 4,
  kSetAtime = 8,
  kSetMtime = 16,
};

/// kUnsupported: the mode of a symbolic link.
struct SetAttrRequest {
  static constexpr Op kOp = Op::kSetAttr;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  std::uint32_t mask = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& mask& mode& uid& gid& atime_ns& mtime_ns;
  }
};

struct ReadLinkReply {
  std::string target;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& target;
  }
};

/// kInvalid: not a symbolic link. kStale.
struct ReadLinkRequest {
  static constexpr Op kOp = Op::kReadLink;
  using Reply = ReadLinkReply;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

/// Files only (kIsDirectory). Cuts the data on every data server before it answers. kTooLarge.
struct TruncateRequest {
  static constexpr Op kOp = Op::kTruncate;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  std::uint64_t size_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& size_bytes;
  }
};

struct AppendReply {
  std::uint64_t offset_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& offset_bytes;
  }
};

/// Reserves `length_bytes` at the end of the file for the asker alone, who then writes there.
/// kBadHandle: not open for appending.
struct AppendRequest {
  static constexpr Op kOp = Op::kAppend;
  using Reply = AppendReply;
  std::uint64_t open_id = 0;
  InodeId inode = kNoInode;
  std::uint64_t length_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& open_id& inode& length_bytes;
  }
};

/// Of a lock's number; see LockRangeRequest.
inline constexpr unsigned kLockOwnerShift = 40;
inline constexpr std::uint64_t kLockOwnerMax = (std::uint64_t{1} << (64U - kLockOwnerShift)) - 1;

/// `owner` up to kLockOwnerMax; `number` is the client's own counting, far below 2^40.
constexpr std::uint64_t make_lock_number(std::uint64_t owner, std::uint64_t number) noexcept {
  return (owner << kLockOwnerShift) | number;
}
constexpr std::uint64_t lock_owner_of(std::uint64_t number) noexcept {
  return number >> kLockOwnerShift;
}

struct LockRangeReply {
  bool granted = false;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& granted;
  }
};

/// See that the asker has a lock of this number, which it chooses and never uses again, on the
/// bytes from begin_bytes up to end_bytes of the file; wait until it holds the lock, for a moment.
/// Not granted: the lock keeps its place in the queue, and the asker asks the same again. Locks are
/// granted in the order in which they were asked for, except that nobody waits for one whose bytes
/// are others, or if both are shared. They are advice: reads and writes ask for none. A lock ends
/// by UnlockRange, or once its client has been away for long. kStale, kNoLock (too many).
///
/// The upper bits of the number name an owner within the client, or are 0. Locks of one owner (not
/// 0) do not exclude each other, and what its owner asks for does not queue behind a lock that
/// waits for that owner: so it can take the place of what the owner has without letting that go
/// first.
struct LockRangeRequest {
  static constexpr Op kOp = Op::kLockRange;
  using Reply = LockRangeReply;
  InodeId inode = kNoInode;
  std::uint64_t number = 0;  ///< Not 0.
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
  bool shared = false;
  bool wait = true;  ///< No: if it cannot be held at once there is no such lock, and none waits.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& number& begin_bytes& end_bytes& shared& wait;
  }
};

/// Ends the lock, or the waiting for it. kNoLock: the asker has none of this number.
struct UnlockRangeRequest {
  static constexpr Op kOp = Op::kUnlockRange;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  std::uint64_t number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& number;
  }
};

/// A counter that the handles of one open share, here and in other processes: who opened, and a
/// number that that client never uses again.
struct CounterKey {
  ClientId opener{};
  std::uint64_t number = 0;
  friend auto operator<=>(const CounterKey&, const CounterKey&) = default;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& opener& number;
  }
};

inline constexpr std::uint64_t kCounterMax = INT64_MAX;

struct CounterReply {
  std::uint64_t before = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& before;
  }
};

/// Adds to the counter, which begins at 0, or sets it, and tells what it was before. It lives until
/// the opener's Close, or as long as the file. kStale, kTooLarge (beyond kCounterMax).
struct CounterRequest {
  static constexpr Op kOp = Op::kCounter;
  using Reply = CounterReply;
  InodeId inode = kNoInode;
  CounterKey key;
  bool set = false;
  std::uint64_t value = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& key& set& value;
  }
};

// ---- Data: the servers of the chunks
// ---------------------------------------------------------------------

/// Up to kPiecesMax pieces, none empty, together 1 to kTransferBytesMax bytes.
struct DataPiece {
  std::uint64_t offset_bytes = 0;
  std::uint32_t size_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& offset_bytes& size_bytes;
  }
};

struct ReadReply {
  bool has_hole = false;  ///< Some bytes were never written: the file may end before them.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& has_hole;
  }
};

/// The reply's payload is the pieces' bytes one behind the other, or empty if all are holes
/// (zeros).
struct ReadRequest {
  static constexpr Op kOp = Op::kRead;
  using Reply = ReadReply;
  InodeId inode = kNoInode;
  std::vector<DataPiece> pieces;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& pieces;
  }
};

/// The payload is the pieces' bytes one behind the other. Answered when they are readable.
/// kOutOfSpace.
struct WriteRequest {
  static constexpr Op kOp = Op::kWrite;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  std::vector<DataPiece> pieces;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& pieces;
  }
};

struct FsyncReply {
  /// The first incarnation of the server since which its machine has not been without power, as far
  /// as it knows. What earlier ones acknowledged, and nobody synced, may be gone.
  std::uint64_t power_era = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& power_era;
  }
};

/// What the server asked holds of the file (data, and the inode if it is the home), and all else
/// that it has acknowledged since its power era began, is on its drive.
struct FsyncRequest {
  static constexpr Op kOp = Op::kFsync;
  using Reply = FsyncReply;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

// ---- Between servers; from a client they are refused with kPermission
// -------------------------------------

/// Asked of a directory's home: the sender will hold entries of it from now on. Waits while an
/// rmdir of it is being decided. kStale: no such directory.
struct AttachDirectoryRequest {
  static constexpr Op kOp = Op::kAttachDirectory;
  using Reply = EmptyReply;
  InodeId directory = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory;
  }
};

/// Asked by the home of a server that is attached: forget the directory if you hold no entry of it,
/// else kNotEmpty. (Who then wants to create there attaches again, and learns whether it still is.)
struct DetachDirectoryRequest {
  static constexpr Op kOp = Op::kDetachDirectory;
  using Reply = EmptyReply;
  InodeId directory = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory;
  }
};

/// Asked of the home: see that the directory is empty, and stays so, until RenameCommit with the
/// same `rename_id`, which says whether it is removed; as RenamePrepare. kNotEmpty, kBusy, kStale
/// (it is no more).
struct RemoveDirectoryRequest {
  static constexpr Op kOp = Op::kRemoveDirectory;
  using Reply = EmptyReply;
  InodeId directory = kNoInode;
  std::uint64_t rename_id = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& rename_id;
  }
};

struct DirectoryUsageReply {
  std::uint64_t entry_count = 0;
  std::uint64_t directory_count = 0;  ///< How many of the entries are directories.
  std::uint64_t mtime_ns = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& entry_count& directory_count& mtime_ns;
  }
};

struct DirectoryUsageRequest {
  static constexpr Op kOp = Op::kDirectoryUsage;
  using Reply = DirectoryUsageReply;
  InodeId directory = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory;
  }
};

/// Asked of the home: an entry that pointed to the inode is gone. Succeeds if the inode has lost
/// its name before.
struct UnlinkInodeRequest {
  static constexpr Op kOp = Op::kUnlinkInode;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

/// What a server that takes part in a rename or a removal does when that is decided.
enum class RenameRole : std::uint8_t {
  kTarget = 1,   ///< Lets the entry stand for what is renamed.
  kSource = 2,   ///< Erases the entry, which stands for a directory.
  kRemoval = 3,  ///< Removes a directory.
};

/// What the entry stands for.
struct RenamePrepareReply {
  bool target_exists = false;
  InodeId target = kNoInode;
  FileType target_type = FileType::kFile;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& target_exists& target& target_type;
  }
};

/// Asked of the server that holds `key`: lock the entry (which may not exist) until RenameCommit
/// with the same `rename_id`, which the asker never uses again. The lock outlives both servers:
/// after the deadline, or a loss, the server asked asks for the outcome (RenameOutcome).
struct RenamePrepareRequest {
  static constexpr Op kOp = Op::kRenamePrepare;
  using Reply = RenamePrepareReply;
  EntryKey key;
  std::uint64_t rename_id = 0;
  RenameRole role = RenameRole::kTarget;  ///< Or kSource.
  /// Of kSource: whose rename it is, which is not prepared if it has an outcome; no operation: 0.
  ClientId client{};
  std::uint64_t operation = 0;
  std::uint64_t asked_by_run = 0;  ///< Of kSource: as in MoveDirectory; kStale for an earlier run.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& rename_id& role& client& operation& asked_by_run;
  }
};

/// Ends what RenamePrepare or RemoveDirectory began; succeeds if that has ended already. `inode`
/// kNoInode: nothing changes. Otherwise it is what is renamed or removed, and the server does what
/// its role says. A file or link that the entry stood for before is unlinked.
struct RenameCommitRequest {
  static constexpr Op kOp = Op::kRenameCommit;
  using Reply = EmptyReply;
  std::uint64_t rename_id = 0;
  InodeId inode = kNoInode;
  FileType type = FileType::kFile;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& rename_id& inode& type;
  }
};

/// `inode` kNoInode: the rename is given up, whatever happened, and will not be done.
struct RenameOutcomeReply {
  InodeId inode = kNoInode;
  FileType type = FileType::kFile;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& type;
  }
};

/// Asked of the server that sent RenamePrepare, by the one that still holds its lock.
struct RenameOutcomeRequest {
  static constexpr Op kOp = Op::kRenameOutcome;
  using Reply = RenameOutcomeReply;
  std::uint64_t rename_id = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& rename_id;
  }
};

/// Asked of the root's home by the server of `from`, which stands for a directory: the rename.
/// kAgain: it does not.
struct MoveDirectoryRequest {
  static constexpr Op kOp = Op::kMoveDirectory;
  using Reply = EmptyReply;
  EntryKey from;
  EntryKey to;
  ClientId client{};            ///< Whose rename it is.
  std::uint64_t operation = 0;  ///< Of that client at the source's server; 0: none.
  /// The incarnation of the source's server that asks. Nothing comes of it once that has ended,
  /// unless it had prepared the entry before: what the next one has told the client may differ.
  std::uint64_t asked_by_run = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& from& to& client& operation& asked_by_run;
  }
};

struct DirectoryParentReply {
  InodeId parent = kNoInode;  ///< Of the root: itself.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& parent;
  }
};

/// Asked of the home: in which directory is this one? kStale.
struct DirectoryParentRequest {
  static constexpr Op kOp = Op::kDirectoryParent;
  using Reply = DirectoryParentReply;
  InodeId directory = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory;
  }
};

/// Told to the home: the directory has moved. Of two tellings that with the larger `number` counts.
/// Succeeds also if it is no more.
struct SetParentRequest {
  static constexpr Op kOp = Op::kSetParent;
  using Reply = EmptyReply;
  InodeId directory = kNoInode;
  InodeId parent = kNoInode;
  std::uint64_t number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& parent& number;
  }
};

/// Told to every server before a rename of a directory is answered.
struct TellMovesRequest {
  static constexpr Op kOp = Op::kTellMoves;
  using Reply = EmptyReply;
  std::uint64_t number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& number;
  }
};

struct DataEndReply {
  std::uint64_t end_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& end_bytes;
  }
};

/// How far the file reaches on the server asked.
struct DataEndRequest {
  static constexpr Op kOp = Op::kDataEnd;
  using Reply = DataEndReply;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

struct TruncateDataRequest {
  static constexpr Op kOp = Op::kTruncateData;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  std::uint64_t size_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& size_bytes;
  }
};

struct RemoveDataRequest {
  static constexpr Op kOp = Op::kRemoveData;
  using Reply = EmptyReply;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

}  // namespace benchfs::wire
