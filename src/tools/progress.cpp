#include "tools/progress.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/parse.h"
#include "tools/listing.h"

namespace benchfs::tools {
namespace {

constexpr std::chrono::milliseconds kBarInterval{100};
constexpr std::chrono::milliseconds kLineInterval{2'000};
constexpr std::size_t kNameMax = 32;
constexpr std::size_t kWidthDefault = 80;

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                           : kWidthDefault;
}

std::string clock_text(double seconds) {
  const auto total = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 359'999.0));
  return total >= 3600 ? fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60)
                       : fmt::format("{:02}:{:02}", total / 60, total % 60);
}

}  // namespace

std::string Progress::line(const std::string& name, std::uint64_t done, std::uint64_t size,
                           double seconds, std::size_t width) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const std::string shown = shown_name(name, true);
  const std::string label =
      shown.size() <= kNameMax ? shown : "..." + shown.substr(shown.size() - (kNameMax - 3));
  const std::string speed = format_size(static_cast<std::uint64_t>(rate)) + "/s";
  if (size == 0) {
    return fmt::format("{}  {}  {}  {}", label, format_size(done), speed, clock_text(seconds));
  }
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(size));
  const std::string percent = fmt::format("{:3}%", static_cast<int>(part * 100));
  // What is left to do at the mean rate; once done, what it took.
  const double clock =
      done >= size
          ? seconds
          : (rate > 0 ? (static_cast<double>(size) - static_cast<double>(done)) / rate : 0);
  const std::string rest = fmt::format("{}  {} / {}  {}  {}", percent, format_size(done),
                                       format_size(size), speed, clock_text(clock));
  const std::size_t taken = label.size() + rest.size() + 6;
  if (width < taken + 8) {
    return fmt::format("{}  {}", label, rest);
  }
  const std::size_t room = std::min<std::size_t>(width - taken, 40);
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(room));
  return fmt::format("{}  [{}{}]  {}", label, std::string(filled, '#'),
                     std::string(room - filled, ' '), rest);
}

void Progress::expect(std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (file_count_++ == 0) {
    begun_ = std::chrono::steady_clock::now();
    shown_ = begun_;
  }
  size_ += size;
}

void Progress::begin(const std::string& name) {
  const std::lock_guard lock(mutex_);
  name_ = name;
}

void Progress::add(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  done_ += bytes;
  const auto interval = style_ == Style::kBar ? kBarInterval : kLineInterval;
  if (style_ != Style::kNone && std::chrono::steady_clock::now() - shown_ >= interval) {
    show(false);
  }
}

void Progress::end(std::uint64_t left_out) {
  const std::lock_guard lock(mutex_);
  ++ended_count_;
  size_ -= std::min(size_, left_out);
}

void Progress::finish(bool fine) {
  const std::lock_guard lock(mutex_);
  if (style_ == Style::kNone || file_count_ == 0) {
    return;
  }
  if (fine) {
    show(true);
  } else if (style_ == Style::kBar) {
    std::fputs("\r\033[K", stderr);
  }
}

std::string Progress::label() const {
  return file_count_ < 2 ? name_ : fmt::format("{} of {} files", ended_count_, file_count_);
}

void Progress::show(bool last) {
  shown_ = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(shown_ - begun_).count();
  if (style_ == Style::kLines) {
    std::fprintf(stderr, "%s\n", line(label(), done_, size_, seconds, kWidthDefault).c_str());
    return;
  }
  std::fprintf(stderr, "\r%s\033[K%s",
               line(label(), done_, size_, seconds, terminal_width()).c_str(), last ? "\n" : "");
  std::fflush(stderr);
}

}  // namespace benchfs::tools
