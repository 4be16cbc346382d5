#pragma once

// One process's end of a transport test: loop, transport, and a listener that keeps what it hears.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/units.h"
#include "coro/task.h"
#include "loop/event_loop.h"
#include "net/ucx_transport.h"

namespace benchfs::test {

inline constexpr std::uint64_t kPatienceNs = 20 * kNsPerSec;

/// Byte `i` of the payload with `seed`: every position and every message differs.
inline std::byte pattern_byte(std::uint64_t seed, std::size_t i) {
  const std::uint64_t mixed = (seed * 0x9E3779B97F4A7C15U) ^ (i * 0xC2B2AE3D27D4EB4FU);
  return static_cast<std::byte>((mixed >> 29) ^ i);
}

inline std::vector<std::byte> pattern(std::uint64_t seed, std::size_t bytes) {
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    out[i] = pattern_byte(seed, i);
  }
  return out;
}

inline bool is_pattern(ConstBytes bytes, std::uint64_t seed) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != pattern_byte(seed, i)) {
      return false;
    }
  }
  return true;
}

inline net::Credentials credentials(std::uint64_t session = 7, std::uint8_t secret = 1) {
  net::Credentials out;
  out.session_id = session;
  out.secret.fill(static_cast<std::byte>(secret));
  return out;
}

inline net::PeerIdentity server(std::uint64_t id) {
  return {.role = net::PeerIdentity::Role::kServer, .id = id};
}

inline net::PeerIdentity client(std::uint64_t id) {
  return {.role = net::PeerIdentity::Role::kClient, .id = id};
}

/// A loop with a clock; several parties may share one.
struct World {
  SystemClock clock;
  loop::PollSleeper sleeper;
  loop::EventLoop loop{clock, sleeper};

  /// Runs the loop until `done()`; false if that does not happen in time.
  template <typename Done>
  bool run(Done done, std::uint64_t patience_ns = kPatienceNs) {
    const std::uint64_t until_ns = loop.now_ns() + patience_ns;
    while (!done()) {
      if (loop.now_ns() >= until_ns) {
        return false;
      }
      loop.run_once(until_ns);
    }
    return true;
  }

  template <typename T>
  std::optional<T> finish(coro::Task<T> task, std::uint64_t patience_ns = kPatienceNs) {
    task.start();
    if (!run([&] { return task.done(); }, patience_ns)) {
      return std::nullopt;
    }
    return task.take();
  }
};

class Party final : public net::Listener {
 public:
  struct Arrived {
    std::shared_ptr<net::Connection> connection;
    net::Message message;
  };
  struct Lost {
    std::shared_ptr<net::Connection> connection;
    Error reason;
  };

  static std::unique_ptr<Party> create(World& world, net::PeerIdentity self,
                                       net::Credentials session = credentials()) {
    auto transport =
        net::UcxTransport::create({.credentials = session, .self = self}, world.loop, random());
    if (!transport.has_value()) {
      return nullptr;
    }
    return std::unique_ptr<Party>(new Party(world, std::move(*transport)));
  }

  ~Party() override {
    accepted.clear();
    arrived.clear();
    lost.clear();
    world_.loop.remove_source(*transport_);
  }
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  net::UcxTransport& transport() { return *transport_; }

  /// nullptr if the connection failed; `error` then has the reason.
  std::shared_ptr<net::Connection> connect(std::vector<std::byte> address, net::PeerIdentity peer,
                                           std::uint64_t within_ns = kPatienceNs) {
    const std::uint64_t deadline_ns = world_.loop.now_ns() + within_ns;
    auto result = world_.finish(transport_->connect(std::move(address), peer, deadline_ns),
                                within_ns + kPatienceNs);
    if (!result.has_value() || !result->has_value()) {
      error = result.has_value() ? std::optional<Error>(result->error()) : std::nullopt;
      return nullptr;
    }
    return **result;
  }

  void on_accept(const std::shared_ptr<net::Connection>& connection) noexcept override {
    accepted.push_back(connection);
  }
  void on_message(const std::shared_ptr<net::Connection>& connection,
                  net::Message message) noexcept override {
    arrived.push_back(Arrived{connection, std::move(message)});
  }
  void on_lost(const std::shared_ptr<net::Connection>& connection, Error reason) noexcept override {
    lost.push_back(Lost{connection, reason});
  }

  std::vector<std::shared_ptr<net::Connection>> accepted;
  std::deque<Arrived> arrived;
  std::vector<Lost> lost;
  std::optional<Error> error;

 private:
  Party(World& world, std::unique_ptr<net::UcxTransport> transport)
      : world_(world), transport_(std::move(transport)) {
    transport_->listen(*this);
    world_.loop.add_source(*transport_);
  }
  static Random& random() {
    static SystemRandom chance;
    return chance;
  }

  World& world_;
  std::unique_ptr<net::UcxTransport> transport_;
};

}  // namespace benchfs::test
