// What counting costs a server: one entry of a histogram, one look at the clock, a whole request
// through the dispatcher (which has two looks and one entry), and a snapshot with its page.
//
//   benchfs-metrics [ROUNDS]
//
// Prints the median and the best of ROUNDS (default 15) rounds, in ns of the process's CPU time.

#include "wire/metrics.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "loop/event_loop.h"
#include "net/transport.h"
#include "rpc/dispatcher.h"
#include "server/metrics_page.h"
#include "wire/codec.h"

namespace benchfs {
namespace {

constexpr std::size_t kRepeats = 200'000;

std::uint64_t cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSec +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void measure(const char* what, int rounds, std::size_t repeats,
             const std::function<void(std::size_t)>& work) {
  std::vector<double> each;
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t begun_ns = cpu_ns();
    work(repeats);
    each.push_back(static_cast<double>(cpu_ns() - begun_ns) / static_cast<double>(repeats));
  }
  std::sort(each.begin(), each.end());
  std::printf("%-44s median %8.1f ns, best %8.1f ns\n", what, each[each.size() / 2], each.front());
}

/// Takes what is sent, at once.
class Sink final : public net::Connection {
 public:
  explicit Sink(loop::EventLoop& loop) : loop_(loop) {}
  void send(ConstBytes /*header*/, ConstBytes /*payload*/, net::TransferOp& op) noexcept override {
    op.complete(loop_, Status());
  }
  void abort(Error /*reason*/) noexcept override {}
  bool lost() const noexcept override { return false; }
  const net::PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  loop::EventLoop& loop_;
  const net::PeerIdentity peer_{.role = net::PeerIdentity::Role::kClient, .id = 1};
};

coro::Task<Result<wire::EmptyReply>> answer() {
  co_return wire::EmptyReply{};
}

void measure_requests(int rounds) {
  SystemClock clock;
  loop::PollSleeper sleeper;
  loop::EventLoop loop(clock, sleeper);
  rpc::Dispatcher dispatcher(loop, 1);
  dispatcher.on<wire::PingRequest>(
      [](rpc::Request&, wire::PingRequest, rpc::ReplyPayload&) { return answer(); });
  const auto sink = std::make_shared<Sink>(loop);
  const wire::FixedHeader fixed = {.op = wire::Op::kPing, .request = RequestId{1}, .epoch = 1};
  std::vector<std::byte> header(wire::kFixedHeaderBytes);
  wire::Encoder encoder{Bytes(header)};
  encoder& fixed;
  measure("a request through the dispatcher", rounds, kRepeats, [&](std::size_t repeats) {
    for (std::size_t i = 0; i < repeats; ++i) {
      dispatcher.on_request(sink, fixed, net::Message(header, 0, {}, nullptr));
      loop.turn();
    }
  });
}

int run(int rounds) {
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> times(4096);
  for (std::uint64_t& time : times) {
    time = 1'000 + random() % 1'000'000;
  }
  LatencyHistogram histogram;
  measure("an entry of a histogram", rounds, kRepeats * 10, [&](std::size_t repeats) {
    for (std::size_t i = 0; i < repeats; ++i) {
      histogram.record(times[i % times.size()]);
    }
  });
  SystemClock clock;
  std::uint64_t sum = 0;
  measure("a look at the clock", rounds, kRepeats * 10, [&](std::size_t repeats) {
    for (std::size_t i = 0; i < repeats; ++i) {
      sum += clock.now_ns();
    }
  });
  measure_requests(rounds);
  wire::MetricsReply reply;
  for (std::uint16_t number = 1; number <= 20; ++number) {
    reply.ops.push_back({.op = static_cast<wire::Op>(number), .latency = wire::to_wire(histogram)});
  }
  std::size_t bytes = 0;
  measure("a page of 20 kinds of requests", rounds, 20, [&](std::size_t repeats) {
    for (std::size_t i = 0; i < repeats; ++i) {
      bytes += server::metrics_page(reply).size();
    }
  });
  return sum == 0 || bytes == 0 || histogram.count() == 0 ? 1 : 0;
}

}  // namespace
}  // namespace benchfs

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  if (rounds <= 0) {
    std::fprintf(stderr, "usage: benchfs-metrics [ROUNDS]\n");
    return 2;
  }
  return benchfs::run(rounds);
}
