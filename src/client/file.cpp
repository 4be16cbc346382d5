#include "client/file.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"
#include "client/transfer.h"
#include "coro/scope.h"

namespace benchfs::client {
namespace {

std::uint64_t total_of(std::span<const Extent> extents) noexcept {
  std::uint64_t total = 0;
  for (const Extent& extent : extents) {
    total += extent.size_bytes;
  }
  return total;
}

std::uint64_t end_of(std::span<const Extent> extents) noexcept {
  std::uint64_t end = 0;
  for (const Extent& extent : extents) {
    if (extent.size_bytes > 0) {
      end = std::max(end, extent.offset_bytes + extent.size_bytes);
    }
  }
  return end;
}

/// Whether the home says that there is no such lock.
bool is_refused(Errc code) noexcept {
  return code == Errc::kNoLock || code == Errc::kStale || code == Errc::kProtocol;
}

/// How often a home may start again during one close, or while an append asks for its place.
constexpr int kHomeAttemptsMax = 8;

/// How many time-outs all of that may last: one to open the file again, one to ask.
constexpr std::uint64_t kHomeTimeoutsMax = 2;

}  // namespace

bool File::is_sound(const Identity& identity, std::uint16_t server_count) noexcept {
  const wire::Layout& layout = identity.layout;
  return identity.inode != kNoInode && to_integer(home_of(identity.inode)) < server_count &&
         layout.chunk_bytes >= 1 && layout.chunk_bytes <= wire::kChunkBytesMax &&
         layout.stripe_count >= 1 && layout.stripe_count <= server_count;
}

File::File(Servers& servers, std::string name, const Identity& identity, Origin origin)
    : servers_(servers),
      name_(std::move(name)),
      identity_(identity),
      striping_{.file = identity.inode,
                .chunk_bytes = identity.layout.chunk_bytes,
                .stripe_count = identity.layout.stripe_count,
                .server_count = servers.count()},
      counter_(origin == Origin::kOpened && identity.counter.number == 0
                   ? wire::CounterKey{.opener = servers.self(), .number = servers.next_number()}
                   : identity.counter),
      origin_(origin),
      open_id_(identity.open_id),
      truncate_epoch_(identity.truncate_epoch),
      home_loss_count_(servers.loss_count(home()) - (identity.is_old ? 1 : 0)),
      home_incarnation_(servers.incarnation(home())),
      marks_(servers, striping_, identity.name_servers) {
  BENCHFS_ASSERT(is_sound(identity, servers.count()));
}

// ---- The open
// --------------------------------------------------------------------------------------------

coro::Task<Status> File::ensure_open(Context& context) {
  if (!may_be_forgotten()) {
    co_return Status();
  }
  auto locking = reopen_lock_.lock();
  co_await locking;
  Status outcome;
  if (may_be_forgotten()) {
    outcome = co_await open_anew(context);
  }
  reopen_lock_.unlock();
  co_return outcome;
}

coro::Task<Status> File::open_again(Context& context, std::uint64_t unknown_open_id) {
  auto locking = reopen_lock_.lock();
  co_await locking;
  Status outcome;
  if (open_id_ == unknown_open_id) {
    outcome = co_await open_anew(context);
  }
  reopen_lock_.unlock();
  co_return outcome;
}

coro::Task<Status> File::open_anew(Context& context) {
  const wire::OpenInodeRequest request{
      .inode = identity_.inode,
      .flags = identity_.flags & (wire::kOpenRead | wire::kOpenWrite | wire::kOpenAppend),
      .known_open_id = open_id_};
  auto calling = servers_.call(context, home(), request);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  if (answer->reply.open_id != open_id_) {
    origin_ = Origin::kOpened;
    open_id_ = answer->reply.open_id;
    truncate_epoch_ = answer->reply.truncate_epoch;
    end_is_known_ = !wrote_;  // A truncate may have come in between.
  }
  home_loss_count_ = servers_.loss_count(home()) - (context.answer_is_old ? 1 : 0);
  home_incarnation_ = servers_.incarnation(home());
  co_return Status();
}

coro::Task<Status> File::remind_home(Context& context) {
  if (!may_be_forgotten()) {
    co_return Status();
  }
  servers_.look();
  if (servers_.slots(home()).lost_ns != 0) {
    co_return Status();
  }
  Context own;
  auto opening = ensure_open(own);
  const Status opened = co_await opening;
  if (!opened.has_value() && opened.error().code == Errc::kStale) {
    context.server = own.server;
    co_return opened;
  }
  co_return Status();
}

// ---- Data
// ----------------------------------------------------------------------------------------------

coro::Task<Result<std::uint64_t>> File::read(Context& context, std::span<const iovec> memory,
                                             std::span<const Extent> extents) {
  if (!may_read()) {
    co_return fail(Errc::kBadHandle, "client.read");
  }
  BENCHFS_CO_CHECK(remind_home(context));
  auto reading = read_extents(servers_, context, striping_, memory, extents);
  co_return co_await reading;
}

coro::Task<Result<std::uint64_t>> File::write(Context& context, std::span<const iovec> memory,
                                              std::span<const Extent> extents) {
  if (!may_write()) {
    co_return fail(Errc::kBadHandle, "client.write");
  }
  const std::uint64_t total = total_of(extents);
  if (total == 0) {
    co_return std::uint64_t{0};
  }
  BENCHFS_CO_CHECK(remind_home(context));
  wrote_ = true;
  auto writing = write_extents(servers_, context, striping_, memory, extents, marks_);
  const auto written = co_await writing;
  if (!written.has_value()) {
    // Any part of it may be there. Only the servers can tell how far the file reaches now.
    end_is_known_ = false;
    co_return fail(written.error());
  }
  end_bytes_ = std::max(end_bytes_, end_of(extents));
  co_return total;
}

coro::Task<Result<std::uint64_t>> File::reserve(Context& context, std::uint64_t length_bytes) {
  // A home that starts again and again forgets the open each time, and is told of it again.
  context.until_ns = servers_.now_ns() + kHomeTimeoutsMax * servers_.timeout_ns();
  auto asking = ask_for_place(context, length_bytes);
  const auto offset_bytes = co_await asking;
  context.until_ns = 0;  // Writing there has a time-out of its own.
  co_return offset_bytes;
}

coro::Task<Result<std::uint64_t>> File::ask_for_place(Context& context,
                                                      std::uint64_t length_bytes) {
  BENCHFS_CO_CHECK(ensure_open(context));
  for (int round = 1;; ++round) {
    const wire::AppendRequest request{
        .open_id = open_id_, .inode = identity_.inode, .length_bytes = length_bytes};
    auto calling = servers_.call(context, home(), request);
    const auto answer = co_await calling;
    if (answer.has_value()) {
      co_return answer->reply.offset_bytes;
    }
    // The home may have started again while it was asked: it has given nothing then.
    if (answer.error().code != Errc::kBadHandle) {
      co_return fail(answer.error());
    }
    if (round == kHomeAttemptsMax) {
      co_return fail(Errc::kTimedOut, "client.append.restarts");  // The handle is a good one.
    }
    BENCHFS_CO_CHECK(open_again(context, request.open_id));
  }
}

coro::Task<Result<std::uint64_t>> File::append(Context& context, iovec memory) {
  if (!may_write()) {
    co_return fail(Errc::kBadHandle, "client.append");
  }
  if (memory.iov_len == 0) {
    co_return std::uint64_t{0};
  }
  auto reserving = reserve(context, memory.iov_len);
  BENCHFS_CO_TRY(const std::uint64_t offset_bytes, reserving);
  const Extent extent{.offset_bytes = offset_bytes, .size_bytes = memory.iov_len};
  if (extent.offset_bytes > kFileBytesMax - extent.size_bytes) {
    co_return fail(Errc::kTooLarge, "client.append");
  }
  auto writing = write(context, std::span(&memory, 1), std::span(&extent, 1));
  const auto written = co_await writing;
  if (written.has_value()) {
    position_ = extent.offset_bytes + *written;
  }
  co_return written;
}

// ---- Position
// ------------------------------------------------------------------------------------------

coro::Task<Result<std::uint64_t>> File::read_next(Context& context, iovec memory) {
  auto locking = position_lock_.lock();
  co_await locking;
  const Extent extent{
      .offset_bytes = position_,
      .size_bytes = std::min<std::uint64_t>(memory.iov_len, kFileBytesMax - position_)};
  memory.iov_len = extent.size_bytes;
  auto reading = read(context, std::span(&memory, 1), std::span(&extent, 1));
  const auto count = co_await reading;
  if (count.has_value()) {
    position_ += *count;
  }
  position_lock_.unlock();
  co_return count;
}

coro::Task<Result<std::uint64_t>> File::write_next(Context& context, iovec memory) {
  auto locking = position_lock_.lock();
  co_await locking;
  Result<std::uint64_t> count = fail(Errc::kTooLarge, "client.write");
  if ((identity_.flags & wire::kOpenAppend) != 0) {
    auto appending = append(context, memory);
    count = co_await appending;
  } else if (memory.iov_len <= kFileBytesMax - position_) {
    const Extent extent{.offset_bytes = position_, .size_bytes = memory.iov_len};
    auto writing = write(context, std::span(&memory, 1), std::span(&extent, 1));
    count = co_await writing;
    if (count.has_value()) {
      position_ += *count;
    }
  }
  position_lock_.unlock();
  co_return count;
}

coro::Task<Result<std::uint64_t>> File::seek(Context& context, std::int64_t offset, Whence whence) {
  auto locking = position_lock_.lock();
  co_await locking;
  Result<std::uint64_t> base = std::uint64_t{0};
  if (whence == Whence::kCurrent) {
    base = position_;
  } else if (whence == Whence::kEnd) {
    auto asking = stat(context);
    const auto attributes = co_await asking;
    if (attributes.has_value()) {
      base = attributes->size_bytes;
    } else {
      base = fail(attributes.error());
    }
  }
  if (base.has_value()) {
    // In two's complement, as the sum of two numbers below 2^63 it cannot wrap twice.
    const std::uint64_t sum = *base + static_cast<std::uint64_t>(offset);
    if (offset < 0 && sum > *base) {
      base = fail(Errc::kInvalid, "client.seek");
    } else if (sum > kFileBytesMax) {
      base = fail(Errc::kTooLarge, "client.seek");
    } else {
      base = sum;
      position_ = sum;
    }
  }
  position_lock_.unlock();
  co_return base;
}

// ---- The inode
// -----------------------------------------------------------------------------------------

coro::Task<Result<wire::Attributes>> File::stat(Context& context) {
  BENCHFS_CO_CHECK(ensure_open(context));
  wire::GetAttrRequest request{.inode = identity_.inode};
  auto calling = servers_.call(context, home(), request);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  co_return answer->reply;
}

coro::Task<Status> File::truncate(Context& context, std::uint64_t size_bytes) {
  if (!may_write()) {
    co_return fail(Errc::kInvalid, "client.truncate");  // EINVAL, as POSIX says for ftruncate().
  }
  BENCHFS_CO_CHECK(ensure_open(context));
  marks_.may_change_all(servers_);
  wire::TruncateRequest request{.inode = identity_.inode, .size_bytes = size_bytes};
  auto calling = servers_.call(context, home(), request);
  BENCHFS_CO_CHECK(calling);
  co_return Status();
}

// ---- Locks, and the counter
// -----------------------------------------------------------------------------

coro::Task<Result<std::uint64_t>> File::lock(Context& context, Extent range, bool shared) {
  BENCHFS_ASSERT(range.size_bytes > 0 && range.offset_bytes <= kFileBytesMax - range.size_bytes);
  const wire::LockRangeRequest request{.inode = identity_.inode,
                                       .number = servers_.next_number(),
                                       .begin_bytes = range.offset_bytes,
                                       .end_bytes = range.offset_bytes + range.size_bytes,
                                       .shared = shared};
  for (;;) {
    auto calling = servers_.call(context, home(), request);
    const auto answer = co_await calling;
    if (!answer.has_value()) {
      if (!is_refused(answer.error().code)) {
        // It may have been granted, or may still be.
        servers_.disown(home(), {.inode = identity_.inode, .number = request.number});
      }
      co_return fail(answer.error());
    }
    if (answer->reply.granted) {
      co_return request.number;
    }
  }
}

coro::Task<Status> File::unlock(Context& context, std::uint64_t number) {
  const wire::UnlockRangeRequest request{.inode = identity_.inode, .number = number};
  auto calling = servers_.call(context, home(), request);
  const auto answer = co_await calling;
  if (answer.has_value()) {
    co_return Status();
  }
  if (!is_refused(answer.error().code)) {
    servers_.disown(home(), request);
  }
  co_return fail(answer.error());
}

coro::Task<Result<std::uint64_t>> File::count(Context& context, std::uint64_t value, bool set) {
  if (counter_.number == 0) {
    co_return fail(Errc::kInvalid, "client.counter");
  }
  const wire::CounterRequest request{
      .inode = identity_.inode, .key = counter_, .set = set, .value = value};
  auto calling = servers_.call(context, home(), request);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  co_return answer->reply.before;
}

struct File::Round {
  /// What may be gone is told before anything else, since it is told only once.
  void note(ServerId at, Error error) noexcept {
    if (status.has_value() ||
        (error.code == Errc::kPowerLost && status.error().code != Errc::kPowerLost)) {
      status = fail(error);
      server = at;
    }
  }
  Status status;
  std::optional<ServerId> server;
};

coro::Task<Status> File::fsync(Context& context) {
  BENCHFS_CO_CHECK(remind_home(context));
  Round round;
  coro::Scope scope;
  for (std::size_t slot = 0; slot < marks_.count(); ++slot) {
    scope.spawn(fsync_one(round, slot));
  }
  co_await scope.join();
  context.server = round.server;
  co_return round.status;
}

coro::Task<void> File::fsync_one(Round& round, std::size_t slot) {
  const ServerId server = marks_.server(slot);
  const SyncMarks::Begun begun = marks_.begin(slot);
  const std::uint64_t queued_ns = servers_.now_ns();
  auto& requests = servers_.slots(server).requests;
  auto acquiring = requests.acquire(1);
  co_await acquiring;
  Context own;
  Status synced = servers_.check_not_silent(own, server, queued_ns);
  if (synced.has_value()) {
    const wire::FsyncRequest request{.inode = identity_.inode};
    auto calling = servers_.call(own, server, request);
    const auto answer = co_await calling;
    if (!answer.has_value()) {
      synced = fail(answer.error());
    } else {
      marks_.end(slot, begun, own.incarnation);
      if (SyncMarks::lost(begun, answer->reply.power_era)) {
        synced = fail(Errc::kPowerLost, "client.fsync");
      }
    }
  }
  requests.release(1);
  if (!synced.has_value()) {
    round.note(server, synced.error());
  }
}

/// The same for a close, which makes nothing durable: an fsync is only how to ask.
coro::Task<void> File::ask_power_era(Round& round, std::size_t slot) {
  const ServerId server = marks_.server(slot);
  const std::uint64_t unsynced = marks_.unsynced(slot);
  Context own;
  const wire::FsyncRequest request{.inode = identity_.inode};
  auto calling = servers_.call(own, server, request);
  const auto answer = co_await calling;
  if (answer.has_value() && answer->reply.power_era > unsynced) {
    round.note(server, Error{.code = Errc::kPowerLost, .where = "client.close"});
  }
}

coro::Task<Status> File::close(Context& context) {
  if (wrote_) {
    servers_.look();
  }
  Round round;
  coro::Scope scope;
  for (std::size_t slot = 0; slot < marks_.count(); ++slot) {
    const std::uint64_t unsynced = marks_.unsynced(slot);
    if (unsynced != 0 && servers_.incarnation(marks_.server(slot)) > unsynced) {
      // What was written there may be gone, and others have seen that it is.
      end_is_known_ = false;
      scope.spawn(ask_power_era(round, slot));
    }
  }
  // A home that starts again and again forgets the open each time, and is told of it again.
  context.until_ns = servers_.now_ns() + kHomeTimeoutsMax * servers_.timeout_ns();
  auto closing = close_at_home(context);
  const Status closed = co_await closing;
  co_await scope.join();
  if (closed.has_value() && !round.status.has_value()) {
    context.server = round.server;
    co_return round.status;
  }
  co_return closed;
}

coro::Task<Status> File::close_at_home(Context& context) {
  if (origin_ == Origin::kAttached) {
    co_return Status();  // The exporter's close asks the servers for what we wrote.
  }
  if (may_be_forgotten()) {
    servers_.look();
  }
  Status opened = co_await ensure_open(context);
  for (int attempt = 1; opened.has_value(); ++attempt) {
    const bool exported = exported_.load(std::memory_order_relaxed);
    wire::CloseRequest request{.open_id = open_id_,
                               .inode = identity_.inode,
                               .wrote = wrote_ || (exported && may_write()),
                               .complete = end_is_known_ && !exported,
                               .end_bytes = end_bytes_,
                               .truncate_epoch = truncate_epoch_,
                               .counter = counter_.opener == servers_.self() ? counter_.number : 0};
    // The handle is gone whatever comes of this. A server that comes to it late still has to know.
    auto calling = servers_.call(context, home(), request, {}, {}, rpc::WhenLate::kCarryOut);
    const auto answer = co_await calling;
    if (answer.has_value()) {
      co_return Status();
    }
    if (answer.error().code != Errc::kBadHandle) {
      co_return fail(answer.error());
    }
    // The home has forgotten the open, perhaps while it was asked.
    if (!request.wrote) {
      co_return Status();
    }
    if (attempt > 1 && (!may_be_forgotten() || attempt == kHomeAttemptsMax)) {
      co_return fail(answer.error());
    }
    opened = co_await open_again(context, request.open_id);
  }
  const bool nothing_to_tell = !wrote_ && opened.error().code == Errc::kStale;
  co_return nothing_to_tell ? Status() : opened;
}

}  // namespace benchfs::client
