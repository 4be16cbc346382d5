#pragma once

// One server, wired: transport, store and handlers on one loop.
//
// Threading: loop thread only, but for request_stop().

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "coro/scope.h"
#include "coro/task.h"
#include "io/buffer_pool.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"
#include "net/transport.h"
#include "rpc/caller.h"
#include "rpc/dispatcher.h"
#include "rpc/peer_table.h"
#include "server/exchange.h"
#include "server/handlers/admin.h"
#include "server/handlers/data.h"
#include "server/handlers/membership.h"
#include "server/handlers/namespace.h"
#include "server/handlers/staging.h"
#include "server/ledger.h"
#include "server/metrics.h"
#include "store/chunk_store.h"

namespace benchfs::server {

/// What becomes of the store when the server has stopped.
enum class AfterStop : std::uint8_t {
  kRemoveStore,
  kKeepStore,  ///< So that the session can go on from it.
};

class Server final : public net::Listener {
 public:
  /// What it runs on; borrowed, and outlives it.
  struct Platform {
    loop::EventLoop& loop;
    net::Transport& transport;
    io::BufferPool& pool;
    store::ChunkStore& store;
    Ledger* ledger = nullptr;  ///< Where names are kept; nullptr: they end with the process.
    const journal::Journal* journal = nullptr;  ///< For its figures, as the next one.
    const io::DiskMeter* drive = nullptr;
  };

  /// The session names this server as it is.
  Server(Platform platform, Membership membership, ServerFacts facts, RootOwner root);
  /// Requires that run() has ended.
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Who keeps the names in the ledger's journal: joins it before that is made or recovered, and
  /// outlasts it.
  journal::Participant& names() noexcept { return namespace_.participant(); }

  /// Begins on what the journal has brought back, and listens on the transport from then on. Once,
  /// before run(). kIo.
  coro::Task<Status> start();

  /// Serves until request_stop(), then answers what has begun, and closes the connections: within a
  /// few seconds, whatever its peers do.
  void run();

  /// The end of run(), for who turns the loop himself, as a simulation does: request_stop() and
  /// run() are not for him.
  coro::Task<void> stop();

  /// While run() is under way, tells the other servers that this one has started again, until all
  /// have heard it. Call before run().
  void announce();

  /// Makes run() end. Loop thread; a signal handler notifies a loop::WakeFd that calls it.
  void request_stop() noexcept { stop_requested_ = true; }

  /// What who asked for the stop has said about the store. It is kept if nobody has: whoever sends
  /// a signal may mean this server alone.
  AfterStop after_stop() const noexcept { return after_stop_; }
  /// Whether run() has ended at once, with requests under way, since no peer can be heard any more
  /// (net::Listener::on_deaf()): the process then has to end without destroying this, and another
  /// one to go on with what the journal has.
  bool is_deaf() const noexcept { return deaf_; }
  /// Whether a request has ended the session, rather than a signal this process.
  bool session_is_over() const noexcept { return session_is_over_; }
  const session::Session& session() const noexcept { return membership_.session(); }

  /// What it keeps and what is under way, for who checks that nothing stays behind.
  const NamespaceService& name_service() const noexcept { return namespace_; }
  std::size_t request_count() const noexcept { return dispatcher_.running_count(); }
  std::size_t client_count() const noexcept { return client_connections_.size(); }
  Metrics& metrics() noexcept { return metrics_; }

  void on_accept(const std::shared_ptr<net::Connection>& connection) noexcept override;
  void on_message(const std::shared_ptr<net::Connection>& connection,
                  net::Message message) noexcept override;
  void on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept override;
  void on_deaf() noexcept override;

 private:
  /// What end() cuts short.
  class Pause final : private loop::Timer {
   public:
    explicit Pause(loop::EventLoop& loop) noexcept : Timer(&Pause::expired), loop_(loop) {}
    void set(std::uint64_t pause_ns) noexcept { pause_ns_ = pause_ns; }
    void end() noexcept;
    bool await_ready() const noexcept { return ended_; }
    void await_suspend(std::coroutine_handle<> waiter);
    void await_resume() const noexcept {}

   private:
    static void expired(Timer& timer) noexcept;
    loop::EventLoop& loop_;
    std::uint64_t pause_ns_ = 0;
    std::coroutine_handle<> waiter_;
    bool ended_ = false;
  };

  coro::Task<void> announce_until_heard();
  LiveCounts counts();

  Platform platform_;
  const std::uint64_t incarnation_;
  rpc::Caller caller_;
  rpc::Dispatcher dispatcher_;
  rpc::PeerTable peers_;
  Exchange exchange_;
  DataService data_;
  NamespaceService namespace_;
  StagingService staging_;
  MembershipService membership_;
  Metrics metrics_;
  AdminService admin_;
  coro::Scope announcing_;
  Pause announce_pause_;
  bool stopping_ = false;
  /// Live connections of each client, of which all but one are being given up; a client with none
  /// left has gone.
  std::unordered_map<std::uint64_t, std::vector<std::shared_ptr<net::Connection>>>
      client_connections_;
  bool stop_requested_ = false;
  AfterStop after_stop_ = AfterStop::kKeepStore;
  bool session_is_over_ = false;
  bool deaf_ = false;
  bool malformed_logged_ = false;
};

}  // namespace benchfs::server
