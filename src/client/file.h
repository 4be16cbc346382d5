#pragma once

// One open file of a mount.
//
// Threading: loop thread only, except where noted. The mount outlives it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <sys/uio.h>

#include "base/ids.h"
#include "base/result.h"
#include "client/errno_map.h"
#include "client/file_export.h"
#include "client/servers.h"
#include "client/striper.h"
#include "client/sync_marks.h"
#include "coro/event.h"
#include "coro/task.h"
#include "placement/placement.h"
#include "wire/messages.h"

namespace benchfs::client {

/// Where a seek counts from.
enum class Whence { kSet, kCurrent, kEnd };

class File {
 public:
  enum class Origin { kOpened, kAttached };

  /// What the file is, from the reply to an open or from an export.
  struct Identity {
    InodeId inode = kNoInode;
    wire::Layout layout;      ///< stripe_count in effect.
    std::uint32_t flags = 0;  ///< wire::OpenFlag.
    std::uint64_t open_id = 0;
    std::uint64_t truncate_epoch = 0;
    /// That of the open; kOpened: none yet, and the file makes one.
    wire::CounterKey counter = {};
    /// The open was answered over a connection that was lost then (Context::answer_is_old).
    bool is_old = false;
    /// Further servers that have to be asked so that the name survives power failures: they keep
    /// the directories above the file. Empty if that is nobody's business here.
    std::vector<ServerId> name_servers = {};
  };

  /// Whether `identity`, as it came from a server or another process, can be one of a session of
  /// `server_count` servers.
  static bool is_sound(const Identity& identity, std::uint16_t server_count) noexcept;

  /// Requires a sound identity. Borrows `servers`. `name` is for error texts.
  File(Servers& servers, std::string name, const Identity& identity, Origin origin);
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Any thread: these never change.
  const std::string& name() const noexcept { return name_; }
  const Identity& identity() const noexcept { return identity_; }
  /// What all handles of this open share: for an export.
  const wire::CounterKey& counter() const noexcept { return counter_; }
  bool may_read() const noexcept { return (identity_.flags & wire::kOpenRead) != 0; }
  bool may_write() const noexcept { return (identity_.flags & wire::kOpenWrite) != 0; }

  /// Any thread: from now on others may write under this open, so close() says that it does not
  /// know how far.
  void mark_exported() noexcept { exported_.store(true, std::memory_order_relaxed); }

  /// Operations that use this file: counted by whoever starts them, so that a close can be refused.
  /// Any thread.
  std::atomic<std::uint32_t>& users() noexcept { return users_; }

  // Lists as for Striper; each borrowed until the end. kBadHandle if the file is not open for it.
  coro::Task<Result<std::uint64_t>> read(Context& context, std::span<const iovec> memory,
                                         std::span<const Extent> extents);
  coro::Task<Result<std::uint64_t>> write(Context& context, std::span<const iovec> memory,
                                          std::span<const Extent> extents);

  // At the file's position, or for a write with kOpenAppend at its end; in the order of the calls.
  coro::Task<Result<std::uint64_t>> read_next(Context& context, iovec memory);
  coro::Task<Result<std::uint64_t>> write_next(Context& context, iovec memory);
  /// Returns the new position. kInvalid (below 0), kTooLarge.
  coro::Task<Result<std::uint64_t>> seek(Context& context, std::int64_t offset, Whence whence);

  coro::Task<Result<wire::Attributes>> stat(Context& context);
  coro::Task<Status> truncate(Context& context, std::uint64_t size_bytes);
  /// All of the file that was acknowledged, to whomever, is on the drives, and so is the name by
  /// which it was opened. kPowerLost, once, if some of it may be gone: a server's node has been
  /// without power since the file was opened or synced last through this handle.
  coro::Task<Status> fsync(Context& context);

  /// Waits for a lock on the range, which is not empty, and returns its number for unlock(). As
  /// long as it waits the home answers every so often. Each lock is on its own, also of two of one
  /// client. kStale, kNoLock (the client has too many).
  coro::Task<Result<std::uint64_t>> lock(Context& context, Extent range, bool shared);
  /// kNoLock: the lock had been lost, since the home had been without a connection to this client
  /// for long, or without power. After another error the lock ends a moment later
  /// (Servers::disown).
  coro::Task<Status> unlock(Context& context, std::uint64_t number);

  /// Adds `value` to the open's counter, or sets that to it; returns what it was. Begins at 0.
  /// kTooLarge.
  coro::Task<Result<std::uint64_t>> count(Context& context, std::uint64_t value, bool set);

  /// Tells the home how far was written, if this handle has been opened (not attached). Fails only
  /// for what concerns the file: a home that has forgotten the open needs no close. Lasts two
  /// time-outs at most, however often the home starts again meanwhile. kPowerLost: the file is
  /// closed; something that was written through this handle and not synced may be gone, as far as
  /// is heard of that by now.
  coro::Task<Status> close(Context& context);

 private:
  coro::Task<Result<std::uint64_t>> append(Context& context, iovec memory);
  /// A range at the end of the file for us alone; returns where it begins.
  coro::Task<Result<std::uint64_t>> reserve(Context& context, std::uint64_t length_bytes);
  coro::Task<Result<std::uint64_t>> ask_for_place(Context& context, std::uint64_t length_bytes);

  ServerId home() const noexcept { return home_of(identity_.inode); }
  /// Whether the home may have forgotten that the file is open here.
  bool may_be_forgotten() const noexcept {
    return servers_.loss_count(home()) != home_loss_count_ ||
           servers_.incarnation(home()) != home_incarnation_;
  }
  /// Opens the file again at its home if that may have forgotten it: it has started again, or the
  /// connection was lost. kStale: the file is no more.
  coro::Task<Status> ensure_open(Context& context);
  /// Opens the file again if it still is what the home has said it does not know.
  coro::Task<Status> open_again(Context& context, std::uint64_t unknown_open_id);
  coro::Task<Status> open_anew(Context& context);
  /// The same before the data servers are asked, who need no open: fails only if the file is no
  /// more, and waits for no home that is lost.
  coro::Task<Status> remind_home(Context& context);

  /// What an fsync, or a close, hears of all servers.
  struct Round;
  coro::Task<void> fsync_one(Round& round, std::size_t slot);
  coro::Task<void> ask_power_era(Round& round, std::size_t slot);
  coro::Task<Status> close_at_home(Context& context);

  Servers& servers_;
  const std::string name_;
  const Identity identity_;
  const placement::Striping striping_;
  const wire::CounterKey counter_;
  Origin origin_;
  std::atomic<bool> exported_ = false;
  std::atomic<std::uint32_t> users_ = 0;

  // The open at its home; another one once the home has started again.
  coro::Mutex reopen_lock_;
  std::uint64_t open_id_;
  std::uint64_t truncate_epoch_;
  std::uint64_t home_loss_count_;
  std::uint64_t home_incarnation_;

  SyncMarks marks_;

  coro::Mutex position_lock_;  ///< Held while an operation uses the position.
  std::uint64_t position_ = 0;

  bool wrote_ = false;
  /// Until a write fails in the middle, or what was written may be gone.
  bool end_is_known_ = true;
  std::uint64_t end_bytes_ = 0;
};

}  // namespace benchfs::client
