#include "sim/hunt.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/simulation.h"

namespace benchfs::sim {
namespace {

using Moment = std::chrono::steady_clock::time_point;

/// A seed that computes for longer, in seconds, or that is not through after so long hangs. Two
/// limits, as a hunt may have to leave the machine to others.
constexpr rlim_t kSeedCpuLimit = 180;
constexpr auto kSeedLimit = std::chrono::minutes(30);

/// A seed that runs in a child, and what it has written so far.
struct Child {
  pid_t pid = -1;
  int fd = -1;
  std::uint64_t seed = 0;
  Moment began;
  std::string text;
};

/// In the child: one line for each number, and the violation.
[[noreturn]] void run_child(const HuntOptions& options, std::uint64_t seed, int fd) {
  const rlimit limit{.rlim_cur = kSeedCpuLimit, .rlim_max = kSeedCpuLimit + 1};
  ::setrlimit(RLIMIT_CPU, &limit);
  const Mutation* const mutation = options.mutation;
  const Plan plan = mutation == nullptr ? make_plan(seed) : mutated_plan(*mutation, seed);
  const Report report =
      simulate(plan, mutation == nullptr || options.spare ? Hooks{} : mutated_hooks(*mutation));
  std::string text;
  for (const auto& [name, count] : report.counts) {
    text += fmt::format("count {} {}\n", name, count);
  }
  text += fmt::format("count events {}\n", report.events);
  text += fmt::format("count virtual_ms {}\n", report.virtual_ns / kNsPerMs);
  text += fmt::format("end {}\n", report.violation);
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(fd, text.data() + at, text.size() - at);
    if (written <= 0) {
      break;
    }
    at += static_cast<std::size_t>(written);
  }
  std::fflush(nullptr);
  ::_exit(report.violation.empty() ? 0 : 1);
}

class Hunt {
 public:
  explicit Hunt(const HuntOptions& options) : options_(options), next_(options.from) {}

  int run() {
    const Moment began = std::chrono::steady_clock::now();
    std::printf("seeds from %llu on\n", static_cast<unsigned long long>(options_.from));
    std::fflush(stdout);
    const auto may_start = [this, began] {
      return (failed_ == 0 || !seeks_one()) &&
             (options_.seeds == 0 || next_ - options_.from < options_.seeds) &&
             (options_.seconds == 0 ||
              std::chrono::steady_clock::now() - began < std::chrono::seconds(options_.seconds));
    };
    while (may_start() || !children_.empty()) {
      while (children_.size() < options_.jobs && may_start()) {
        start(next_++);
      }
      wait();
    }
    for (const auto& [name, count] : counts_) {
      if (seeks_one()) {
        break;
      }
      std::printf("  %-40s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
    }
    std::printf("%llu seeds, %llu failed\n", static_cast<unsigned long long>(done_),
                static_cast<unsigned long long>(failed_));
    return (failed_ == 0) == !seeks_one() ? 0 : 1;
  }

 private:
  bool seeks_one() const { return options_.mutation != nullptr && !options_.spare; }

  void start(std::uint64_t seed) {
    int ends[2];
    if (::pipe(ends) != 0) {
      std::perror("pipe");
      std::exit(2);
    }
    const pid_t pid = ::fork();
    if (pid < 0) {
      std::perror("fork");
      std::exit(2);
    }
    if (pid == 0) {
      ::close(ends[0]);
      run_child(options_, seed, ends[1]);
    }
    ::close(ends[1]);
    children_.emplace(ends[0], Child{.pid = pid,
                                     .fd = ends[0],
                                     .seed = seed,
                                     .began = std::chrono::steady_clock::now(),
                                     .text = {}});
  }

  /// Reads what children have written, for a moment, and ends those that are through.
  void wait() {
    std::vector<pollfd> polled;
    for (const auto& [fd, child] : children_) {
      polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    ::poll(polled.data(), polled.size(), 1000);
    for (const pollfd& item : polled) {
      Child& child = children_.at(item.fd);
      if (std::chrono::steady_clock::now() - child.began > kSeedLimit) {
        ::kill(child.pid, SIGKILL);
        child.text += "\nend it does not end\n";
        finish(child);
        continue;
      }
      if (item.revents == 0) {
        continue;
      }
      char buffer[4096];
      const ssize_t got = ::read(child.fd, buffer, sizeof(buffer));
      if (got > 0) {
        child.text.append(buffer, static_cast<std::size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        finish(child);
      }
    }
  }

  void finish(Child& child) {
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    std::string violation = "it dies";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
      violation = "it does not end";
    } else if (WIFSIGNALED(status)) {
      violation += fmt::format(" by signal {}", WTERMSIG(status));
    }
    for (std::size_t at = 0; at < child.text.size();) {
      const std::size_t end = std::min(child.text.find('\n', at), child.text.size());
      const std::string line = child.text.substr(at, end - at);
      at = end + 1;
      if (line.starts_with("count ")) {
        const std::size_t space = line.rfind(' ');
        counts_[line.substr(6, space - 6)] += std::strtoull(line.c_str() + space, nullptr, 10);
      } else if (line.starts_with("end ")) {
        violation = line.substr(4);
      }
    }
    ++done_;
    if (!violation.empty()) {
      ++failed_;
      std::printf("FAILED simulate --seed %llu: %s\n", static_cast<unsigned long long>(child.seed),
                  violation.c_str());
      std::fflush(stdout);
    }
    ::close(child.fd);
    children_.erase(child.fd);
  }

  const HuntOptions options_;
  std::uint64_t next_;
  std::map<int, Child> children_;  ///< By descriptor.
  std::map<std::string, std::uint64_t> counts_;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace

int hunt_seeds(const HuntOptions& options) {
  return Hunt(options).run();
}

}  // namespace benchfs::sim
