#include "net/ucx_message.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "net/ucs_map.h"
#include "net/ucx_connection.h"

namespace benchfs::net {
namespace {

/// Below this copying is cheaper than keeping UCX's buffer, which holds 8 KiB or more.
constexpr std::size_t kCopyBytesMax = 512;

void put_u64(std::byte* at, std::uint64_t value) noexcept {
  for (int i = 0; i < 8; ++i) {
    at[i] = static_cast<std::byte>(value >> (8 * i));
  }
}

}  // namespace

void TransferRecord::start(std::shared_ptr<UcxConnection> connection, TransferOp& op, bool sends,
                           std::size_t payload_bytes) noexcept {
  connection_ = std::move(connection);
  op_ = &op;
  sends_ = sends;
  payload_bytes_ = payload_bytes;
}

ConstBytes TransferRecord::set_header(std::uint64_t connection_id, std::uint64_t sequence,
                                      ConstBytes header) noexcept {
  BENCHFS_ASSERT(header.size() <= kHeaderBytesMax);
  put_u64(header_.data(), connection_id);
  put_u64(header_.data() + 8, sequence);
  std::memcpy(header_.data() + kPrefixBytes, header.data(), header.size());
  return ConstBytes(header_).first(kPrefixBytes + header.size());
}

void TransferRecord::done(int status) noexcept {
  const std::shared_ptr<UcxConnection> connection = std::move(connection_);
  TransferOp& op = *std::exchange(op_, nullptr);
  RecordPool& pool = pool_;
  const bool sent = sends_;
  const std::size_t payload_bytes = payload_bytes_;
  pool.give_back(*this);

  if (status == 0) {
    TransportCounters& counters = pool.counters();
    if (sent) {
      ++counters.messages_sent;
      counters.bytes_sent += payload_bytes;
    } else {
      counters.bytes_received += payload_bytes;
    }
    op.complete(pool.loop(), {});
    return;
  }
  // Nothing of a connection may be missing: with one message that failed, all of it is lost.
  const Error cause = to_error(status, sent ? "net.send" : "net.receive");
  op.complete(pool.loop(), fail(Errc::kPeerLost, cause.where, status));
  connection->lose(Error{.code = Errc::kPeerLost, .os_code = status, .where = cause.where});
}

bool TransferRecord::give_up() noexcept {
  if (op_ == nullptr) {
    return false;
  }
  connection_.reset();
  std::exchange(op_, nullptr)->complete(pool_.loop(), fail(Errc::kPeerLost, "net.deaf"));
  return true;
}

ConstBytes NoticeRecord::start(handshake::Buffer message,
                               std::shared_ptr<UcxConnection> teller) noexcept {
  message_ = std::move(message);
  teller_ = std::move(teller);
  return message_;
}

void NoticeRecord::done(int status) noexcept {
  // A notice that did not get through needs no answer: the endpoint fails as well, or a deadline
  // ends the handshake.
  const std::shared_ptr<UcxConnection> teller = std::move(teller_);
  pool_.give_back(*this);
  if (teller != nullptr) {
    teller->on_notice_left(status);
  }
}

TransferRecord& RecordPool::take_transfer() {
  if (idle_transfers_.empty()) {
    transfers_.push_back(std::make_unique<TransferRecord>(*this));
    idle_transfers_.reserve(transfers_.size());
    idle_transfers_.push_back(transfers_.back().get());
  }
  TransferRecord& record = *idle_transfers_.back();
  idle_transfers_.pop_back();
  ++in_flight_;
  return record;
}

NoticeRecord& RecordPool::take_notice() {
  if (idle_notices_.empty()) {
    notices_.push_back(std::make_unique<NoticeRecord>(*this));
    idle_notices_.reserve(notices_.size());
    idle_notices_.push_back(notices_.back().get());
  }
  NoticeRecord& record = *idle_notices_.back();
  idle_notices_.pop_back();
  ++in_flight_;
  return record;
}

void RecordPool::give_up() noexcept {
  for (std::unique_ptr<TransferRecord>& record : transfers_) {
    if (record->give_up()) {
      lost_transfers_.push_back(std::move(record));
    }
  }
  std::erase(transfers_, nullptr);
  for (std::unique_ptr<NoticeRecord>& record : notices_) {
    if (std::find(idle_notices_.begin(), idle_notices_.end(), record.get()) ==
        idle_notices_.end()) {
      lost_notices_.push_back(std::move(record));
    }
  }
  std::erase(notices_, nullptr);
  in_flight_ = 0;
}

void RecordPool::give_back(TransferRecord& record) noexcept {
  BENCHFS_ASSERT(in_flight_ > 0);
  --in_flight_;
  ++ended_;
  idle_transfers_.push_back(&record);
}

void RecordPool::give_back(NoticeRecord& record) noexcept {
  BENCHFS_ASSERT(in_flight_ > 0);
  --in_flight_;
  ++ended_;
  idle_notices_.push_back(&record);
}

UcxPayload::UcxPayload(UcxWorker& worker, RecordPool& records,
                       std::shared_ptr<UcxConnection> connection, const Arrival& arrival)
    : worker_(worker), records_(records), connection_(std::move(connection)) {
  if (arrival.rendezvous) {
    kept_ = arrival.data;
    return;
  }
  if (arrival.keepable && arrival.data_bytes > kCopyBytesMax) {
    kept_ = arrival.data;
    eager_ = {static_cast<const std::byte*>(arrival.data), arrival.data_bytes};
    return;
  }
  copy_ = std::make_unique_for_overwrite<std::byte[]>(arrival.data_bytes);
  std::memcpy(copy_.get(), arrival.data, arrival.data_bytes);
  eager_ = {copy_.get(), arrival.data_bytes};
}

UcxPayload::~UcxPayload() {
  if (kept_ != nullptr) {
    worker_.release(kept_);
  }
}

void UcxPayload::receive(Bytes buffer, TransferOp& op) noexcept {
  if (!eager_.empty()) {
    BENCHFS_ASSERT(buffer.size() == eager_.size());
    std::memcpy(buffer.data(), eager_.data(), eager_.size());
    op.complete(records_.loop(), {});
    return;
  }
  BENCHFS_ASSERT(kept_ != nullptr);
  void* data = std::exchange(kept_, nullptr);
  if (connection_->lost()) {
    worker_.release(data);
    op.complete(records_.loop(), fail(Errc::kPeerLost, "net.receive"));
    return;
  }
  TransferRecord& record = records_.take_transfer();
  record.start(connection_, op, false, buffer.size());
  worker_.receive(data, buffer, record);
}

}  // namespace benchfs::net
