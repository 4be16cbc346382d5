#pragma once

// Serves the metrics page by HTTP from the server's own loop, for Prometheus. Everything is
// bounded: connections, the length of a request, and the time of a connection. It waits for
// nothing, and a loop that is busy looks at it once in many turns only.
//
// Threading: loop thread only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "loop/event_loop.h"
#include "loop/timer_queue.h"
#include "server/http_address.h"

namespace benchfs::server {

/// Connections at once; who comes beyond that waits in the kernel's queue.
inline constexpr std::size_t kHttpConnectionsMax = 8;
/// From a connection's beginning to its end.
inline constexpr std::uint64_t kHttpConnectionNsMax = 5 * kNsPerSec;

class HttpEndpoint final : public loop::Source {
 public:
  /// Listens on `address`; its port 0 means any that is free. Adds itself to `loop`, which it
  /// borrows, and leaves it in the destructor. `page` makes what is at /metrics. The error's
  /// os_code says why it cannot be had.
  static Result<std::unique_ptr<HttpEndpoint>> open(loop::EventLoop& loop,
                                                    const HttpAddress& address,
                                                    std::function<std::string()> page);
  ~HttpEndpoint() override;
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  /// Where it listens, with the port that it got.
  const HttpAddress& address() const noexcept { return address_; }

  bool progress() noexcept override;
  bool arm() noexcept override;
  int event_fd() const noexcept override { return poll_fd_; }

 private:
  class Connection;

  HttpEndpoint(loop::EventLoop& loop, HttpAddress address, int listen_fd, int poll_fd,
               std::function<std::string()> page);
  bool look() noexcept;
  void accept() noexcept;
  void drop(Connection& connection) noexcept;
  /// What of a descriptor's events are waited for; 0: none.
  void watch(int operation, int fd, std::uint32_t events, Connection* connection) noexcept;
  void listen_if_room() noexcept;

  loop::EventLoop& loop_;
  HttpAddress address_;
  const int listen_fd_;
  const int poll_fd_;
  const std::function<std::string()> page_;
  std::array<std::unique_ptr<Connection>, kHttpConnectionsMax> connections_;
  bool listening_ = true;
  unsigned turns_ = 0;  ///< Since the last look.
};

}  // namespace benchfs::server
