#pragma once

// One server process, from its configuration to its end: store, journal, transport and handlers on
// one loop. main says in which order, since servers that start together meet in between.
//
//   open_pool, take_store, open_transport, introduction   nobody is changed or served yet
//   begin                                                 the journal is made or brought back
//   serve
//   end                                                   whatever came of it
//
// Each step logs why it fails.
//
// Threading: main thread only; all calls block.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "io/buffer_pool.h"
#include "io/disk_meter.h"
#include "journal/journal.h"
#include "loop/event_loop.h"
#include "net/ucx_transport.h"
#include "server/config.h"
#include "server/http_endpoint.h"
#include "server/journal_ledger.h"
#include "server/server.h"
#include "session/session_file.h"
#include "store/store_directory.h"

namespace benchfs::server {

std::string host_name();

class Process {
 public:
  /// Where this server stands in its session.
  struct Place {
    ServerId self{};
    std::uint16_t server_count = 1;
    unsigned sharers = 1;  ///< Servers whose stores are on the same file system.
  };

  Process(const Config& config, Place place);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  using Secret = std::array<std::byte, session::kSecretBytes>;

  Random& random() noexcept { return random_; }
  Clock& clock() noexcept { return clock_; }

  /// Where the store of a server is, below the directory that all of them are told.
  static std::string store_directory(const Config& config, ServerId server);

  bool open_pool();

  /// New stores are made on as much of the drive as is free for this server: ask before any of the
  /// sharers has taken its part.
  bool decide_capacity();
  /// Makes a store, or opens the one that the session left there; its journal is not touched yet.
  bool make_store(std::uint64_t session_id);
  bool open_store(std::uint64_t session_id);

  bool open_transport(std::uint64_t session_id, const Secret& secret);

  /// What others have to know of this server.
  session::Server introduction();

  /// Begins as a server of `session`, which names it as it has introduced itself: makes the
  /// journal, or brings back what it holds, and listens. Serves its metrics too, if the
  /// configuration says so; that this is not possible is a warning only, as it is no reason not to
  /// serve files.
  bool begin(session::Session session);

  /// While serve() is under way, tells the other servers that this one has started again.
  void announce() { server_->announce(); }

  /// Serves until it is told to stop. False if it has to be replaced by another process at once, as
  /// if it had been killed (Server::is_deaf()): the store is left as it is, end() must not follow.
  [[nodiscard]] bool serve();

  /// The session as the server knows it now.
  const session::Session& session() const noexcept { return server_->session(); }
  /// Whether the whole session was told to end, and not just this process.
  bool session_is_over() const noexcept { return session_is_over_; }

  /// Gives back what was taken, also after a start that failed. Removes the store if it was made in
  /// vain, or is not to be kept.
  void end();

 private:
  template <typename T>
  T run_to_end(coro::Task<T> task);
  coro::Task<Status> start_journal();
  coro::Task<Status> stop_journal();
  void open_endpoint();
  bool take_store(Result<std::unique_ptr<store::StoreDirectory>> store);
  store::StoreOptions store_options(std::uint64_t session_id) const;

  const Config& config_;
  const Place place_;
  SystemClock clock_;
  SystemRandom random_;
  loop::PollSleeper sleeper_;
  loop::EventLoop loop_;
  std::uint64_t capacity_bytes_ = 0;
  std::uint64_t incarnation_ = 1;
  bool store_is_new_ = false;
  bool keep_store_ = false;
  bool session_is_over_ = false;
  std::unique_ptr<io::BufferPool> pool_;
  io::DiskMeter meter_{clock_};  ///< Of the store's drive.
  std::unique_ptr<store::StoreDirectory> store_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<JournalLedger> ledger_;
  std::unique_ptr<store::ChunkStore> chunks_;
  std::unique_ptr<net::UcxTransport> transport_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<HttpEndpoint> endpoint_;
};

}  // namespace benchfs::server
