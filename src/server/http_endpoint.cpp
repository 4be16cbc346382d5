#include "server/http_endpoint.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/http_answer.h"

namespace benchfs::server {
namespace {

/// A busy loop asks the kernel that seldom whether there is something to do here. A turn takes some
/// microseconds, and who asks for metrics has milliseconds.
constexpr unsigned kTurnsPerLook = 64;

constexpr std::size_t kReadBytes = 2048;

/// The address for the kernel, and its length.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  static Result<SocketAddress> of(const HttpAddress& address) {
    SocketAddress result;
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
    if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = htons(address.port);
      result.size = sizeof(sockaddr_in);
    } else if (::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(address.port);
      result.size = sizeof(sockaddr_in6);
    } else {
      return fail(Errc::kInvalid, "http.address");
    }
    return result;
  }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

int close_and_fail(int fd) noexcept {
  const int code = errno;
  ::close(fd);
  errno = code;
  return -1;
}

/// A listening socket, or -1 and errno. Sets the port to the one that it got.
int listen_on(SocketAddress socket_address, std::uint16_t& port) noexcept {
  const int fd =
      ::socket(socket_address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return -1;
  }
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_storage got{};
  socklen_t got_size = sizeof(got);
  if (::bind(fd, socket_address.get(), socket_address.size) != 0 ||
      ::listen(fd, static_cast<int>(kHttpConnectionsMax)) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&got), &got_size) != 0) {
    return close_and_fail(fd);
  }
  port = ntohs(got.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&got)->sin_port
                                        : reinterpret_cast<sockaddr_in6*>(&got)->sin6_port);
  return fd;
}

}  // namespace

/// One client, from its connecting until it has its answer or its time is over.
class HttpEndpoint::Connection final : private loop::Timer {
 public:
  Connection(HttpEndpoint& endpoint, int fd)
      : Timer(&Connection::expired), endpoint_(endpoint), fd_(fd) {
    endpoint_.loop_.timers().arm(*this, endpoint_.loop_.now_ns() + kHttpConnectionNsMax);
    endpoint_.watch(EPOLL_CTL_ADD, fd_, EPOLLIN, this);
  }
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Goes on as far as it can; false: it has ended.
  bool proceed() noexcept {
    if (answer_.empty() && !receive()) {
      return false;
    }
    if (answer_.empty()) {
      return true;
    }
    if (sent_bytes_ < answer_.size()) {
      return send();
    }
    return drain();
  }

 private:
  static void expired(Timer& timer) noexcept {
    auto& self = static_cast<Connection&>(timer);
    self.endpoint_.drop(self);
  }

  bool receive() noexcept {
    char bytes[kReadBytes];
    ssize_t count = 0;
    while (answer_.empty() && (count = ::recv(fd_, bytes, sizeof(bytes), 0)) > 0) {
      request_.append(bytes, static_cast<std::size_t>(count));
      if (auto answer = http_answer(request_, endpoint_.page_)) {
        answer_ = std::move(*answer);
      }
    }
    return !answer_.empty() || (count < 0 && errno == EAGAIN);
  }

  bool send() noexcept {
    while (sent_bytes_ < answer_.size()) {
      const ssize_t count =
          ::send(fd_, answer_.data() + sent_bytes_, answer_.size() - sent_bytes_, MSG_NOSIGNAL);
      if (count < 0 && errno == EAGAIN) {
        endpoint_.watch(EPOLL_CTL_MOD, fd_, EPOLLOUT, this);
        return true;
      }
      if (count < 0) {
        return false;
      }
      sent_bytes_ += static_cast<std::size_t>(count);
    }
    ::shutdown(fd_, SHUT_WR);
    endpoint_.watch(EPOLL_CTL_MOD, fd_, EPOLLIN, this);
    return drain();
  }

  /// Until the client ends it too: closed with bytes unread, the kernel would take the answer back.
  bool drain() noexcept {
    char bytes[kReadBytes];
    const ssize_t count = ::recv(fd_, bytes, sizeof(bytes), 0);
    return count > 0 || (count < 0 && errno == EAGAIN);
  }

  HttpEndpoint& endpoint_;
  const int fd_;
  std::string request_;
  std::string answer_;
  std::size_t sent_bytes_ = 0;
};

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::open(loop::EventLoop& loop,
                                                         const HttpAddress& address,
                                                         std::function<std::string()> page) {
  BENCHFS_TRY(const SocketAddress socket_address, SocketAddress::of(address));
  HttpAddress got = address;
  const int listen_fd = listen_on(socket_address, got.port);
  if (listen_fd < 0) {
    return fail(from_errno(errno), "http.listen", errno);
  }
  const int poll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (poll_fd < 0) {
    const int code = errno;
    ::close(listen_fd);
    return fail(from_errno(code), "http.epoll", code);
  }
  return std::unique_ptr<HttpEndpoint>(
      new HttpEndpoint(loop, std::move(got), listen_fd, poll_fd, std::move(page)));
}

HttpEndpoint::HttpEndpoint(loop::EventLoop& loop, HttpAddress address, int listen_fd, int poll_fd,
                           std::function<std::string()> page)
    : loop_(loop),
      address_(std::move(address)),
      listen_fd_(listen_fd),
      poll_fd_(poll_fd),
      page_(std::move(page)) {
  watch(EPOLL_CTL_ADD, listen_fd_, EPOLLIN, nullptr);
  loop_.add_source(*this);
}

HttpEndpoint::~HttpEndpoint() {
  loop_.remove_source(*this);
  connections_ = {};
  ::close(listen_fd_);
  ::close(poll_fd_);
}

void HttpEndpoint::watch(int operation, int fd, std::uint32_t events,
                         Connection* connection) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = connection;
  const int result = ::epoll_ctl(poll_fd_, operation, fd, &event);
  if (result != 0) {
    // Out of kernel memory: a connection then ends by its time.
    log_warning("the metrics endpoint: {}", std::strerror(errno));
  }
}

bool HttpEndpoint::progress() noexcept {
  if (++turns_ < kTurnsPerLook) {
    return false;
  }
  return look();
}

bool HttpEndpoint::look() noexcept {
  turns_ = 0;
  std::array<epoll_event, kHttpConnectionsMax + 1> events;
  const int count = ::epoll_wait(poll_fd_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    auto* const connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (connection == nullptr) {
      accept();
    } else if (!connection->proceed()) {
      drop(*connection);
    }
  }
  return count > 0;
}

void HttpEndpoint::accept() noexcept {
  const auto free = std::find(connections_.begin(), connections_.end(), nullptr);
  if (free != connections_.end()) {
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      *free = std::make_unique<Connection>(*this, fd);
    }
  }
  listen_if_room();
}

void HttpEndpoint::drop(Connection& connection) noexcept {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [&](const auto& candidate) { return candidate.get() == &connection; });
  BENCHFS_ASSERT(found != connections_.end());
  found->reset();
  listen_if_room();
}

void HttpEndpoint::listen_if_room() noexcept {
  const bool room =
      std::find(connections_.begin(), connections_.end(), nullptr) != connections_.end();
  if (room != std::exchange(listening_, room)) {
    watch(EPOLL_CTL_MOD, listen_fd_, room ? std::uint32_t{EPOLLIN} : 0U, nullptr);
  }
}

bool HttpEndpoint::arm() noexcept {
  // The next turn looks, whatever wakes the loop.
  turns_ = kTurnsPerLook;
  std::array<epoll_event, 1> event;
  return ::epoll_wait(poll_fd_, event.data(), 1, 0) == 0;
}

}  // namespace benchfs::server
