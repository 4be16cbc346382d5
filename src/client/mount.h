#pragma once

// One joined session: the loop, the transport and what runs on them, used by any number of threads.
//
// Threading: any thread. run() and the engine bring calls to the loop; the members that coroutines
// use (servers(), names()) are touched by coroutines only.
//
// Fork: belongs to the process that opened it. In a child is_usable() is false, and nothing of it
// may be used, not even its destructor: the network's state is shared with the parent.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>
#include <tl/expected.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "client/engine.h"
#include "client/names.h"
#include "client/options.h"
#include "client/servers.h"
#include "loop/event_loop.h"
#include "net/transport.h"
#include "rpc/caller.h"
#include "rpc/peer_table.h"
#include "session/session_file.h"

namespace benchfs::client {

/// Why there is no mount: for the program and for the user.
struct MountError {
  Error error;
  std::string text;
};

/// Makes the transport of a mount: UCX, or a test's.
using TransportFactory = std::function<Result<std::unique_ptr<net::Transport>>(
    const net::Credentials& credentials, const net::PeerIdentity& self, loop::EventLoop& loop,
    Random& random)>;

class Mount final : private net::Listener {
 public:
  /// Reads the session file that `options` names, and joins by UCX.
  static tl::expected<std::unique_ptr<Mount>, MountError> open(const Options& options);

  /// Joins `session` by whatever transport `make_transport` makes.
  static tl::expected<std::unique_ptr<Mount>, MountError> join(
      const session::Session& session, const Options& options,
      const TransportFactory& make_transport);

  /// Leaves the servers in an orderly way, which may take a moment. Requires that nobody uses it.
  ~Mount() override;

  std::uint64_t session_id() const noexcept { return session_id_; }
  std::uint64_t epoch() const noexcept { return epoch_; }
  std::uint16_t server_count() const noexcept { return servers_->count(); }
  const ServerNames& server_names() const noexcept { return *servers_; }

  /// Whether this is still the process that opened it.
  bool is_usable() const noexcept;

  /// Open files, directories and requests, and calls under way: counted by whoever holds them.
  std::atomic<std::uint32_t>& users() noexcept { return users_; }

  Engine& engine() noexcept { return *engine_; }
  Servers& servers() noexcept { return *servers_; }
  Names& names() noexcept { return *names_; }

  /// Runs `task` to its end, blocking, and returns its value.
  template <typename T>
  T run(coro::Task<T> task) {
    return engine_->run(std::move(task));
  }

 private:
  Mount(const session::Session& session, const Options& options);
  Status set_up(const session::Session& session, const Options& options,
                const TransportFactory& make_transport);

  // net::Listener
  void on_accept(const std::shared_ptr<net::Connection>& connection) noexcept override;
  void on_message(const std::shared_ptr<net::Connection>& connection,
                  net::Message message) noexcept override;
  void on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept override;

  const std::uint64_t session_id_;
  const std::uint64_t epoch_;
  const pid_t process_;
  std::atomic<std::uint32_t> users_ = 0;

  SystemClock clock_;
  SystemRandom random_;
  loop::PollSleeper sleeper_;
  loop::EventLoop loop_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<net::Transport> transport_;
  bool transport_is_source_ = false;
  std::unique_ptr<rpc::Caller> caller_;
  std::unique_ptr<rpc::PeerTable> peers_;
  std::unique_ptr<Servers> servers_;
  std::unique_ptr<Names> names_;
};

}  // namespace benchfs::client
