#pragma once

// What a Namespace tells about its changes: rows, each the whole truth about one thing (never a
// difference), so that a row may be applied twice, and over a state that is newer already, and the
// last one counts. The bytes are on drives: a kind's fields never change, and no number is used
// again.
//
// Threading: loop thread only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "wire/attributes.h"

namespace benchfs::meta {

enum class RowKind : std::uint8_t {
  kNextInode = 0,
  kEntry = 1,
  kEntryErased = 2,
  kAttached = 3,
  kDetached = 4,
  kFile = 5,
  kFileRemoved = 6,
  kDirectory = 7,
  kDirectoryRemoved = 8,
  kHolders = 9,
  kHolderAdded = 10,
  kHolderRemoved = 11,
  kLink = 12,
  kLinkRemoved = 13,
  kMoves = 14,
};

inline constexpr std::uint8_t kRowKindLast = static_cast<std::uint8_t>(RowKind::kMoves);

/// Bytes of any row but kHolders, which only snapshots have, and kLink.
inline constexpr std::size_t kRowBytesMax = 64 + kNameBytesMax;
/// Bytes of a kHolders row.
inline constexpr std::size_t kHoldersRowBytesMax = 12 + 2 * std::size_t{kServerCountMax};
/// Bytes of a kLink row but for the target.
inline constexpr std::size_t kLinkRowBytes = 44;
/// Bytes of a kLink row.
inline constexpr std::size_t kLinkRowBytesMax = kLinkRowBytes + wire::kLinkTargetBytesMax;

/// Who hears of every durable change, in order, as it happens.
class ChangeLog {
 public:
  virtual ~ChangeLog() = default;
  /// `body` is valid during the call.
  virtual void changed(RowKind kind, ConstBytes body) noexcept = 0;
};

/// Who takes a whole Namespace, a part at a time.
class RowSink {
 public:
  virtual ~RowSink() = default;
  /// False, and nothing taken, if there is no room now.
  virtual bool put(RowKind kind, ConstBytes body) = 0;
};

/// Inodes up to here were given out: in snapshots; in the log the rows of the inodes tell.
struct NextInodeRow {
  static constexpr RowKind kKind = RowKind::kNextInode;
  std::uint64_t next = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& next;
  }
};

struct EntryRow {
  static constexpr RowKind kKind = RowKind::kEntry;
  wire::EntryKey key;
  InodeId inode = kNoInode;
  wire::FileType type = wire::FileType::kFile;
  std::uint64_t mtime_ns = 0;  ///< Of the directory's part here.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& inode& type& mtime_ns;
  }
};

struct EntryErasedRow {
  static constexpr RowKind kKind = RowKind::kEntryErased;
  wire::EntryKey key;
  std::uint64_t mtime_ns = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& key& mtime_ns;
  }
};

struct AttachedRow {
  static constexpr RowKind kKind = RowKind::kAttached;
  InodeId directory = kNoInode;
  std::uint64_t mtime_ns = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& mtime_ns;
  }
};

/// The part is gone, and all of its entries with it.
struct DetachedRow {
  static constexpr RowKind kKind = RowKind::kDetached;
  InodeId directory = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory;
  }
};

enum FileRowFlag : std::uint8_t {
  kFileLinked = 1,
  kFileHasData = 2,
  kFileUnsettled = 4,
  kFileWriterLost = 8,
  /// Somebody has it open for writing. After a restart nobody knows how far it came.
  kFileWriting = 16,
};
inline constexpr std::uint8_t kFileRowFlagsAll = 31;

struct FileRow {
  static constexpr RowKind kKind = RowKind::kFile;
  InodeId inode = kNoInode;
  std::uint64_t size_bytes = 0;
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint64_t chunk_bytes = 0;
  std::uint32_t stripe_count = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint16_t mode = 0;
  std::uint8_t flags = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& size_bytes& atime_ns& mtime_ns& ctime_ns& chunk_bytes& stripe_count& uid& gid& mode&
        flags;
  }
};

struct FileRemovedRow {
  static constexpr RowKind kKind = RowKind::kFileRemoved;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

/// But for its holders, which have rows of their own.
struct DirectoryRow {
  static constexpr RowKind kKind = RowKind::kDirectory;
  InodeId inode = kNoInode;
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t mtime_set_at_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  InodeId parent = kNoInode;
  std::uint64_t parent_number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& atime_ns& mtime_ns& mtime_set_at_ns& ctime_ns& mode& uid& gid& parent& parent_number;
  }
};

struct DirectoryRemovedRow {
  static constexpr RowKind kKind = RowKind::kDirectoryRemoved;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

/// All holders of a directory: in snapshots.
struct HoldersRow {
  static constexpr RowKind kKind = RowKind::kHolders;
  InodeId directory = kNoInode;
  std::vector<ServerId> servers;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& servers;
  }
};

struct HolderAddedRow {
  static constexpr RowKind kKind = RowKind::kHolderAdded;
  InodeId directory = kNoInode;
  ServerId server{};
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& server;
  }
};

struct HolderRemovedRow {
  static constexpr RowKind kKind = RowKind::kHolderRemoved;
  InodeId directory = kNoInode;
  ServerId server{};
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& server;
  }
};

/// A symbolic link.
struct LinkRow {
  static constexpr RowKind kKind = RowKind::kLink;
  InodeId inode = kNoInode;
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string target;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& atime_ns& mtime_ns& ctime_ns& uid& gid& target;
  }
};

/// How often directories have moved.
struct MovesRow {
  static constexpr RowKind kKind = RowKind::kMoves;
  std::uint64_t number = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& number;
  }
};

struct LinkRemovedRow {
  static constexpr RowKind kKind = RowKind::kLinkRemoved;
  InodeId inode = kNoInode;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode;
  }
};

}  // namespace benchfs::meta
