#pragma once

// What the kernel asks of a mount, answered by the servers of a session: the operations of
// libfuse's low-level interface. README.md says how things of the one are things of the other.
//
// Threading: any thread; one request occupies one thread, except the waiting for locks.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <sys/types.h>

#include "base/ids.h"
#include "base/result.h"
#include "client/mount.h"
#include "fuse/lock_keeper.h"
#include "fuse/locks.h"
#include "fuse/nodes.h"

struct fuse_lowlevel_ops;

namespace benchfs::fuse {

struct FileSystemOptions {
  /// How long the kernel may go by names and attributes that it has. 0: what others do is seen at
  /// once.
  double cache_seconds = 0;
  /// Called once, when the kernel has agreed to the mount.
  std::function<void()> on_ready = [] {};
};

/// An open file: what the kernel's handles stand for.
struct OpenFile {
  std::unique_ptr<client::File> file;
};

class FileSystem {
 public:
  /// Borrows `mount`.
  FileSystem(client::Mount& mount, FileSystemOptions options);
  /// Closes what is still open. Requires that no request is under way.
  ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  client::Mount& mount() noexcept { return mount_; }
  Nodes& nodes() noexcept { return nodes_; }
  Locks& locks() noexcept { return locks_; }
  LockKeeper& lock_keeper() noexcept { return lock_keeper_; }
  double cache_seconds() const noexcept { return options_.cache_seconds; }
  void tell_ready() const { options_.on_ready(); }

  // Open files, so that none stays open at the servers when the mount ends.
  OpenFile* add(std::unique_ptr<client::File> file);
  /// Closes it, and frees it whatever comes of that.
  Status close(OpenFile* open);

  // Directories with the set-group-ID bit: what is made in them gets their group. The kernel asks
  // for a directory's attributes before it makes anything in it, so what is noted then is new
  // enough.
  void note(const wire::Attributes& attributes);
  // Files with the set-user-ID or set-group-ID bit lose it when somebody else than root writes:
  // with direct I/O the kernel leaves that to the file system. Noted as above, so at the open at
  // the latest.
  /// The mode that the file is to have now; nothing if that is the one it has.
  std::optional<std::uint32_t> take_privileges(InodeId file);
  /// The group, and for a directory the bit, of what `owner` makes in `directory`.
  void inherit(InodeId directory, bool makes_directory, client::Owner& owner, mode_t& mode) const;

 private:
  client::Mount& mount_;
  const FileSystemOptions options_;
  Nodes nodes_;
  Locks locks_;
  LockKeeper lock_keeper_;

  mutable std::mutex mutex_;
  std::unordered_set<OpenFile*> open_files_;
  std::unordered_map<InodeId, std::uint32_t> group_directories_;  ///< With their groups.
  std::unordered_map<InodeId, std::uint32_t> privileged_files_;   ///< With their modes.
};

/// The table for fuse_session_new(), whose user data is the FileSystem. Without init and destroy.
fuse_lowlevel_ops operations();

}  // namespace benchfs::fuse
