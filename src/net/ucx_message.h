#pragma once

// What is in flight: records of sends and receives, and the payloads of arrived messages. Private
// to net.
//
// Threading: loop thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/limits.h"
#include "net/handshake.h"
#include "net/transport.h"
#include "net/ucx_request.h"
#include "net/ucx_worker.h"

namespace benchfs::net {

class RecordPool;
class UcxConnection;

/// A send or receive that UCX holds: keeps the header where UCX reads it, and the connection.
class TransferRecord final : public Completion {
 public:
  explicit TransferRecord(RecordPool& pool) noexcept : pool_(pool) {}

  void start(std::shared_ptr<UcxConnection> connection, TransferOp& op, bool sends,
             std::size_t payload_bytes) noexcept;
  /// Builds the header in place; returns what goes on the wire.
  ConstBytes set_header(std::uint64_t connection_id, std::uint64_t sequence,
                        ConstBytes header) noexcept;
  void done(int status) noexcept override;
  /// Tells who waits that it is lost, though UCX still holds it; false if nobody waits.
  bool give_up() noexcept;

 private:
  RecordPool& pool_;
  std::shared_ptr<UcxConnection> connection_;
  TransferOp* op_ = nullptr;
  bool sends_ = false;
  std::size_t payload_bytes_ = 0;
  std::array<std::byte, kPrefixBytes + kHeaderBytesMax> header_;
};

/// A handshake message on its way, whose bytes it keeps, or a flush.
class NoticeRecord final : public Completion {
 public:
  explicit NoticeRecord(RecordPool& pool) noexcept : pool_(pool) {}
  /// `teller`: the connection that goes on from here, if any.
  ConstBytes start(handshake::Buffer message,
                   std::shared_ptr<UcxConnection> teller = nullptr) noexcept;
  void done(int status) noexcept override;

 private:
  RecordPool& pool_;
  handshake::Buffer message_;
  std::shared_ptr<UcxConnection> teller_;
};

/// Owns all records, and reuses those that are idle, so that a message costs no allocation.
/// Outlives the worker: what UCX never gave back is freed with the pool.
class RecordPool {
 public:
  RecordPool(loop::EventLoop& loop, TransportCounters& counters) noexcept
      : loop_(loop), counters_(counters) {}

  TransferRecord& take_transfer();
  NoticeRecord& take_notice();

  /// Records that UCX holds.
  std::size_t in_flight() const noexcept { return in_flight_; }
  /// Records that UCX has given back, ever.
  std::uint64_t ended() const noexcept { return ended_; }
  /// Those among them that somebody waits for. Once their connections are released UCX ends them in
  /// its next rounds of progress; a notice to a stranger that is gone may never end.
  std::size_t transfers_in_flight() const noexcept {
    return transfers_.size() - idle_transfers_.size();
  }
  loop::EventLoop& loop() noexcept { return loop_; }
  TransportCounters& counters() noexcept { return counters_; }

  /// UCX is not going to give back what it holds now, and touches none of it (UcxWorker::leave()):
  /// who waits for it hears that it is lost.
  void give_up() noexcept;

  void give_back(TransferRecord& record) noexcept;
  void give_back(NoticeRecord& record) noexcept;

 private:
  loop::EventLoop& loop_;
  TransportCounters& counters_;
  std::vector<std::unique_ptr<TransferRecord>> transfers_;
  std::vector<std::unique_ptr<NoticeRecord>> notices_;
  std::vector<TransferRecord*> idle_transfers_;
  std::vector<NoticeRecord*> idle_notices_;
  std::vector<std::unique_ptr<TransferRecord>> lost_transfers_;  ///< Given up; UCX has them.
  std::vector<std::unique_ptr<NoticeRecord>> lost_notices_;
  std::size_t in_flight_ = 0;
  std::uint64_t ended_ = 0;
};

/// The payload of an arrived message, in UCX's hands or copied.
class UcxPayload final : public Message::Payload {
 public:
  /// Keeps `arrival.data` if it is `keepable`, else copies it.
  UcxPayload(UcxWorker& worker, RecordPool& records, std::shared_ptr<UcxConnection> connection,
             const Arrival& arrival);
  ~UcxPayload() override;
  UcxPayload(const UcxPayload&) = delete;
  UcxPayload& operator=(const UcxPayload&) = delete;

  void receive(Bytes buffer, TransferOp& op) noexcept override;

  bool keeps_data() const noexcept { return kept_ != nullptr; }
  /// What has arrived already; empty for a rendezvous.
  ConstBytes eager() const noexcept { return eager_; }

 private:
  UcxWorker& worker_;
  RecordPool& records_;
  std::shared_ptr<UcxConnection> connection_;
  void* kept_ = nullptr;
  std::unique_ptr<std::byte[]> copy_;
  ConstBytes eager_;
};

}  // namespace benchfs::net
