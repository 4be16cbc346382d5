#pragma once

// What a server keeps of the inodes whose home it is.

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "wire/attributes.h"

namespace benchfs::meta {

/// Who a new file or directory belongs to.
struct NewInode {
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// A file, whether somebody has it open or not. There may be very many: keep it small.
struct File {
  /// The size as it was last settled: by a close, a truncate or a question to the data servers.
  /// While somebody writes, `unsettled` or after `writer_lost`, the data servers may hold more.
  std::uint64_t size_bytes = 0;
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint64_t chunk_bytes = 1;
  std::uint32_t stripe_count = 1;  ///< 1 to the number of servers.
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint16_t mode = 0;
  bool linked = true;      ///< Has a name. Without one it lives until the last close.
  bool has_data = false;   ///< A data server may hold some, or come to. Never false if one does and
                           ///< nobody writes.
  bool unsettled = false;  ///< A writer went and its end is not known: ask the data servers.
  /// The connection to a writer was lost. Perhaps only that: it, or a process that it shared its
  /// open with, may still write. So the data servers are asked from now on.
  bool writer_lost = false;
};
static_assert(sizeof(File) <= 64);

/// How an open file is used; exists as long as somebody has it open.
struct FileUse {
  std::uint32_t open_count = 0;
  std::uint32_t writer_count = 0;        ///< Opens for writing, appending or not.
  std::uint32_t plain_writer_count = 0;  ///< Those of them that do not append.
  /// Another number after every truncate of this file.
  std::uint64_t truncate_epoch = 0;
  /// End of the last range given to an appender since the last truncate.
  std::uint64_t append_end_bytes = 0;
  /// Opens with a lower id do not set mtime when they close: somebody has set it since.
  std::uint64_t mtime_set_before_open_id = 0;
};

struct Directory {
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns =
      0;  ///< As created or set; changes of entries are the holders' knowledge.
  std::uint64_t mtime_set_at_ns = 0;  ///< Changes of entries after this show.
  std::uint64_t ctime_ns = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  InodeId parent = kNoInode;  ///< The directory that it is in. Of the root: the root.
  /// Of the move that brought it there; 0: it was made there.
  std::uint64_t parent_number = 0;
  /// Servers that may hold entries: all that do, in order, each once.
  std::vector<ServerId> holders;
};

/// A symbolic link. It has a name as long as it lives.
struct Link {
  std::uint64_t atime_ns = 0;
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string target;  ///< 1 to wire::kLinkTargetBytesMax bytes without NUL.
};

inline constexpr std::uint32_t kLinkMode = 0777;

/// The entries of a directory, or of a part of it.
struct DirectoryUsage {
  std::uint64_t entry_count = 0;
  std::uint64_t directory_count = 0;
  std::uint64_t mtime_ns = 0;
};

}  // namespace benchfs::meta
