#include "client/transfer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "coro/event.h"
#include "coro/scope.h"
#include "wire/messages.h"

namespace benchfs::client {
namespace {

/// What the requests of one operation share.
struct Shared {
  Shared(Servers& its_servers, Context& its_context, placement::Striping its_file) noexcept
      : servers(its_servers),
        context(its_context),
        file(its_file),
        window(std::clamp(16 * std::uint64_t{its_file.stripe_count}, kRequestsPerTransferMin,
                          kRequestsPerTransferMax)) {}

  void note_failure(const Context& of_request, Error error) noexcept {
    if (status.has_value()) {
      status = fail(error);
      context.server = of_request.server;
    }
  }

  Servers& servers;
  Context& context;
  const placement::Striping file;
  coro::Semaphore window;
  Status status;                           ///< The first error.
  std::vector<bool> holes;                 ///< By request: whether the reply told of any.
  SyncMarks* marks = nullptr;              ///< Of a write.
  std::uint64_t lowest_hole = UINT64_MAX;  ///< Lowest offset of the requests with holes.
};

void gather(const std::vector<Bytes>& memory, Bytes out) noexcept {
  for (const Bytes fragment : memory) {
    std::memcpy(out.data(), fragment.data(), fragment.size());
    out = out.subspan(fragment.size());
  }
}

void scatter(ConstBytes in, const std::vector<Bytes>& memory) noexcept {
  for (const Bytes fragment : memory) {
    std::memcpy(fragment.data(), in.data(), fragment.size());
    in = in.subspan(fragment.size());
  }
}

void clear(const std::vector<Bytes>& memory) noexcept {
  for (const Bytes fragment : memory) {
    std::memset(fragment.data(), 0, fragment.size());
  }
}

coro::Task<void> write_one(Shared& shared, StripeRequest& request) {
  std::unique_ptr<std::byte[]> packed;
  ConstBytes payload = request.memory.front();
  if (request.memory.size() > 1) {
    packed = std::make_unique_for_overwrite<std::byte[]>(request.size_bytes);
    gather(request.memory, Bytes(packed.get(), request.size_bytes));
    payload = ConstBytes(packed.get(), request.size_bytes);
  }
  wire::WriteRequest body{.inode = shared.file.file, .pieces = std::move(request.pieces)};
  Context context;
  auto calling = shared.servers.call(context, request.server, std::move(body), payload);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    shared.note_failure(context, answer.error());
  } else {
    shared.marks->wrote(request.server, context.incarnation);
  }
}

coro::Task<void> read_one(Shared& shared, StripeRequest& request) {
  std::unique_ptr<std::byte[]> packed;
  Bytes target = request.memory.front();
  if (request.memory.size() > 1) {
    packed = std::make_unique_for_overwrite<std::byte[]>(request.size_bytes);
    target = Bytes(packed.get(), request.size_bytes);
  }
  const std::uint64_t lowest = request.lowest_offset();
  wire::ReadRequest body{.inode = shared.file.file, .pieces = std::move(request.pieces)};
  Context context;
  auto calling = shared.servers.call(context, request.server, std::move(body), {}, target);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    shared.note_failure(context, answer.error());
    co_return;
  }
  const bool is_empty = answer->payload_bytes == 0;
  if ((is_empty && !answer->reply.has_hole) ||
      (!is_empty && answer->payload_bytes != request.size_bytes)) {
    context.server = request.server;
    shared.note_failure(context, Error{.code = Errc::kProtocol, .where = "client.read"});
    co_return;
  }
  if (is_empty) {
    clear(request.memory);
  } else if (packed != nullptr) {
    scatter(target, request.memory);
  }
  if (answer->reply.has_hole) {
    shared.holes[request.index] = true;
    shared.lowest_hole = std::min(shared.lowest_hole, lowest);
  }
}

enum class Direction { kRead, kWrite };

/// Waits for a slot of the server, then runs the request.
coro::Task<void> run_one(Shared& shared, StripeRequest request, Direction direction) {
  Servers::Slots& slots = shared.servers.slots(request.server);
  const std::uint64_t size_bytes = request.size_bytes;
  const std::uint64_t queued_ns = shared.servers.now_ns();
  auto request_slot = slots.requests.acquire(1);
  co_await request_slot;
  auto byte_slots = slots.bytes.acquire(size_bytes);
  co_await byte_slots;
  Context context;
  const Status answering = shared.servers.check_not_silent(context, request.server, queued_ns);
  if (!answering.has_value()) {
    shared.note_failure(context, answering.error());
  }
  if (shared.status.has_value()) {  // Otherwise nobody needs this one any more.
    auto running =
        direction == Direction::kWrite ? write_one(shared, request) : read_one(shared, request);
    co_await running;
  }
  slots.bytes.release(size_bytes);
  slots.requests.release(1);
  shared.window.release(1);
}

/// All requests of the plan; of the second pass of a read, those that had holes.
coro::Task<void> run_all(Shared& shared, std::span<const iovec> memory,
                         std::span<const Extent> extents, Direction direction,
                         const std::vector<bool>* only) {
  Striper striper(shared.file, memory, extents);
  coro::Scope scope;
  StripeRequest request;
  while (shared.status.has_value() && striper.next(request)) {
    if (only != nullptr && !(*only)[request.index]) {
      continue;
    }
    if (direction == Direction::kRead && only == nullptr) {
      shared.holes.push_back(false);
    }
    auto window = shared.window.acquire(1);
    co_await window;
    scope.spawn(run_one(shared, std::move(request), direction));
  }
  co_await scope.join();
}

std::uint64_t bytes_below(std::span<const Extent> extents, std::uint64_t end_bytes) noexcept {
  std::uint64_t total = 0;
  for (const Extent& extent : extents) {
    if (extent.offset_bytes < end_bytes) {
      total += std::min(extent.size_bytes, end_bytes - extent.offset_bytes);
    }
  }
  return total;
}

}  // namespace

coro::Task<Status> write_extents(Servers& servers, Context& context, placement::Striping file,
                                 std::span<const iovec> memory, std::span<const Extent> extents,
                                 SyncMarks& marks) {
  Shared shared(servers, context, file);
  shared.marks = &marks;
  auto running = run_all(shared, memory, extents, Direction::kWrite, nullptr);
  co_await running;
  co_return shared.status;
}

coro::Task<Result<std::uint64_t>> read_extents(Servers& servers, Context& context,
                                               placement::Striping file,
                                               std::span<const iovec> memory,
                                               std::span<const Extent> extents) {
  Shared shared(servers, context, file);
  auto running = run_all(shared, memory, extents, Direction::kRead, nullptr);
  co_await running;
  if (!shared.status.has_value()) {
    co_return fail(shared.status.error());
  }
  if (shared.lowest_hole == UINT64_MAX) {
    co_return bytes_below(extents,
                          UINT64_MAX);  // Every byte was written once: all are in the file.
  }
  wire::GetAttrRequest asking{.inode = file.file};
  auto calling = servers.call(context, home_of(file.file), asking);
  const auto answer = co_await calling;
  if (!answer.has_value()) {
    co_return fail(answer.error());
  }
  const std::uint64_t end_bytes = answer->reply.size_bytes;
  if (shared.lowest_hole < end_bytes) {
    // A hole below the end may be one only because the file grew between the reply and our
    // question: then the zeros that we have never were in the file. Read after the size is known,
    // they are right.
    const std::vector<bool> again =
        std::exchange(shared.holes, std::vector<bool>(shared.holes.size()));
    auto rereading = run_all(shared, memory, extents, Direction::kRead, &again);
    co_await rereading;
    if (!shared.status.has_value()) {
      co_return fail(shared.status.error());
    }
  }
  co_return bytes_below(extents, end_bytes);
}

}  // namespace benchfs::client
