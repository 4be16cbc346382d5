#include "launcher/metrics_poll.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "tools/console.h"
#include "wire/codec.h"

namespace benchfs::launcher {
namespace {

/// Threads that ask at once; more servers than that take turns.
constexpr std::size_t kAskersMax = 64;

/// What a mount that opens meanwhile takes for the time-out of its requests.
class TimeoutVariable {
 public:
  explicit TimeoutVariable(std::chrono::milliseconds time_max) {
    const char* const before = std::getenv(kName);
    if (before != nullptr) {
      before_ = before;
    }
    ::setenv(kName, fmt::format("{}ms", time_max.count()).c_str(), 1);
  }
  ~TimeoutVariable() {
    before_.has_value() ? ::setenv(kName, before_->c_str(), 1) : ::unsetenv(kName);
  }
  TimeoutVariable(const TimeoutVariable&) = delete;
  TimeoutVariable& operator=(const TimeoutVariable&) = delete;

 private:
  static constexpr char kName[] = "BENCHFS_TIMEOUT";
  std::optional<std::string> before_;
};

MetricsAnswer ask_one(benchfs_mount* mount, std::size_t server) {
  MetricsAnswer answer;
  std::vector<std::byte> bytes(BENCHFS_METRICS_BYTES_MAX);
  const ssize_t size =
      benchfs_server_metrics_get(mount, static_cast<int>(server), bytes.data(), bytes.size());
  answer.asked_ns = static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
  if (size < 0) {
    answer.state = errno == EHOSTDOWN ? ServerState::kDown : ServerState::kNotAnswering;
    answer.trouble = benchfs_error_text();
    return answer;
  }
  wire::Decoder decoder(ConstBytes(bytes).first(static_cast<std::size_t>(size)));
  decoder& answer.metrics;
  answer.state = decoder.finished() ? ServerState::kUp : ServerState::kNotAnswering;
  if (!decoder.finished()) {
    answer.trouble = "its metrics make no sense: is libbenchfs of the same version?";
  }
  return answer;
}

}  // namespace

MetricsPoll::MetricsPoll(std::string session_directory, std::chrono::milliseconds time_max)
    : session_directory_(std::move(session_directory)), time_max_(time_max) {}

MetricsPoll::~MetricsPoll() = default;

bool MetricsPoll::join() {
  if (mount_ != nullptr && !none_answered_) {
    return true;
  }
  auto session = session::read_session(session_directory_);
  if (!session.has_value()) {
    trouble_ = session.error().text;
    return false;
  }
  if (mount_ != nullptr && session->session_id == session_.session_id &&
      session->epoch == session_.epoch) {
    return true;
  }
  {
    const TimeoutVariable timeout(time_max_);
    mount_.reset(benchfs_mount_open(session_directory_.c_str()));
  }
  if (mount_ == nullptr) {
    trouble_ =
        fmt::format("{}: cannot join the session: {}", session_directory_, benchfs_error_text());
    return false;
  }
  session_ = std::move(*session);
  return true;
}

std::vector<MetricsAnswer> MetricsPoll::ask() {
  std::vector<MetricsAnswer> answers(session_.servers.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> askers;
  for (std::size_t i = 0; i < std::min(kAskersMax, answers.size()); ++i) {
    askers.emplace_back([&] {
      for (std::size_t server = next++; server < answers.size(); server = next++) {
        answers[server] = ask_one(mount_.get(), server);
      }
    });
  }
  for (std::thread& asker : askers) {
    asker.join();
  }
  none_answered_ = std::none_of(answers.begin(), answers.end(), [](const MetricsAnswer& answer) {
    return answer.state == ServerState::kUp;
  });
  return answers;
}

}  // namespace benchfs::launcher
