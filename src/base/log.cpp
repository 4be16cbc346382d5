#include "base/log.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <ctime>

#include <unistd.h>

namespace benchfs {
namespace {

// A log is the one thing that every module reaches without being handed it; the level and the name
// are set once by main, before any thread starts.
std::atomic<LogLevel> log_level{LogLevel::kWarning};
std::array<char, 64> log_name{"benchfs"};

constexpr std::array<std::string_view, 4> kLevelNames = {"error", "warning", "info", "debug"};
constexpr std::size_t kLineBytesMax = 1024;

}  // namespace

void configure_log(LogLevel level, std::string_view name) noexcept {
  log_level.store(level, std::memory_order_relaxed);
  const std::size_t length = std::min(name.size(), log_name.size() - 1);
  std::memcpy(log_name.data(), name.data(), length);
  log_name[length] = '\0';
}

bool log_enabled(LogLevel level) noexcept {
  return level <= log_level.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view text) noexcept {
  if (!log_enabled(level)) {
    return;
  }
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm local{};
  ::localtime_r(&now.tv_sec, &local);
  std::array<char, kLineBytesMax> line{};
  const auto end =
      fmt::format_to_n(line.data(), line.size() - 1, "{:02}:{:02}:{:02}.{:03} {} {}: {}",
                       local.tm_hour, local.tm_min, local.tm_sec, now.tv_nsec / 1000000,
                       kLevelNames[static_cast<std::size_t>(level)], log_name.data(), text);
  const std::size_t length = std::min(end.size, line.size() - 1);
  line[length] = '\n';
  // One write per line, so that lines of several processes do not mix. Nothing to do if it fails.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), length + 1);
}

std::string to_string(const Error& error) {
  return error.os_code == 0
             ? fmt::format("{}: {}", error.where, name_of(error.code))
             : fmt::format("{}: {} (os {})", error.where, name_of(error.code), error.os_code);
}

}  // namespace benchfs
