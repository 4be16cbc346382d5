// Goal: what a caller has given up is never begun by the peer, wherever it lay meanwhile and
// however the two clocks stand and run; and what is asked in good time is done. Method: a caller
// and a dispatcher, each with a clock and a loop of its own, both functions of one true time;
// messages with random delays and a peer that stands still now and then, from a seed.

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"
#include "loop/timer_queue.h"
#include "rpc/caller.h"
#include "rpc/dispatcher.h"
#include "support/manual_clock.h"
#include "wire/messages.h"

namespace benchfs::rpc {
namespace {

constexpr std::uint64_t kTimeoutNs = 500 * kNsPerMs;

/// One direction: what is sent arrives at `due_ns` of true time, in order.
class Link final : public net::Connection {
 public:
  explicit Link(loop::EventLoop& loop) : loop_(loop) {}
  void send(ConstBytes header, ConstBytes, net::TransferOp& op) noexcept override {
    under_way.emplace_back(header.begin(), header.end());
    op.complete(loop_, Status());
  }
  void abort(Error) noexcept override {}
  bool lost() const noexcept override { return false; }
  const net::PeerIdentity& peer() const noexcept override { return peer_; }

  std::vector<std::vector<std::byte>> under_way;  ///< Sent since the world last looked.

 private:
  loop::EventLoop& loop_;
  const net::PeerIdentity peer_;
};

/// A process: its own clock, which runs `ppm` faster than true time.
struct Process {
  Process(std::uint64_t start_ns, std::int64_t faster_ppm) : clock(start_ns), ppm(faster_ppm) {}
  void turn() {
    while (loop.turn()) {
    }
  }
  void pass(std::uint64_t true_ns) {
    const auto error = static_cast<std::int64_t>(true_ns) * ppm + left_over;
    left_over = error % 1'000'000;
    clock.advance(true_ns + static_cast<std::uint64_t>(error / 1'000'000));
  }
  test::ManualClock clock;
  const std::int64_t ppm;
  std::int64_t left_over = 0;
  test::ManualSleeper sleeper{clock};
  loop::EventLoop loop{clock, sleeper};
  std::shared_ptr<Link> link = std::make_shared<Link>(loop);
  std::multimap<std::uint64_t, std::vector<std::byte>> arriving;
};

class World {
 public:
  World(std::uint64_t seed, std::uint64_t delay_ns_max)
      : random_(seed),
        delay_ns_max_(delay_ns_max),
        client_(1 + random_() % (1'000 * kNsPerSec), ppm()),
        server_(1 + random_() % (1'000'000 * kNsPerSec), ppm()),
        caller_(client_.loop, 1),
        dispatcher_(server_.loop, 1) {
    dispatcher_.on<wire::AppendRequest>(
        [this](Request& request, wire::AppendRequest body, ReplyPayload&) {
          return change(request, body.length_bytes, random_() % 3 * 100 * kNsPerMs);
        });
  }

  struct Asked {
    explicit Asked(coro::Task<Result<Answer<wire::AppendReply>>> asking)
        : task(std::move(asking)) {}
    coro::Task<Result<Answer<wire::AppendReply>>> task;
    bool ended = false;
    Errc outcome{};
    std::uint64_t ended_ns = 0;
    std::uint64_t begun_ns = 0;
    int begun_count = 0;
  };

  void ask() {
    const wire::AppendRequest request{.length_bytes = asked.size()};
    const CallOptions options{
        .deadline_ns = client_.clock.now_ns() + kTimeoutNs, .payload = {}, .reply_buffer = {}};
    asked.push_back(std::make_unique<Asked>(
        caller_.call(std::shared_ptr<net::Connection>(client_.link), request, options)));
    asked.back()->task.start();
    client_.turn();
  }

  /// Lets `ns` of true time pass, of which the server sees nothing if it stands still.
  void pass(std::uint64_t ns, bool server_stands = false) {
    now_ns_ += ns;
    client_.pass(ns);
    server_.pass(ns);
    carry(*client_.link, server_);
    carry(*server_.link, client_);
    if (!server_stands) {
      for (auto& bytes : arrived(server_)) {
        const auto fixed = wire::decode_fixed_header(bytes);
        ASSERT_TRUE(fixed.has_value());
        dispatcher_.on_request(server_.link, *fixed,
                               net::Message(std::move(bytes), 0, {}, nullptr));
      }
      server_.turn();
    }
    for (auto& bytes : arrived(client_)) {
      const auto fixed = wire::decode_fixed_header(bytes);
      ASSERT_TRUE(fixed.has_value());
      caller_.on_reply(client_.link, *fixed, net::Message(std::move(bytes), 0, {}, nullptr));
    }
    client_.turn();
    for (const auto& one : asked) {
      if (!one->ended && one->task.done()) {
        const auto result = one->task.take();
        one->ended = true;
        one->ended_ns = now_ns_;
        one->outcome = result.has_value() ? Errc{} : result.error().code;
      }
    }
  }

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  bool all_ended() const {
    return dispatcher_.running_count() == 0 && caller_.in_flight_count() == 0 &&
           client_.arriving.empty() && server_.arriving.empty();
  }

  std::vector<std::unique_ptr<Asked>> asked;

 private:
  std::int64_t ppm() { return static_cast<std::int64_t>(random_() % 199) - 99; }

  coro::Task<Result<wire::AppendReply>> change(Request& request, std::uint64_t number,
                                               std::uint64_t wait_ns) {
    loop::SleepOp pause(server_.loop, server_.clock.now_ns() + wait_ns);
    co_await pause;
    BENCHFS_CO_CHECK_NOW(request.still_wanted());
    asked[number]->begun_ns = now_ns_;
    ++asked[number]->begun_count;
    co_return wire::AppendReply{};
  }
  void carry(Link& from, Process& to) {
    for (auto& bytes : std::exchange(from.under_way, {})) {
      const std::uint64_t last_ns = to.arriving.empty() ? 0 : to.arriving.rbegin()->first;
      to.arriving.emplace(std::max(last_ns, now_ns_ + random_() % delay_ns_max_), std::move(bytes));
    }
  }
  std::vector<std::vector<std::byte>> arrived(Process& at) {
    std::vector<std::vector<std::byte>> all;
    while (!at.arriving.empty() && at.arriving.begin()->first <= now_ns_) {
      all.push_back(std::move(at.arriving.begin()->second));
      at.arriving.erase(at.arriving.begin());
    }
    return all;
  }

  std::mt19937_64 random_;
  const std::uint64_t delay_ns_max_;
  std::uint64_t now_ns_ = 1;
  Process client_;
  Process server_;
  Caller caller_;
  Dispatcher dispatcher_;
};

TEST(Deadline, WhatWasGivenUpIsNeverBegunForAnySeed) {
  int done_count = 0;
  int given_up_count = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed, 20 * kNsPerMs);
    for (int step = 0; step < 400; ++step) {
      if (world.draw(4) == 0) {
        world.ask();
      }
      if (world.draw(60) == 0) {
        // It stands still, while its sockets go on taking what comes.
        for (std::uint64_t left = world.draw(60); left > 0; --left) {
          world.pass(1 + world.draw(40 * kNsPerMs), true);
          if (world.draw(4) == 0) {
            world.ask();
          }
        }
      }
      world.pass(1 + world.draw(5 * kNsPerMs));
    }
    for (int step = 0; !world.all_ended(); ++step) {
      ASSERT_LT(step, 1'000);
      world.pass(5 * kNsPerMs);
    }
    for (const auto& one : world.asked) {
      ASSERT_TRUE(one->ended);
      EXPECT_LE(one->begun_count, 1);
      if (one->outcome == Errc{}) {
        EXPECT_EQ(one->begun_count, 1);
        ++done_count;
      } else {
        EXPECT_EQ(one->outcome, Errc::kTimedOut);
        EXPECT_TRUE(one->begun_count == 0 || one->begun_ns <= one->ended_ns)
            << "begun " << one->begun_ns - one->ended_ns << " ns after it was given up";
        ++given_up_count;
      }
    }
  }
  EXPECT_GT(done_count, 1'000);
  EXPECT_GT(given_up_count, 1'000);
}

TEST(Deadline, WhatIsAskedInGoodTimeIsDoneHoweverLongTheConnectionWasIdle) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed, kNsPerMs);
    for (int round = 0; round < 20; ++round) {
      world.ask();
      for (int step = 0; !world.all_ended(); ++step) {
        ASSERT_LT(step, 1'000);
        world.pass(kNsPerMs);
      }
      EXPECT_EQ(world.asked.back()->outcome, Errc{});
      // Up to days: far more than the reserve for drift takes from a deadline.
      for (int hour = 0; hour < round * 4; ++hour) {
        world.pass(3'600 * kNsPerSec);
      }
    }
  }
}

}  // namespace
}  // namespace benchfs::rpc
