#include "client/staging.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <xxhash.h>

#include "coro/event.h"
#include "coro/scope.h"
#include "wire/codec.h"

namespace benchfs::client {
namespace {

/// Of one batch, encoded; leaves room for the longest path.
constexpr std::size_t kBatchBytesMax = kBodyBytesMax - 2 * kPathBytesMax;
/// Bytes of the files of one batch: what one server copies well within the time-out.
constexpr std::uint64_t kBatchDataBytesMax = 16 * kMiB;

std::uint64_t timeout_of(const Servers& servers) noexcept {
  return std::max(servers.timeout_ns(), kStageTimeoutNsMin);
}

void note(StageItem& item, const Error& error) noexcept {
  item.result = {};
  item.result.error = static_cast<std::uint16_t>(error.code);
}

/// Items for one server, cut into batches.
struct Lot {
  ServerId server{};
  std::vector<StageItem*> items;
  std::size_t turn = 0;  ///< Among those of its server.
};

std::vector<Lot> batches_of(const std::map<ServerId, std::vector<StageItem*>>& by_server) {
  std::vector<Lot> lots;
  for (const auto& [server, items] : by_server) {
    std::size_t bytes = 0;
    std::uint64_t data_bytes = 0;
    std::size_t turn = 0;
    for (StageItem* item : items) {
      const std::size_t more = 64 + kNameBytesMax + item->outside.size();
      if (turn == 0 || lots.back().items.size() == wire::kStageFilesMax ||
          bytes + more > kBatchBytesMax || data_bytes + item->size_bytes > kBatchDataBytesMax) {
        lots.push_back({.server = server, .items = {}, .turn = turn++});
        bytes = 0;
        data_bytes = 0;
      }
      lots.back().items.push_back(item);
      bytes += more;
      data_bytes += item->size_bytes;
    }
  }
  // The servers in turn: none waits until another has done all of its own.
  std::stable_sort(lots.begin(), lots.end(),
                   [](const Lot& a, const Lot& b) { return a.turn < b.turn; });
  return lots;
}

template <typename List>
std::vector<std::byte> encoded(const List& list) {
  std::vector<std::byte> bytes(kBodyBytesMax);
  wire::Encoder encoder{Bytes(bytes)};
  encoder& list;
  BENCHFS_ASSERT(encoder.ok());
  bytes.resize(encoder.size());
  return bytes;
}

template <typename Request>
coro::Task<void> send(Servers& servers, Lot& lot, Request request, std::vector<std::byte> payload,
                      coro::Semaphore& window) {
  Context context;
  context.timeout_ns = timeout_of(servers);
  auto calling = servers.call(context, lot.server, request, payload);
  const auto answer = co_await calling;
  for (std::size_t i = 0; i < lot.items.size(); ++i) {
    if (!answer.has_value()) {
      note(*lot.items[i], answer.error());
    } else if (answer->reply.results.size() != lot.items.size() ||
               (answer->reply.results[i].error != 0 && !is_errc(answer->reply.results[i].error))) {
      note(*lot.items[i], Error{.code = Errc::kProtocol, .where = "client.stage"});
    } else {
      lot.items[i]->result = answer->reply.results[i];
    }
  }
  window.release(1);
}

std::uint64_t window_of(const Servers& servers) noexcept {
  return std::min<std::uint64_t>(kStageRequestsPerServer * servers.count(), 256);
}

/// The directories of the items, each asked for once.
using Parents = std::map<std::vector<std::string>, Result<InodeId>>;

std::vector<std::string> parent_of(const StageItem& item) {
  return {item.inside.components.begin(), item.inside.components.end() - 1};
}

coro::Task<void> find_parents(Names& names, std::span<StageItem> items, Parents& parents) {
  for (const StageItem& item : items) {
    if (item.inside.components.empty() || parents.contains(parent_of(item))) {
      continue;
    }
    Path directory = item.inside;
    directory.components.pop_back();
    Context context;
    auto finding = names.find_directory(context, std::move(directory));
    auto found = co_await finding;
    parents.emplace(parent_of(item), std::move(found));
  }
}

}  // namespace

coro::Task<void> stage_files_in(Servers& servers, Names& names, std::span<StageItem> items,
                                std::uint64_t run, bool verify) {
  std::map<ServerId, std::vector<StageItem*>> by_server;
  Parents parents;
  auto finding = find_parents(names, items, parents);
  co_await finding;
  for (StageItem& item : items) {
    item.result = {};
    if (item.inside.components.empty()) {
      note(item, Error{.code = Errc::kInvalid, .where = "client.stage"});
      continue;
    }
    const Result<InodeId>& parent = parents.at(parent_of(item));
    if (!parent.has_value()) {
      note(item, parent.error());
      continue;
    }
    by_server[placement::entry_server(*parent, item.inside.components.back(), servers.count())]
        .push_back(&item);
  }
  std::vector<Lot> lots = batches_of(by_server);
  coro::Semaphore window(window_of(servers));
  coro::Scope scope;
  for (Lot& lot : lots) {
    auto place = window.acquire(1);
    co_await place;
    wire::StageInFiles list;
    for (StageItem* item : lot.items) {
      list.files.push_back(
          {.key = {.parent = *parents.at(parent_of(*item)), .name = item->inside.components.back()},
           .size_bytes = item->size_bytes,
           .outside = item->outside});
    }
    const wire::StageInRequest request{.run = run, .verify = verify};
    scope.spawn(send(servers, lot, request, encoded(list), window));
  }
  co_await scope.join();
}

coro::Task<void> stage_files_out(Servers& servers, std::span<StageItem> items, std::uint64_t run,
                                 bool verify) {
  std::map<ServerId, std::vector<StageItem*>> by_server;
  for (StageItem& item : items) {
    item.result = {};
    // Where the first chunk lies does not depend on the layout.
    const placement::Striping striping{
        .file = item.inode, .chunk_bytes = 1, .stripe_count = 1, .server_count = servers.count()};
    by_server[placement::chunk_server(striping, 0)].push_back(&item);
  }
  std::vector<Lot> lots = batches_of(by_server);
  coro::Semaphore window(window_of(servers));
  coro::Scope scope;
  for (Lot& lot : lots) {
    auto place = window.acquire(1);
    co_await place;
    wire::StageOutFiles list;
    for (StageItem* item : lot.items) {
      list.files.push_back({.inode = item->inode, .outside = item->outside});
    }
    const wire::StageOutRequest request{.run = run, .verify = verify};
    scope.spawn(send(servers, lot, request, encoded(list), window));
  }
  co_await scope.join();
}

namespace {

struct SyncRound {
  Status status;
  std::uint64_t number = 0;
};

coro::Task<void> sync_one(Servers& servers, Context& context, ServerId server, SyncRound& round) {
  Context own;
  own.timeout_ns = timeout_of(servers);
  auto calling = servers.call(own, server, wire::FsyncRequest());
  const auto answer = co_await calling;
  if (answer.has_value()) {
    const std::uint64_t parts[] = {to_integer(server), own.incarnation, answer->reply.power_era};
    round.number += XXH3_64bits(parts, sizeof(parts));
  } else if (round.status.has_value()) {
    round.status = fail(answer.error());
    context.server = own.server;
  }
}

}  // namespace

coro::Task<Result<std::uint64_t>> sync_all(Servers& servers, Context& context) {
  SyncRound round;
  std::vector<coro::Task<void>> calls;
  for (std::uint16_t i = 0; i < servers.count(); ++i) {
    calls.push_back(sync_one(servers, context, ServerId{i}, round));
  }
  auto all = coro::when_all(std::move(calls));
  co_await all;
  if (!round.status.has_value()) {
    co_return fail(round.status.error());
  }
  co_return round.number;
}

// ---- One file

struct StageFile::Round {
  Context& context;
  wire::StageAct act;
  Status status;
  wire::StageRangeReply total;
  coro::Semaphore window{1};
};

StageFile::StageFile(Servers& servers, placement::Striping striping, std::string outside,
                     Direction direction, std::uint64_t size_bytes)
    : servers_(servers),
      striping_(striping),
      outside_(std::move(outside)),
      direction_(direction),
      size_bytes_(size_bytes),
      known_(servers.count()) {}

bool StageFile::is_as_known(ServerId server, std::uint64_t incarnation, std::uint64_t stamp,
                            wire::StageAct act) {
  Known& known = known_[to_integer(server)];
  const bool first = !std::exchange(known.seen, true);
  if (first) {
    known.incarnation = incarnation;
  }
  bool same = known.incarnation == incarnation;
  if (direction_ == Direction::kOut) {
    known.stamp = first ? stamp : known.stamp;
    same = same && known.stamp == stamp;
  } else if (act == wire::StageAct::kCopyIn) {
    const bool first_look = !std::exchange(source_.seen, true);
    source_.stamp = first_look ? stamp : source_.stamp;
    same = same && source_.stamp == stamp;
  }
  return same;
}

coro::Task<void> StageFile::ask(Round& round, ServerId server, wire::StageRangeRequest request) {
  Context own;
  own.timeout_ns = timeout_of(servers_);
  auto calling = servers_.call(own, server, request, std::as_bytes(std::span(outside_)));
  const auto answer = co_await calling;
  round.window.release(1);
  if (!answer.has_value()) {
    if (round.status.has_value()) {
      round.status = fail(answer.error());
      round.context.server = own.server;
    }
    co_return;
  }
  round.total.sum += answer->reply.sum;
  round.total.moved_bytes += answer->reply.moved_bytes;
  if (!is_as_known(server, own.incarnation, answer->reply.stamp, round.act) &&
      round.status.has_value()) {
    round.status = fail(Errc::kStale, "client.stage.changed");
  }
}

coro::Task<Result<wire::StageRangeReply>> StageFile::ask_all(Context& context, wire::StageAct act,
                                                             std::uint64_t offset_bytes,
                                                             std::uint64_t length_bytes) {
  const std::uint32_t stripe_count = striping_.stripe_count;
  Round round{.context = context, .act = act, .status = {}, .total = {}};
  round.window.release(kStageRequestsPerServer * stripe_count - 1);
  wire::StageRangeRequest request;
  request.act = act;
  request.inode = striping_.file;
  request.layout = {.chunk_bytes = striping_.chunk_bytes, .stripe_count = stripe_count};
  request.size_bytes = size_bytes_;
  // So much of the file at once that every server has some MiB of it, and few enough chunks.
  const std::uint64_t step_bytes =
      std::min(std::max(8 * kMiB, std::min(striping_.chunk_bytes, 64 * kMiB)) * stripe_count,
               wire::kStageRangeChunksMax / 2 * std::min(striping_.chunk_bytes, kMiB));
  const std::uint64_t end_bytes = offset_bytes + length_bytes;
  coro::Scope scope;
  do {
    request.offset_bytes = offset_bytes;
    request.length_bytes = std::min(step_bytes, end_bytes - offset_bytes);
    // A range within one chunk concerns one server.
    for (std::uint32_t i = 0; i < stripe_count && round.status.has_value(); ++i) {
      auto place = round.window.acquire(1);
      co_await place;
      if (!round.status.has_value()) {
        round.window.release(1);
        break;
      }
      scope.spawn(ask(round, placement::stripe_server(striping_, i), request));
    }
    offset_bytes += request.length_bytes;
  } while (offset_bytes < end_bytes && round.status.has_value());
  co_await scope.join();
  if (!round.status.has_value()) {
    co_return fail(round.status.error());
  }
  co_return round.total;
}

coro::Task<Status> StageFile::begin(Context& context) {
  auto asking = ask_all(context, wire::StageAct::kStamp, 0, 0);
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Result<std::uint64_t>> StageFile::copy(Context& context, std::uint64_t offset_bytes,
                                                  std::uint64_t length_bytes) {
  const auto act =
      direction_ == Direction::kIn ? wire::StageAct::kCopyIn : wire::StageAct::kCopyOut;
  auto asking = ask_all(context, act, offset_bytes, length_bytes);
  BENCHFS_CO_TRY(const wire::StageRangeReply total, asking);
  sum_ += total.sum;
  co_return total.moved_bytes;
}

coro::Task<Status> StageFile::finish(Context& context) {
  const auto act =
      direction_ == Direction::kIn ? wire::StageAct::kStamp : wire::StageAct::kSyncOutside;
  auto asking = ask_all(context, act, 0, 0);
  BENCHFS_CO_CHECK(asking);
  co_return Status();
}

coro::Task<Result<std::uint64_t>> StageFile::sum_of(Context& context, bool inside) {
  const auto act = inside ? wire::StageAct::kSumInside : wire::StageAct::kSumOutside;
  auto asking = ask_all(context, act, 0, size_bytes_);
  BENCHFS_CO_TRY(const wire::StageRangeReply total, asking);
  co_return total.sum;
}

}  // namespace benchfs::client
