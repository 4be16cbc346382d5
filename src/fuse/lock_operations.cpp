// Advisory locks.

#include <algorithm>

#include <fcntl.h>
#include <sys/file.h>

#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

LockMode mode_of(short type) noexcept {
  switch (type) {
    case F_RDLCK:
      return LockMode::kShared;
    case F_WRLCK:
      return LockMode::kExclusive;
    default:
      return LockMode::kNone;
  }
}

/// libfuse gives the range as from the begin of the file, with length 0 for "to the end".
Locks::Wish to_wish(fuse_ino_t node, const fuse_file_info* info, const struct flock& lock) {
  const auto begin = static_cast<std::uint64_t>(lock.l_start);
  const std::uint64_t end =
      lock.l_len == 0 ? kFcntlEnd
                      : std::min(kFcntlEnd, begin + static_cast<std::uint64_t>(lock.l_len));
  return {.file = to_inode(node),
          .owner = {.kind = LockOwner::Kind::kFcntl, .number = info->lock_owner},
          .range = {.begin = begin, .end = end},
          .mode = mode_of(lock.l_type),
          .pid = lock.l_pid};
}

void on_interrupt(fuse_req_t request, void* number) {
  file_system_of(request).lock_keeper().cancel(reinterpret_cast<std::uintptr_t>(number));
}

/// Answers once the lock is there; this thread goes on with other requests.
void wait(fuse_req_t request, const Locks::Wish& wish) {
  LockKeeper& keeper = file_system_of(request).lock_keeper();
  const LockKeeper::Number number = keeper.reserve();
  fuse_req_interrupt_func(request, on_interrupt,
                          reinterpret_cast<void*>(number));  // NOLINT(performance-no-int-to-ptr)
  keeper.begin(number, wish, [request](Status status) { reply(request, status); });
}

void set(fuse_req_t request, const Locks::Wish& wish, bool waits) {
  if (wish.range.begin >= wish.range.end) {
    fuse_reply_err(request,
                   EINVAL);  // Only the last byte that an offset can name, which is flock's.
    return;
  }
  Locks& locks = file_system_of(request).locks();
  client::Context context;
  Status status = run(request, locks.set(context, wish));
  const bool is_taken = !status.has_value() && status.error().code == Errc::kAgain;
  if (is_taken && wish.owner.kind == LockOwner::Kind::kFlock) {
    // flock(2) lets go of what it has before it waits, so that two who share do not wait for each
    // other; and also if it does not wait.
    client::Context ending;
    const Status ended = run(request, locks.end_all(ending, wish.file, wish.owner));
    status = ended.has_value() ? status : ended;
  }
  if (waits && !status.has_value() && status.error().code == Errc::kAgain) {
    wait(request, wish);
    return;
  }
  reply(request, status);
}

void get_lock(fuse_req_t request, fuse_ino_t node, fuse_file_info* info, struct flock* lock) {
  const Locks::Wish wish = to_wish(node, info, *lock);
  if (wish.range.begin >= wish.range.end) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  client::Context context;
  const auto conflict = run(request, file_system_of(request).locks().test(context, wish));
  if (!conflict.has_value()) {
    reply(request, conflict.error());
    return;
  }
  struct flock answer {};
  answer.l_type = F_UNLCK;
  answer.l_whence = SEEK_SET;
  if (*conflict != nullptr) {
    const LockConflict& found = **conflict;
    answer.l_type = found.shared ? F_RDLCK : F_WRLCK;
    answer.l_start = static_cast<off_t>(found.range.begin);
    answer.l_len =
        found.range.end >= kFcntlEnd ? 0 : static_cast<off_t>(found.range.end - found.range.begin);
    answer.l_pid = found.pid;
  }
  fuse_reply_lock(request, &answer);
}

void set_lock(fuse_req_t request, fuse_ino_t node, fuse_file_info* info, struct flock* lock,
              int waits) {
  set(request, to_wish(node, info, *lock), waits != 0);
}

void set_flock(fuse_req_t request, fuse_ino_t node, fuse_file_info* info, int operation) {
  const int what = operation & ~LOCK_NB;
  const Locks::Wish wish{.file = to_inode(node),
                         .owner = {.kind = LockOwner::Kind::kFlock, .number = info->lock_owner},
                         .range = kFlockRange,
                         .mode = what == LOCK_SH   ? LockMode::kShared
                                 : what == LOCK_EX ? LockMode::kExclusive
                                                   : LockMode::kNone,
                         .pid = fuse_req_ctx(request)->pid};
  set(request, wish, (operation & LOCK_NB) == 0);
}

}  // namespace

void add_lock_operations(fuse_lowlevel_ops& table) {
  table.getlk = get_lock;
  table.setlk = set_lock;
  table.flock = set_flock;
}

}  // namespace benchfs::fuse
