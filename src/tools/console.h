#pragma once

// What the command has to say to its user: complaints to standard error, output to standard output.
//
// Threading: any thread; what one call says stays together. finish_output() is for the main thread.

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace benchfs::tools {

/// Exit statuses, as coreutils has them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;  ///< Unknown options, or none of what was named exists.
inline constexpr int kExitInterrupted = 130;  ///< As a shell reports SIGINT.

/// Writes "benchfs: <text>" and a newline to standard error.
void complain_text(std::string_view text);

template <typename... Args>
void complain(fmt::format_string<Args...> format, Args&&... args) {
  complain_text(fmt::format(format, std::forward<Args>(args)...));
}

/// Writes to standard output; a failure is remembered for finish_output().
void say_text(std::string_view text);

template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say_text(fmt::format(format, std::forward<Args>(args)...));
}

/// Flushes standard output. Returns `exit_status`, or kExitFailure with a complaint if something
/// that was to be said did not get out (a full disk behind a redirection).
int finish_output(int exit_status);

/// The system's text for an errno: "No such file or directory". Any thread.
std::string errno_text(int error);

/// 'name' for a message: quotes, and control bytes as \ooo.
std::string in_quotes(std::string_view name);

/// Rows of cells, each column as wide as its widest cell. `align` has one character per column: 'l'
/// or 'r'. Every line ends with a newline, without trailing spaces.
std::string format_table(const std::vector<std::vector<std::string>>& rows, std::string_view align);

}  // namespace benchfs::tools
