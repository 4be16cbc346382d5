#include "sim/user.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "client/listing.h"
#include "client/path.h"
#include "loop/timer_queue.h"

namespace benchfs::sim {
namespace {

/// What a call may take beyond its time-outs: turns of the loop that come late.
constexpr std::uint64_t kSlackNs = kNsPerSec;

/// A paused process makes its calls when it goes on.
constexpr std::uint64_t kPauseNsMax = 8 * kNsPerSec;

/// A lock waits for those before it, of whom some may have died or be cut off.
constexpr std::uint64_t kTimeoutsOfALock = 100;

template <typename T>
Status status_of(const Result<T>& result) {
  return result.has_value() ? Status() : Status(fail(result.error()));
}

}  // namespace

User::Call::Call(User& user, const char* what, std::uint64_t timeouts, std::string subject)
    : user_(user),
      what_(what),
      subject_(std::move(subject)),
      limit_ns_(timeouts * user.client_.timeout_ns() + kSlackNs +
                (user.plan().pause_ns > 0 ? kPauseNsMax : 0)),
      began_ns_(user.world().now_ns()) {
  user_.world().note(what, user_.client_.number(), 0);
  if (user_.world().printing() && !subject_.empty()) {
    user_.world().say(
        fmt::format("client {} begins: {} {}", user_.client_.number(), what, subject_));
  }
}

void User::Call::end(const Status& status, std::initializer_list<Errc> expected) {
  World& world = user_.world();
  if (user_.dead()) {
    return;
  }
  const std::uint64_t took_ns = world.now_ns() - began_ns_;
  const auto code =
      status.has_value() ? std::uint64_t{0} : static_cast<std::uint64_t>(status.error().code);
  world.note(what_, user_.client_.number(), 1000 + code);
  if (world.printing() && !subject_.empty()) {
    world.say(fmt::format("client {}: {} {}: {}", user_.client_.number(), what_, subject_,
                          status.has_value() ? "done" : to_string(status.error())));
  }
  world.count(fmt::format("op.{}", what_));
  const bool answered = status.has_value() || std::find(expected.begin(), expected.end(),
                                                        status.error().code) != expected.end();
  if (!answered) {
    world.count(fmt::format("failed.{}.{}", what_, name_of(status.error().code)));
    if (!user_.may_fail_with(status.error().code)) {
      world.violate(fmt::format("client {}: {} failed with {}", user_.client_.number(), what_,
                                to_string(status.error())));
    }
  }
  if (took_ns > limit_ns_) {
    world.violate(fmt::format("client {}: {} took {} ms, more than {} ms", user_.client_.number(),
                              what_, took_ns / kNsPerMs, limit_ns_ / kNsPerMs));
  }
}

bool User::may_fail_with(Errc code) const {
  const Plan& its_plan = plan();
  const bool faults = its_plan.has_faults() && cluster_.world().now_ns() < errors_allowed_until_ns_;
  switch (code) {
    case Errc::kPeerLost:
    case Errc::kTimedOut:
      return faults;
    case Errc::kIo:
      return faults && its_plan.error_per_million + its_plan.journal_error_per_million > 0;
    case Errc::kPowerLost:
      return faults && its_plan.power_cut_ns > 0;
    case Errc::kCorrupt:
      return its_plan.rot_ns > 0;
    case Errc::kOutOfSpace:
      return its_plan.small_drive;
    default:
      return false;
  }
}

coro::Task<Result<User::FilePointer>> User::open(std::string path, std::uint32_t flags,
                                                 wire::Layout layout) {
  Call call(*this, "open", 4, path);
  client::Context context{.subject = path, .server = {}};
  auto parsed = client::parse_path(path);
  auto opening = client_.names().open(context, std::move(*parsed), flags, 0644, layout);
  const auto opened = co_await opening;
  call.end(status_of(opened), {Errc::kNotFound, Errc::kExists, Errc::kIsDirectory,
                               Errc::kNotDirectory, Errc::kSymlinkLoop});
  if (!opened.has_value()) {
    co_return fail(opened.error());
  }
  const wire::Attributes& attributes = opened->entry.attributes;
  const client::File::Identity identity{
      .inode = attributes.inode,
      .layout = attributes.layout,
      .flags = flags & (wire::kOpenRead | wire::kOpenWrite | wire::kOpenAppend),
      .open_id = opened->open_id,
      .truncate_epoch = opened->truncate_epoch,
      .is_old = context.answer_is_old,
      .name_servers = *context.name_servers};
  BENCHFS_ASSERT(client::File::is_sound(identity, plan().server_count));
  co_return std::make_shared<client::File>(client_.servers(), path, identity,
                                           client::File::Origin::kOpened);
}

coro::Task<Status> User::close(FilePointer file) {
  Call call(*this, "close", 2);
  client::Context context;
  auto closing = file->close(context);
  const Status status = co_await closing;
  call.end(status, {Errc::kStale});
  co_return status;
}

coro::Task<Status> User::write(FilePointer file, std::vector<client::Extent> extents,
                               ConstBytes data) {
  Call call(*this, "write", 3);
  client::Context context;
  const iovec memory{.iov_base = const_cast<std::byte*>(data.data()), .iov_len = data.size()};
  const std::span<const iovec> memories(&memory, 1);
  auto writing = file->write(context, memories, extents);
  const auto count = co_await writing;
  call.end(status_of(count), {Errc::kStale});
  if (count.has_value() && *count != data.size() && !dead()) {
    world().violate(fmt::format("a write of {} bytes told {}", data.size(), *count));
  }
  co_return status_of(count);
}

coro::Task<Result<std::uint64_t>> User::read(FilePointer file, std::vector<client::Extent> extents,
                                             Bytes into) {
  Call call(*this, "read", 3);
  client::Context context;
  const iovec memory{.iov_base = into.data(), .iov_len = into.size()};
  const std::span<const iovec> memories(&memory, 1);
  auto reading = file->read(context, memories, extents);
  const auto count = co_await reading;
  call.end(status_of(count), {Errc::kStale});
  co_return count;
}

coro::Task<Status> User::append(FilePointer file, ConstBytes data) {
  Call call(*this, "append", 4);
  client::Context context;
  const iovec memory{.iov_base = const_cast<std::byte*>(data.data()), .iov_len = data.size()};
  auto writing = file->write_next(context, memory);
  const auto count = co_await writing;
  call.end(status_of(count), {Errc::kStale});
  if (count.has_value() && *count != data.size() && !dead()) {
    world().violate(fmt::format("an append of {} bytes told {}", data.size(), *count));
  }
  co_return status_of(count);
}

coro::Task<Status> User::truncate(FilePointer file, std::uint64_t size_bytes) {
  Call call(*this, "truncate", 2);
  client::Context context;
  auto cutting = file->truncate(context, size_bytes);
  const Status status = co_await cutting;
  call.end(status, {Errc::kStale});
  co_return status;
}

coro::Task<Status> User::fsync(FilePointer file) {
  Call call(*this, "fsync", 3);
  client::Context context;
  auto syncing = file->fsync(context);
  const Status status = co_await syncing;
  call.end(status, {Errc::kStale});
  co_return status;
}

coro::Task<Result<std::uint64_t>> User::lock(FilePointer file, client::Extent range, bool shared) {
  Call call(*this, "lock", kTimeoutsOfALock);
  client::Context context;
  auto locking = file->lock(context, range, shared);
  const auto number = co_await locking;
  call.end(status_of(number));
  co_return number;
}

coro::Task<Status> User::unlock(FilePointer file, std::uint64_t number) {
  Call call(*this, "unlock", 2);
  client::Context context;
  auto unlocking = file->unlock(context, number);
  const Status status = co_await unlocking;
  call.end(status, {Errc::kNoLock});
  co_return status;
}

coro::Task<Result<wire::Attributes>> User::stat_open(FilePointer file) {
  Call call(*this, "fstat", 2);
  client::Context context;
  auto asking = file->stat(context);
  const auto attributes = co_await asking;
  call.end(status_of(attributes), {Errc::kStale});
  co_return attributes;
}

coro::Task<Result<wire::Attributes>> User::stat(std::string path, client::Follow follow) {
  Call call(*this, "stat", 5, path);
  client::Context context;
  auto parsed = client::parse_path(path);
  auto asking = client_.names().stat(context, std::move(*parsed), follow);
  const auto attributes = co_await asking;
  call.end(status_of(attributes),
           {Errc::kNotFound, Errc::kNotDirectory, Errc::kSymlinkLoop, Errc::kStale});
  co_return attributes;
}

coro::Task<Status> User::unlink(std::string path) {
  Call call(*this, "unlink", 5, path);
  client::Context context;
  auto parsed = client::parse_path(path);
  auto asking = client_.names().unlink(context, std::move(*parsed));
  const Status status = co_await asking;
  call.end(status, {Errc::kNotFound, Errc::kIsDirectory, Errc::kNotDirectory, Errc::kSymlinkLoop,
                    Errc::kStale});
  co_return status;
}

coro::Task<Status> User::mkdir(std::string path) {
  Call call(*this, "mkdir", 5, path);
  client::Context context;
  auto parsed = client::parse_path(path);
  auto asking = client_.names().mkdir(context, std::move(*parsed), 0755);
  const Status status = co_await asking;
  call.end(status,
           {Errc::kNotFound, Errc::kExists, Errc::kNotDirectory, Errc::kSymlinkLoop, Errc::kStale});
  co_return status;
}

coro::Task<Status> User::rmdir(std::string path) {
  Call call(*this, "rmdir", 5, path);
  client::Context context;
  auto parsed = client::parse_path(path);
  auto asking = client_.names().rmdir(context, std::move(*parsed));
  const Status status = co_await asking;
  call.end(status, {Errc::kNotFound, Errc::kNotEmpty, Errc::kNotDirectory, Errc::kSymlinkLoop,
                    Errc::kStale});
  co_return status;
}

coro::Task<Status> User::rename(std::string from, std::string to) {
  Call call(*this, "rename", 8, from + " to " + to);
  client::Context context;
  auto parsed_from = client::parse_path(from);
  auto parsed_to = client::parse_path(to);
  auto asking = client_.names().rename(context, std::move(*parsed_from), std::move(*parsed_to));
  const Status status = co_await asking;
  call.end(status, {Errc::kNotFound, Errc::kNotDirectory, Errc::kSymlinkLoop, Errc::kIsDirectory,
                    Errc::kNotEmpty, Errc::kExists, Errc::kInvalid, Errc::kStale});
  co_return status;
}

coro::Task<Status> User::symlink(std::string target, std::string path) {
  Call call(*this, "symlink", 5, path + " -> " + target);
  client::Context context;
  auto parsed = client::parse_path(path);
  auto asking = client_.names().symlink(context, std::move(target), std::move(*parsed));
  const Status status = co_await asking;
  call.end(status,
           {Errc::kNotFound, Errc::kExists, Errc::kNotDirectory, Errc::kSymlinkLoop, Errc::kStale});
  co_return status;
}

coro::Task<Result<std::string>> User::read_link(std::string path) {
  Call call(*this, "readlink", 5, path);
  client::Context context;
  auto parsed = client::parse_path(path);
  auto asking = client_.names().read_link(context, std::move(*parsed));
  auto target = co_await asking;
  call.end(status_of(target), {Errc::kNotFound, Errc::kInvalid, Errc::kNotDirectory,
                               Errc::kSymlinkLoop, Errc::kStale});
  co_return target;
}

coro::Task<Result<std::vector<wire::DirectoryEntry>>> User::list(std::string path) {
  std::vector<wire::DirectoryEntry> entries;
  client::Context context;
  InodeId directory = kRootInode;
  {
    Call call(*this, "opendir", 5);
    auto parsed = client::parse_path(path);
    auto finding = client_.names().find_directory(context, std::move(*parsed));
    const auto found = co_await finding;
    call.end(status_of(found),
             {Errc::kNotFound, Errc::kNotDirectory, Errc::kSymlinkLoop, Errc::kStale});
    if (!found.has_value()) {
      co_return fail(found.error());
    }
    directory = *found;
  }
  client::Listing listing(client_.servers(), directory);
  for (;;) {
    Call call(*this, "readdir", 4);
    auto filling = listing.fill(context);
    const Status status = co_await filling;
    call.end(status, {Errc::kNotFound, Errc::kStale});
    if (!status.has_value()) {
      co_return fail(status.error());
    }
    if (listing.entries().empty()) {
      break;
    }
    entries.insert(entries.end(), listing.entries().begin(), listing.entries().end());
  }
  co_return entries;
}

coro::Task<void> User::sleep(std::uint64_t ns) {
  loop::SleepOp pause(client_.loop(), client_.loop().now_ns() + ns);
  co_await pause;
}

}  // namespace benchfs::sim
