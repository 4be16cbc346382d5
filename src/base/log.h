#pragma once

// Lines for people: what a server or tool has to say, to standard error, one line each.
// The function that detects an error logs it; its callers hand it on.
//
// Threading: any thread. Never on the path of a single request.

#include <string_view>

#include <fmt/format.h>

#include "base/error.h"

namespace benchfs {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

/// Lines above `level` are dropped. `name` leads every line ("benchfsd[3]"). Call once, from main.
void configure_log(LogLevel level, std::string_view name) noexcept;
bool log_enabled(LogLevel level) noexcept;

/// Writes one line: time, level, name, text. Truncates at 1 KiB; never fails.
void log_line(LogLevel level, std::string_view text) noexcept;

template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kInfo)) {
    log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug)) {
    log_line(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
}

/// "disk.write: out_of_space (os 28)"
std::string to_string(const Error& error);

}  // namespace benchfs
