// The other process of two_process_test: a server that says where it is on standard output (length
// and bytes of its address), and then does what each message's first header byte asks.
//
//   e  echo: receives the payload and sends header and payload back
//   h  hold: keeps the message and does nothing
//   d  drop: drops the message
//   v  verify: receives the payload, and answers with one byte: 'y' if it is the pattern of the
//   seed in
//      header bytes 8 to 15, 'n' if not
//   r  report: answers with how many were right, were wrong, and were lost on the way (u64 each)
//   f  free: drops all that it holds
//   q  quit: closes and exits
//
// With an argument it is a client instead, which reads on standard input where a server is, begins
// to connect to it, and is gone after as many turns of its loop in which something happened.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>

#include <sys/prctl.h>
#include <unistd.h>

#include "coro/scope.h"
#include "integration/transport/party.h"

namespace benchfs::test {
namespace {

class Peer final : public net::Listener {
 public:
  Peer(net::UcxTransport& transport, loop::EventLoop& loop) : transport_(transport), loop_(loop) {}

  void on_accept(const std::shared_ptr<net::Connection>&) noexcept override {}
  void on_lost(const std::shared_ptr<net::Connection>&, Error) noexcept override {}
  void on_message(const std::shared_ptr<net::Connection>& connection,
                  net::Message message) noexcept override {
    switch (static_cast<char>(message.header()[0])) {
      case 'e':
        scope_.spawn(echo(connection, std::move(message)));
        break;
      case 'v':
        scope_.spawn(verify(connection, std::move(message)));
        break;
      case 'h':
        held_.push_back(std::move(message));
        break;
      case 'f':
        held_.clear();
        break;
      case 'r':
        scope_.spawn(report(connection));
        break;
      case 'q':
        held_.clear();
        quit_ = true;
        break;
      default:
        break;
    }
  }

  bool quit() const { return quit_; }

  coro::Task<Status> finish() {
    co_await transport_.close(loop_.now_ns() + kNsPerSec);
    scope_.close();
    co_await scope_.join();
    co_return Status{};
  }

 private:
  coro::Task<void> echo(std::shared_ptr<net::Connection> connection, net::Message message) {
    std::vector<std::byte> payload(message.payload_bytes());
    if (!payload.empty()) {
      net::TransferOp received;
      message.receive(payload, received);
      const Status status = co_await received;
      if (!status.has_value()) {
        co_return;
      }
    }
    net::TransferOp sent;
    connection->send(message.header(), payload, sent);
    const Status outcome = co_await sent;
    static_cast<void>(outcome);  // A peer that is gone is what some tests are about.
  }

  coro::Task<void> verify(std::shared_ptr<net::Connection> connection, net::Message message) {
    std::uint64_t seed = 0;
    std::memcpy(&seed, message.header().data() + 8, sizeof(seed));
    std::vector<std::byte> payload(message.payload_bytes());
    net::TransferOp received;
    message.receive(payload, received);
    const Status status = co_await received;
    if (!status.has_value()) {
      ++lost_;
      co_return;
    }
    const bool right = is_pattern(payload, seed);
    ++(right ? verified_ : wrong_);
    const std::byte answer[1] = {static_cast<std::byte>(right ? 'y' : 'n')};
    net::TransferOp sent;
    connection->send(answer, {}, sent);
    const Status outcome = co_await sent;
    static_cast<void>(outcome);  // A peer that is gone is what some tests are about.
  }

  coro::Task<void> report(std::shared_ptr<net::Connection> connection) {
    const std::uint64_t counts[3] = {verified_, wrong_, lost_};
    net::TransferOp sent;
    connection->send(std::as_bytes(std::span(counts)), {}, sent);
    const Status outcome = co_await sent;
    static_cast<void>(outcome);  // A peer that is gone is what some tests are about.
  }

  net::UcxTransport& transport_;
  loop::EventLoop& loop_;
  coro::Scope scope_;
  bool quit_ = false;
  std::list<net::Message> held_;
  std::uint64_t verified_ = 0;
  std::uint64_t wrong_ = 0;
  std::uint64_t lost_ = 0;
};

int run() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  World world;
  SystemRandom random;
  auto transport = net::UcxTransport::create({.credentials = credentials(), .self = server(1)},
                                             world.loop, random);
  if (!transport.has_value()) {
    return 2;
  }
  Peer peer(**transport, world.loop);
  (*transport)->listen(peer);
  world.loop.add_source(**transport);
  const std::vector<std::byte> address = (*transport)->address();
  const std::uint64_t bytes = address.size();
  if (::write(STDOUT_FILENO, &bytes, sizeof(bytes)) != sizeof(bytes) ||
      ::write(STDOUT_FILENO, address.data(), bytes) != static_cast<ssize_t>(bytes)) {
    return 3;
  }
  // Nobody reads the pipe any more, and UCX writes its messages to standard output.
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  while (!peer.quit()) {
    world.loop.run_once(UINT64_MAX);
  }
  const std::optional<Status> finished = world.finish(peer.finish());
  world.loop.remove_source(**transport);
  return finished.has_value() ? 0 : 4;
}

int connect_and_die(unsigned long turns) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::uint64_t bytes = 0;
  if (::read(STDIN_FILENO, &bytes, sizeof(bytes)) != sizeof(bytes) || bytes > 65536) {
    return 2;
  }
  std::vector<std::byte> address(bytes);
  if (::read(STDIN_FILENO, address.data(), bytes) != static_cast<ssize_t>(bytes)) {
    return 2;
  }
  World world;
  const auto us = Party::create(world, client(99));
  if (us == nullptr) {
    return 3;
  }
  auto connecting =
      us->transport().connect(std::move(address), server(7), world.loop.now_ns() + 10 * kNsPerSec);
  connecting.start();
  while (turns > 0 && !connecting.done()) {
    turns -= world.loop.turn() ? 1 : 0;
  }
  ::kill(::getpid(), SIGKILL);
  return 4;
}

}  // namespace
}  // namespace benchfs::test

int main(int argc, char** argv) {
  return argc > 1 ? benchfs::test::connect_and_die(std::strtoul(argv[1], nullptr, 10))
                  : benchfs::test::run();
}
