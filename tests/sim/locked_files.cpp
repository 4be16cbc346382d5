#include "sim/locked_files.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/limits.h"

namespace benchfs::sim {
namespace {

constexpr std::size_t kFileCount = 2;
constexpr std::uint64_t kRangeMax = 40;
constexpr std::uint64_t kHoldNsMax = 2 * kNsPerSec;
constexpr std::uint64_t kPauseNsMax = kNsPerSec;
constexpr std::uint64_t kLocksMax = 60;

std::string path_of(std::size_t file) {
  return fmt::format("/locked{}", file);
}

bool overlap(std::uint64_t a_begin, std::uint64_t a_end, std::uint64_t b_begin,
             std::uint64_t b_end) {
  return std::max(a_begin, b_begin) < std::min(a_end, b_end);
}

}  // namespace

coro::Task<void> LockedFiles::set_up(User& user) {
  for (std::size_t file = 0; file < kFileCount; ++file) {
    auto opening =
        user.open(path_of(file), wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive);
    const auto opened = co_await opening;
    if (!opened.has_value()) {
      user.world().violate("a file cannot be made");
      co_return;
    }
    auto syncing = user.fsync(*opened);
    const Status synced = co_await syncing;
    auto closing = user.close(*opened);
    const Status closed = co_await closing;
    if (!synced.has_value() || !closed.has_value()) {
      user.world().violate("a file cannot be synced and closed");
    }
  }
}

coro::Task<void> LockedFiles::work(User& user, Chance chance, const std::uint64_t& until_ns) {
  for (std::uint64_t i = 0; i < kLocksMax && user.world().now_ns() < until_ns && !user.dead();
       ++i) {
    auto locking = lock_once(user, chance);
    co_await locking;
    auto pausing = user.sleep(chance.magnitude(kPauseNsMax));
    co_await pausing;
  }
}

coro::Task<void> LockedFiles::lock_once(User& user, Chance& chance) {
  Held held{.file = chance.below(kFileCount),
            .range = {.offset_bytes = chance.below(kRangeMax), .size_bytes = 1},
            .shared = chance.percent(40),
            .client = user.client().number()};
  held.range.size_bytes = 1 + chance.below(kRangeMax);
  const std::uint64_t hold_ns = chance.magnitude(kHoldNsMax);
  auto opening = user.open(path_of(held.file), wire::kOpenRead);
  const auto opened = co_await opening;
  if (!opened.has_value()) {
    co_return;
  }
  auto locking = user.lock(*opened, held.range, held.shared);
  const auto lock = co_await locking;
  held.from_ns = user.world().now_ns();
  if (lock.has_value() && !user.dead()) {
    auto holding = user.sleep(hold_ns);
    co_await holding;
    held.to_ns = user.world().now_ns();
    auto unlocking = user.unlock(*opened, *lock);
    const Status unlocked = co_await unlocking;
    if (unlocked.has_value() && !user.dead()) {
      ended_well(user.world(), held);
    }
  }
  auto closing = user.close(*opened);
  const Status closed = co_await closing;
  static_cast<void>(closed);  // Watched by the user.
}

void LockedFiles::ended_well(World& world, const Held& held) {
  for (const Held& other : ended_) {
    if (other.file == held.file && !(other.shared && held.shared) &&
        overlap(other.range.offset_bytes, other.range.offset_bytes + other.range.size_bytes,
                held.range.offset_bytes, held.range.offset_bytes + held.range.size_bytes) &&
        overlap(other.from_ns, other.to_ns, held.from_ns, held.to_ns)) {
      world.violate(fmt::format(
          "clients {} and {} both had bytes {}+{} and {}+{} of file {} locked, from {} to {} us "
          "and "
          "from {} to {} us",
          other.client, held.client, other.range.offset_bytes, other.range.size_bytes,
          held.range.offset_bytes, held.range.size_bytes, held.file, other.from_ns / 1000,
          other.to_ns / 1000, held.from_ns / 1000, held.to_ns / 1000));
    }
  }
  ended_.push_back(held);
}

coro::Task<void> LockedFiles::verify(User& user) {
  for (std::size_t file = 0; file < kFileCount; ++file) {
    auto opening = user.open(path_of(file), wire::kOpenRead);
    const auto opened = co_await opening;
    if (!opened.has_value()) {
      user.world().violate("a file of locks is gone");
      co_return;
    }
    auto locking = user.lock(*opened, {0, kFileBytesMax}, false);
    const auto lock = co_await locking;
    if (lock.has_value()) {
      auto unlocking = user.unlock(*opened, *lock);
      const Status unlocked = co_await unlocking;
      if (!unlocked.has_value()) {
        user.world().violate("a lock has been lost although nothing is wrong");
      }
    }
    auto closing = user.close(*opened);
    const Status closed = co_await closing;
    static_cast<void>(closed);
  }
}

}  // namespace benchfs::sim
