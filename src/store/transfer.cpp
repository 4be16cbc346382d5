#include "store/transfer.h"

#include <algorithm>
#include <array>

#include "coro/scope.h"

namespace benchfs::store {
namespace {

template <typename Op>
coro::Task<void> run_one(io::Disk& disk, Transfer transfer, Status& status) {
  Op op(disk, transfer.device_bytes, transfer.memory);
  const Status result = co_await op;
  status = result;
}

template <typename Op>
coro::Task<Status> run_all(io::Disk& disk, std::span<const Transfer> transfers) {
  if (transfers.size() == 1) {
    Op op(disk, transfers.front().device_bytes, transfers.front().memory);
    const Status status = co_await op;
    co_return status;
  }
  while (!transfers.empty()) {
    const auto batch = transfers.first(std::min(transfers.size(), kTransfersInFlightMax));
    transfers = transfers.subspan(batch.size());
    std::array<Status, kTransfersInFlightMax> statuses;
    coro::Scope scope;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      scope.spawn(run_one<Op>(disk, batch[i], statuses[i]));
    }
    co_await scope.join();
    for (const Status& status : statuses) {
      if (!status.has_value()) {
        co_return status;
      }
    }
  }
  co_return Status();
}

}  // namespace

coro::Task<Status> read_all(io::Disk& disk, std::span<const Transfer> transfers) {
  return run_all<io::ReadOp>(disk, transfers);
}

coro::Task<Status> write_all(io::Disk& disk, std::span<const Transfer> transfers) {
  return run_all<io::WriteOp>(disk, transfers);
}

}  // namespace benchfs::store
