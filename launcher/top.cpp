// benchfs top and benchfs report.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "launcher/commands.h"
#include "launcher/figures_page.h"
#include "launcher/metrics_poll.h"
#include "launcher/process.h"
#include "tools/console.h"
#include "tools/mount.h"

namespace benchfs::launcher {
namespace {

using Clock = std::chrono::steady_clock;

/// Keys come one by one, and unseen, for as long as it lives, if standard input is a terminal.
class Keys {
 public:
  Keys() {
    if (::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
      termios now = before_;
      now.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
      listening_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
    }
  }
  ~Keys() {
    if (listening_) {
      ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  /// Waits until `until`; true if somebody wants to leave before that.
  bool quit_before(Deadline until) {
    while (!tools::was_interrupted()) {
      pollfd polled{.fd = listening_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
      const int count = ::poll(&polled, 1, poll_timeout_ms(until));
      char key = 0;
      if (count > 0 && ::read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q')) {
        return true;
      }
      if (count > 0 && key == 0) {
        listening_ = false;  // The terminal is gone.
      }
      if (Clock::now() >= until) {
        return false;
      }
    }
    return true;
  }

 private:
  termios before_{};
  bool listening_ = false;
};

enum class View {
  kJson,
  kPlain,
  kScreen,  ///< Each page in place of the one before.
};

bool show(const Figures& figures, View view) {
  if (view == View::kScreen) {
    tools::say("\x1b[H\x1b[J{}q: quit\n", top_page(figures, Emphasis::kTerminal));
  } else if (view == View::kJson) {
    tools::say_text(figures_json(figures));
  } else {
    tools::say("{}\n", top_page(figures, Emphasis::kNone));
  }
  return std::fflush(stdout) == 0;
}

std::size_t answering(const std::vector<MetricsAnswer>& answers) {
  return static_cast<std::size_t>(
      std::count_if(answers.begin(), answers.end(),
                    [](const MetricsAnswer& answer) { return answer.state == ServerState::kUp; }));
}

/// Since the servers have started; nothing, after a complaint, if there is no session.
std::optional<Figures> figures_since_start(const std::string& session,
                                           std::chrono::milliseconds time_max) {
  MetricsPoll poll(session, time_max);
  if (!poll.join()) {
    tools::complain("{}", poll.trouble());
    return std::nullopt;
  }
  Figures figures = make_figures(poll.session(), poll.ask(), {});
  figures.session_directory = session;
  return figures;
}

bool all_answer(const Figures& figures) {
  return std::all_of(figures.servers.begin(), figures.servers.end(),
                     [](const ServerFigures& server) { return server.is_up(); });
}

}  // namespace

int top(const TopOptions& options) {
  MetricsPoll poll(options.session, options.time_max);
  if (!poll.join()) {
    tools::complain("{}", poll.trouble());
    return tools::kExitFailure;
  }
  tools::catch_interrupts();
  const bool on_terminal = ::isatty(STDOUT_FILENO) != 0 && options.count != 1;
  const View view = options.json ? View::kJson : on_terminal ? View::kScreen : View::kPlain;
  Keys keys;
  std::vector<MetricsAnswer> before = poll.ask();
  std::size_t answer_count = answering(before);
  Deadline next = Clock::now();
  for (unsigned shown = 0; options.count == 0 || shown < options.count; ++shown) {
    next = std::max(next + options.interval, Clock::now());
    if (keys.quit_before(next)) {
      break;
    }
    const std::uint64_t session_id = poll.session().session_id;
    // Nobody answers, and no other session is there yet: the rows go on to say so.
    (void)poll.join();
    if (poll.session().session_id != session_id) {
      before.clear();
    }
    std::vector<MetricsAnswer> now = poll.ask();
    answer_count = answering(now);
    before.resize(now.size());
    Figures figures = make_figures(poll.session(), now, before);
    figures.session_directory = options.session;
    if (!show(figures, view)) {
      break;  // finish_output() says why.
    }
    before = std::move(now);
  }
  return options.count == 0 || answer_count == before.size() ? tools::exit_status_of(true)
                                                             : tools::kExitFailure;
}

int report(const ReportOptions& options) {
  const auto figures = figures_since_start(options.session, options.time_max);
  if (!figures.has_value()) {
    return tools::kExitFailure;
  }
  tools::say_text(options.json ? figures_json(*figures) : report_page(*figures));
  return all_answer(*figures) ? tools::kExitOk : tools::kExitFailure;
}

bool write_report(const std::string& session, const std::string& file,
                  std::chrono::milliseconds time_max) {
  const auto figures = figures_since_start(session, time_max);
  if (!figures.has_value()) {
    return false;
  }
  const std::string text = file.ends_with(".json") ? figures_json(*figures) : report_page(*figures);
  FILE* const out = std::fopen(file.c_str(), "we");
  if (out == nullptr) {
    tools::complain("cannot write {}: {}", tools::in_quotes(file), tools::errno_text(errno));
    return false;
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
  if (std::fclose(out) != 0 || !written) {
    tools::complain("cannot write {}: {}", tools::in_quotes(file), tools::errno_text(errno));
    return false;
  }
  return true;
}

}  // namespace benchfs::launcher
