#pragma once

// The network between simulated processes.
//
// Fault model: messages of one connection arrive in order, whole, at most once, or the connection
// is lost; those of different connections overtake each other freely. A connection may be lost at
// any moment, with what is under way; its two sides notice that independently, within seconds, and
// meanwhile one of them may make another one. Between machines that are cut off from each other
// messages stand still, and go on when the cut ends unless a side has given the connection up by
// then. A process that is paused takes nothing and gives nothing; nobody is told. Payloads above
// the eager limit stay in their sender's memory until the receiver fetches or drops them.
//
// Threading: the world's thread. Each transport belongs to one process, whose loop runs it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "net/transport.h"
#include "sim/process.h"

namespace benchfs::sim {

struct NetworkOptions {
  std::uint64_t delay_ns_min = 2 * kNsPerUs;
  std::uint64_t delay_ns_max = 200 * kNsPerUs;
  std::uint64_t late_percent = 5;  ///< Of messages that take late_factor times as long.
  std::uint64_t late_factor = 50;
  std::size_t eager_bytes_max = 8192;
  std::uint64_t notice_ns_max = 4 * kNsPerSec;  ///< Until a side hears that its connection is lost.
};

class SimTransport;
class SimConnection;

/// Which message a hook looks at: for mutations, which lose or change some.
struct MessageView {
  std::uint64_t from = 0;  ///< Machine.
  std::uint64_t to = 0;
  ConstBytes header;
};

class SimNetwork {
 public:
  SimNetwork(World& world, NetworkOptions options)
      : world_(world), options_(options), chance_(world.seed(), "network") {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  World& world() noexcept { return world_; }
  const NetworkOptions& options() const noexcept { return options_; }
  std::uint64_t delay_ns();

  /// Messages between the machines stand still until heal(); connections may be given up meanwhile.
  void partition(std::uint64_t machine, std::uint64_t other);
  void heal(std::uint64_t machine, std::uint64_t other);
  void heal_all();
  bool cut(std::uint64_t machine, std::uint64_t other) const {
    return cuts_.contains(link(machine, other));
  }
  /// Loses one of the live connections, chosen by chance; false if there is none.
  bool lose_one();
  std::size_t connection_count() const noexcept { return live_.size(); }

  /// How the network breaks its promises, for mutations; every so many messages, 0: never.
  struct Treason {
    /// Whether the message, which was sent, never arrives, and its connection lives on.
    std::function<bool(const MessageView&)> swallow;
    std::uint64_t corrupt_every = 0;  ///< A bit of a payload.
    std::uint64_t repeat_every = 0;   ///< A small message comes once more, a second later.
    bool never_tells_of_loss = false;
  };
  Treason treason;

 private:
  friend class SimTransport;
  friend class SimConnection;
  friend class SimPayload;

  using Link = std::pair<std::uint64_t, std::uint64_t>;  ///< Two machines, the lower one first.
  static Link link(std::uint64_t machine, std::uint64_t other) {
    return {std::min(machine, other), std::max(machine, other)};
  }
  bool betrays(std::uint64_t every);
  void notice_later(const std::shared_ptr<SimConnection>& side);

  World& world_;
  const NetworkOptions options_;
  Chance chance_;
  std::map<std::uint64_t, SimTransport*> transports_;           ///< By number, of those that live.
  std::map<std::uint64_t, std::weak_ptr<SimConnection>> live_;  ///< Sides, by number.
  std::set<Link> cuts_;
  std::uint64_t next_number_ = 1;
  std::uint64_t temptations_ = 0;
};

/// A payload that waits in its sender's memory. Both sides share it; each side's operation ends
/// once.
struct Rendezvous {
  ConstBytes source;  ///< Valid while `sending` is set.
  net::TransferOp* sending = nullptr;
  Process* sender = nullptr;
  Bytes target;
  net::TransferOp* receiving = nullptr;
  Process* receiver = nullptr;

  void end_sending(Status status);
  void end_receiving(Status status);
};

/// One side of a link.
class SimConnection final : public net::Connection,
                            public std::enable_shared_from_this<SimConnection> {
 public:
  SimConnection(SimNetwork& network, SimTransport& transport, net::PeerIdentity peer);
  ~SimConnection() override;

  void send(ConstBytes header, ConstBytes payload, net::TransferOp& op) noexcept override;
  void abort(Error reason) noexcept override;
  bool lost() const noexcept override { return lost_; }
  const net::PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  friend class SimNetwork;
  friend class SimTransport;
  friend class SimPayload;
  using Arrival = std::function<void(const std::shared_ptr<SimConnection>& at)>;

  /// `arrival` reaches the other side behind all that was sent before; unless the link breaks.
  void put_on_wire(std::size_t bytes, Arrival arrival);
  void arrive();
  void end_with_connection(std::shared_ptr<Rendezvous> rendezvous);
  /// This side ends: its operations at once, its listener from the next progress.
  void lose(Error reason);
  bool blocked() const;
  std::uint64_t other_machine() const noexcept { return other_machine_; }

  SimNetwork& network_;
  SimTransport* transport_;  ///< nullptr after the transport's end.
  const net::PeerIdentity peer_;
  const std::uint64_t number_;
  std::uint64_t machine_ = 0;
  std::uint64_t other_machine_ = 0;
  std::weak_ptr<SimConnection> other_;
  bool lost_ = false;
  bool broken_ = false;  ///< The link carries nothing any more; this side has not heard of it.
  std::uint64_t due_ns_ = 0;
  std::deque<std::pair<std::uint64_t, Arrival>> wire_;  ///< On the way to the other side.
  bool arriving_ = false;                               ///< An event for the wire's front is set.
  std::vector<std::shared_ptr<Rendezvous>> fetched_;    ///< That this side sends or receives.
};

class SimTransport final : public net::Transport {
 public:
  /// Of `process` on `machine`. Borrows all.
  SimTransport(SimNetwork& network, Process& process, std::uint64_t machine,
               net::PeerIdentity identity);
  ~SimTransport() override;

  /// The process died: its peers hear of it, soon if its machine lives, else when they notice.
  void cut_off(bool machine_lives);

  bool progress() noexcept override { return false; }
  bool arm() noexcept override { return true; }
  int event_fd() const noexcept override { return -1; }
  void listen(net::Listener& listener) noexcept override { listener_ = &listener; }
  std::vector<std::byte> address() const override;
  coro::Task<Result<std::shared_ptr<net::Connection>>> connect(std::vector<std::byte> address,
                                                               net::PeerIdentity expected,
                                                               std::uint64_t deadline_ns) override;
  Status register_memory(Bytes /*region*/) override { return {}; }
  const net::TransportCounters& counters() const noexcept override { return counters_; }
  coro::Task<void> close(std::uint64_t deadline_ns) override;

  std::size_t connection_count() const noexcept { return connections_.size(); }

 private:
  friend class SimNetwork;
  friend class SimConnection;
  friend class SimPayload;
  struct Connecting;

  void request_connection(const std::shared_ptr<Connecting>& connecting, std::uint64_t number,
                          net::PeerIdentity expected);
  void accept(std::weak_ptr<Connecting> connecting, std::uint64_t asker_number);
  void forget(const SimConnection& connection);
  void end_connecting();

  SimNetwork& network_;
  Process& process_;
  const std::uint64_t machine_;
  const net::PeerIdentity identity_;
  const std::uint64_t number_;
  net::Listener* listener_ = nullptr;
  bool closed_ = false;
  std::vector<std::shared_ptr<SimConnection>> connections_;
  std::vector<std::weak_ptr<Connecting>> connecting_;
  net::TransportCounters counters_;
};

}  // namespace benchfs::sim
