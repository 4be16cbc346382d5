#include "sim/logs.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/log.h"
#include "sim/file_model.h"

namespace benchfs::sim {
namespace {

constexpr char kPath[] = "/log";
constexpr std::uint64_t kMagic = 0xB5A1'106E'D15C'0B57U;

struct Head {
  std::uint64_t magic = kMagic;
  std::uint64_t id = 0;
  std::uint64_t check = 0;  ///< Of the id, so that data is never taken for a head.
};

}  // namespace

coro::Task<void> Logs::set_up(User& user) {
  const wire::Layout layout{.chunk_bytes = user.plan().chunk_bytes};
  auto opening = user.open(
      kPath, wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive | wire::kOpenAppend,
      layout);
  const auto handle = co_await opening;
  if (!handle.has_value()) {
    user.world().violate("a log cannot be made");
    co_return;
  }
  auto syncing = user.fsync(*handle);
  const Status synced = co_await syncing;
  auto closing = user.close(*handle);
  const Status closed = co_await closing;
  if (!synced.has_value() || !closed.has_value()) {
    user.world().violate("a new log cannot be synced and closed");
  }
}

coro::Task<void> Logs::append(User& user, User::FilePointer handle, std::uint64_t size) {
  const std::uint64_t id = ++last_id_;
  std::vector<std::byte> bytes(size);
  const Head head{.id = id, .check = mix(id)};
  std::memcpy(bytes.data(), &head, sizeof(head));
  fill_pattern(id, sizeof(head), Bytes(bytes).subspan(sizeof(head)));
  records_[id] = {.size = size,
                  .began_ns = user.world().now_ns(),
                  .doubtful = one_spans_cut(user.world().now_ns())};
  auto appending = user.append(handle, bytes);
  const Status status = co_await appending;
  Record& record = records_[id];
  if (user.dead()) {
    co_return;  // It may go on without its client.
  }
  record.under_way = !status.has_value();
  record.late_until_ns = status.has_value() ? 0 : user.world().now_ns() + kLateNs;
  if (status.has_value() && last_cut_ns_ < record.began_ns && !record.spans_cut &&
      !record.doubtful) {
    record.ended_ns = user.world().now_ns();
    record.acknowledged_ns = record.ended_ns;
  }
}

bool Logs::one_spans_cut(std::uint64_t now_ns) const {
  return std::any_of(records_.begin(), records_.end(), [now_ns](const auto& item) {
    return item.second.spans_cut && item.second.under_way && item.second.late_until_ns >= now_ns;
  });
}

coro::Task<void> Logs::sync(User& user, User::FilePointer handle, std::uint64_t& told_ns) {
  const std::uint64_t began_ns = user.world().now_ns();
  auto syncing = user.fsync(handle);
  const Status status = co_await syncing;
  if (user.dead()) {
    co_return;
  }
  if (!status.has_value()) {
    told_ns = status.error().code == Errc::kPowerLost ? user.world().now_ns() : told_ns;
    co_return;
  }
  for (auto& [id, record] : records_) {
    // If power has failed since the handle was told of that last, nothing was lost.
    if (record.acknowledged_ns < began_ns && (record.lost_ns == 0 || record.lost_ns > told_ns)) {
      record.synced = true;
      record.ended_ns = record.acknowledged_ns;
      record.lost_ns = 0;
    }
  }
  told_ns = began_ns;
}

void Logs::power_cut(std::uint64_t now_ns) {
  last_cut_ns_ = now_ns;
  for (auto& [id, record] : records_) {
    record.spans_cut = record.spans_cut || record.under_way;
    record.doubtful = record.doubtful || record.under_way;
    if (!record.synced && record.lost_ns == 0) {
      record.ended_ns = kNever;
      record.lost_ns = now_ns;
    }
  }
}

coro::Task<void> Logs::check(User& user, User::FilePointer handle) {
  const std::uint64_t began_ns = user.world().now_ns();
  auto asking = user.stat_open(handle);
  const auto attributes = co_await asking;
  if (!attributes.has_value() || user.dead()) {
    co_return;
  }
  std::vector<std::byte> bytes(attributes->size_bytes);
  if (!bytes.empty()) {
    std::vector<client::Extent> extents{{.offset_bytes = 0, .size_bytes = bytes.size()}};
    auto reading = user.read(handle, extents, bytes);
    const auto count = co_await reading;
    if (!count.has_value() || user.dead()) {
      co_return;
    }
  }
  check_records(user.world(), bytes, began_ns);
}

void Logs::check_records(World& world, ConstBytes bytes, std::uint64_t began_ns) {
  std::map<std::uint64_t, std::vector<std::uint64_t>> places;
  for (std::size_t at = 0; at + sizeof(Head) <= bytes.size(); ++at) {
    Head head;
    std::memcpy(&head, bytes.data() + at, sizeof(head));
    if (head.magic == kMagic && head.check == mix(head.id)) {
      places[head.id].push_back(at);
    }
  }
  world.count("check.logs");
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ends;  // Ended, place.
  for (const auto& [id, record] : records_) {
    const auto found = places.find(id);
    const std::size_t times = found == places.end() ? 0 : found->second.size();
    const bool certain = record.ended_ns < began_ns;
    if (times > 1 || (certain && times == 0)) {
      world.violate(fmt::format("log: record {} of {} bytes, appended at {} ns, is there {} times",
                                id, record.size, record.ended_ns, times));
      return;
    }
    if (!certain || times == 0) {
      continue;
    }
    const std::uint64_t at = found->second[0];
    std::vector<std::byte> wanted(record.size - sizeof(Head));
    fill_pattern(id, sizeof(Head), wanted);
    const bool whole =
        at + record.size <= bytes.size() &&
        std::memcmp(wanted.data(), bytes.data() + at + sizeof(Head), wanted.size()) == 0;
    if (!whole) {
      world.violate(fmt::format("log: record {} at {} of {} bytes is not what was appended", id, at,
                                record.size));
      return;
    }
    for (const auto& [ended_ns, place] : ends) {
      if (ended_ns < record.began_ns && place > at) {
        world.violate(
            fmt::format("log: record {} at {} was begun after one at {} had ended", id, at, place));
        return;
      }
    }
    ends.emplace_back(record.ended_ns, at);
  }
}

coro::Task<void> Logs::work(User& user, Chance chance, const std::uint64_t& until_ns) {
  User::FilePointer handle;
  std::uint64_t told_ns = 0;
  for (std::uint64_t i = 0; i < user.plan().operations_max / 2; ++i) {
    if (user.dead() || user.world().failed() || user.world().now_ns() >= until_ns) {
      break;
    }
    const std::uint64_t what = chance.below(100);
    if (handle == nullptr) {
      auto opening = user.open(kPath, wire::kOpenRead | wire::kOpenWrite | wire::kOpenAppend);
      const auto opened = co_await opening;
      if (opened.has_value()) {
        handle = *opened;
        told_ns = user.world().now_ns();
      }
    } else if (what < 75) {
      const std::uint64_t size = sizeof(Head) + chance.magnitude(std::min<std::uint64_t>(
                                                    user.plan().io_bytes_max, 20'000));
      auto appending = append(user, handle, size);
      co_await appending;
    } else if (what < 85) {
      auto syncing = sync(user, handle, told_ns);
      co_await syncing;
    } else if (what < 93) {
      auto checking = check(user, handle);
      co_await checking;
    } else {
      auto closing = user.close(std::exchange(handle, nullptr));
      const Status ignored = co_await closing;
      static_cast<void>(ignored);
    }
    auto thinking = user.sleep(chance.below(user.plan().think_ns_max + 20 * kNsPerMs));
    co_await thinking;
  }
  if (handle != nullptr) {
    auto closing = user.close(handle);
    const Status ignored = co_await closing;
    static_cast<void>(ignored);
  }
}

coro::Task<void> Logs::verify(User& user) {
  auto opening = user.open(kPath, wire::kOpenRead);
  const auto opened = co_await opening;
  if (!opened.has_value()) {
    user.world().violate(fmt::format("the log cannot be opened: {}", to_string(opened.error())));
    co_return;
  }
  auto checking = check(user, *opened);
  co_await checking;
  auto closing = user.close(*opened);
  const Status ignored = co_await closing;
  static_cast<void>(ignored);
}

}  // namespace benchfs::sim
