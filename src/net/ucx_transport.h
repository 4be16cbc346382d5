#pragma once

// The Transport over UCX: active messages on whatever the machine has, from shared memory to RDMA.
// README.md has the protocol, the failure rules and the settings.
//
// Threading: loop thread; or any one thread at a time with ThreadMode::kOneAtATime.
// Ownership: borrows loop, random and listener. Remove it from the loop before it ends.

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "net/transport.h"
#include "net/ucx_connection.h"
#include "net/ucx_context.h"
#include "net/ucx_message.h"
#include "net/ucx_worker.h"

namespace benchfs::net {

struct UcxOptions {
  Credentials credentials;
  PeerIdentity self;
  ThreadMode thread_mode = ThreadMode::kOneThread;
};

class UcxTransport final : public Transport, private ArrivalHandler, private ConnectionHost {
 public:
  /// Logs why it fails: kUnsupported, kIo, kOutOfMemory. The caller adds it to the loop's sources.
  static Result<std::unique_ptr<UcxTransport>> create(const UcxOptions& options,
                                                      loop::EventLoop& loop, Random& random);

  /// Ends what is left at once. Requires that no connect() or close() is suspended and that all
  /// Messages are gone. Operations that are still in flight never end: close() first.
  ~UcxTransport() override;

  bool progress() noexcept override;
  bool arm() noexcept override;
  int event_fd() const noexcept override { return worker_->event_fd(); }

  void listen(Listener& listener) noexcept override { listener_ = &listener; }
  std::vector<std::byte> address() const override { return address_; }
  coro::Task<Result<std::shared_ptr<Connection>>> connect(std::vector<std::byte> address,
                                                          PeerIdentity expected,
                                                          std::uint64_t deadline_ns) override;
  Status register_memory(Bytes region) override { return context_->register_memory(region); }
  const TransportCounters& counters() const noexcept override { return counters_; }
  coro::Task<void> close(std::uint64_t deadline_ns) override;

 private:
  enum class EventKind : std::uint8_t { kAccepted, kMessage, kLost };
  struct Event {
    EventKind kind = EventKind::kMessage;
    std::shared_ptr<UcxConnection> connection;
    Message message{{}, 0, {}, nullptr};  ///< Of kMessage.
    Error reason{Errc::kPeerLost};        ///< Of kLost.
  };
  /// A HELLO to be answered; the endpoint for that is made outside of UCX's callbacks.
  struct PendingHello {
    handshake::Responder responder;
    handshake::Buffer answer;  ///< The CHALLENGE, or why not.
    bool accepted;
  };
  class Farewell;

  UcxTransport(const UcxOptions& options, loop::EventLoop& loop, Random& random);
  Status set_up();
  std::uint64_t new_id();

  // ArrivalHandler
  Disposal on_arrival(MessageClass message_class, const Arrival& arrival) noexcept override;
  void on_handshake(const Arrival& arrival) noexcept;
  void on_hello(ConstBytes message) noexcept;
  Disposal on_data(const Arrival& arrival) noexcept;

  // ConnectionHost
  UcxWorker& worker() noexcept override { return *worker_; }
  loop::EventLoop& loop() noexcept override { return loop_; }
  RecordPool& records() noexcept override { return records_; }
  TransportCounters& tally() noexcept override { return counters_; }
  void accepted(std::shared_ptr<UcxConnection> connection) override;
  void arrived(std::shared_ptr<UcxConnection> connection, Message message) override;
  void goes_on(std::shared_ptr<UcxConnection> connection) override;
  bool uses(const ucp_ep* endpoint) const noexcept override;
  void lost(std::shared_ptr<UcxConnection> connection, Error reason, bool was_open) override;

  void note_refusal() noexcept;
  void mend_deafness() noexcept;
  void start_over() noexcept;

  bool answer_hellos() noexcept;
  bool go_on() noexcept;
  /// Of those whose connections wait for their first answer, or for their end.
  std::size_t& count_of(bool accepted) noexcept { return accepted ? half_open_ : refused_; }
  bool release_lost() noexcept;
  bool deliver() noexcept;

  const UcxOptions options_;
  loop::EventLoop& loop_;
  Random& random_;
  Listener* listener_ = nullptr;
  TransportCounters counters_;
  RecordPool records_;
  std::unique_ptr<UcxContext> context_;
  std::unique_ptr<UcxWorker> worker_;
  /// Workers that had gone deaf: what of them is still held refers to them.
  std::vector<std::unique_ptr<UcxWorker>> retired_;
  std::vector<std::byte> address_;
  std::unordered_map<std::uint64_t, std::shared_ptr<UcxConnection>> connections_;
  std::size_t half_open_ = 0;  ///< Accepted HELLOs whose initiator has not proved itself yet.
  std::size_t refused_ = 0;    ///< Others that have not been told so yet.
  std::deque<PendingHello> hellos_;
  std::deque<std::shared_ptr<UcxConnection>> going_on_;
  std::deque<std::shared_ptr<UcxConnection>> lost_;
  std::deque<Event> events_;
  bool closing_ = false;
  std::uint64_t arrivals_ = 0;
  std::uint64_t arrivals_seen_ = 0;  ///< At the last refusal; likewise the next one.
  std::uint64_t ended_seen_ = 0;
  /// Times that the worker has refused to be armed, with neither a success nor a message in
  /// between.
  std::uint64_t refusals_ = 0;
  std::uint64_t refused_at_ns_ = 0;
  std::uint64_t idle_ns_ = 0;   ///< How long it has refused with nothing in flight.
  std::uint64_t still_ns_ = 0;  ///< Or with nothing that ended.
  bool deaf_ = false;
};

}  // namespace benchfs::net
